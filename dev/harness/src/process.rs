//! Processes that do not outlive us.

use std::ffi::OsStr;
use std::process::{Child, Command};
use std::sync::mpsc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A child process: killed when this is dropped, and by the kernel when our process dies.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

/// A command whose process the kernel kills when the thread that starts it ends (setpriv is of util-linux, which every
/// Debian has).
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

impl Process {
    /// Starts a command made by [`command`].
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(mut command: Command) -> Self {
        // The signal comes when the starting thread ends, and a test's thread ends before the process may: so all are
        // started by one thread that ends with this process.
        let (answer, answered) = mpsc::channel();
        starter().send(Box::new(move || _ = answer.send(command.spawn()))).expect("the starting thread runs");
        let child = answered.recv().expect("the starting thread answers");
        Self { child: child.unwrap_or_else(|error| panic!("cannot start a process with setpriv: {error}")) }
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), signal);
    }

    /// Its exit code if it has ended; -1 after a signal.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.try_wait().ok().flatten().map(|status| status.code().unwrap_or(-1))
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

type Job = Box<dyn FnOnce() + Send>;

fn starter() -> mpsc::Sender<Job> {
    static STARTER: std::sync::OnceLock<mpsc::Sender<Job>> = std::sync::OnceLock::new();
    STARTER
        .get_or_init(|| {
            let (sender, jobs) = mpsc::channel::<Job>();
            std::thread::spawn(move || jobs.into_iter().for_each(|job| job()));
            sender
        })
        .clone()
}

/// Resident memory of a process; 0 when it is no more.
pub fn resident_bytes(pid: u32) -> u64 {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return 0 };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()).unwrap_or_default() * 1024
}
