//! Child processes that do not outlive this one.

use std::ffi::OsStr;
use std::process::{Child, Command};
use std::sync::mpsc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A child process. It is killed when this is dropped, and by the kernel when this process dies.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

/// Returns a command whose process the kernel kills when the thread that starts it ends. Uses setpriv of util-linux, which
/// every Debian has.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

impl Process {
    /// Starts a command made by [`command`].
    ///
    /// # Panics
    /// Panics if the process cannot be started.
    pub fn start(mut command: Command) -> Self {
        // The kernel sends the signal when the starting thread ends, and a test's thread may end while the process is still
        // needed. So one thread, which ends with this process, starts all of them.
        let (result, results) = mpsc::channel();
        starter().send(Box::new(move || _ = result.send(command.spawn()))).expect("the starting thread runs");
        let child = results.recv().expect("the starting thread responds");
        Self { child: child.unwrap_or_else(|error| panic!("cannot start a process with setpriv: {error}")) }
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), signal);
    }

    /// Returns the exit code if the process has ended, or -1 if a signal ended it.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.try_wait().ok().flatten().map(|status| status.code().unwrap_or(-1))
    }

    /// Kills the process and waits until it is gone.
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

/// Returns the resident memory of a process, or 0 if the process has ended.
pub fn resident_bytes(pid: u32) -> u64 {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return 0 };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()).unwrap_or_default() * 1024
}
