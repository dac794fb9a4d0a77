//! Requests to a worker's REST API from the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::{Certificate, Client, Identity, Method, StatusCode};
use serde_json::Value;

use super::failure::{EXIT_CONFIG, EXIT_UNAVAILABLE, EXIT_USAGE, Failure};
use super::output;

/// The connector, task or path does not exist.
const EXIT_NO_INPUT: u8 = 66;
/// Not possible now; retry later.
const EXIT_TEMPORARY: u8 = 75;
/// Not allowed.
const EXIT_NO_PERMISSION: u8 = 77;
/// Long enough for a change to wait for other changes, and for a broker restart.
const TIMEOUT: Duration = Duration::from_secs(90);

/// After this time the user is told that the worker has not responded yet.
const SLOW_AFTER: Duration = Duration::from_secs(3);

/// The worker to ask, and the credentials. Any worker answers for its whole group.
#[derive(Args, Clone)]
pub(super) struct Remote {
    /// Any worker's REST API.
    #[arg(long, value_name = "URL", env = "KVS_CONNECT_URL", default_value = "http://127.0.0.1:8083")]
    url: String,
    /// User and password.
    #[arg(long, value_name = "NAME:PASSWORD", env = "KVS_CONNECT_USER", hide_env_values = true)]
    user: Option<String>,
    /// Bearer token.
    #[arg(long, env = "KVS_CONNECT_TOKEN", hide_env_values = true, conflicts_with = "user")]
    token: Option<String>,
    /// Certificates (PEM) to trust besides the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Client certificate and private key (PEM).
    #[arg(long, value_name = "FILE")]
    certificate_file: Option<PathBuf>,
    /// Print JSON for scripts instead of tables.
    #[arg(long)]
    pub(super) json: bool,
}

/// A client for a worker's REST API.
pub(super) struct Api {
    remote: Remote,
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Remote {
    /// Creates the client; no request is sent yet.
    pub(super) fn connect(&self) -> Result<Api, Failure> {
        let read = |file: &PathBuf| {
            kvs_client::files::read(file)
                .map_err(|error| Failure::new(EXIT_CONFIG, format!("{}: {error}", file.display())))
        };
        let of_file = |file: &PathBuf, error: reqwest::Error| {
            Failure::new(EXIT_CONFIG, format!("{}: {}", file.display(), causes(&error)))
        };
        let mut builder = Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        if let Some(file) = &self.ca_file {
            let certificates = Certificate::from_pem_bundle(&read(file)?).map_err(|error| of_file(file, error))?;
            builder = builder.tls_certs_merge(certificates);
        }
        if let Some(file) = &self.certificate_file {
            builder = builder.identity(Identity::from_pem(&read(file)?).map_err(|error| of_file(file, error))?);
        }
        let client = builder.build().map_err(|error| Failure::new(EXIT_UNAVAILABLE, causes(&error)))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::new(EXIT_UNAVAILABLE, format!("no runtime: {error}")))?;
        Ok(Api { remote: self.clone(), client, runtime })
    }
}

impl Api {
    /// Sends a request and returns the response's JSON; null if it has no body.
    pub(super) fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let (status, answer) = self.ask(method, path, query, body)?;
        if status.is_success() { Ok(answer) } else { Err(self.refused(status, &answer)) }
    }

    /// Sends a GET request; returns `None` if the resource does not exist.
    pub(super) fn find(&self, path: &[&str]) -> Result<Option<Value>, Failure> {
        match self.ask(Method::GET, path, "", None)? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, answer) if status.is_success() => Ok(Some(answer)),
            (status, answer) => Err(self.refused(status, &answer)),
        }
    }

    fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), Failure> {
        let mut url = worker_url(&self.remote.url)?;
        let no_path = |()| usage(&self.remote.url, "the URL of a worker is expected, http://HOST:PORT");
        url.path_segments_mut().map_err(no_path)?.pop_if_empty().extend(path);
        let shown = shown(&url);
        if !query.is_empty() {
            url.set_query(Some(query));
        }
        let is_change = method != Method::GET;
        let mut request = self.client.request(method, url);
        if let Some(user) = &self.remote.user {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            request = request.basic_auth(name, Some(password));
        }
        if let Some(token) = &self.remote.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let unavailable = |error: reqwest::Error| {
            Failure::new(
                EXIT_UNAVAILABLE,
                format!("{shown}: no response: {}; --url sets the worker to ask", causes(&error.without_url())),
            )
        };
        self.runtime.block_on(async {
            let mut sent = std::pin::pin!(request.send());
            let response = match tokio::time::timeout(SLOW_AFTER, &mut sent).await {
                Ok(response) => response,
                Err(_) => {
                    let changes = if is_change { "; changes wait for Kafka for up to 60 s" } else { "" };
                    output::say(format_args!("kvs-connect: the worker has not responded yet{changes}"));
                    sent.await
                }
            };
            let response = response.map_err(unavailable)?;
            let status = response.status();
            let mut response = response;
            let mut bytes = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
                if bytes.len().saturating_add(chunk.len()) > ANSWER_MAX_BYTES {
                    let text = format!(
                        "{shown}: the response is larger than {} MiB, as no worker's is",
                        ANSWER_MAX_BYTES >> 20
                    );
                    return Err(Failure::new(EXIT_UNAVAILABLE, text));
                }
                bytes.extend_from_slice(&chunk);
            }
            let text = String::from_utf8_lossy(&bytes);
            if text.is_empty() {
                return Ok((status, Value::Null));
            }
            let json = serde_json::from_str(&text).or_else(|error| {
                if status.is_success() { Err(error) } else { Ok(Value::String(text.chars().take(500).collect())) }
            });
            let no_json = |error| Failure::new(EXIT_UNAVAILABLE, format!("{shown}: the response is not JSON: {error}"));
            Ok((status, json.map_err(no_json)?))
        })
    }

    fn refused(&self, status: StatusCode, answer: &Value) -> Failure {
        let message = answer["message"].as_str().map_or_else(|| format!("{status} {answer}"), str::to_owned);
        let code = match status.as_u16() {
            400 | 413 | 415 => EXIT_CONFIG,
            401 | 403 => EXIT_NO_PERMISSION,
            404 => EXIT_NO_INPUT,
            409 | 503 => EXIT_TEMPORARY,
            _ => EXIT_UNAVAILABLE,
        };
        let advice = if status == StatusCode::UNAUTHORIZED {
            "; use --user or --token".to_owned()
        } else {
            connector_to_stop(&message).map_or_else(String::new, |name| {
                format!("; on the command line: kvs-connect connector stop {name} --wait")
            })
        };
        Failure::new(code, format!("{message}{advice}"))
    }
}

/// Parses the URL of a worker.
fn worker_url(text: &str) -> Result<reqwest::Url, Failure> {
    let url = reqwest::Url::parse(text).map_err(|error| {
        // `localhost:8083` is a URL with the scheme localhost.
        let missing = if text.contains("://") { "" } else { "; http:// or https:// is missing in front of it" };
        usage(text, &format!("{error}{missing}"))
    })?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err(usage(text, "http:// or https:// is missing in front of it")),
    }
}

/// Returns a URL without a password that it may contain.
fn shown(url: &reqwest::Url) -> String {
    let mut url = url.clone();
    // Neither can be set if there is no host, and then there is nothing to hide.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.set_query(None);
    url.to_string()
}

fn usage(url: &str, reason: &str) -> Failure {
    Failure::new(EXIT_USAGE, format!("--url {url:?}: {reason}"))
}

/// Returns the connector that a refusal says must be stopped first: Connect's text contains only the request.
fn connector_to_stop(message: &str) -> Option<&str> {
    message.split_once("'/connectors/")?.1.split_once("/stop'").map(|(name, _)| name)
}

/// Returns an error with its causes.
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The longest cell of a table, in characters; `--json` prints everything.
const CELL_CHARS_MAX: usize = 1_000;
/// The largest response that is read: the statuses of 100,000 tasks are some 20 MB.
const ANSWER_MAX_BYTES: usize = 256 << 20;

/// Prints rows under their titles, with columns as wide as necessary.
pub(super) fn print_table(titles: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    let plain = |cell: &String| output::plain(cell, CELL_CHARS_MAX);
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(plain).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([titles[column].len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let print = |cells: &mut dyn Iterator<Item = &str>| {
        let line: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        output::print(line.join("  ").trim_end())
    };
    print(&mut titles.iter().copied())?;
    rows.iter().try_for_each(|row| print(&mut row.iter().map(String::as_str)))
}

/// Prints indented JSON.
pub(super) fn print_json(value: &Value) -> Result<(), Failure> {
    output::print(format_args!("{value:#}"))
}

#[cfg(test)]
#[path = "remote_tests.rs"]
mod tests;
