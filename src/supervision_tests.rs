use super::*;

#[test]
fn a_panic_is_caught_with_its_part_and_message() {
    let panicked = catch(Part::Shard, || panic!("{} is wrong", 7)).unwrap_err();
    assert_eq!((panicked.part, panicked.message.as_str()), (Part::Shard, "7 is wrong"));
    assert!(panicked.to_string().starts_with("shard panicked at "), "{panicked}");
    assert_eq!(catch(Part::Shard, || 3), Ok(3));
}

#[tokio::test]
async fn so_is_one_behind_a_point_where_a_future_waits() {
    let panicked = catch_async(Part::Stream, async {
        tokio::task::yield_now().await;
        panic!("late")
    });
    let panicked: Result<(), _> = panicked.await;
    assert_eq!(panicked.unwrap_err().message, "late");
}

#[test]
fn names_are_all_different() {
    let names: std::collections::BTreeSet<_> = Part::ALL.iter().map(|part| part.name()).collect();
    assert_eq!(names.len(), Part::ALL.len());
}
