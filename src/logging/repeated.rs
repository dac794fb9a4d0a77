//! Repeated problems: logged when they begin, once a minute while they last, and when they are over; a different problem in
//! between is logged, too.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The interval at which a lasting problem is logged again.
const SAY_AGAIN: Duration = Duration::from_secs(60);
/// The number of different texts that are distinguished while a problem lasts.
const TEXTS_MAX: usize = 8;

/// A problem that may occur repeatedly.
#[derive(Debug, Default)]
pub(crate) struct Repeated(Mutex<Option<Spell>>);

/// The time during which the problem lasts.
#[derive(Debug)]
struct Spell {
    since: Instant,
    said: Instant,
    /// The number of occurrences since it was last logged.
    unsaid: u64,
    /// The texts logged so far, without digits.
    texts: Vec<String>,
}

impl Repeated {
    /// Notes an occurrence with this text. Returns the number of occurrences since it was last logged if it is to be
    /// logged now.
    pub(crate) fn again(&self, text: &str) -> Option<u64> {
        self.again_at(text, Instant::now())
    }

    fn again_at(&self, text: &str, now: Instant) -> Option<u64> {
        let text: String = text.chars().filter(|char| !char.is_ascii_digit()).collect();
        let mut spell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *spell {
            None => {
                *spell = Some(Spell { since: now, said: now, unsaid: 0, texts: vec![text] });
                Some(1)
            }
            Some(spell) => {
                spell.unsaid += 1;
                let is_new = !spell.texts.contains(&text) && spell.texts.len() < TEXTS_MAX;
                if !is_new && now.duration_since(spell.said) < SAY_AGAIN {
                    return None;
                }
                if is_new {
                    spell.texts.push(text);
                }
                spell.said = now;
                Some(std::mem::take(&mut spell.unsaid))
            }
        }
    }

    /// Returns how long the problem has lasted, if it does.
    pub(crate) fn lasts(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|spell| spell.since.elapsed())
    }

    /// Notes that the problem is over. Returns how long it lasted, if there was one.
    pub(crate) fn over(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map(|spell| spell.since.elapsed())
    }
}

#[cfg(test)]
#[path = "repeated_tests.rs"]
mod tests;
