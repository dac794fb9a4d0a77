//! `aws-chunked` bodies, as SDKs send them: chunks, each with its size and possibly its signature, followed by trailers
//! (AWS general reference, Signature Version 4, streaming).

use aws_sigv4::sign::v4::calculate_signature;

use super::digest::hex_digest;
use crate::error::ServiceError;

/// The largest chunk and the longest line accepted.
const CHUNK_MAX_BYTES: usize = 16 << 20;
const LINE_MAX_BYTES: usize = 16 << 10;

/// Decodes a body as it arrives.
pub(crate) struct AwsChunked {
    buffer: Vec<u8>,
    state: State,
    signed: Option<Signed>,
}

enum State {
    Head,
    Data { size: usize, signature: String },
    Trailers,
}

/// The signature chain of the chunks: each signature covers the one before it.
struct Signed {
    key: Vec<u8>,
    amz_date: String,
    scope: String,
    before: String,
}

fn bad(what: &str) -> ServiceError {
    ServiceError::new(400, "InvalidSignatureException", format!("The aws-chunked body is not valid: {what}."))
}

impl AwsChunked {
    pub(crate) fn unsigned() -> Self {
        Self { buffer: Vec::new(), state: State::Head, signed: None }
    }

    pub(crate) fn signed(key: Vec<u8>, amz_date: String, scope: String, seed: String) -> Self {
        let signed = Some(Signed { key, amz_date, scope, before: seed });
        Self { buffer: Vec::new(), state: State::Head, signed }
    }

    /// Decodes a complete body.
    pub(crate) fn decode_all(&mut self, body: &[u8]) -> Result<Vec<u8>, ServiceError> {
        let decoded = self.decode(body)?;
        match self.state {
            State::Trailers => Ok(decoded),
            _ => Err(bad("it ends before its last chunk")),
        }
    }

    /// Decodes the next bytes and returns the content of chunks that are complete and, if signed, verified.
    pub(crate) fn decode(&mut self, bytes: &[u8]) -> Result<Vec<u8>, ServiceError> {
        self.buffer.extend_from_slice(bytes);
        let mut decoded = Vec::new();
        loop {
            match &self.state {
                State::Head => {
                    let Some(line) = self.line()? else { return Ok(decoded) };
                    self.state = self.head(&line)?;
                }
                State::Data { size, signature } => {
                    let (size, signature) = (*size, signature.clone());
                    if self.buffer.len() < size + 2 {
                        return Ok(decoded);
                    }
                    if &self.buffer[size..size + 2] != b"\r\n" {
                        return Err(bad("a chunk is longer than its size"));
                    }
                    self.check(size, &signature)?;
                    decoded.extend(self.buffer.drain(..size + 2).take(size));
                    self.state = State::Head;
                }
                State::Trailers => {
                    // Checksums of the whole body, which are ignored.
                    self.buffer.clear();
                    return Ok(decoded);
                }
            }
        }
    }

    fn line(&mut self) -> Result<Option<String>, ServiceError> {
        let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") else {
            return if self.buffer.len() > LINE_MAX_BYTES { Err(bad("a line is too long")) } else { Ok(None) };
        };
        let line: Vec<u8> = self.buffer.drain(..end + 2).take(end).collect();
        String::from_utf8(line).map(Some).map_err(|_| bad("a line is not text"))
    }

    fn head(&mut self, line: &str) -> Result<State, ServiceError> {
        let (size, extension) = line.split_once(';').unwrap_or((line, ""));
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| bad("a chunk has no size"))?;
        if size > CHUNK_MAX_BYTES {
            return Err(bad("a chunk is larger than 16 MiB"));
        }
        let signature = extension.trim().strip_prefix("chunk-signature=").unwrap_or_default().to_owned();
        if size > 0 {
            return Ok(State::Data { size, signature });
        }
        self.check(0, &signature)?;
        Ok(State::Trailers)
    }

    /// Verifies the signature of the first `size` bytes.
    fn check(&mut self, size: usize, signature: &str) -> Result<(), ServiceError> {
        let Some(Signed { key, amz_date, scope, before }) = &mut self.signed else { return Ok(()) };
        let (empty, data) = (hex_digest(b""), hex_digest(&self.buffer[..size]));
        let to_sign = format!("AWS4-HMAC-SHA256-PAYLOAD\n{amz_date}\n{scope}\n{before}\n{empty}\n{data}");
        if calculate_signature(key, to_sign.as_bytes()) != signature {
            return Err(bad("a chunk's signature does not match"));
        }
        signature.clone_into(before);
        Ok(())
    }
}
