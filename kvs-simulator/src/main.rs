//! The simulator as a program.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kvs_simulator::{Fault, Limits, Pace, Repeat, Simulator, SimulatorConfig, StreamSource};

/// A local Amazon Kinesis Video Streams.
#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Example:\n  kvs-simulator serve --listen 127.0.0.1:9100 --stream front-door=clip.mkv --repeat forever --pace realtime\n\nThen, signed with access key `test` and secret `test`:\n  aws kinesisvideo list-streams --endpoint-url http://127.0.0.1:9100"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve streams from files.
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
    /// An access key that may sign, with its secret. May be given many times.
    #[arg(long = "key", value_name = "ID:SECRET", default_value = "test:test", value_parser = parse_key)]
    keys: Vec<(String, String)>,
    /// Region in the streams' ARNs.
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// A session ends cleanly after so many milliseconds, as the service does after 40 to 50 minutes.
    #[arg(long, default_value_t = 2_700_000, value_name = "MS")]
    session_duration_ms: u64,
    /// Without a new fragment for so many milliseconds the body ends.
    #[arg(long, default_value_t = 3_000, value_name = "MS")]
    idle_timeout_ms: u64,
    /// A fault as JSON, for example {"stream":"a","kind":"cut","at_byte":1000,"how":"reset"}; kinds are refuse, cut,
    /// stall, error_tag, end_session, serve_incomplete. May be given many times, and posted to /simulator/faults.
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

fn parse_key(text: &str) -> Result<(String, String), String> {
    let (id, secret) = text.split_once(':').ok_or("ID:SECRET was expected")?;
    Ok((id.to_owned(), secret.to_owned()))
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
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Serve(serve) = Cli::parse().command;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,kvs_simulator=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let pace = match (serve.fragments_per_second, serve.pace, serve.repeat) {
        (Some(rate), _, _) => Pace::FragmentsPerSecond(rate),
        (None, Some(PaceArg::Realtime), _) | (None, None, Repeat::Forever) => Pace::Realtime,
        _ => Pace::Max,
    };
    let source = |(name, file): (String, String)| StreamSource { name, file: file.into(), repeat: serve.repeat, pace };
    let config = SimulatorConfig {
        listen: serve.listen,
        advertise: serve.advertise,
        region: serve.region,
        keys: serve.keys,
        streams: serve.streams.into_iter().map(source).collect(),
        limits: Limits {
            session_duration: Duration::from_millis(serve.session_duration_ms),
            idle_timeout: Duration::from_millis(serve.idle_timeout_ms),
            ..Limits::default()
        },
        faults: serve.faults,
    };
    let simulator = match Simulator::start(config).await {
        Ok(simulator) => simulator,
        Err(error) => {
            eprintln!("kvs-simulator: {error}");
            return ExitCode::from(69);
        }
    };
    println!("listening on {}", simulator.url());
    wait_for_signal().await;
    simulator.stop().await;
    ExitCode::SUCCESS
}

async fn wait_for_signal() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            eprintln!("kvs-simulator: cannot listen for SIGTERM: {error}");
            return;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
