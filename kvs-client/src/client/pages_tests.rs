#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

fn pages() -> Pages<'static> {
    Pages::new(Operation::ListStreams, None, json!({}), 10)
}

#[test]
fn a_list_ends_with_its_tokens() {
    let mut pages = pages();
    for token in ["a", "b"] {
        assert!(pages.more(&json!({ "NextToken": token }), 1, None).unwrap());
        assert_eq!(pages.request["NextToken"], token);
    }
    for last in [json!({}), json!({ "NextToken": "" }), json!({ "NextToken": null })] {
        assert!(!pages.more(&last, 10, None).unwrap());
    }
}

#[test]
fn a_token_that_repeats_and_too_many_rows_are_errors() {
    let mut pages = pages();
    for token in ["a", "b"] {
        pages.more(&json!({ "NextToken": token }), 1, None).unwrap();
    }
    let error = pages.more(&json!({ "NextToken": "a" }), 1, Some("r-1".to_owned())).unwrap_err();
    let expected = "NextToken of page 3 occurred before";
    assert!(error.to_string().contains(expected) && error.request_id() == Some("r-1"), "{error}");
    let error = pages.more(&json!({}), 11, None).unwrap_err();
    assert!(error.to_string().contains("more than 10 rows"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_list_times_out_after_ten_minutes() {
    let pages = pages();
    tokio::time::advance(Duration::from_secs(599)).await;
    assert!(pages.in_time(async { Ok(()) }).await.is_ok());
    let error = pages.in_time(std::future::pending::<Result<(), Error>>()).await.unwrap_err();
    assert!(error.to_string().contains("last page was not reached within 600 s"), "{error}");
}
