//! Implements the shard's traits on librdkafka, and everything else that needs Kafka: group membership, topics.
//!
//! **Contract.** This room makes no decision about what is published; it is how `crate::shard` reaches a cluster.

pub mod claim;
mod client;
pub mod context;
pub mod data_topics;
mod error;
mod failure;
mod group_claim;
pub mod log;
pub mod membership;
pub mod producer;
pub mod reader;
pub mod settings;
pub mod storage_topics;
pub mod stores;
pub mod subscription;
pub mod topics;
pub mod trial;
pub mod watch;

pub use client::client_config;
pub use data_topics::{DataTopic, DataTopics, TopicUnusable};
pub use failure::{FailureContext, Unreachable, last_failure, noted_failure};
pub use log::KafkaLog;
pub use membership::{GroupListener, Membership, MembershipEnd};
pub use settings::KafkaSettings;
pub use stores::{KafkaConfigStore, KafkaStatusStore};
pub use subscription::Subscription;
pub use topics::{PlanSettings, TopicError, TopicFacts, Topics};
