//! Passes requests on to the server behind a front, each on a connection of its own.

use axum::body::{Body, Bytes, to_bytes};
use hyper::Response;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Why a request is not answered.
pub(crate) type Unanswered = Box<dyn std::error::Error + Send + Sync>;

/// Removes the headers that are about the connection to the front.
fn remove_of_connection(headers: &mut HeaderMap) {
    for name in [CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH] {
        headers.remove(name);
    }
}

/// Returns the response of the server at `behind`, `host:port`, of at most this size. The target may be a whole URL, as a proxy
/// gets it.
pub(crate) async fn forward(
    behind: &str,
    (mut head, body): (Parts, Bytes),
    response_max_bytes: usize,
) -> Result<Response<Body>, Unanswered> {
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = path.parse()?;
    remove_of_connection(&mut head.headers);
    let socket = TcpStream::connect(behind).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    let request = hyper::Request::from_parts(head, Body::from(body));
    let (mut head, body) = sender.send_request(request).await?.into_parts();
    let body = to_bytes(Body::new(body), response_max_bytes).await?;
    remove_of_connection(&mut head.headers);
    Ok(Response::from_parts(head, Body::from(body)))
}
