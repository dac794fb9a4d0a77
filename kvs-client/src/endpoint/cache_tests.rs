#![allow(clippy::unwrap_used)]

use super::*;

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_requested_again_before_45_minutes() {
    let (cache, stream) = (EndpointCache::default(), "s".parse::<StreamRef>().unwrap());
    let url = rules::parse("https://s-1.kinesisvideo.us-east-1.amazonaws.com", false).unwrap();
    cache.put(&stream, Operation::GetMedia, url).await;
    tokio::time::advance(Duration::from_secs(39 * 60)).await;
    assert!(cache.get(&stream, Operation::GetMedia).await.is_some());
    assert!(cache.get(&stream, Operation::ListFragments).await.is_none());
    tokio::time::advance(Duration::from_secs(2 * 60)).await;
    assert!(cache.get(&stream, Operation::GetMedia).await.is_none());
}
