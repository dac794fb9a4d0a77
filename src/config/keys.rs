//! The names of all settings.

use super::connect_keys;
use crate::nearest::nearest;

/// A setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// Its default, for people.
    pub default: &'static str,
    /// What it is for.
    pub doc: &'static str,
}

const fn key(name: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key { name, default, doc }
}

/// Settings of a worker.
pub const WORKER: &[Key] = &[
    key("bootstrap.servers", "required", "Kafka brokers, host:port,host:port."),
    key("group.id", "kvs-connect", "Workers with one group.id share the shards."),
    key(
        "offset.storage.topic",
        "kvs-connect-offsets",
        "Compacted topic of the streams' places; its partitions are the shards.",
    ),
    key("offset.storage.partitions", "25", "Shards; cannot be changed later."),
    key("offset.storage.replication.factor", "-1", "Of the offsets topic, when it is made; -1: the broker's default."),
    key(
        "config.storage.topic",
        "kvs-connect-configs",
        "Compacted topic of one partition: connectors and what they are to do.",
    ),
    key("config.storage.replication.factor", "-1", "Of the config topic, when it is made; -1: the broker's default."),
    key(
        "status.storage.topic",
        "kvs-connect-status",
        "Compacted topic of one partition: how connectors and tasks are.",
    ),
    key("status.storage.replication.factor", "-1", "Of the status topic, when it is made; -1: the broker's default."),
    key(
        "notifications.topic",
        "kvs-connect-notifications",
        "What people should know of streams: lost places, missing fragments, deleted streams.",
    ),
    key(
        "listeners",
        "http://127.0.0.1:8083",
        "Where the REST API listens, http:// or https://, with commas between; port 0 is any free one.",
    ),
    key(
        "rest.advertised.host.name",
        "the listener's",
        "Host by which others know this worker: the first half of its worker id.",
    ),
    key("rest.advertised.port", "the listener's", "The same for the port."),
    key("rest.insecure", "false", "Whether a listener on another address than loopback may do without authentication."),
    key("rest.tls.certificate.file", "", "Certificate chain (PEM) of https:// listeners."),
    key("rest.tls.key.file", "", "Its private key (PEM)."),
    key(
        "rest.tls.client.ca.file",
        "",
        "Certificates (PEM) of which clients of https:// have to show one: its common name is the user.",
    ),
    key(
        "rest.auth.htpasswd.file",
        "",
        "Users and passwords for basic authentication: NAME:HASH a line, bcrypt or argon2.",
    ),
    key("rest.auth.tokens.file", "", "Bearer tokens: NAME:SHA256 a line, the SHA-256 of the token in hex."),
    key("rest.auth.admins", "", "Users who may change things, with commas between, * for all; the others may look."),
    key(
        "rest.allowed.hosts",
        "",
        "Names by which this worker may be asked besides localhost, its own, rest.advertised.host.name and its certificate's, with commas between; *.example.com for all below one, * for any. Addresses always may.",
    ),
    key(
        "rest.allowed.origins",
        "",
        "Origins whose pages may change things, https://ui.example, with commas between; for user interfaces behind a proxy that rewrites Host, where the browser sends no Sec-Fetch-Site.",
    ),
    key(
        "config.providers.env.param.allowlist.pattern",
        "",
        "Which variables ${env:NAME} may name: a regular expression of whole names.",
    ),
    key(
        "config.providers.file.param.allowed.paths",
        "",
        "Where files of ${file:/path:key} may lie, with commas between.",
    ),
    key(
        "config.providers.dir.param.allowed.paths",
        "",
        "Where folders of ${dir:/path:file} may lie, with commas between.",
    ),
    key(
        "group.instance.id",
        "",
        "Static membership: a worker that comes back within its session keeps its shards; each worker needs its own.",
    ),
    key("group.protocol", "classic", "classic, or consumer for KIP-848, with the broker's session timeout."),
    key("session.timeout.ms", "10000", "A worker that is silent for so long loses its shards."),
    key("transaction.timeout.ms", "15000", "A transaction that takes longer is aborted by the broker; 10000 to 60000."),
    key("transaction.max.size.bytes", "4194304", "A transaction is committed at the latest with so much payload."),
    key("transaction.max.duration.ms", "1000", "A transaction is committed at the latest after so long."),
    key(
        "memory.budget.size.bytes",
        "268435456",
        "Memory that fragments in flight may take, from first byte to commit.",
    ),
    key("shutdown.timeout.ms", "8000", "A shutdown commits what is whole for at most so long; up to 9000."),
];

/// Settings of a worker that are handed to librdkafka, by what they begin with.
pub const WORKER_PREFIXES: &[&str] = &["producer.", "consumer.", "admin.", "ssl.", "sasl.", "security.", "client."];

/// Those of them that are for one kind of client.
const CLIENT_PREFIXES: &[&str] = &["producer.", "consumer.", "admin."];

/// Settings of a connector.
pub const CONNECTOR: &[Key] = &[
    key(
        "name",
        "required",
        "The connector's name: in JSON beside config, within it, or the same in both; in properties a key like the others.",
    ),
    key("connector.class", "required", "KinesisVideoSourceConnector."),
    key("tasks.max", "1", "Accepted for Kafka Connect's sake: a task is a stream here."),
    key("kvs.region", "AWS's variables and profile", "AWS region."),
    key(
        "kvs.endpoint",
        "AWS's variables and profile, else the region's",
        "Control plane instead of the region's, http://127.0.0.1:9100 for the simulator.",
    ),
    key("kvs.endpoint.plain.http", "false", "Whether plain http may be used to another machine than this one."),
    key("kvs.endpoint.fips", "AWS's variables and profile", "Whether FIPS endpoints are used."),
    key("kvs.endpoint.dual.stack", "AWS's variables and profile", "Whether dual stack endpoints (IPv6) are used."),
    key("kvs.streams", "required, or a condition", "Names or ARNs of the streams, with commas between."),
    key("kvs.streams.prefix", "", "Instead of kvs.streams: all streams whose names begin so."),
    key("kvs.streams.regex", "", "Instead of kvs.streams: all streams whose whole names match."),
    key(
        "kvs.streams.tags",
        "",
        "Instead of kvs.streams: all streams that have these tags, KEY=VALUE or KEY, with commas between. Conditions add up.",
    ),
    key("kvs.discovery.interval.ms", "60000", "How often streams are looked for, when there are conditions."),
    key(
        "kvs.start.position",
        "EARLIEST",
        "Where a stream starts that has no place yet: EARLIEST, NOW, FRAGMENT_NUMBER, PRODUCER_TIMESTAMP, SERVER_TIMESTAMP, CONTINUATION_TOKEN.",
    ),
    key("kvs.start.fragment.number", "", "For FRAGMENT_NUMBER: start after it."),
    key(
        "kvs.start.fragment.inclusive",
        "false",
        "Whether the stream starts with that fragment itself, fetched from the archive, as for Amazon Connect's StartFragmentNumber.",
    ),
    key(
        "kvs.start.timestamp",
        "",
        "For PRODUCER_TIMESTAMP and SERVER_TIMESTAMP: RFC 3339, seconds since 1970, or milliseconds (13 digits); not in the future.",
    ),
    key("kvs.start.continuation.token", "", "For CONTINUATION_TOKEN."),
    key(
        "kvs.position.lost",
        "earliest",
        "When the service refuses a stream's last fragment number, and knows its place no more: earliest goes on with what is left behind it, now with the latest, fail ends the stream.",
    ),
    key(
        "kvs.gap.check",
        "false",
        "When a place is lost: ask the archive what was missed, and fetch what it still has.",
    ),
    key(
        "kvs.backfill.from",
        "",
        "Makes the connector a job: the archive's fragments from this server time on, written as kvs.start.timestamp is.",
    ),
    key("kvs.backfill.to", "", "The end of that time, included."),
    key(
        "kvs.backfill.start.fragment.number",
        "",
        "The first fragment of the job, included, instead of kvs.backfill.from or besides it; for one stream.",
    ),
    key(
        "kvs.backfill.stop.fragment.number",
        "",
        "The last fragment of the job, included, instead of kvs.backfill.to or besides it; for one stream.",
    ),
    key("kvs.fragment.max.size.bytes", "67108864", "A larger fragment fails its stream."),
    key(
        "kvs.fragment.timeout.ms",
        "300000",
        "A fragment that has begun and is not whole after so long is pulled again.",
    ),
    key("kvs.connect.timeout.ms", "5000", "How long making a connection to the service may take."),
    key("kvs.inactivity.timeout.ms", "120000", "Without a byte for so long a session is opened again."),
    key(
        "kvs.inactivity.fails",
        "false",
        "Whether that is a failure at the live edge too, where a producer may just be off.",
    ),
    key("kvs.idle.max.delay.ms", "2000", "While nothing comes, sessions are opened again after at most so long."),
    key("kvs.retry.attempts.max", "0", "A stream that fails so often running is FAILED; 0: it is tried for ever."),
    key(
        "kvs.retry.base.delay.ms",
        "200",
        "The longest first delay after a failure; it doubles each time, with full jitter.",
    ),
    key("kvs.retry.max.delay.ms", "30000", "The longest delay of all."),
    key("kvs.retry.slow.delay.ms", "60000", "The delay after what an operator has to mend: errors 4500, 4501, 4505."),
    key("kvs.caught.up.max.behind.ms", "10000", "A stream that is no further behind the live edge has caught up."),
    key("kvs.clock.offset.ms", "learned", "How far the service's clock is ahead of this machine's."),
    key(
        "kvs.parameter.checks",
        "true",
        "Whether requests are checked against the service's model before they are sent.",
    ),
    key("kvs.proxy.url", "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY", "Proxy, http://user:password@host:3128; never shown."),
    key("kvs.proxy.exceptions", "NO_PROXY", "Hosts and networks to reach without that proxy, with commas between."),
    key("kvs.tls.ca.file", "AWS_CA_BUNDLE", "Certificates (PEM) to trust besides the system's."),
    key("kvs.credentials.access.key.id", "AWS's default chain", "Static credentials."),
    key("kvs.credentials.secret.access.key", "AWS's default chain", "Static credentials; never shown."),
    key("kvs.credentials.session.token", "", "Static credentials, temporary ones; never shown."),
    key(
        "kvs.credentials.profile",
        "AWS_PROFILE, default",
        "Profile of AWS's files to take credentials and the rest from.",
    ),
    key("kvs.role.arn", "", "Role to assume with the credentials, by STS's endpoint of the region."),
    key("kvs.role.external.id", "", "What the role's trust policy asks for."),
    key(
        "errors.tolerance",
        "none",
        "What becomes of a fragment that cannot be parsed: none fails its stream, all passes it over with a notification.",
    ),
    key(
        "errors.retry.timeout",
        "-1",
        "How long a stream that fails is started again, in milliseconds; 0: never, -1: for ever.",
    ),
    key("errors.retry.delay.base.ms", "10000", "After so long a FAILED stream is started again; the delay doubles."),
    key("errors.retry.delay.max.ms", "60000", "The longest such delay."),
    key("topic", "required", "Data topic."),
    key("topic.creation.default.partitions", "6", "Of the data topic, when it is made."),
    key(
        "topic.creation.default.replication.factor",
        "-1",
        "Of the data topic, when it is made; -1: the broker's default.",
    ),
    key("key.converter", "string", "How keys are written: string (text) or avro."),
    key("record.timestamp", "ingest", "Kafka's timestamp of a record: ingest, producer or server."),
];

/// Any other configuration of the data topic, when it is made: `topic.creation.default.retention.ms`.
pub const TOPIC_CREATION_PREFIX: &str = "topic.creation.default.";

/// Whether a worker's setting is known.
pub fn is_worker_key(name: &str) -> bool {
    WORKER.iter().any(|key| key.name == name) || is_client_key(name)
}

/// Whether a setting of a worker is handed to librdkafka.
pub fn is_client_key(name: &str) -> bool {
    WORKER_PREFIXES.iter().any(|prefix| name.len() > prefix.len() && name.starts_with(prefix))
}

/// Whether a setting of a worker is handed to librdkafka for all clients.
pub fn is_common_key(name: &str) -> bool {
    is_client_key(name) && !CLIENT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a connector's setting is known.
pub fn is_connector_key(name: &str) -> bool {
    CONNECTOR.iter().any(|key| key.name == name)
        || (name.len() > TOPIC_CREATION_PREFIX.len() && name.starts_with(TOPIC_CREATION_PREFIX))
}

/// Whether there is such a setting of a connector, ours or Connect's, and it may have this value as far as can be said
/// by itself.
///
/// # Errors
/// Why not, and what to do.
pub fn check_connector(name: &str, value: &str) -> Result<(), String> {
    if CONNECTOR.iter().any(|key| key.name == name) {
        return Ok(());
    }
    match connect_keys::check(connect_keys::CONNECTOR, name, value) {
        // What a prefix of Connect's refuses may be ours.
        Some(Err(_)) if is_connector_key(name) && !is_connects_own(connect_keys::CONNECTOR, name) => Ok(()),
        Some(checked) => checked,
        None if is_connector_key(name) => Ok(()),
        None if is_worker_key(name) => Err("is a setting of the worker: its file, its environment or --set".to_owned()),
        None if connect_keys::check(connect_keys::WORKER, name, value).is_some() => {
            Err("is a setting of Kafka Connect's workers, and no connector's".to_owned())
        }
        None => Err(unknown(name, CONNECTOR)),
    }
}

/// The same for a setting of a worker.
///
/// # Errors
/// Why not, and what to do.
pub fn check_worker(name: &str, value: &str) -> Result<(), String> {
    if WORKER.iter().any(|key| key.name == name) {
        return Ok(());
    }
    match connect_keys::check(connect_keys::WORKER, name, value) {
        Some(checked) => checked,
        None if is_client_key(name) => Ok(()),
        None if is_connector_key(name) => Err("is a setting of a connector".to_owned()),
        None => Err(unknown(name, WORKER)),
    }
}

fn is_connects_own(table: &[connect_keys::ConnectKey], name: &str) -> bool {
    table.iter().any(|key| key.name == name)
}

/// What is said of an unknown key: a known one, where one is so near that it was probably meant.
pub fn unknown(name: &str, known: &[Key]) -> String {
    match nearest(name, known.iter().map(|key| key.name)) {
        Some(nearest) => format!("unknown setting; the nearest known one is {nearest}"),
        None => "unknown setting; docs/CONFIGURATION.md has all there are".to_owned(),
    }
}
