#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::tests::{block_on, config};
use super::*;

/// Large enough for the buffers of both kernels.
const LARGE_BYTES: usize = 32 << 20;
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Accepts connections, each of which is served on its own thread for as long as the process runs.
fn listen(serve: impl Fn(TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(socket));
        }
    });
    format!("http://{address}/bucket/key")
}

fn put(url: &str, size_bytes: usize, timeout: Duration, stalled_after: Duration) -> Result<HttpResponse, HttpError> {
    let Connector(service) = Connector::new(&config("s3://bucket", None)).unwrap();
    let service = Service { timeout, stalled_after, ..service };
    let body = HttpRequestBody::from(Bytes::from(vec![7; size_bytes]));
    block_on(service.call(http_request(url, body)))
}

fn http_request(url: &str, body: HttpRequestBody) -> HttpRequest {
    hyper::Request::builder().method("PUT").uri(url).body(body).unwrap()
}

fn reason(error: &HttpError) -> String {
    std::error::Error::source(error).unwrap().to_string()
}

/// Reads the head and then a megabyte every 150 ms.
fn slowly(mut socket: TcpStream) -> std::io::Result<()> {
    let mut left = LARGE_BYTES;
    let mut buffer = vec![0; 1 << 20];
    while left > buffer.len() {
        socket.read_exact(&mut buffer)?;
        left -= buffer.len();
        std::thread::sleep(Duration::from_millis(150));
    }
    // The head made it longer by as much.
    socket.read_exact(&mut buffer)?;
    socket.write_all(OK.as_bytes())?;
    std::io::copy(&mut socket, &mut std::io::sink()).map(drop)
}

#[test]
fn an_upload_that_makes_progress_goes_on_for_longer_than_a_stall_may() {
    let response = put(&listen(slowly), LARGE_BYTES, Duration::from_secs(300), Duration::from_secs(2));
    assert_eq!(response.unwrap().status(), 200);
}

#[test]
fn an_upload_ends_with_its_limit_even_if_it_makes_progress() {
    let error = put(&listen(slowly), LARGE_BYTES, Duration::from_secs(1), Duration::from_secs(60)).unwrap_err();
    assert_eq!(error.kind(), HttpErrorKind::Timeout);
    assert!(reason(&error).starts_with("not finished within 1 s, with "), "{error:?}");
}

#[test]
fn what_does_not_move_ends() {
    static OPEN: AtomicBool = AtomicBool::new(true);
    // Reads nothing, and does not close either.
    let url = listen(|socket| {
        while OPEN.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(socket);
        Ok(())
    });
    for size_bytes in [LARGE_BYTES, 10] {
        let error = put(&url, size_bytes, Duration::from_secs(300), Duration::from_millis(500)).unwrap_err();
        let said = reason(&error);
        assert_eq!(error.kind(), HttpErrorKind::Timeout, "{said}");
        assert!(
            said.starts_with("no progress for ") && said.ends_with(&format!("of {size_bytes} bytes sent")),
            "{said}"
        );
        assert_eq!(size_bytes == 10, said.contains("with 10 of 10 bytes"), "{said}");
    }
    OPEN.store(false, Ordering::Relaxed);
}

/// Answers every request with this.
fn answering(answer: &'static [u8]) -> String {
    listen(move |mut socket| {
        let mut buffer = [0; 4096];
        let count = socket.read(&mut buffer)?;
        assert!(count > 0);
        socket.write_all(answer)
    })
}

#[test]
fn responses_are_bounded_and_redirects_are_not_followed() {
    let huge = listen(|mut socket| {
        let count = socket.read(&mut [0; 4096])?;
        assert!(count > 0);
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        loop {
            socket.write_all(&[b'x'; 1 << 16])?;
        }
    });
    let limits = (Duration::from_secs(60), Duration::from_secs(10));
    let error = put(&huge, 10, limits.0, limits.1).unwrap_err();
    assert_eq!(reason(&error), "a response of more than 1048576 bytes");
    // Nothing listens there. A client that followed 303 would not send the body again, so it would go.
    for (status, answer) in [
        (303, &b"HTTP/1.1 303 S\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"[..]),
        (307, b"HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
    ] {
        let error = put(&answering(answer), 10, limits.0, limits.1).unwrap_err();
        assert_eq!(reason(&error), format!("HTTP {status}"));
    }
    let cut = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!(put(&cut, 10, limits.0, limits.1).unwrap_err().kind(), HttpErrorKind::Interrupted);
}

#[test]
fn a_refusal_keeps_code_message_and_region_only() {
    let refused = |status, body: &str, region| Refusal::new(status, body.as_bytes(), region);
    let s3 = "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>a &amp; b</Message>\
        <StringToSign>very-secret</StringToSign></Error>";
    assert_eq!(refused(403, s3, None).to_string(), "HTTP 403 AccessDenied: a & b");
    let google =
        r#"{"error": {"code": 403, "message": "no access", "status": "PERMISSION_DENIED", "x": "very-secret"}}"#;
    assert_eq!(refused(403, google, None).to_string(), "HTTP 403 PERMISSION_DENIED: no access");
    let oauth = r#"{"error": "invalid_grant", "error_description": "Invalid JWT"}"#;
    assert_eq!(refused(400, oauth, None).to_string(), "HTTP 400 invalid_grant: Invalid JWT");
    for body in ["", "<html>very-secret</html>", "[1]", "null", "<Code>", "\u{0}"] {
        assert_eq!(refused(502, body, None).to_string(), "HTTP 502", "{body:?}");
    }
    let long = format!("<Code>A</Code><Message>{}\n</Message>", "x".repeat(10_000));
    assert!(refused(400, &long, None).to_string().len() < 500);
    assert_eq!(refused(301, "", Some("eu-west-1")).region.as_deref(), Some("eu-west-1"));
    let of_body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
    assert_eq!(refused(400, of_body, None).region.as_deref(), Some("eu-west-1"));
}
