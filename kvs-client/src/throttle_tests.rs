use std::time::Instant;

use super::*;

/// It can only take longer on a busy machine.
#[tokio::test]
async fn an_accounts_calls_are_shared_among_processes() {
    let limits = CallLimits::default();
    limits.share_among(5);
    let began = Instant::now();
    for _ in 0..21 {
        limits.wait(Operation::GetDataEndpoint, None).await;
    }
    // 105 turns of 4 ms, of which the first one comes at once.
    assert!(began.elapsed() >= Duration::from_millis(104 * 4 - 10), "{:?}", began.elapsed());
}
