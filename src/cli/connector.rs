//! `kvs-connect connector`: the REST API for people and scripts.

mod status;
mod wait;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::failure::{EXIT_CONFIG, Failure};
use super::output;
use super::remote::{Remote, print_json, print_table};
use crate::config::connector;
use status::{states, tasks, trace};
use wait::{FailedBefore, Until, Wait};

/// Creates, changes and inspects connectors through any worker's REST API.
#[derive(Args)]
#[command(after_help = "\
Exit codes besides the usual ones: 66 no such connector; 75 not possible now, it exists already or Kafka is unavailable; 77 not \
allowed; 78 the settings are wrong.")]
pub(super) struct Connector {
    #[command(subcommand)]
    command: ConnectorCommand,
}

#[derive(Subcommand)]
enum ConnectorCommand {
    /// List all connectors: their states, how many of their streams are RUNNING, and what is wrong.
    List(Asked),
    /// Print a connector's settings.
    Get(Named),
    /// Create a connector from a file in Connect's JSON.
    Create(Create),
    /// Set a connector's settings from a file, or create it if it does not exist.
    Update(Update),
    /// Delete a connector; its streams' positions are kept.
    Delete(Change),
    /// Close a connector's sessions; its tasks stay on their workers.
    Pause(Change),
    /// Resume pulling.
    Resume(Change),
    /// Remove a connector's tasks; only then can its offsets be altered.
    Stop(Change),
    /// Restart a connector, or the failed parts of it.
    Restart(Restart),
    /// Print the states of a connector and its tasks, and why parts have failed.
    Status(Named),
}

#[derive(Args)]
struct Asked {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
struct Named {
    /// The connector.
    name: String,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
struct Change {
    /// The connector.
    name: String,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Clone, Copy, ValueEnum)]
enum InitialState {
    Running,
    Paused,
    Stopped,
}

#[derive(Args)]
struct Create {
    /// The connector's file.
    file: PathBuf,
    /// The connector's initial state.
    #[arg(long, value_enum, default_value = "running")]
    initial_state: InitialState,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
struct Update {
    /// The connector's file.
    file: PathBuf,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
struct Restart {
    /// The connector.
    name: String,
    /// Restart its tasks, too.
    #[arg(long)]
    include_tasks: bool,
    /// Restart only what has failed.
    #[arg(long)]
    only_failed: bool,
    /// Restart only this task.
    #[arg(long, value_name = "ID", conflicts_with_all = ["include_tasks", "only_failed"])]
    task: Option<u32>,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    remote: Remote,
}

impl Connector {
    pub(super) fn execute(self) -> Result<(), Failure> {
        match self.command {
            ConnectorCommand::List(Asked { remote }) => list(&remote),
            ConnectorCommand::Get(Named { name, remote }) => {
                print_json(&remote.connect()?.call(Method::GET, &["connectors", &name, "config"], "", None)?)
            }
            ConnectorCommand::Create(create) => create.execute(),
            ConnectorCommand::Update(Update { file, wait, remote }) => {
                let (name, settings) = read(&file)?;
                let api = remote.connect()?;
                let before = wait.failed_before(&api, &name)?;
                let made = api.call(Method::PUT, &["connectors", &name, "config"], "", Some(&settings))?;
                said(&remote, &made, &format!("connector {name}: settings updated"))?;
                wait.until(&api, &name, Until::Running, before)
            }
            ConnectorCommand::Delete(change) => {
                let api = change.remote.connect()?;
                api.call(Method::DELETE, &["connectors", &change.name], "", None)?;
                said(&change.remote, &Value::Null, &format!("connector {} deleted", change.name))?;
                change.wait.until(&api, &change.name, Until::Gone, FailedBefore::default())
            }
            ConnectorCommand::Pause(change) => change.put("pause", Until::Paused),
            ConnectorCommand::Resume(change) => change.put("resume", Until::Running),
            ConnectorCommand::Stop(change) => change.put("stop", Until::Stopped),
            ConnectorCommand::Restart(restart) => restart.execute(),
            ConnectorCommand::Status(Named { name, remote }) => status(&remote, &name),
        }
    }
}

/// Prints what was done. A closed standard output does not end a command that goes on to wait.
fn said(remote: &Remote, json: &Value, text: &str) -> Result<(), Failure> {
    if !remote.json {
        return output::print_if_read(text);
    }
    if json.is_null() { Ok(()) } else { output::print_if_read(format_args!("{json:#}")) }
}

/// Reads the name and settings of a connector's file; the worker, which knows more, reports errors in the settings.
fn read(file: &std::path::Path) -> Result<(String, Value), Failure> {
    let given = connector::load(file).map_err(|problems| Failure::config(&problems))?;
    let settings = serde_json::to_value(&given.settings).map_err(|error| Failure::new(EXIT_CONFIG, error))?;
    Ok((given.name().to_owned(), settings))
}

impl Create {
    fn execute(self) -> Result<(), Failure> {
        let (name, settings) = read(&self.file)?;
        let (state, until) = match self.initial_state {
            InitialState::Running => ("RUNNING", Until::Running),
            InitialState::Paused => ("PAUSED", Until::Paused),
            InitialState::Stopped => ("STOPPED", Until::Stopped),
        };
        let api = self.remote.connect()?;
        let body = json!({ "name": name, "config": settings, "initial_state": state });
        let made = api.call(Method::POST, &["connectors"], "", Some(&body))?;
        said(&self.remote, &made, &format!("connector {name} created"))?;
        self.wait.until(&api, &name, until, FailedBefore::default())
    }
}

impl Change {
    fn put(self, what: &str, until: Until) -> Result<(), Failure> {
        let api = self.remote.connect()?;
        api.call(Method::PUT, &["connectors", &self.name, what], "", None)?;
        said(&self.remote, &Value::Null, &format!("connector {}: {what} requested", self.name))?;
        self.wait.until(&api, &self.name, until, FailedBefore::default())
    }
}

impl Restart {
    fn execute(self) -> Result<(), Failure> {
        let api = self.remote.connect()?;
        let Self { name, include_tasks, only_failed, task, wait, remote } = self;
        let before = wait.failed_before(&api, &name)?;
        let answer = match task {
            Some(id) => {
                api.call(Method::POST, &["connectors", &name, "tasks", &id.to_string(), "restart"], "", None)?
            }
            None => {
                let query = format!("includeTasks={include_tasks}&onlyFailed={only_failed}");
                api.call(Method::POST, &["connectors", &name, "restart"], &query, None)?
            }
        };
        said(&remote, &answer, &format!("connector {name}: restart requested"))?;
        wait.until(&api, &name, Until::Running, before)
    }
}

fn list(remote: &Remote) -> Result<(), Failure> {
    let all = remote.connect()?.call(Method::GET, &["connectors"], "expand=status&expand=info", None)?;
    if remote.json {
        return print_json(&all);
    }
    let rows: Vec<Vec<String>> = all
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, one)| {
            let status = &one["status"];
            let states = states(status);
            let running = states.iter().filter(|state| **state == "RUNNING").count();
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            vec![
                name.clone(),
                text(&status["connector"]["state"]),
                format!("{running}/{}", states.len()),
                text(&one["info"]["config"]["topic"]),
                reason(status),
            ]
        })
        .collect();
    print_table(&["NAME", "STATE", "STREAMS RUNNING", "TOPIC", "REASON"], &rows)
}

/// Returns what is wrong with a connector, or with its first task that has failed.
fn reason(status: &Value) -> String {
    let tasks = tasks(status);
    let failed: Vec<&Value> = tasks.iter().filter(|task| task["state"] == "FAILED").collect();
    let of_tasks = || {
        let line = trace(failed.first()?)?.lines().next()?;
        Some(format!("{} of {} tasks FAILED, the first: {line}", failed.len(), tasks.len()))
    };
    let of_connector = trace(&status["connector"]).and_then(|trace| trace.lines().next()).map(str::to_owned);
    of_connector.or_else(of_tasks).unwrap_or_default()
}

fn status(remote: &Remote, name: &str) -> Result<(), Failure> {
    let api = remote.connect()?;
    let status = api.call(Method::GET, &["connectors", name, "status"], "", None)?;
    if remote.json {
        return print_json(&status);
    }
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let tasks = api.call(Method::GET, &["connectors", name, "tasks"], "", None)?;
    let stream_of = |id: &Value| {
        let task = tasks.as_array().into_iter().flatten().find(|task| task["id"]["task"] == *id);
        task.map_or("-".to_owned(), |task| text(&task["config"]["kvs.streams"]))
    };
    let row = |what: String, stream: String, one: &Value| {
        vec![what, stream, text(&one["state"]), text(&one["worker_id"]), one["trace"].as_str().unwrap_or("").to_owned()]
    };
    let mut rows = vec![row("connector".to_owned(), "-".to_owned(), &status["connector"])];
    for task in status["tasks"].as_array().into_iter().flatten() {
        rows.push(row(format!("task {}", task["id"]), stream_of(&task["id"]), task));
    }
    print_table(&["", "STREAM", "STATE", "WORKER", "REASON"], &rows)
}
