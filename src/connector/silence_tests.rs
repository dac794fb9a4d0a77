use futures::FutureExt;

use super::*;

/// Gives a silence that has begun this long ago.
fn since(silence: &mut Silence, elapsed: Duration) {
    silence.since = Instant::now().checked_sub(elapsed).unwrap();
}

#[tokio::test]
async fn silence_is_noticed_once_until_it_ends() {
    let after = Duration::from_secs(3_600);
    let mut silence = Silence::new(Some(after));
    assert!(silence.noticed().now_or_never().is_none());
    since(&mut silence, after);
    assert!(silence.noticed().await >= after);
    assert!(silence.noticed().now_or_never().is_none(), "noticed twice");
    silence.ended();
    assert!(silence.noticed().now_or_never().is_none(), "noticed although something has arrived");
    since(&mut silence, after);
    assert!(silence.noticed().await >= after);
}

#[tokio::test]
async fn without_a_limit_silence_is_never_noticed() {
    let mut silence = Silence::new(None);
    since(&mut silence, Duration::from_secs(3_600));
    assert!(silence.noticed().now_or_never().is_none());
}
