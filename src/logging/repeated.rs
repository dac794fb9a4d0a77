//! Trouble that goes on: said when it begins, once a minute while it lasts, and when it is over; another one in between is
//! said, too.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// It is said again after this long.
const SAY_AGAIN: Duration = Duration::from_secs(60);
/// Texts of one spell that are told apart.
const TEXTS_MAX: usize = 8;

/// A trouble that may come again and again.
#[derive(Debug, Default)]
pub(crate) struct Repeated(Mutex<Option<Spell>>);

/// One time of it.
#[derive(Debug)]
struct Spell {
    since: Instant,
    said: Instant,
    /// How many times it has come since it was said.
    unsaid: u64,
    /// What has been said, without figures.
    texts: Vec<String>,
}

impl Repeated {
    /// Notes that it has come, as this text has it. Returns how many times it has come since it was said last, if it is to be
    /// said now.
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

    /// Returns for how long it has gone on, while it does.
    pub(crate) fn lasts(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|spell| spell.since.elapsed())
    }

    /// Notes that it is over. Returns how long it lasted, if there was any.
    pub(crate) fn over(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map(|spell| spell.since.elapsed())
    }
}

#[cfg(test)]
#[path = "repeated_tests.rs"]
mod tests;
