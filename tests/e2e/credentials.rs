//! Every source of credentials in AWS's chain, by a worker without any other.
//!
//! AWS's own STS and metadata services are not available here: a listener returns their documents.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kvs_harness::{Connector, ConnectorFile, Kafka, wait_for};
use kvs_simulator::{AccessKey, DEFAULT_ACCOUNT, Limits, Pace, SimulatorConfig};

use crate::stage::{Stage, program};

/// Credentials that a listener returns, and how long it declares them valid.
const KEYS: [&str; 6] = ["profile", "container", "web", "instance", "role", "renewed"];

fn at(seconds: u64) -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + seconds;
    // 2026-11-24T10:00:00Z, without a calendar of our own.
    let days = seconds / 86_400;
    let (year, month, day) = civil(days as i64);
    format!("{year}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60)
}

/// Converts days since 1970 to a date of the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let (mut year, mut rest) = (1970, days);
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    while rest >= 365 + i64::from(leap(year)) {
        rest -= 365 + i64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
    }
    (year, month, rest + 1)
}

fn sts(action: &str, key: &str) -> String {
    format!(
        r#"<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>
        <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{key}-secret</SecretAccessKey><SessionToken>{key}-token</SessionToken>
        <Expiration>{}</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn>
        <AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser></{action}Result></{action}Response>"#,
        at(3_600)
    )
}

fn json(key: &str, seconds: u64) -> String {
    format!(
        r#"{{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"{key}","SecretAccessKey":"{key}-secret","Token":"{key}-token","Expiration":"{}"}}"#,
        at(seconds)
    )
}

/// Starts a listener that responds like STS, container and instance, and records the requests.
fn listener() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut renewals = 0;
        'sockets: for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            let request = loop {
                let count = socket.read(&mut buffer).unwrap_or(0);
                request.extend_from_slice(&buffer[..count]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    if count == 0 {
                        // Whoever connects and says nothing asks for nothing.
                        continue 'sockets;
                    }
                    continue;
                };
                let length =
                    head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                if count == 0 || body.len() >= length.unwrap_or(0) {
                    break text;
                }
            };
            let path = request.split_whitespace().nth(1).unwrap_or_default().to_owned();
            let (content_type, body) = if request.contains("Action=AssumeRoleWithWebIdentity") {
                ("text/xml", sts("AssumeRoleWithWebIdentity", "web"))
            } else if request.contains("Action=AssumeRole") {
                ("text/xml", sts("AssumeRole", "role"))
            } else if path == "/container" {
                ("application/json", json("container", 3_600))
            } else if path == "/renewed" {
                renewals += 1;
                // The first credentials are renewed before they expire: they are valid for a minute and two seconds.
                ("application/json", if renewals == 1 { json("container", 62) } else { json("renewed", 3_600) })
            } else if path == "/latest/api/token" {
                ("text/plain", "token".to_owned())
            } else if path.ends_with("/security-credentials/") {
                ("text/plain", "instance-role".to_owned())
            } else {
                ("application/json", json("instance", 3_600))
            };
            noted.lock().unwrap().push(request);
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = socket.write_all((head + &body).as_bytes());
        }
    });
    (url, asked)
}

fn keys() -> Vec<AccessKey> {
    let temporary = |name: &&str| {
        let mut key = AccessKey::new(name, &format!("{name}-secret"), DEFAULT_ACCOUNT);
        key.session_token = (*name != "profile").then(|| format!("{name}-token"));
        key
    };
    KEYS.iter().map(temporary).collect()
}

#[test]
fn every_source_of_credentials() {
    let kafka = Kafka::shared();
    let limits = Limits { idle_timeout: Duration::from_millis(500), ..Limits::default() };
    let (url, asked) = listener();
    let stage =
        Stage::with_simulator("credentials", SimulatorConfig { keys: keys(), limits, ..SimulatorConfig::default() });
    let token = stage.folder.path().join("token");
    std::fs::write(&token, "a web identity").unwrap();
    let config = stage.folder.path().join("config");
    let simulator = stage.simulator.url().to_owned();
    let text = format!(
        "[profile video]\naws_access_key_id = profile\naws_secret_access_key = profile-secret\nregion = us-east-1\nendpoint_url = {simulator}\n"
    );
    std::fs::write(&config, text).unwrap();
    let (token, config) = (token.display().to_string(), config.display().to_string());
    let container = format!("{url}/container");
    let none = ("AWS_EC2_METADATA_DISABLED", "true");
    let file = stage.recording(5, 2, 500);
    type Settings<'a> = &'a [(&'a str, &'a str)];
    let ways: [(&str, Settings<'_>, Settings<'_>); 5] = [
        // Region and endpoint come from the profile, too.
        ("profile", &[("AWS_CONFIG_FILE", &config), none], &[("kvs.credentials.profile", "video")]),
        (
            "container",
            &[
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ENDPOINT_URL_KINESIS_VIDEO", &simulator),
                none,
            ],
            &[],
        ),
        (
            "web",
            &[
                ("AWS_WEB_IDENTITY_TOKEN_FILE", &token),
                ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web"),
                ("AWS_ENDPOINT_URL_STS", &url),
                none,
            ],
            &[("kvs.region", "us-east-1"), ("kvs.endpoint", &simulator)],
        ),
        (
            "instance",
            &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)],
            &[("kvs.region", "us-east-1"), ("kvs.endpoint", &simulator)],
        ),
        (
            "role",
            &[
                ("AWS_ACCESS_KEY_ID", "base"),
                ("AWS_SECRET_ACCESS_KEY", "base-secret"),
                ("AWS_ENDPOINT_URL_STS", &url),
                none,
            ],
            &[
                ("kvs.region", "us-east-1"),
                ("kvs.endpoint", &simulator),
                ("kvs.role.arn", "arn:aws:iam::123456789012:role/video"),
                ("kvs.role.external.id", "an-external-id"),
            ],
        ),
    ];
    let mut workers = Vec::new();
    for (way, environment, settings) in ways {
        stage.add(way, &file, 1, Pace::Max);
        let mut connector: ConnectorFile = stage.connector(&[way]).unset("kvs.region").unset("kvs.endpoint");
        way.clone_into(&mut connector.name);
        for (key, value) in settings {
            connector = connector.set(key, value);
        }
        let group = format!("{}-{way}", stage.group());
        let worker = kvs_harness::WorkerFile::new(kafka.bootstrap(), &group).set("offset.storage.partitions", "2");
        workers.push((way, Connector::start_with(program(), &worker, &[connector], environment)));
    }
    for (way, worker) in &mut workers {
        worker.wait_healthy();
        wait_for(&format!("what {way} pulls; log: {}", worker.log()), || {
            stage.seen(kafka).get(*way).map(Vec::len) == Some(5)
        });
    }
    let asked = asked.lock().unwrap();
    let role = asked.iter().find(|request| request.contains("Action=AssumeRole&")).expect("the role was assumed");
    assert!(role.contains("ExternalId=an-external-id") && role.contains("role%2Fvideo"), "{role}");
    assert!(role.contains("Credential=base/") && role.contains("/us-east-1/sts/"), "{role}");
}

#[test]
fn temporary_credentials_are_renewed_before_they_expire() {
    let kafka = Kafka::shared();
    let (url, asked) = listener();
    let limits = Limits { session_duration: Duration::from_millis(700), ..Limits::default() };
    let stage =
        Stage::with_simulator("renewal", SimulatorConfig { keys: keys(), limits, ..SimulatorConfig::default() });
    stage.add_live("s", &stage.recording(5, 2, 500), 6.0);
    let container = format!("{url}/renewed");
    let environment =
        [("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.as_str()), ("AWS_EC2_METADATA_DISABLED", "true")];
    let mut worker = Connector::start_with(program(), &stage.worker(kafka), &[stage.connector(&["s"])], &environment);
    worker.wait_healthy();
    let requests = || asked.lock().unwrap().len();
    wait_for("credentials to be requested again", || requests() >= 2);
    let sessions = || worker.metric("kvs_connect_get_media_sessions_total");
    let before = sessions();
    wait_for("sessions with the new credentials", || sessions() >= before + 2.0);
    // As the service does: expired credentials are refused. Not by the time, in which a slow machine may have done nothing.
    assert!(stage.simulator.expire_key("container"));
    let before = sessions();
    wait_for("sessions without the old ones", || sessions() >= before + 2.0);
    assert!(stage.simulator.end_playback("s"));
    stage.expect_all(kafka, &["s"]);
    assert!(!worker.log().contains("ExpiredToken"), "{}", worker.log());
    let shown = worker.log() + &worker.get("/streams").unwrap().1;
    assert!(!shown.contains("renewed-secret") && !shown.contains("container-token"));
}

#[test]
fn fips_by_awss_variable_cannot_be_combined_with_an_endpoint() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("fips"));
    let environment = [("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    let connector = stage.connector(&["s"]);
    let mut worker = Connector::start_with(program(), &stage.worker(kafka), &[connector], &environment);
    worker.wait_healthy();
    wait_for("the connector to say so", || {
        let (_, status) = worker.rest("GET", "/connectors/cameras/status", None);
        status["connector"]["state"] == "FAILED" && status.to_string().contains("FIPS endpoints and the endpoint")
    });
}
