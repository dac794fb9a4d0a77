//! Prints the fragments of a stream as they come: `print_fragments STREAM [ENDPOINT]`, with AWS's variables and profile.
//!
//! Against a local simulator: `kvs-simulator serve --listen 127.0.0.1:9100 --stream front-door=clip.mkv`, then
//! `AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 print_fragments front-door http://127.0.0.1:9100`.

use std::sync::Arc;

use kvs_client::{CallLimits, Client, ClientConfig, MemoryBudget, Pulled, Puller, PullerConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let stream = std::env::args().nth(1).ok_or("usage: print_fragments STREAM [ENDPOINT]")?.parse()?;
    let mut config = ClientConfig::default();
    config.endpoint = std::env::args().nth(2);
    let client = Arc::new(Client::new(config, Arc::new(CallLimits::default())).await?);
    let mut puller = Puller::new(client, stream, None, PullerConfig::default(), MemoryBudget::new(64 << 20));
    loop {
        match puller.next().await? {
            Pulled::Fragment(pulled) => {
                let fragment = pulled.fragment;
                println!("{}: {} frames, {} bytes", fragment.number, fragment.frames.len(), fragment.payload.len());
            }
            Pulled::Retrying { error, delay } => eprintln!("{error}; trying again in {delay:?}"),
            _ => {}
        }
    }
}
