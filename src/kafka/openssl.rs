//! OpenSSL, which librdkafka uses for TLS, lasts until the process is gone.
//!
//! By default OpenSSL frees what it has when `exit` is called. The threads of Kafka clients may still run then: a worker that
//! stops waits for no thread that waits for Kafka, and librdkafka ends its threads in the background. Such a thread frees the
//! same memory once more, and the process that had stopped in order dies with "double free or corruption".

/// Has OpenSSL leave its memory to the system at the end of the process. Counts only before OpenSSL is first used in the
/// process, that is, before the first Kafka client is created; later calls do nothing.
pub(super) fn outlive_all_threads() {
    openssl_sys::init();
}

#[cfg(test)]
#[path = "openssl_tests.rs"]
mod tests;
