use std::os::fd::AsRawFd;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

fn numbers(reserve: &Reserve) -> Vec<i32> {
    reserve.reserved.lock().unwrap().iter().map(AsRawFd::as_raw_fd).collect()
}

#[tokio::test]
async fn the_descriptor_of_a_connection_goes_to_the_reserve_without_ever_being_free() {
    let reserve = Reserve::new().unwrap();
    assert!(reserve.release());
    let (mut client, accepted) = connected().await;
    let number = accepted.as_raw_fd();
    let mut connection = Connection::new(accepted, Arc::clone(&reserve));
    connection.write_all(b"answer").await.unwrap();
    drop(connection);
    assert!(numbers(&reserve).contains(&number), "{number} is not in {:?}", numbers(&reserve));
    let refers_to = std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
    assert_eq!(refers_to.to_str(), Some("/dev/null"));
    // The socket itself is closed: the client reads the answer and its end.
    let mut read = String::new();
    client.read_to_string(&mut read).await.unwrap();
    assert_eq!(read, "answer");
}

#[tokio::test]
async fn a_full_reserve_takes_no_more() {
    let reserve = Reserve::new().unwrap();
    let (mut client, accepted) = connected().await;
    drop(Connection::new(accepted, Arc::clone(&reserve)));
    assert_eq!(numbers(&reserve).len(), SIZE);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}
