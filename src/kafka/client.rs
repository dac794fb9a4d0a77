//! What every Kafka client begins with.
//!
//! **Contract.** No client is configured but from here, so that OpenSSL, which librdkafka uses for TLS, lasts until the process
//! is gone. By default OpenSSL frees what it has when `exit` is called. Threads of Kafka clients may still run then: a worker
//! that stops waits for no thread that waits for Kafka, and librdkafka ends its threads in the background. Such a thread frees
//! the same memory once more, and a process that had stopped in order dies with "double free or corruption".

use rdkafka::ClientConfig;

/// Returns the configuration of a client that knows nothing but librdkafka's defaults.
pub fn client_config() -> ClientConfig {
    // Counts only before OpenSSL is first used in the process; later calls do nothing.
    openssl_sys::init();
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    ClientConfig::new()
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
