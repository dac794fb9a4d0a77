//! The simulator as a program.

mod output;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kvs_simulator::{
    AccessKey, DEFAULT_ACCOUNT, Fault, Limits, Pace, Repeat, Simulator, SimulatorConfig, StreamSource, Tls,
};
use output::Output;

/// A local Amazon Kinesis Video Streams.
#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Example, with the clip that comes with the source:\n  kvs-simulator serve --listen 127.0.0.1:9100 \\\n    --stream front-door=dev/demo/clip.mkv --repeat forever --pace realtime\n\nThen, signed with access key `test` and secret `test`:\n  aws kinesisvideo list-streams --endpoint-url http://127.0.0.1:9100"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the service's API, with streams that are played from files and streams that producers send.
    Serve(Serve),
}

#[derive(Args)]
struct Serve {
    /// Address to listen on; port 0 takes any free one, which is printed.
    #[arg(long, default_value = "127.0.0.1:9100", value_name = "ADDR")]
    listen: String,
    /// URL that GetDataEndpoint answers, when others reach the simulator by another name.
    #[arg(long, value_name = "URL")]
    advertise: Option<String>,
    /// A stream and its file: a recording of GetMedia (its AWS tags are kept) or any MKV (each cluster becomes a
    /// fragment). May be given many times.
    #[arg(long = "stream", value_name = "NAME=FILE.mkv", value_parser = parse_stream)]
    streams: Vec<(String, String)>,
    /// How often each file is played: a number, or `forever`. Numbers and timestamps go on growing.
    #[arg(long, default_value = "1", value_parser = parse_repeat)]
    repeat: Repeat,
    /// When fragments come. Default: max, and realtime with `--repeat forever`.
    #[arg(long, value_enum)]
    pace: Option<PaceArg>,
    /// So many fragments a second and stream, instead of `--pace`.
    #[arg(long, value_name = "F", conflicts_with = "pace", value_parser = parse_rate)]
    fragments_per_second: Option<f64>,
    /// An access key that may sign, with its secret and the account it is of (default 123456789012). May be given many
    /// times; the first one's account has the streams that are played from files.
    #[arg(long = "key", value_name = "ID:SECRET[:ACCOUNT]", default_value = "test:test", value_parser = parse_key)]
    keys: Vec<AccessKey>,
    /// Region in the streams' ARNs.
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// Keep streams that are created, and what producers send to them, in this folder over a restart. In memory when
    /// left out; streams that are played from files begin anew in any case.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Speak TLS with a certificate that is made now, for localhost and the advertised host.
    #[arg(long)]
    tls: bool,
    /// Write the certificate that is made there (PEM), for clients to trust.
    #[arg(long, value_name = "FILE", requires = "tls")]
    tls_certificate_out: Option<PathBuf>,
    /// Speak TLS with this certificate chain (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "tls")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// A session ends cleanly after so many milliseconds, as the service does after 40 to 50 minutes.
    #[arg(long, default_value_t = 2_700_000, value_name = "MS")]
    session_duration_ms: u64,
    /// Without a new fragment for so many milliseconds the body ends.
    #[arg(long, default_value_t = 3_000, value_name = "MS")]
    idle_timeout_ms: u64,
    /// An hour of retention takes so many milliseconds.
    #[arg(long, default_value_t = 3_600_000, value_name = "MS")]
    retention_hour_ms: u64,
    /// Bytes a second that a session is sent at most; the service's limit is 25000000. No limit when left out.
    #[arg(long, value_name = "BYTES")]
    session_bytes_per_second: Option<u64>,
    /// Do not count calls: without it, more calls a second than the service allows are refused.
    #[arg(long)]
    unlimited_calls: bool,
    /// The simulator's clock is ahead of the machine's by so many milliseconds, or behind it.
    #[arg(long, default_value_t = 0, value_name = "MS", allow_hyphen_values = true)]
    clock_offset_ms: i64,
    /// What chance goes by (faults with a probability): the same number repeats a run.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A fault as JSON, for example {"stream":"a","kind":"cut","at_byte":1000,"how":"reset"}, or
    /// {"api":"*","probability":0.1,"count":0,"kind":"refuse","status":500,"error_type":"InternalFailure"}; kinds are
    /// refuse, respond, delay, cut, stall, drip, error_tag, fragment_error, replace, end_session, serve_incomplete, omit,
    /// leave_out; from_ms and until_ms are a window of time since the start. May be given many times, and posted to
    /// /simulator/faults.
    #[arg(long = "fault", value_name = "JSON", value_parser = parse_fault)]
    faults: Vec<Fault>,
}

#[derive(Clone, Copy, ValueEnum)]
enum PaceArg {
    /// As the media's own time says.
    Realtime,
    /// All at once.
    Max,
}

fn parse_stream(text: &str) -> Result<(String, String), String> {
    let (name, file) = text.split_once('=').ok_or("NAME=FILE was expected")?;
    Ok((name.to_owned(), file.to_owned()))
}

fn parse_key(text: &str) -> Result<AccessKey, String> {
    let expected = || "ID:SECRET or ID:SECRET:ACCOUNT was expected, the account of 12 digits".to_owned();
    let (id, rest) = text.split_once(':').ok_or_else(expected)?;
    // A secret may hold a colon, an account is digits.
    let account = rest
        .rsplit_once(':')
        .filter(|(_, account)| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()));
    let (secret, account) = account.unwrap_or((rest, DEFAULT_ACCOUNT));
    if id.is_empty() || secret.is_empty() {
        return Err(expected());
    }
    Ok(AccessKey::new(id, secret, account))
}

fn parse_repeat(text: &str) -> Result<Repeat, String> {
    match text {
        "forever" => Ok(Repeat::Forever),
        _ => match text.parse() {
            Ok(times) if times > 0 => Ok(Repeat::Times(times)),
            _ => Err("a number from 1, or `forever`, was expected".to_owned()),
        },
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 10_000.0 => Ok(rate),
        _ => Err("a number above 0 and up to 10000 was expected".to_owned()),
    }
}

fn parse_fault(text: &str) -> Result<Fault, String> {
    let fault: Fault = serde_json::from_str(text).map_err(|error| error.to_string())?;
    fault.check()?;
    Ok(fault)
}

/// How long the end of the program waits for those who read what it writes.
const FLUSHED_FOR: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Serve(serve) = Cli::parse().command;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,kvs_simulator=warn"));
    let (Ok(stdout), Ok(stderr)) = (Output::to(std::io::stdout()), Output::to(std::io::stderr())) else {
        return ExitCode::from(71);
    };
    // Its own complaint about a line that cannot be written is a line that cannot be written, and panics.
    let to_people =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr.clone())
        .with_ansi(to_people)
        .log_internal_errors(false)
        .init();
    let pace = match (serve.fragments_per_second, serve.pace, serve.repeat) {
        (Some(rate), _, _) => Pace::FragmentsPerSecond(rate),
        (None, Some(PaceArg::Realtime), _) | (None, None, Repeat::Forever) => Pace::Realtime,
        _ => Pace::Max,
    };
    let source = |(name, file): (String, String)| StreamSource { name, file: file.into(), repeat: serve.repeat, pace };
    let tls = match (serve.tls_certificate, serve.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls::Given { certificate, key }),
        _ if serve.tls => {
            let names = serve.advertise.as_deref().and_then(host_of).map(str::to_owned).into_iter().collect();
            Some(Tls::Generated { names, certificate_file: serve.tls_certificate_out })
        }
        _ => None,
    };
    let config = SimulatorConfig {
        listen: serve.listen,
        advertise: serve.advertise,
        tls,
        region: serve.region,
        keys: serve.keys,
        streams: serve.streams.into_iter().map(source).collect(),
        limits: Limits {
            calls: !serve.unlimited_calls,
            session_duration: Duration::from_millis(serve.session_duration_ms),
            idle_timeout: Duration::from_millis(serve.idle_timeout_ms),
            retention_hour: Duration::from_millis(serve.retention_hour_ms),
            session_bytes_per_second: serve.session_bytes_per_second,
            ..Limits::default()
        },
        faults: serve.faults,
        seed: serve.seed,
        clock_offset_ms: serve.clock_offset_ms,
        data: serve.data,
    };
    let simulator = match Simulator::start(config).await {
        Ok(simulator) => simulator,
        Err(error) => {
            stderr.line(&format!("kvs-simulator: {error}"));
            stderr.flush(FLUSHED_FOR);
            return ExitCode::from(69);
        }
    };
    stdout.line(&format!("listening on {}", simulator.url()));
    wait_for_signal().await;
    simulator.stop().await;
    stdout.flush(FLUSHED_FOR);
    stderr.flush(FLUSHED_FOR);
    ExitCode::SUCCESS
}

/// The host of `https://host:port`.
fn host_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let host = rest.split(['/', '?']).next()?;
    Some(host.rsplit_once(':').map_or(host, |(host, _)| host))
}

async fn wait_for_signal() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::error!(%error, "cannot listen for SIGTERM");
            return;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
