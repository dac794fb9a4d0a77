#![allow(clippy::unwrap_used)]

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::routing::get;
use tower::Service;

use super::*;

/// A panic of a handler, on the runtime or on a blocking thread, reaches only its client.
#[tokio::test]
async fn a_panic_is_answered_with_500_and_the_next_request_as_ever() {
    let fails = || async {
        if true {
            panic!("on purpose: a secret");
        }
    };
    let mut router = guarded(Router::new().route("/fails", get(fails)).route("/works", get(|| async { "fine" })));
    for _ in 0..2 {
        let request = |path: &str| Request::builder().uri(path).body(Body::empty()).unwrap();
        let answer = router.call(request("/fails")).await.unwrap();
        assert_eq!(answer.status(), 500);
        let body = to_bytes(answer.into_body(), 10_000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error_code"], 500);
        let message = body["message"].as_str().unwrap();
        assert!(message.contains("a defect in this program") && !message.contains("a secret"), "{message}");
        assert_eq!(router.call(request("/works")).await.unwrap().status(), 200);
    }
}
