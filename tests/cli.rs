//! The command line: what it refuses, and with which exit code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(arguments: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_kvs-connect")).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code().unwrap_or(-1), said)
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn wrong_usage_is_64_and_help_is_0() {
    assert_eq!(run(&[]).0, 64);
    assert_eq!(run(&["run", "--standalone"]).0, 64);
    assert_eq!(run(&["connector"]).0, 64);
    assert_eq!(run(&["offsets", "set", "c", "s"]).0, 64);
    assert_eq!(run(&["walk"]).0, 64);
    assert_eq!(run(&["tail", "--topic", "t", "--from", "middle"]).0, 64);
    let (code, help) = run(&["--help"]);
    assert_eq!(code, 0);
    for text in ["run", "validate", "tail", "connector", "offsets", "Exit codes"] {
        assert!(help.contains(text), "{text}: {help}");
    }
}

#[test]
fn every_problem_of_every_file_is_reported_with_78() {
    let folder = tempfile::tempdir().unwrap();
    let first = write(folder.path(), "first.json", r#"{"name": "a", "config": {"kvs.stream": "x"}}"#);
    let second = write(folder.path(), "second.json", "{");
    let (code, said) = run(&["validate", &first, &second]);
    assert_eq!(code, 78);
    assert!(
        said.contains(&format!("{first}: kvs.stream: unknown setting; the nearest known one is kvs.streams")),
        "{said}"
    );
    assert!(said.contains(&format!("{first}: topic: is required")), "{said}");
    assert!(said.contains(&format!("{second}: not JSON")), "{said}");
    let (code, said) = run(&["run", "--set", "group.idd=x", &first]);
    assert_eq!(code, 78);
    assert!(said.contains("command line: group.idd: unknown setting; the nearest known one is group.id"), "{said}");
    assert!(said.contains("bootstrap.servers: is required"), "{said}");
    let (_, said) = run(&["run", "--set", "sasl.password=${env:KAFKA_PASSWORD}", &first]);
    assert!(said.contains("sasl.password: references only work in connectors' settings"), "{said}");
    assert!(said.contains("the worker's environment, as CONNECT_SASL_PASSWORD") && !said.contains("KAFKA_P"), "{said}");
}

#[test]
fn text_that_only_looks_like_a_reference_is_refused_as_a_secret_and_noted_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let connector = |more: &str| {
        let text = format!(
            r#"{{"name": "c", "config": {{"connector.class": "KinesisVideoSourceConnector", "kvs.region": "us-east-1",
            "kvs.streams": "s", "topic": "t", {more}}}}}"#
        );
        run(&["validate", &write(folder.path(), "c.json", &text)])
    };
    let (code, said) = connector(
        r#""kvs.credentials.access.key.id": "AKIA", "kvs.credentials.secret.access.key": "${evn:KVS_SECRET}""#,
    );
    assert_eq!(code, 78, "{said}");
    assert!(
        said.contains("kvs.credentials.secret.access.key: it contains ${ but not as part of a reference"),
        "{said}"
    );
    assert!(!said.contains("KVS_SECRET"), "{said}");
    let (code, said) =
        connector(r#""kvs.role.arn": "arn:aws:iam::123456789012:role/r", "kvs.role.external.id": "${evn:X}""#);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("kvs.role.external.id: ${evn:…} is not a reference and is used as it is"), "{said}");
}

#[test]
fn a_region_that_only_the_workers_environment_can_have_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"{"name": "c", "config": {"connector.class": "KinesisVideoSourceConnector", "kvs.streams": "s", "topic": "t"}}"#;
    let file = write(folder.path(), "c.json", text);
    let said = |region: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kvs-connect"));
        command.args(["validate", &file]).env_remove("AWS_REGION").env_remove("AWS_DEFAULT_REGION");
        command.envs(region.map(|region| ("AWS_REGION", region)));
        let Output { status, stdout, .. } = command.output().unwrap();
        assert_eq!(status.code(), Some(0));
        String::from_utf8(stdout).unwrap()
    };
    assert!(said(None).contains("kvs.region is not set, and AWS_REGION is not set here"), "{}", said(None));
    assert!(!said(Some("us-east-1")).contains("region"), "{}", said(Some("us-east-1")));
}

#[test]
fn settings_that_kafkas_clients_refuse_are_78_with_the_key_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let connector = write(
        folder.path(),
        "c.json",
        r#"{"name": "c", "config": {"connector.class": "KinesisVideoSourceConnector", "kvs.region": "us-east-1",
            "kvs.streams": "a", "topic": "t", "kvs.start.position": "SERVER_TIMESTAMP",
            "kvs.start.timestamp": "1571360125131"}}"#,
    );
    let worker = write(
        folder.path(),
        "worker.properties",
        "# as Connect has it\nbootstrap.servers=127.0.0.1:1\nproducer.compression.type=brotli\nproducer.acks=1\n",
    );
    // Nothing listens at that address, so a request to a broker would wait.
    for arguments in [&["run", "--worker", &worker, &connector][..], &["validate", "--worker", &worker, &connector]] {
        let (code, said) = run(arguments);
        assert_eq!(code, 78, "{said}");
        assert!(said.contains(&format!("{worker}: producer.acks: only all, -1 is accepted: ")), "{said}");
    }
    let worker = write(
        folder.path(),
        "worker.properties",
        "bootstrap.servers=127.0.0.1:1\nproducer.compression.type=brotli\nssl.ca.location=/no/such/file\nsecurity.protocol=SSL\n",
    );
    for arguments in [&["run", "--worker", &worker, &connector][..], &["validate", "--worker", &worker, &connector]] {
        let (code, said) = run(arguments);
        assert_eq!(code, 78, "{said}");
        for key in ["producer.compression.type", "ssl.ca.location"] {
            assert!(said.contains(&format!("{worker}: {key}: Kafka's client (librdkafka) refuses it: ")), "{said}");
        }
    }
    let by_variable = Command::new(env!("CARGO_BIN_EXE_kvs-connect"))
        .args(["run", "--bootstrap-servers", "127.0.0.1:1", &connector])
        .env("CONNECT_CONSUMER_MAX_POLL_RECORDS", "500")
        .env("CONNECT_PRODUCER_BATCH_SIZE", "0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&by_variable.stderr).into_owned();
    assert_eq!(by_variable.status.code(), Some(78), "{said}");
    let expected =
        "environment (CONNECT_CONSUMER_MAX_POLL_RECORDS): consumer.max.poll.records: is a setting of the Java clients";
    assert!(said.contains(expected), "{said}");
    let (code, said) =
        run(&["run", "--bootstrap-servers", "127.0.0.1:1", "--set", "producer.batch.size=0", &connector]);
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("command line: producer.batch.size: Kafka's client (librdkafka) refuses it: "), "{said}");
    // Settings that are given without a file are checked, too.
    let (code, said) = run(&["validate", "--bootstrap-servers", "127.0.0.1:1", "--set", "producer.acks=1", &connector]);
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("command line: producer.acks: only all, -1 is accepted: "), "{said}");
    // Connections cannot be tried without Kafka's address.
    let (code, said) = run(&["validate", "--connect", &connector]);
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("bootstrap.servers: is required; pass it with --bootstrap-servers"), "{said}");
    // How a timestamp was understood is reported.
    let (code, said) = run(&["validate", &connector]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("kvs.start.timestamp: 1571360125131 is read as milliseconds: 2019-10-18T00:55:25.131Z"),
        "{said}"
    );
}

#[test]
fn the_example_configurations_are_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("connectors");
    let worker = folder.join("worker.toml").display().to_string();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "json") {
            let (code, said) = run(&["validate", "--worker", &worker, &file.display().to_string()]);
            assert_eq!(code, 0, "{said}");
            assert!(said.contains("is valid"), "{said}");
            count += 1;
        }
    }
    assert!(count >= 3);
}

#[test]
fn an_occupied_listener_is_69() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listeners = format!("listeners=http://{}", taken.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let connector = write(
        folder.path(),
        "c.json",
        r#"{"name": "c", "config": {"connector.class": "KinesisVideoSourceConnector", "kvs.region": "us-east-1",
            "kvs.streams": "a", "topic": "t"}}"#,
    );
    let (code, said) = run(&["run", "--bootstrap-servers", "127.0.0.1:1", "--set", &listeners, &connector]);
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("cannot listen on") && said.contains("its own address (listeners)"), "{said}");
}

#[test]
fn shells_get_a_script_that_completes_commands_and_settings() {
    for (shell, begins) in
        [("bash", "_kvs__connect() {"), ("zsh", "#compdef kvs-connect"), ("fish", "complete -c kvs-connect")]
    {
        let (code, script) = run(&["completions", shell]);
        assert_eq!(code, 0, "{script}");
        assert!(script.contains(begins), "{shell}: {script}");
        for word in ["validate", "offsets", "session.timeout.ms="] {
            assert!(script.contains(word), "{shell} does not complete {word}");
        }
    }
    assert_eq!(run(&["completions", "cmd.exe"]).0, 64);
    // Settings are not listed in the help, and need a value.
    let (code, help) = run(&["run", "--help"]);
    assert!(code == 0 && !help.contains("session.timeout.ms="), "{help}");
    let (code, said) = run(&["run", "--set", "group.id", "c.json"]);
    assert!(code == 64 && said.contains("KEY=VALUE was expected"), "{said}");
}

/// Only the problem that has to be solved is reported, not its consequences.
#[test]
fn a_wrong_file_is_reported_once_with_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let connector = concat!(env!("CARGO_MANIFEST_DIR"), "/connectors/demo.json");
    let missing = folder.path().join("nope.toml").display().to_string();
    let broken = write(folder.path(), "broken.toml", "bootstrap.servers = \"a:1\"\ngroup.id = oops\n");
    let twice = write(folder.path(), "twice.properties", "bootstrap.servers=a:1\nbootstrap.servers=b:1\n");
    let list = write(folder.path(), "list.toml", "bootstrap.servers = [\"a:1\"]\n");
    for worker in [&missing, &broken, &twice, &list] {
        for command in [&["run", "--worker", worker, connector][..], &["validate", "--worker", worker, connector]] {
            let (code, said) = run(command);
            assert_eq!((code, said.matches("kvs-connect: ").count()), (78, 1), "{said}");
            assert!(said.contains(worker.as_str()) && !said.contains("is required"), "{said}");
        }
    }
    for command in [&["run", "--bootstrap-servers", "a:1", &missing][..], &["validate", &missing]] {
        let (code, said) = run(command);
        assert_eq!(code, 78, "{said}");
        assert!(said.contains("No such file") && !said.contains("on the worker's machine"), "{said}");
    }
    let (_, said) = run(&["connector", "create", "nope.json"]);
    assert!(said.contains("it was looked for in ") && !said.contains("on the worker's machine"), "{said}");
    let (_, said) = run(&["validate", concat!(env!("CARGO_MANIFEST_DIR"), "/connectors/worker.toml")]);
    assert!(said.contains("not JSON: ") && said.contains("a worker's settings are passed with --worker"), "{said}");
    let (_, said) = run(&["validate", &write(folder.path(), "cam.props", "name=cameras\n")]);
    assert!(said.contains("Java properties from a file named *.properties"), "{said}");
    for command in [&["tail", "--topic", "t"][..], &["offsets", "list", "--set", "group.id=g"]] {
        let (code, said) = run(command);
        assert!(code == 78 && said.contains("--bootstrap-servers") && said.contains("--worker"), "{said}");
    }
    let file = write(folder.path(), "file", "");
    let (code, said) = run(&["tail", "--bootstrap-servers", "127.0.0.1:1", "--topic", "t", "--save", &file]);
    assert!(code == 64 && said.contains(&format!("--save {file}: ")) && said.contains("is not a folder"), "{said}");
    let (code, said) = run(&["connector", "list", "--url", "127.0.0.1:28083"]);
    assert!(code == 64 && said.contains("http:// or https:// is missing"), "{said}");
    let (code, said) = run(&["connector", "list", "--url", "http://anna:hunter2@127.0.0.1:1"]);
    assert!(code == 69 && said.contains("http://127.0.0.1:1/connectors: no response: ") && !said.contains("hunter2"));
    let (_, said) = run(&[
        "validate",
        &write(
            folder.path(),
            "one.json",
            r#"{"name": "c", "config": {"connector.class":
        "KinesisVideoSourceConnector", "kvs.region": "us-east-1", "kvs.streams": "a", "topic": "t"}}"#,
        ),
    ]);
    assert!(said.contains("is valid: 1 stream to topic t"), "{said}");
}

#[test]
fn waiting_for_a_slow_worker_is_reported() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // The worker responds only after the command has reported that it waits.
    let (answer, told) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let _ = told.recv();
            let _ = std::io::Write::write_all(&mut socket, b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
        }
    });
    let run = |arguments: &[&str]| -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kvs-connect"));
        let mut child =
            command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut said = String::new();
        for line in BufReader::new(child.stderr.take().unwrap()).lines() {
            let line = line.unwrap() + "\n";
            if line.contains("the worker has not responded yet") {
                answer.send(()).unwrap();
            }
            said += &line;
        }
        (child.wait().unwrap().code(), said)
    };
    let (code, said) = run(&["connector", "delete", "cameras", "--url", &url]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the worker has not responded yet; changes wait for Kafka for up to 60 s"), "{said}");
    let (_, said) = run(&["connector", "get", "cameras", "--url", &url]);
    assert!(said.contains("the worker has not responded yet\n"), "{said}");
}

/// Lines are only broken at the terminal's width; examples have lines of their own.
#[test]
fn help_is_wrapped_once_and_lists_every_exit_code() {
    for command in [&["--help"][..], &["run", "--help"], &["connector", "--help"], &["offsets", "--help"]] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_kvs-connect")).args(command).env("COLUMNS", "60").output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = help.lines().collect();
        for pair in lines.windows(2) {
            // If a sentence continues in the next line, it has filled this one.
            let goes_on = pair[0].starts_with(char::is_alphabetic) && pair[1].starts_with(char::is_lowercase);
            let word = pair[1].split(' ').next().unwrap_or_default().len();
            assert!(!goes_on || pair[0].len() + 1 + word > 60, "{command:?}: {pair:?}");
        }
    }
    // Commands to type, and rows of lists, fit in 80 columns.
    let commands: [&[&str]; 6] = [&[], &["run"], &["validate"], &["connector"], &["offsets"], &["tail"]];
    for command in commands {
        let [narrow, wide] = ["80", "400"].map(|columns| {
            let mut help = Command::new(env!("CARGO_BIN_EXE_kvs-connect"));
            let output = help.args(command).arg("--help").env("COLUMNS", columns).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            // After the last option.
            let end = text.rfind("-h, --help").unwrap();
            let rest = text[end..].lines().skip_while(|line| !line.is_empty());
            rest.filter(|line| line.starts_with("  ")).map(str::to_owned).collect::<Vec<_>>()
        });
        assert_eq!(narrow, wide, "{command:?}");
    }
    let help = run(&["--help"]).1;
    for code in [0, 64, 66, 69, 70, 75, 77, 78, 130] {
        assert!(help.lines().any(|line| line.starts_with(&format!("  {code:<3}  "))), "{code}: {help}");
    }
    let source = [include_str!("../src/cli.rs"), include_str!("../src/cli/remote.rs")].concat();
    for line in source.lines().filter(|line| line.contains("const EXIT_")) {
        let code = line.rsplit(' ').next().unwrap().trim_end_matches(';');
        assert!(help.contains(&format!("  {code:<3}  ")), "{line}");
    }
    // The commands in the help can be typed.
    assert!(
        help.contains("dev/demo/clip.mkv") && Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/demo/clip.mkv").exists()
    );
    assert!(help.contains("kvs-connect tail --worker connectors/worker.toml --topic kvs.fragments"), "{help}");
}

/// The tests that docs/GETMEDIA.md names exist in the named files.
#[test]
fn the_tests_that_the_getmedia_table_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/GETMEDIA.md")).unwrap();
    let mut named = 0;
    for code in text.split('`').skip(1).step_by(2) {
        if code.ends_with(".rs") && !code.contains('{') {
            assert!(root.join(code).exists(), "{code} does not exist");
            named += 1;
            continue;
        }
        // `calls::one_test`, or `calls::{one_test, another}`.
        let Some((file, tests)) = code.rsplit_once("::") else { continue };
        for test in tests.trim_matches(['{', '}']).split(", ") {
            named += check(root, file, test);
        }
    }
    assert!(named > 40, "{named} tests are named");
}

fn check(root: &Path, file: &str, test: &str) -> usize {
    let path = match file.strip_prefix("e2e::") {
        Some(file) => root.join(format!("tests/e2e/{file}.rs")),
        None => root.join(format!("kvs-client/tests/{file}.rs")),
    };
    let source = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} does not exist", path.display()));
    let name = test.trim_end_matches('…').trim_end_matches('*');
    assert!(source.contains(&format!("fn {name}")), "{}: there is no test {test}", path.display());
    1
}

/// Runs the script in bash, for a command line with the cursor at its end.
#[test]
fn bash_completes_subcommands_options_and_settings() {
    let (code, script) = run(&["completions", "bash"]);
    assert_eq!(code, 0, "{script}");
    let complete = |words: &[&str]| {
        let quoted = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let last = words.len() - 1;
        let line = format!(
            "{script}\nCOMP_WORDS=({quoted}); COMP_CWORD={last}; _kvs__connect kvs-connect '{}' '{}'; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words[last],
            words[last - 1]
        );
        let output = Command::new("bash").args(["--norc", "-c", &line]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<String>>()
    };
    assert_eq!(complete(&["kvs-connect", "val"]), ["validate"]);
    assert_eq!(complete(&["kvs-connect", "connector", "st"]), ["stop", "status"]);
    assert_eq!(complete(&["kvs-connect", "run", "--wor"]), ["--worker"]);
    assert_eq!(complete(&["kvs-connect", "tail", "--from", ""]), ["beginning", "end"]);
    let settings = complete(&["kvs-connect", "run", "--set", "offset.storage.p"]);
    assert!(settings.iter().any(|setting| setting.starts_with("offset.storage.partitions")), "{settings:?}");
}
