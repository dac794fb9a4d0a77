//! Waits until a connector and its tasks are in the requested state.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::status::{parts, states, trace};
use crate::cli::failure::{EXIT_UNAVAILABLE, Failure};
use crate::cli::output;
use crate::cli::remote::Api;
use crate::connector::BACKFILL_TRACES;

/// The interval between two requests for the status.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A part that was FAILED before a restart and still reports the same may not have been restarted yet. After
/// this time it has been, or will not be.
const STALE_FOR: Duration = Duration::from_secs(15);

#[derive(Args, Clone, Copy)]
pub(super) struct Wait {
    /// Wait until the change has taken effect, with progress on standard error.
    #[arg(long)]
    wait: bool,
    /// The longest time to wait.
    #[arg(long, value_name = "SECONDS", default_value = "120")]
    wait_timeout_s: u64,
}

/// The state that is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    Running,
    Paused,
    Stopped,
    Gone,
}

/// The failures that existed before a change that restarts things: the trace of each part.
#[derive(Default)]
pub(super) struct FailedBefore(BTreeMap<String, String>);

impl FailedBefore {
    /// Returns the failures in a status; none if the connector does not exist.
    pub(super) fn of(status: Option<&Value>) -> Self {
        let failed = status.into_iter().flat_map(parts).filter(|(_, part)| part["state"] == "FAILED");
        Self(failed.map(|(part_name, part)| (part_name, trace(part).unwrap_or_default().to_owned())).collect())
    }

    /// Removes parts that are no longer FAILED or report something else: if such a part is FAILED again, it has failed anew.
    fn forget_changed(&mut self, status: &Value) {
        let now = Self::of(Some(status));
        let unchanged: BTreeSet<String> = self
            .0
            .iter()
            .filter(|(part, trace)| now.0.get(*part) == Some(trace))
            .map(|(part, _)| part.clone())
            .collect();
        self.0.retain(|part, _| unchanged.contains(part));
    }
}

/// What a status means for the wait.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Failed(String),
    NotYet,
}

impl Wait {
    /// Returns the current failures, which the change about to be requested may end. Requests nothing when `--wait` is
    /// not given.
    pub(super) fn failed_before(self, api: &Api, name: &str) -> Result<FailedBefore, Failure> {
        if !self.wait {
            return Ok(FailedBefore::default());
        }
        Ok(FailedBefore::of(api.find(&["connectors", name, "status"])?.as_ref()))
    }

    /// Waits until a connector and all its tasks are in the requested state, printing progress.
    pub(super) fn until(self, api: &Api, name: &str, until: Until, mut before: FailedBefore) -> Result<(), Failure> {
        if !self.wait {
            return Ok(());
        }
        let began = Instant::now();
        let mut told = String::new();
        loop {
            let found = api.find(&["connectors", name, "status"])?;
            let progress = found.as_ref().map_or("deleted".to_owned(), summary);
            if progress != told {
                progress_line(name, began, &progress);
                told = progress;
            }
            match &found {
                None if until == Until::Gone => return Ok(()),
                None => return Err(Failure::new(EXIT_UNAVAILABLE, format!("connector {name} was deleted meanwhile"))),
                Some(status) => match verdict(status, until, &mut before, began.elapsed()) {
                    Verdict::Done => return Ok(()),
                    Verdict::Failed(trace) => {
                        return Err(Failure::new(EXIT_UNAVAILABLE, format!("connector {name} has failed: {trace}")));
                    }
                    Verdict::NotYet => {}
                },
            }
            if began.elapsed() >= Duration::from_secs(self.wait_timeout_s) {
                let reasons = found.as_ref().map_or_else(String::new, reasons);
                let text = format!("connector {name}: gave up after {} s; {told}{reasons}", self.wait_timeout_s);
                return Err(Failure::new(EXIT_UNAVAILABLE, text));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

fn verdict(status: &Value, until: Until, before: &mut FailedBefore, waited: Duration) -> Verdict {
    before.forget_changed(status);
    if is(status, until) {
        return Verdict::Done;
    }
    let is_stale = |part: &str| waited < STALE_FOR && before.0.contains_key(part);
    let failed = parts(status).find(|(part_name, part)| part["state"] == "FAILED" && !is_stale(part_name));
    match failed {
        Some((_, part)) if until == Until::Running => {
            Verdict::Failed(trace(part).unwrap_or("no reason is known").to_owned())
        }
        _ => Verdict::NotYet,
    }
}

fn is(status: &Value, until: Until) -> bool {
    let wanted = match until {
        Until::Running => "RUNNING",
        Until::Paused => "PAUSED",
        Until::Stopped => "STOPPED",
        Until::Gone => return false,
    };
    // A part that is RUNNING with a trace makes no progress.
    let comes_on = |part| trace(part).is_none_or(|trace| BACKFILL_TRACES.iter().any(|begin| trace.starts_with(begin)));
    parts(status).all(|(_, part)| part["state"] == wanted && (until != Until::Running || comes_on(part)))
}

/// The first reasons that a status gives, for the end of a text.
fn reasons(status: &Value) -> String {
    const SHOWN_MAX: usize = 3;
    let told: Vec<String> =
        parts(status).filter_map(|(name, part)| Some(format!("; {name}: {}", trace(part)?))).collect();
    let more = told.len().saturating_sub(SHOWN_MAX);
    let more = if more == 0 { String::new() } else { format!("; {more} more have a reason") };
    told.into_iter().take(SHOWN_MAX).collect::<String>() + &more
}

fn progress_line(name: &str, began: Instant, progress: &str) {
    let seconds = began.elapsed().as_secs_f64();
    output::say(format_args!("{seconds:6.1} s  {name}: {progress}"));
}

/// Returns a summary such as `RUNNING, tasks: 1 FAILED, 3 RUNNING`, with the number of running parts that make no progress.
fn summary(status: &Value) -> String {
    let connector = status["connector"]["state"].as_str().unwrap_or("-");
    let states = states(status);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for state in &states {
        *counts.entry(state).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let tasks = if states.is_empty() { "no tasks".to_owned() } else { format!("tasks: {}", counts.join(", ")) };
    let hindered = parts(status).filter(|(_, part)| part["state"] == "RUNNING" && trace(part).is_some()).count();
    let hindered = if hindered == 0 { String::new() } else { format!(" ({hindered} RUNNING with a trace)") };
    format!("{connector}, {tasks}{hindered}")
}

#[cfg(test)]
#[path = "wait_tests.rs"]
mod tests;
