//! Reads a payload as the fragment that it is.

use kvs_mkv::{Completion, End, Event, Fragment, Limits, Splitter};

/// Returns the fragment that a payload is; `None` if it is none.
pub fn read_fragment(payload: &[u8]) -> Option<Fragment> {
    // What came from the archive ends without a token.
    let mut splitter = Splitter::new(Limits::default(), Completion::NextChunkOrEnd);
    let mut rest = payload;
    let event = match splitter.push(&mut rest) {
        Ok(Some(event)) => Some(event),
        Ok(None) => match splitter.finish() {
            Ok(End::Event(event)) => Some(event),
            _ => None,
        },
        Err(_) => None,
    };
    match event? {
        Event::Fragment(fragment) | Event::Unterminated(fragment) => Some(fragment),
        Event::Error(_) => None,
    }
}
