use std::time::Instant;

use super::*;

/// On a busy machine the calls only take longer.
#[tokio::test]
async fn an_accounts_limit_is_shared_among_processes() {
    let limits = CallLimits::default();
    limits.share_among(5);
    let began = Instant::now();
    for _ in 0..21 {
        limits.wait(Operation::GetDataEndpoint, None).await;
    }
    // 105 turns of 4 ms, the first of which comes at once.
    assert!(began.elapsed() >= Duration::from_millis(104 * 4 - 10), "{:?}", began.elapsed());
}
