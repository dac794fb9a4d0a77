//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kvs_simulator::{
    AccessKey, DEFAULT_ACCOUNT, Fault, FaultError, Limits, Pace, Repeat, SimulatorConfig, StreamSource, Tls,
};

/// A local Amazon Kinesis Video Streams.
#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Example, with the clip that comes with the source:\n  kvs-simulator serve --listen 127.0.0.1:9100 --stream front-door=dev/demo/clip.mkv --repeat forever --pace realtime\n\nThen, signed with access key `test` and secret `test`:\n  aws kinesisvideo list-streams --endpoint-url http://127.0.0.1:9100"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve the service's API, with streams played from files and streams that producers send.
    Serve(Serve),
}

#[derive(Args)]
pub(crate) struct Serve {
    /// Address to listen on; port 0 takes any free one, which is printed.
    #[arg(long, default_value = "127.0.0.1:9100", value_name = "ADDR")]
    listen: String,
    /// URL that GetDataEndpoint returns, if clients reach the simulator by another name.
    #[arg(long, value_name = "URL")]
    advertise: Option<String>,
    /// A stream and its file: a recording of GetMedia (its AWS tags are kept) or any MKV (each cluster becomes a
    /// fragment). May be given several times.
    #[arg(long = "stream", value_name = "NAME=FILE.mkv", value_parser = parse_stream)]
    streams: Vec<(String, String)>,
    /// How often each file is played: a number, or `forever`. Fragment numbers and timestamps keep growing.
    #[arg(long, default_value = "1", value_parser = parse_repeat)]
    repeat: Repeat,
    /// When fragments arrive. Default: max, or realtime with `--repeat forever`.
    #[arg(long, value_enum)]
    pace: Option<PaceArg>,
    /// Fragments per second and stream, instead of `--pace`.
    #[arg(long, value_name = "F", conflicts_with = "pace", value_parser = parse_rate)]
    fragments_per_second: Option<f64>,
    /// An access key that may sign, with its secret and its account (default 123456789012). May be given several times;
    /// the first one's account has the streams that are played from files.
    #[arg(long = "key", value_name = "ID:SECRET[:ACCOUNT]", default_value = "test:test", value_parser = parse_key)]
    keys: Vec<AccessKey>,
    /// Region in the streams' ARNs and in signatures.
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// Folder that keeps created streams, and what producers send to them, over a restart. Without it they are kept in
    /// memory. Streams that are played from files start again in any case.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Speak TLS with a certificate generated at the start, for localhost and the advertised host.
    #[arg(long)]
    tls: bool,
    /// File to write the generated certificate to (PEM), for clients to trust.
    #[arg(long, value_name = "FILE", requires = "tls")]
    tls_certificate_out: Option<PathBuf>,
    /// Speak TLS with this certificate chain (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "tls")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Milliseconds after which a session ends cleanly; the service ends sessions after 40 to 50 minutes.
    #[arg(long, default_value_t = 2_700_000, value_name = "MS")]
    session_duration_ms: u64,
    /// Milliseconds without a new fragment after which the response ends.
    #[arg(long, default_value_t = 3_000, value_name = "MS")]
    idle_timeout_ms: u64,
    /// Duration of an hour of retention, in milliseconds.
    #[arg(long, default_value_t = 3_600_000, value_name = "MS")]
    retention_hour_ms: u64,
    /// The most bytes per second and session; the service's limit is 25000000. Unlimited if left out.
    #[arg(long, value_name = "BYTES")]
    session_bytes_per_second: Option<u64>,
    /// Allow any number of calls per second; by default, calls beyond the service's limits are refused.
    #[arg(long)]
    unlimited_calls: bool,
    /// Milliseconds by which the simulator's clock is ahead of the machine's, or behind it if negative.
    #[arg(long, default_value_t = 0, value_name = "MS", allow_hyphen_values = true)]
    clock_offset_ms: i64,
    /// Seed for faults with a probability: the same number repeats a run.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A fault as JSON, for example {"stream":"a","kind":"cut","at_byte":1000,"how":"reset"}, or
    /// {"api":"*","probability":0.1,"count":0,"kind":"refuse","status":500,"error_type":"InternalFailure"}; kinds are
    /// refuse, respond, delay, cut, stall, drip, error_tag, fragment_error, replace, end_session, serve_incomplete, omit,
    /// leave_out; from_ms and until_ms are a window of time since the start. May be given several times; faults can
    /// also be posted to /simulator/faults.
    #[arg(long = "fault", value_name = "JSON", value_parser = parse_fault)]
    faults: Vec<Fault>,
}

#[derive(Clone, Copy, ValueEnum)]
enum PaceArg {
    /// At the pace of the media's own timestamps.
    Realtime,
    /// All at once.
    Max,
}

/// Why a value on the command line is invalid. The parser of the command line adds the option and the value.
#[derive(Debug, thiserror::Error)]
enum ValueError {
    #[error("{expected} was expected")]
    Unexpected { expected: &'static str },
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Fault(#[from] FaultError),
}

fn parse_stream(text: &str) -> Result<(String, String), ValueError> {
    let (name, file) = text.split_once('=').ok_or(ValueError::Unexpected { expected: "NAME=FILE" })?;
    Ok((name.to_owned(), file.to_owned()))
}

fn parse_key(text: &str) -> Result<AccessKey, ValueError> {
    let invalid = ValueError::Unexpected { expected: "ID:SECRET or ID:SECRET:ACCOUNT, with an account of 12 digits," };
    let Some((id, rest)) = text.split_once(':') else { return Err(invalid) };
    // A secret may contain a colon; an account is digits.
    let account = rest
        .rsplit_once(':')
        .filter(|(_, account)| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()));
    let (secret, account) = account.unwrap_or((rest, DEFAULT_ACCOUNT));
    if id.is_empty() || secret.is_empty() {
        return Err(invalid);
    }
    Ok(AccessKey::new(id, secret, account))
}

fn parse_repeat(text: &str) -> Result<Repeat, ValueError> {
    match text {
        "forever" => Ok(Repeat::Forever),
        _ => match text.parse() {
            Ok(times) if times > 0 => Ok(Repeat::Times(times)),
            _ => Err(ValueError::Unexpected { expected: "a number from 1, or `forever`," }),
        },
    }
}

fn parse_rate(text: &str) -> Result<f64, ValueError> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 10_000.0 => Ok(rate),
        _ => Err(ValueError::Unexpected { expected: "a number above 0 and up to 10000" }),
    }
}

fn parse_fault(text: &str) -> Result<Fault, ValueError> {
    let fault: Fault = serde_json::from_str(text)?;
    fault.check()?;
    Ok(fault)
}

impl Serve {
    /// Returns the settings of the simulator to start.
    pub(crate) fn into_config(self) -> SimulatorConfig {
        let pace = match (self.fragments_per_second, self.pace, self.repeat) {
            (Some(rate), _, _) => Pace::FragmentsPerSecond(rate),
            (None, Some(PaceArg::Realtime), _) | (None, None, Repeat::Forever) => Pace::Realtime,
            _ => Pace::Max,
        };
        let repeat = self.repeat;
        let source = |(name, file): (String, String)| StreamSource { name, file: file.into(), repeat, pace };
        let tls = match (self.tls_certificate, self.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls::Given { certificate, key }),
            _ if self.tls => {
                let names = self.advertise.as_deref().and_then(host_of).map(str::to_owned).into_iter().collect();
                Some(Tls::Generated { names, certificate_file: self.tls_certificate_out })
            }
            _ => None,
        };
        SimulatorConfig {
            listen: self.listen,
            advertise: self.advertise,
            tls,
            region: self.region,
            keys: self.keys,
            streams: self.streams.into_iter().map(source).collect(),
            limits: Limits {
                calls: !self.unlimited_calls,
                session_duration: Duration::from_millis(self.session_duration_ms),
                idle_timeout: Duration::from_millis(self.idle_timeout_ms),
                retention_hour: Duration::from_millis(self.retention_hour_ms),
                session_bytes_per_second: self.session_bytes_per_second,
                ..Limits::default()
            },
            faults: self.faults,
            seed: self.seed,
            clock_offset_ms: self.clock_offset_ms,
            data: self.data,
        }
    }
}

/// Returns the host of a URL such as `https://host:port`.
fn host_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let host = rest.split(['/', '?']).next()?;
    Some(host.rsplit_once(':').map_or(host, |(host, _)| host))
}
