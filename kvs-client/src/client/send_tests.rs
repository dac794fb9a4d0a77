#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::{Command, Stdio};

use serde_json::json;

use super::*;
use crate::error::Subject;

const ARN: &str = "arn:aws:kinesisvideo:us-east-1:123456789012:stream/front-door/1511852109000";

struct Case {
    url: &'static str,
    region: &'static str,
    body: Value,
    key: &'static str,
    secret: &'static str,
    token: Option<&'static str>,
    seconds: u64,
}

fn cases() -> Vec<Case> {
    let case = |url, region, body| Case {
        url,
        region,
        body,
        key: "AKIDEXAMPLE",
        secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        token: None,
        seconds: 1_794_000_000,
    };
    let odd_arn = format!("arn:aws-us-gov:kinesisvideo:us-gov-west-1:000000000000:stream/{}/0", "a.b_c-".repeat(40));
    vec![
        case(
            "https://kinesisvideo.us-east-1.amazonaws.com/describeStream",
            "us-east-1",
            json!({"StreamName": "front-door"}),
        ),
        case("https://kinesisvideo.us-east-1.amazonaws.com/describeStream", "us-east-1", json!({"StreamARN": ARN})),
        case(
            "https://kinesisvideo.us-gov-west-1.amazonaws.com/getDataEndpoint",
            "us-gov-west-1",
            json!({"StreamARN": odd_arn, "APIName": "GET_MEDIA"}),
        ),
        case("https://kinesisvideo.cn-north-1.amazonaws.com.cn/listStreams", "cn-north-1", json!({})),
        // Values that a tag or a token may contain, and some that none should.
        case(
            "https://kinesisvideo.eu-central-1.amazonaws.com/tagStream",
            "eu-central-1",
            json!({"StreamName": "s", "Tags": {"Größe": "ein Meter", "場所": "玄関 🚪", "a\u{0301}": "\u{00e1}"}}),
        ),
        case(
            "https://s-1234abcd.kinesisvideo.us-east-1.amazonaws.com/getMedia",
            "us-east-1",
            json!({"StreamName": "s", "StartSelector": {"StartSelectorType": "SERVER_TIMESTAMP", "StartTimestamp": 1_511_852_109.126}}),
        ),
        case(
            "http://127.0.0.1:9100/getMedia",
            "us-east-1",
            json!({"StreamName": "s", "StartSelector": {"StartSelectorType": "NOW"}}),
        ),
        case("http://[::1]:9100/listFragments", "us-east-1", json!({"StreamName": "s", "MaxResults": 1})),
        case("http://localhost:80/listStreams", "us-east-1", json!({"NextToken": "a+b/c=="})),
        Case {
            token: Some("FwoGZXIvYXdzEBYaDH/+=token"),
            ..case("https://kinesisvideo.us-east-1.amazonaws.com/listStreams", "us-east-1", json!({}))
        },
        Case {
            seconds: 1_709_251_199,
            ..case("https://kinesisvideo.us-east-1.amazonaws.com/listStreams", "us-east-1", json!({}))
        },
        Case {
            secret: "sécret ✓",
            key: "test",
            ..case("https://kinesisvideo.us-east-1.amazonaws.com/listStreams", "us-east-1", json!({}))
        },
    ]
}

/// Signs with botocore: one line of JSON per case in, its headers out.
const BOTOCORE: &str = r#"
import datetime, json, sys
import botocore.auth, botocore.awsrequest, botocore.credentials
for line in sys.stdin:
    case = json.loads(line)
    at = datetime.datetime.fromtimestamp(case["seconds"], datetime.timezone.utc)
    class Then(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return at
        @classmethod
        def utcnow(cls):
            return at.replace(tzinfo=None)
    class Module:
        datetime = Then
    botocore.auth.datetime = Module if isinstance(botocore.auth.datetime, type(sys)) else Then
    if hasattr(botocore.auth, "get_current_datetime"):
        botocore.auth.get_current_datetime = lambda remove_tzinfo=True: at.replace(tzinfo=None) if remove_tzinfo else at
    request = botocore.awsrequest.AWSRequest(method="POST", url=case["url"], data=case["body"].encode(),
                                             headers={"content-type": "application/json"})
    credentials = botocore.credentials.Credentials(case["key"], case["secret"], case["token"])
    botocore.auth.SigV4Auth(credentials, "kinesisvideo", case["region"]).add_auth(request)
    print(json.dumps({name.lower(): value for name, value in request.headers.items()}))
"#;

fn botocore(input: &str) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../dev/sdks");
    let got = Command::new(script).arg("python").output().unwrap();
    assert!(got.status.success(), "boto3 is not available: {}", String::from_utf8_lossy(&got.stderr));
    let python = String::from_utf8(got.stdout).unwrap();
    let mut child = Command::new(python.trim())
        .args(["-c", BOTOCORE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn signatures_equal_botocores() {
    let cases = cases();
    let lines: Vec<String> = cases
        .iter()
        .map(|case| {
            let Case { url, region, body, key, secret, token, seconds } = case;
            let body = body.to_string();
            json!({"url": url, "region": region, "body": body, "key": key, "secret": secret, "token": token, "seconds": seconds})
                .to_string()
        })
        .collect();
    let theirs = botocore(&(lines.join("\n") + "\n"));
    assert_eq!(theirs.len(), cases.len());
    for (case, theirs) in cases.iter().zip(theirs) {
        let outgoing = Outgoing {
            subject: Subject::new(Operation::ListStreams, None),
            url: case.url.parse().unwrap(),
            region: case.region.to_owned(),
            body: case.body.to_string(),
            selector: None,
        };
        let credentials = Credentials::new(case.key, case.secret, case.token.map(str::to_owned), None, "test");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(case.seconds);
        let ours = signed(&outgoing, &credentials, now).unwrap();
        for name in ["x-amz-date", "x-amz-security-token", "authorization"] {
            let value = ours.headers().get(name).map(|value| value.to_str().unwrap());
            assert_eq!(value, theirs[name].as_str(), "{name} of {} {}", case.url, case.body);
        }
    }
}
