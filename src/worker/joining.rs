//! Joining the group, and leaving it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::connectors::Connectors;
use super::member::GroupMember;
use super::offsets_topics::{OffsetsTopics, TopicListener, TopicParts};
use super::plan::{self, Dependencies};
use super::shard_topics::{ShardTopics, TopicOwners};
use super::shards::Shards;
use super::status_reporter::{Assignments, ReporterParts, StatusReporter};
use super::supervisor::Supervisor;
use super::{Mode, Worker, WorkerError, startup, watch};
use crate::cluster::{ConfigLog, Event, FollowerEnded, StatusLog};
use crate::config::connector::ConnectorFile;
use crate::herder::Phase;
use crate::kafka::settings::GroupProtocol;
use crate::kafka::{DataTopics, KafkaLog, KafkaSettings, Membership, Subscription, Topics};
use crate::shard::beginning::patiently;
use crate::shard::{ConfigGate, OwnerContext};
use crate::supervision::{Panicked, Part, blocking, catch_blocking, fault_point_in};

/// The maximum number of queued events of the config log: restarts, alterations, levels of loggers.
const EVENTS_MAX: usize = 1_000;

/// The maximum number of unusable offsets topics queued to be closed; one entry for each is enough.
const REFUSALS_MAX: usize = 64;

/// What a worker has when it is ready to join: everything has been checked.
pub(super) struct Prepared {
    cluster_id: Option<String>,
    /// How to join.
    joining: KafkaSettings,
    events: mpsc::Receiver<Event>,
    log: Arc<KafkaLog>,
    data_topics: Arc<DataTopics>,
    dependencies: Arc<Dependencies>,
}

/// A worker's membership, and its status reporter.
pub(super) struct Joined {
    membership: Membership,
    statuses: Arc<StatusReporter>,
    reporting: JoinHandle<()>,
}

impl Worker {
    /// Waits for Kafka and for the group, creates or checks the topics, and reads both logs. `None`: shut down
    /// meanwhile.
    pub(super) async fn prepare(
        self: &Arc<Self>,
        given: Vec<ConnectorFile>,
        supervisor: &Supervisor,
        shutdown: &CancellationToken,
    ) -> Result<Option<Prepared>, WorkerError> {
        let config = &self.config;
        let topics = Arc::new(Topics::new(&self.kafka).map_err(startup::refused_settings)?);
        let waits = |reason: String| self.phase.send_modify(|phase| phase.wait_for(Some(reason)));
        if !startup::wait_for_kafka(&topics, &self.kafka.bootstrap_servers, &waits, shutdown).await {
            return Ok(None);
        }
        let cluster_id = topics.cluster_id().await;
        self.phase.send_replace(Phase::Starting { cluster_id: cluster_id.clone(), waiting: None });
        let Some(group) = self.ask_group(shutdown).await? else { return Ok(None) };
        let data_topics = Arc::new(DataTopics::new(&self.kafka).map_err(startup::refused_settings)?);
        let log = Arc::new(KafkaLog::new(self.kafka.clone()).with_data_topics(Arc::clone(&data_topics)));
        let widened = startup::storage_topics(&topics, config, &log, &self.contract).await?;
        let offsets_begun = startup::check_contract(Arc::clone(&log), self.contract.clone(), config.shards).await?.any;
        let events = self.follow_logs(supervisor).await?;
        if self.mode == Mode::Standalone {
            self.adopt_offsets_topics(&topics, group.config_topics.clone()).await?;
        }
        startup::expect_begun(&widened, &self.configs, &self.statuses)?;
        if !startup::refuse_namesake(&self.statuses, config, &self.reporter, shutdown).await? {
            return Ok(None);
        }
        let names = given.iter().filter_map(|given| given.settings.get("name").cloned()).collect();
        let joining = self.agree(group, offsets_begun, names).await?;
        let dependencies = Dependencies::new(Arc::clone(config), topics, Arc::clone(&data_topics));
        dependencies.share_calls(self.statuses.look(|view| view.workers(Instant::now()).count()) + 1);
        self.put_given(given, shutdown).await?;
        let dependencies = Arc::new(dependencies);
        Ok(Some(Prepared { cluster_id, joining, events, log, data_topics, dependencies }))
    }

    /// Starts following the two logs, and reads them to their current ends.
    async fn follow_logs(&self, supervisor: &Supervisor) -> Result<mpsc::Receiver<Event>, WorkerError> {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let (configs, statuses) = (Arc::clone(&self.configs), Arc::clone(&self.statuses));
        let endings = supervisor.endings.clone();
        let ended: FollowerEnded = Arc::new(move |panicked| _ = endings.try_send(WorkerError::Panicked(panicked)));
        let followed = blocking(Part::Worker, move || {
            patiently(|| configs.follow(sender.clone(), &ended))?;
            patiently(|| statuses.follow(&ended))
        });
        followed.await.map_err(WorkerError::from)?;
        if let Err(refusal) = self.configs.check_contract(&self.configs.view()) {
            return Err(WorkerError::Config(format!("topic {}: {refusal}", self.configs.topic())));
        }
        Ok(events)
    }

    /// Writes the connectors' files into the log, as PUT config does.
    async fn put_given(&self, given: Vec<ConnectorFile>, shutdown: &CancellationToken) -> Result<(), WorkerError> {
        for ConnectorFile { place: file, settings } in given {
            let name = settings.get("name").cloned().unwrap_or_default();
            let put = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                put = self.herder.put_config(&name, settings) => put,
            };
            match put {
                Ok(_) => tracing::info!(connector = name, place = file, "connector's file applied"),
                Err(error) if error.is_temporary() => return Err(WorkerError::Unavailable(error.to_string())),
                Err(error) => return Err(WorkerError::Config(format!("{file}: {error}"))),
            }
        }
        Ok(())
    }

    /// Starts all parts of a member of the group, and joins.
    pub(super) fn join(self: Arc<Self>, prepared: Prepared, supervisor: &Supervisor) -> Result<Joined, WorkerError> {
        let Prepared { cluster_id, joining, events, log, data_topics, dependencies } = prepared;
        let config = &self.config;
        let gate = Arc::new(ConfigGate::new(self.configs.topic()));
        let owners = OwnerContext {
            log,
            contract: self.contract.clone(),
            settings: plan::owner_settings(config),
            runtime: Handle::current(),
        };
        let workers_topic: Arc<str> = config.offsets_topic.as_str().into();
        let (refusals, refused) = mpsc::channel(REFUSALS_MAX);
        let workers = TopicOwners { count: config.shards, owners };
        let shards = Arc::new(Shards::new(
            ShardTopics::new(Arc::clone(&workers_topic), workers),
            Arc::clone(&self.states),
            supervisor.endings.clone(),
            refusals.clone(),
            Arc::clone(&gate),
        ));
        let subscription = Subscription::new(workers_topic);
        let parts = TopicParts {
            kafka: self.kafka.clone(),
            contract: self.contract.clone(),
            settings: plan::owner_settings(config),
            topics: Arc::clone(&dependencies.topics),
            data_topics: Arc::clone(&data_topics),
            runtime: Handle::current(),
            subscription: subscription.clone(),
        };
        let offsets_topics = Arc::new(OffsetsTopics::new(parts, Arc::clone(&shards)));
        let member = GroupMember { cluster_id, shards: Arc::clone(&shards), dependencies: Arc::clone(&dependencies) };
        self.phase.send_replace(Phase::Joining(Arc::new(member)));
        let connectors = Connectors::new(
            Arc::clone(&dependencies),
            Arc::clone(&shards),
            Arc::clone(&offsets_topics),
            gate,
            Handle::current(),
        );
        let connectors = Arc::new(connectors);
        let statuses = Arc::new(StatusReporter::new(ReporterParts {
            reporter: self.reporter.clone(),
            group_instance_id: config.group_instance_id.clone(),
            session_timeout: Duration::from_millis(config.session_timeout_ms),
            configs: Arc::clone(&self.configs),
            log: Arc::clone(&self.statuses),
            shards: Arc::clone(&shards),
            connectors: Arc::clone(&connectors),
            states: Arc::clone(&self.states),
            changes: self.herder.changes().clone(),
            dependencies: Arc::clone(&dependencies),
        }));
        shards.listen(Box::new(Assignments { statuses: Arc::clone(&statuses), phase: self.phase.clone() }));
        supervisor.start(Part::DataTopics, watch::data_topics(data_topics, supervisor.stop.clone()));
        connectors.apply(&self.configs.view());
        let following = Arc::clone(&self).follow_configs(Arc::clone(&connectors), events, supervisor.stop.clone());
        supervisor.start(Part::Configs, following);
        let topics = Arc::clone(&offsets_topics).follow(
            Arc::clone(&self.configs),
            Arc::clone(&connectors) as Arc<dyn TopicListener>,
            refused,
            supervisor.stop.clone(),
        );
        supervisor.start(Part::OffsetsTopics, topics);
        tracing::info!(
            worker_id = self.reporter.worker_id,
            connectors = self.configs.view().names().count(),
            shards = config.shards.get(),
            mode = ?self.mode,
            "starting"
        );
        if config.group_protocol == GroupProtocol::Consumer {
            tracing::info!("group.protocol=consumer: the session timeout is the broker's, or the group's own");
        }
        // Whatever can fail must fail before the group knows of this worker.
        let watching =
            self.watch_storage_topics(Arc::clone(&shards), dependencies, (offsets_topics, refusals), supervisor)?;
        let membership = Membership::join(&joining, subscription, shards)
            .map_err(|error| WorkerError::Unavailable(error.to_string()))?;
        supervisor.start(Part::StorageTopics, watching);
        let reporting = supervisor.start(Part::Statuses, Arc::clone(&statuses).run(supervisor.stop.clone()));
        Ok(Joined { membership, statuses, reporting })
    }
}

impl Joined {
    /// Commits complete fragments, leaves the group, and stops following the logs. Takes as long as Kafka needs.
    ///
    /// # Errors
    /// When leaving panics.
    pub(super) async fn leave(self, configs: &Arc<ConfigLog>, log: &Arc<StatusLog>) -> Result<(), Panicked> {
        let Self { membership, statuses, reporting } = self;
        reporting.abort();
        let (configs, log) = (Arc::clone(configs), Arc::clone(log));
        // Leaving blocks until the shards are released.
        let leaving = move || {
            fault_point_in("leaving");
            membership.leave();
            statuses.leave();
            configs.stop();
            log.stop();
        };
        catch_blocking(Part::Worker, leaving).await
    }
}
