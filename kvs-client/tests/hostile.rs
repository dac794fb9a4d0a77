//! Servers that send what no service would: memory stays bounded, and the result is always a typed error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{config, puller};
use kvs_client::{CallLimits, Client, ClientConfig, CredentialsSource, Error, Pulled, RetryPolicy, StreamRef};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a server does to GetMedia; GetDataEndpoint returns its own address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trick {
    Garbage,
    Html,
    EndlessHeader,
    EndlessBody,
    GzipBomb,
    Drip,
    DripHeader,
    Silence,
    HalfAnHeader,
    Closes,
    LyingLength,
    HugeElement,
}

async fn head(socket: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        let count = socket.read(&mut buffer).await.ok().filter(|&count| count > 0)?;
        request.extend_from_slice(&buffer[..count]);
    }
    Some(String::from_utf8_lossy(&request).into_owned())
}

async fn answer(socket: &mut TcpStream, trick: Trick) -> std::io::Result<()> {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: video/webm\r\nx-amzn-requestid: r-1\r\n";
    const ENDLESS: &[u8] = b"transfer-encoding: chunked\r\n\r\n";
    match trick {
        Trick::Garbage => socket.write_all(&[0xFF; 5_000]).await,
        Trick::Html => {
            let body = "<html><body>Please sign in to this network</body></html>";
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n", body.len());
            socket.write_all(head.as_bytes()).await?;
            socket.write_all(body.as_bytes()).await
        }
        Trick::EndlessHeader => {
            socket.write_all(b"HTTP/1.1 200 OK\r\nx-long: ").await?;
            loop {
                socket.write_all(&[b'a'; 65_536]).await?;
            }
        }
        Trick::EndlessBody => {
            socket.write_all(OK).await?;
            socket.write_all(ENDLESS).await?;
            loop {
                socket.write_all(b"10000\r\n").await?;
                socket.write_all(&[0; 65_536]).await?;
                socket.write_all(b"\r\n").await?;
            }
        }
        Trick::GzipBomb => {
            // The first bytes of gzip, which the client does not decompress.
            socket.write_all(OK).await?;
            socket.write_all(b"content-encoding: gzip\r\n").await?;
            socket.write_all(ENDLESS).await?;
            socket.write_all(b"a\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03\r\n0\r\n\r\n").await
        }
        Trick::Drip => {
            socket.write_all(OK).await?;
            socket.write_all(ENDLESS).await?;
            // A chunk's head and a Void of 500 KB within it, sent byte by byte.
            let void = vec![0xEC, 0x10, 0x07, 0xA1, 0x20];
            let head = [kvs_mkv::ChunkWriter::new("drip").head(&[]), void].concat();
            socket.write_all(format!("{:x}\r\n", head.len()).as_bytes()).await?;
            socket.write_all(&head).await?;
            socket.write_all(b"\r\n").await?;
            for _ in 0..500_000 {
                socket.write_all(b"1\r\n\0\r\n").await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        }
        Trick::DripHeader => {
            socket.write_all(OK).await?;
            loop {
                socket.write_all(b"x: y\r\n").await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Trick::Silence => std::future::pending().await,
        Trick::HalfAnHeader => socket.write_all(b"HTTP/1.1 200 O").await,
        Trick::Closes => Ok(()),
        Trick::LyingLength => {
            socket.write_all(OK).await?;
            socket.write_all(b"content-length: 99999999999\r\n\r\n\x1A\x45\xDF\xA3").await
        }
        Trick::HugeElement => {
            socket.write_all(OK).await?;
            socket.write_all(ENDLESS).await?;
            // An EBML header of the largest possible size.
            socket.write_all(b"c\r\n\x1A\x45\xDF\xA3\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFE\r\n").await?;
            std::future::pending().await
        }
    }
}

async fn server(trick: Trick, everywhere: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let own = url.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let own = own.clone();
            tokio::spawn(async move {
                let Some(request) = head(&mut socket).await else { return };
                if request.starts_with("POST /getDataEndpoint") && !everywhere {
                    let body = format!(r#"{{"DataEndpoint":"{own}"}}"#);
                    let head =
                        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                    let _ = socket.write_all(head.as_bytes()).await;
                    return;
                }
                let _ = answer(&mut socket, trick).await;
            });
        }
    });
    url
}

/// A server with the same response to every request.
async fn says(status: u16, body: serde_json::Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            if head(&mut socket).await.is_some() {
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 {status} So\r\nx-amzn-RequestId: r-1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                let _ = socket.write_all((head + &body).as_bytes()).await;
            }
        }
    });
    url
}

async fn client(url: String) -> Arc<Client> {
    let mut config = ClientConfig::new("us-east-1");
    config.endpoint = Some(url);
    config.http.inactivity_timeout = Duration::from_millis(600);
    config.http.fragment_timeout = Duration::from_millis(800);
    config.retry = RetryPolicy::new(Duration::from_millis(1), Duration::from_millis(2)).with_attempts_max(2);
    config.credentials = CredentialsSource::Static {
        access_key_id: "test".to_owned(),
        secret_access_key: "test".to_owned(),
        session_token: None,
    };
    Arc::new(Client::new(config, Arc::new(CallLimits::default())).await.unwrap())
}

const TRICKS: [Trick; 12] = [
    Trick::Garbage,
    Trick::Html,
    Trick::EndlessHeader,
    Trick::EndlessBody,
    Trick::GzipBomb,
    Trick::Drip,
    Trick::DripHeader,
    Trick::Silence,
    Trick::HalfAnHeader,
    Trick::Closes,
    Trick::LyingLength,
    Trick::HugeElement,
];

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() / 1024.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_media_end_in_a_typed_error() {
    let before_mb = resident_mb();
    for trick in TRICKS {
        let client = client(server(trick, false).await).await;
        let mut puller = puller(&client, "s", None, config());
        let failed = async {
            loop {
                match puller.next().await {
                    Ok(Pulled::Retrying { error, .. }) | Err(error) => return Some(error),
                    // A body that ends within what might have been a chunk is waited for.
                    Ok(Pulled::Waiting { .. }) => return None,
                    Ok(_) => {}
                }
            }
        };
        let failed = tokio::time::timeout(Duration::from_secs(20), failed).await;
        let error = failed.unwrap_or_else(|_| panic!("{trick:?} goes on and on"));
        let typed = match &error {
            Some(Error::Media { .. }) => {
                matches!(trick, Trick::Html | Trick::EndlessBody | Trick::GzipBomb | Trick::HugeElement)
            }
            // Bytes arrive all the time: the fragment times out.
            Some(error) if trick == Trick::Drip => {
                error.to_string().contains("a fragment was not complete after 0.8 s")
            }
            Some(Error::Transport { .. } | Error::Silent { .. }) => true,
            None => matches!(trick, Trick::GzipBomb | Trick::LyingLength | Trick::HugeElement),
            _ => false,
        };
        assert!(typed, "{trick:?}: {error:?}");
    }
    // Some megabytes for twelve clients, although the endless servers have sent gigabytes by then.
    let grown_mb = resident_mb() - before_mb;
    assert!(grown_mb < 150.0, "{grown_mb} MB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_json_ends_in_a_typed_error() {
    for trick in TRICKS {
        // These would take until the call's timeout of 20 s; the first test covers them.
        if matches!(trick, Trick::Drip | Trick::DripHeader | Trick::Silence | Trick::HugeElement) {
            continue;
        }
        let client = client(server(trick, true).await).await;
        let asked = tokio::time::timeout(Duration::from_secs(50), client.describe_stream(&"s".parse().unwrap())).await;
        let error = asked.unwrap_or_else(|_| panic!("{trick:?} goes on and on")).unwrap_err();
        assert!(matches!(error, Error::Transport { .. } | Error::BadAnswer { .. }), "{trick:?}: {error:?}");
    }
}

/// Sends, in one member each, a long text that moves the cursor and changes the direction of what follows.
#[tokio::test]
async fn a_servers_texts_are_shown_short_and_harmless() {
    let nasty = format!("\u{1b}[2J\u{202E}\r\n{}", "x".repeat(60_000));
    let answers = [
        (400, json!({ "__type": nasty, "message": nasty })),
        (400, json!({ "__type": "SomethingNew", "Message": nasty })),
        (400, json!(nasty)),
        (200, json!({ "DataEndpoint": format!("https://{nasty}") })),
        (200, json!({ "DataEndpoint": "https://user:sesame@host.example/" })),
        (200, json!({ "DataEndpoint": "https://host.example/elsewhere?a" })),
        (200, json!({ "StreamInfo": nasty })),
        (200, json!({ "StreamInfo": { "StreamName": nasty, "StreamARN": "a" } })),
        (200, json!({ "StreamInfo": { "StreamName": "a\u{202E}", "StreamARN": "a" } })),
        (200, json!({ "StreamInfoList": [{ "StreamName": "s", "StreamARN": nasty }] })),
        (200, json!({ "Tags": { nasty.clone(): "value" } })),
    ];
    for (status, body) in answers {
        let client = client(says(status, body.clone()).await).await;
        let stream: StreamRef = "s".parse().unwrap();
        let error = match &body {
            body if body.get("Tags").is_some() => client.list_tags(&stream).await.unwrap_err(),
            body if body.get("StreamInfoList").is_some() => client.list_streams(None).await.unwrap_err(),
            body if body.get("DataEndpoint").is_some() => client.try_stream(&stream).await.unwrap_err(),
            _ => client.describe_stream(&stream).await.unwrap_err(),
        };
        let text = error.to_string();
        let harmless = text.len() < 2_000 && !text.contains(['\u{1b}', '\u{202E}', '\r', '\n']);
        assert!(harmless && !text.contains("sesame"), "{status}: {text:.3000}");
        assert!(text.contains("r-1"), "{text}");
    }
}

#[tokio::test]
async fn a_list_whose_pages_repeat_is_an_error_at_once() {
    let page = json!({ "StreamInfoList": [], "Tags": {}, "NextToken": "again" });
    let client = client(says(200, page).await).await;
    let streams = client.list_streams(None).await.unwrap_err();
    let tags = client.list_tags(&"s".parse().unwrap()).await.unwrap_err();
    for error in [streams, tags] {
        assert!(error.to_string().contains("NextToken of page 2 occurred before"), "{error}");
    }
}

#[tokio::test]
async fn an_impossible_date_does_no_harm() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            if head(&mut socket).await.is_some() {
                let answer = "HTTP/1.1 403 Forbidden\r\nx-amzn-ErrorType: RequestTimeTooSkewed\r\n\
                    date: Fri, 31 Dec 9999 23:59:59 GMT\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        }
    });
    let client = client(url).await;
    for _ in 0..2 {
        let error = client.describe_stream(&"s".parse().unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("RequestTimeTooSkewed (HTTP 403)"), "{error}");
        // By a clock set to that date it would be the year 10000 now.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
    }
}

/// A silent server is reported after the timeout of one call, not of all its attempts.
#[tokio::test]
async fn silence_is_reported_within_half_a_minute() {
    let client = client(server(Trick::Silence, true).await).await;
    // All attempts would take 100 s.
    let asked = tokio::time::timeout(Duration::from_secs(80), client.try_stream(&"s".parse().unwrap())).await;
    let error = asked.expect("the call fails").unwrap_err();
    assert!(error.to_string().contains("no response from") && error.to_string().contains("within 20 s"), "{error}");
}

/// The documentation spells the headers one way, AWS's SDKs read the other: either alone is enough.
#[tokio::test]
async fn both_spellings_of_the_error_headers_are_read() {
    for prefix in ["x-amzn-", "x-amz-"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                if head(&mut socket).await.is_some() {
                    let answer = format!(
                        "HTTP/1.1 400 Bad Request\r\n{prefix}ErrorType: InvalidArgumentException:http://x/\r\n{prefix}RequestId: r-7\r\ncontent-length: 0\r\n\r\n"
                    );
                    let _ = socket.write_all(answer.as_bytes()).await;
                }
            }
        });
        let error = client(url).await.describe_stream(&"s".parse().unwrap()).await.unwrap_err();
        assert_eq!(error.request_id(), Some("r-7"));
        assert!(error.to_string().contains("InvalidArgumentException (HTTP 400)"), "{error}");
        assert!(error.to_string().contains("request id r-7"), "{error}");
    }
}
