//! How far a command is: a bar on a terminal, and elsewhere a line from time to time.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::output;

/// How often the bar is renewed, and how often a line is written.
const RENEWED_EVERY: Duration = Duration::from_millis(200);
const SAID_EVERY: Duration = Duration::from_secs(5);
const BAR: &str = "{bar:32} {percent:>3} %  {msg}";

/// A command's progress. What a bar shows is cleared when this is dropped.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    /// When it was shown last. A bar is shown at once, and a line only of what takes long.
    shown: Option<Instant>,
}

impl Progress {
    /// Begins to count the time.
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            ProgressStyle::with_template(BAR).map_or(bar.clone(), |style| bar.with_style(style))
        });
        let shown = if bar.is_some() { None } else { Some(Instant::now()) };
        Self { bar, shown }
    }

    /// Returns whether it is time to show progress again.
    pub(super) fn is_due(&self) -> bool {
        let every = if self.bar.is_some() { RENEWED_EVERY } else { SAID_EVERY };
        self.shown.is_none_or(|shown| shown.elapsed() >= every)
    }

    /// Shows that this much of all is done; `of` is what is counted, and more that there is to say.
    pub(super) fn show(&mut self, done: u64, all: u64, of: &str) {
        self.shown = Some(Instant::now());
        match &self.bar {
            Some(bar) => {
                bar.set_length(all);
                bar.set_position(done);
                bar.set_message(of.to_owned());
            }
            None => {
                let percent = done.saturating_mul(100) / all.max(1);
                output::say(format_args!("kvs-connect: {done} of {all} {of} ({percent} %)"));
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
