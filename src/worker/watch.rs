//! Looking at Kafka's topics while a worker runs.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::kafka::DataTopics;

/// How often the data topics are asked for.
const DATA_TOPICS_EVERY: Duration = Duration::from_secs(2);

/// Asks for the data topics' partitions again and again.
pub(super) async fn data_topics(topics: Arc<DataTopics>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(DATA_TOPICS_EVERY) => {}
        }
        let asked = Arc::clone(&topics);
        if tokio::task::spawn_blocking(move || asked.refresh()).await.is_err() {
            tracing::error!("asking for the data topics panicked");
        }
    }
}
