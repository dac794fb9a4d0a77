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

#[tokio::test]
async fn one_on_a_thread_where_waiting_is_allowed_goes_on_where_it_is_waited_for_and_is_counted_once() {
    let outer = catch_async(Part::Statuses, async {
        let inner: Result<(), _> = catch_blocking(Part::Metrics, || panic!("inside")).await;
        inner.unwrap_or_else(|panicked| panicked.go_on())
    });
    let panicked = outer.await.unwrap_err();
    assert_eq!((panicked.part, panicked.message.as_str()), (Part::Metrics, "inside"));
}

#[tokio::test]
async fn work_that_is_waited_for_goes_on_panicking_with_its_place() {
    install();
    let caught = catch_async(Part::Worker, blocking(Part::Topics, || panic!("deep"))).await;
    let panicked: Panicked = caught.map(|(): ()| ()).unwrap_err();
    assert_eq!((panicked.part, panicked.message.as_str()), (Part::Topics, "deep"));
    assert!(panicked.location.starts_with(file!()), "{panicked}");
    assert_eq!(blocking(Part::Topics, || 7).await, 7);
}

#[test]
fn names_are_all_different() {
    let names: std::collections::BTreeSet<_> = Part::ALL.iter().map(|part| part.name()).collect();
    assert_eq!(names.len(), Part::ALL.len());
}
