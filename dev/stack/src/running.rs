//! A service that runs here: its command, its process, and what happens when it ends by itself.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use kvs_harness::process::{Process, command};
use nix::sys::signal::Signal;

use crate::StackError;
use crate::compose::Restart;

/// How long a service may take to end when it is asked to.
const END_WITHIN: Duration = Duration::from_secs(15);
/// The pause before a service is started again: doubled each time, until it has run for as long as the longest one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// For how long a service that ends is started again without a word.
const NEW_FOR: Duration = Duration::from_secs(20);

/// What runs: a program with its arguments and its environment, and the file that its output goes to.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) log: PathBuf,
}

pub(crate) struct Running {
    pub(crate) name: String,
    command: Command,
    restart: Option<Restart>,
    process: Option<Process>,
    first_began: Instant,
    began: Instant,
    pause: Duration,
    again_at: Option<Instant>,
}

/// What has become of a service since the last look.
pub(crate) enum Change {
    None,
    /// It has ended and will be started again, or is not to be.
    Ended {
        code: i32,
        again_in: Option<Duration>,
    },
    Started,
}

impl Running {
    pub(crate) fn start(name: &str, command: Command, restart: Option<Restart>) -> Result<Self, StackError> {
        let (name, began) = (name.to_owned(), Instant::now());
        let mut running = Self {
            name,
            command,
            restart,
            process: None,
            first_began: began,
            began,
            pause: FIRST_PAUSE,
            again_at: None,
        };
        running.launch()?;
        Ok(running)
    }

    fn launch(&mut self) -> Result<(), StackError> {
        let failed = |source| StackError::File { path: self.command.log.clone(), source };
        let log = OpenOptions::new().create(true).append(true).open(&self.command.log).map_err(failed)?;
        let errors: File = log.try_clone().map_err(failed)?;
        let mut start = command(&self.command.program);
        start
            .args(&self.command.arguments)
            .envs(self.command.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // A terminal's Ctrl-C is for this program, which ends the services one by one.
            .process_group(0);
        self.process = Some(Process::start(start));
        (self.began, self.again_at) = (Instant::now(), None);
        Ok(())
    }

    /// Whether it has begun so lately that ending means little: what it needs may not be there yet.
    pub(crate) fn is_new(&self) -> bool {
        self.first_began.elapsed() < NEW_FOR
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    pub(crate) fn log(&self) -> &Path {
        &self.command.log
    }

    /// Looks at the process, and starts it again when it is time.
    pub(crate) fn look(&mut self) -> Result<Change, StackError> {
        if let Some(again_at) = self.again_at {
            if Instant::now() < again_at {
                return Ok(Change::None);
            }
            self.launch()?;
            return Ok(Change::Started);
        }
        let Some(code) = self.process.as_mut().and_then(Process::exit_code) else { return Ok(Change::None) };
        self.process = None;
        let Some(Restart::UnlessStopped) = self.restart else { return Ok(Change::Ended { code, again_in: None }) };
        if self.began.elapsed() >= LONGEST_PAUSE {
            self.pause = FIRST_PAUSE;
        }
        let again_in = self.pause;
        self.again_at = Some(Instant::now() + again_in);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(Change::Ended { code, again_in: Some(again_in) })
    }

    /// Asks the service to end, and kills it if it does not.
    pub(crate) fn end(mut self) {
        let Some(mut process) = self.process.take() else { return };
        process.signal(Signal::SIGTERM);
        let began = Instant::now();
        while process.exit_code().is_none() && began.elapsed() < END_WITHIN {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
