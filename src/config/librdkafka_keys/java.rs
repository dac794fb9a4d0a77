//! Settings that the Java clients have and librdkafka does not.

const CLASSES: &str = "librdkafka loads no classes; remove this setting";
const NO_NEED: &str = "nothing depends on it; remove this setting";
const JAAS: &str = "sasl.username and sasl.password set the user (PLAIN, SCRAM), sasl.kerberos.principal and \
    sasl.kerberos.keytab the Kerberos ticket (GSSAPI)";
const OPENSSL: &str = "TLS is OpenSSL's; use ssl.cipher.suites, ssl.curves.list and ssl.sigalgs.list";
const PARTITIONS: &str =
    "a record's partition depends on its stream, which keeps the stream in order; remove this setting";
const OAUTH: &str = "OAUTHBEARER has only unsigned tokens, for tests (sasl.oauthbearer.config); remove this setting";
const KERBEROS: &str =
    "sasl.kerberos.kinit.cmd and sasl.kerberos.min.time.before.relogin set when and how a ticket is renewed";

/// Each setting with what replaces it.
pub const JAVA: &[(&str, &str)] = &[
    ("key.serializer", CLASSES),
    ("value.serializer", CLASSES),
    ("key.deserializer", CLASSES),
    ("value.deserializer", CLASSES),
    ("interceptor.classes", CLASSES),
    ("metric.reporters", "metrics are served at /metrics of the listeners; remove this setting"),
    ("metrics.num.samples", NO_NEED),
    ("metrics.recording.level", NO_NEED),
    ("metrics.sample.window.ms", NO_NEED),
    ("auto.include.jmx.reporter", NO_NEED),
    ("sasl.jaas.config", JAAS),
    ("sasl.client.callback.handler.class", CLASSES),
    ("sasl.login.callback.handler.class", CLASSES),
    ("sasl.login.class", CLASSES),
    ("sasl.login.connect.timeout.ms", OAUTH),
    ("sasl.login.read.timeout.ms", OAUTH),
    ("sasl.login.refresh.buffer.seconds", OAUTH),
    ("sasl.login.refresh.min.period.seconds", OAUTH),
    ("sasl.login.refresh.window.factor", OAUTH),
    ("sasl.login.refresh.window.jitter", OAUTH),
    ("sasl.login.retry.backoff.max.ms", OAUTH),
    ("sasl.login.retry.backoff.ms", OAUTH),
    ("sasl.oauthbearer.clock.skew.seconds", OAUTH),
    ("sasl.oauthbearer.expected.audience", OAUTH),
    ("sasl.oauthbearer.expected.issuer", OAUTH),
    ("sasl.oauthbearer.header.urlencode", OAUTH),
    ("sasl.oauthbearer.jwks.endpoint.refresh.ms", OAUTH),
    ("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", OAUTH),
    ("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", OAUTH),
    ("sasl.oauthbearer.jwks.endpoint.url", OAUTH),
    ("sasl.oauthbearer.jwt.retriever.class", OAUTH),
    ("sasl.oauthbearer.jwt.validator.class", OAUTH),
    ("sasl.oauthbearer.scope.claim.name", OAUTH),
    ("sasl.oauthbearer.sub.claim.name", OAUTH),
    ("sasl.oauthbearer.assertion.template.file", OAUTH),
    ("sasl.kerberos.ticket.renew.jitter", KERBEROS),
    ("sasl.kerberos.ticket.renew.window.factor", KERBEROS),
    ("security.providers", OPENSSL),
    (
        "ssl.truststore.location",
        "use ssl.ca.location, a PEM file with the trusted certificates (keytool -exportcert -rfc)",
    ),
    ("ssl.truststore.password", "ssl.ca.location is a PEM file, which has no password; remove this setting"),
    ("ssl.truststore.type", "ssl.ca.location is always a PEM file; remove this setting"),
    ("ssl.truststore.certificates", "use ssl.ca.pem for the trusted certificates, as PEM"),
    ("ssl.keystore.certificate.chain", "use ssl.certificate.pem for the client's certificates, as PEM"),
    ("ssl.keystore.key", "use ssl.key.pem for the client's private key, as PEM"),
    (
        "ssl.keystore.type",
        "ssl.keystore.location is a PKCS#12 file; ssl.certificate.location and ssl.key.location are PEM files",
    ),
    ("ssl.keymanager.algorithm", OPENSSL),
    ("ssl.trustmanager.algorithm", OPENSSL),
    ("ssl.enabled.protocols", OPENSSL),
    ("ssl.protocol", OPENSSL),
    ("ssl.provider", OPENSSL),
    ("ssl.secure.random.implementation", OPENSSL),
    ("ssl.engine.factory.class", CLASSES),
    ("ssl.client.auth", "rest.tls.client.ca.file makes the REST API ask clients for certificates"),
    ("buffer.memory", "queue.buffering.max.kbytes limits what a producer buffers"),
    (
        "max.request.size",
        "memory.budget.size.bytes and a connector's kvs.fragment.max.size.bytes limit the size of a record",
    ),
    ("max.block.ms", "calls are limited by transaction.timeout.ms; remove this setting"),
    ("metadata.max.idle.ms", "metadata.max.age.ms limits the age of metadata"),
    ("partitioner.class", PARTITIONS),
    ("partitioner.adaptive.partitioning.enable", PARTITIONS),
    ("partitioner.availability.timeout.ms", PARTITIONS),
    ("partitioner.ignore.keys", PARTITIONS),
    ("compression.gzip.level", "use compression.level, which applies to all codecs"),
    ("compression.lz4.level", "use compression.level, which applies to all codecs"),
    ("compression.zstd.level", "use compression.level, which applies to all codecs"),
    ("transaction.two.phase.commit.enable", "the worker manages transactions itself; remove this setting"),
    ("max.poll.records", "records are polled one by one; remove this setting"),
    ("fetch.max.wait.ms", "use fetch.wait.max.ms instead"),
    ("default.api.timeout.ms", "request.timeout.ms and socket.timeout.ms limit a call"),
    ("exclude.internal.topics", NO_NEED),
    ("share.acknowledgement.mode", NO_NEED),
    ("send.buffer.bytes", "use socket.send.buffer.bytes instead"),
    ("receive.buffer.bytes", "use socket.receive.buffer.bytes instead"),
    ("socket.connection.setup.timeout.max.ms", "use socket.connection.setup.timeout.ms instead"),
    ("bootstrap.controllers", "clients connect to brokers only; use bootstrap.servers"),
];
