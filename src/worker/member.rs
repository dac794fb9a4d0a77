//! The worker as the herder sees it: a member of its group.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::connections;
use super::plan::Dependencies;
use super::shards::Shards;
use crate::config::ConnectorConfig;
use crate::herder::Member;

/// A worker that is joining its group, or has joined it.
pub(super) struct GroupMember {
    pub(super) cluster_id: Option<String>,
    pub(super) shards: Arc<Shards>,
    pub(super) dependencies: Arc<Dependencies>,
}

impl Member for GroupMember {
    fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    fn apart(&self) -> Option<String> {
        self.shards.apart()
    }

    fn standing_still(&self) -> Option<String> {
        self.shards.standing_still()
    }

    fn budget_used_bytes(&self) -> usize {
        self.dependencies.budget_used_bytes()
    }

    fn try_connections<'a>(&'a self, connector: &'a ConnectorConfig) -> BoxFuture<'a, Vec<(String, String)>> {
        connections::try_connector(&self.dependencies, connector).boxed()
    }
}
