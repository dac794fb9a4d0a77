//! Reads the headers of a record.

use rdkafka::message::{Headers, Message};

/// Returns the text of a record's header; `None`: the record has no such header, or it is no text.
pub fn header_text<'a>(message: &'a impl Message, name: &str) -> Option<&'a str> {
    let header = message.headers()?.iter().find(|header| header.key == name)?;
    std::str::from_utf8(header.value?).ok()
}
