#![allow(clippy::panic)]

use super::*;

struct Nobody;

impl Member for Nobody {
    fn cluster_id(&self) -> Option<&str> {
        Some("cluster")
    }

    fn apart(&self) -> Option<String> {
        None
    }

    fn standing_still(&self) -> Option<String> {
        None
    }

    fn budget_used_bytes(&self) -> usize {
        0
    }

    fn try_connections<'a>(&'a self, _connector: &'a ConnectorConfig) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async { Vec::new() })
    }
}

#[test]
fn a_phase_is_followed_by_the_next_one_and_never_by_an_earlier_one() {
    let mut phase = Phase::Starting { cluster_id: None, waiting: None };
    phase.wait_for(Some("Kafka".to_owned()));
    assert_eq!(phase.waits_for().as_deref(), Some("Kafka"));
    // There is nothing to stop yet, and no group has been joined.
    phase.stop();
    assert!(!phase.joined() && matches!(phase, Phase::Starting { .. }) && phase.cluster_id().is_none());
    phase = Phase::Joining(Arc::new(Nobody));
    assert!(!phase.is_member() && phase.cluster_id() == Some("cluster"));
    assert!(phase.joined() && phase.is_member() && matches!(phase, Phase::Running(_)));
    assert!(!phase.joined(), "every rebalance assigns shards again");
    phase.stop();
    assert!(phase.is_member() && matches!(phase, Phase::Stopping(_)));
    assert!(!phase.joined() && matches!(phase, Phase::Stopping(_)));
}

#[test]
fn a_worker_that_is_stopped_while_it_joins_does_not_run_afterwards() {
    let mut phase = Phase::Joining(Arc::new(Nobody));
    phase.stop();
    assert!(!phase.joined() && matches!(phase, Phase::Stopping(_)));
}
