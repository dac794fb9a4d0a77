//! Validates settings before a connector is created with them.

use std::sync::Arc;

use super::error::OperationError;
use super::{Herder, turns};
use crate::cluster::Settings;
use crate::config::{Problem, check, secrets};

impl Herder {
    /// Returns what is wrong with settings. With `connect`, valid settings are also tried with the service and Kafka.
    ///
    /// # Errors
    /// While the worker is starting, and when the turn does not come.
    pub async fn problems(&self, settings: &Settings, connect: bool) -> Result<Vec<Problem>, OperationError> {
        let view = self.view()?;
        let stored = settings.get("name").and_then(|name| view.settings(name)).and_then(|stored| stored.as_ref().ok());
        let settings = secrets::unmasked(settings.clone(), stored);
        drop(view);
        // The check reads files of secrets.
        let (turn, worker) = (self.errands.turn().await?, Arc::clone(&self.config));
        let checked = turns::within(turn, move || check::connector(Some(&worker), "settings", &settings));
        let (config, resolved) = match checked.await {
            Ok(read) => read,
            Err(problems) => return Ok(problems),
        };
        let member = self.phase.borrow().member().cloned();
        let Some(member) = member.filter(|_| connect) else { return Ok(Vec::new()) };
        let _turn = self.errands.turn().await?;
        let found = member.try_connections(&config).await;
        Ok(found.into_iter().map(|(key, reason)| Problem::new("settings", &key, resolved.hide(&reason))).collect())
    }
}
