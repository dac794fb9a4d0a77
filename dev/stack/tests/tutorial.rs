//! docs/TUTORIAL.md, word for word: each command as it is written, and of what it shows, each line as it is printed, but for
//! numbers.
//!
//! What runs until Ctrl-C (`make stack`, `jupyter notebook`) has a terminal of its own, as the page says. The others share a
//! shell, which ends at the first command that fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use kvs_harness::kafka::{free_port, repository};
use kvs_harness::process::{Process, command};
use kvs_harness::wait_for;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

#[derive(Debug, PartialEq)]
enum Block {
    /// What is typed.
    Typed(String),
    /// Lines of what is shown then.
    Shown(String),
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    for part in page.split("\n```").collect::<Vec<_>>().chunks(2) {
        let [_, block] = part else { continue };
        let (language, text) = block.split_once('\n').unwrap();
        blocks.push(match language {
            "sh" => Block::Typed(text.to_owned()),
            "text" => Block::Shown(text.to_owned()),
            other => panic!("a block of {other:?} is neither typed nor shown"),
        });
    }
    blocks
}

/// A bash in the repository's folder, whose output goes to a file.
struct Terminal {
    process: Process,
    input: File,
    folder: PathBuf,
    typed: usize,
}

impl Terminal {
    fn open(folder: &Path, name: &str, environment: &[(&str, String)]) -> Self {
        let folder = folder.join(name);
        std::fs::create_dir(&folder).unwrap();
        let pipe = folder.join("input");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let output = File::create(folder.join("output")).unwrap();
        // Opened for both, so that neither end waits for the other.
        let input = File::options().read(true).write(true).open(&pipe).unwrap();
        let mut bash = command("bash");
        bash.args(["--noprofile", "--norc", "-e"])
            .current_dir(repository())
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .env_remove("MAKEFLAGS")
            .stdin(Stdio::from(input.try_clone().unwrap()))
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0);
        Self { process: Process::start(bash), input, folder, typed: 0 }
    }

    fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.join("output")).unwrap()).into_owned()
    }

    /// Types commands without waiting for their end. Returns a mark that is there when they have ended.
    fn begin(&mut self, commands: &str) -> PathBuf {
        self.typed += 1;
        let file = self.folder.join(format!("{}.sh", self.typed));
        let mark = self.folder.join(format!("{}.done", self.typed));
        std::fs::write(&file, commands).unwrap();
        // What reads its input must not read the commands.
        writeln!(self.input, ". {} </dev/null; touch {}", file.display(), mark.display()).unwrap();
        mark
    }

    /// Types commands and waits for their end.
    fn run(&mut self, commands: &str) {
        let mark = self.begin(commands);
        self.wait_until(&format!("the end of: {commands}"), |_| mark.exists());
    }

    fn wait_until(&mut self, what: &str, condition: impl Fn(&str) -> bool) {
        wait_for(what, || {
            let (code, output) = (self.process.exit_code(), self.output());
            assert!(code.is_none(), "{what}: the shell has ended with {code:?}: {output}");
            condition(&output)
        });
    }

    /// Presses Ctrl-C, and waits until what runs has ended.
    fn interrupt(mut self) -> String {
        let group = Pid::from_raw(i32::try_from(self.process.pid()).unwrap());
        let _ = killpg(group, Signal::SIGINT);
        // A shell that was started in the background ignores Ctrl-C, and goes on with what is typed next.
        let _ = writeln!(self.input, "exit");
        wait_for("the end of what Ctrl-C ends", || self.process.exit_code().is_some());
        self.output()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // All that was started in it.
        let _ = killpg(Pid::from_raw(i32::try_from(self.process.pid()).unwrap()), Signal::SIGKILL);
    }
}

/// Returns a line with a 0 for each number, which differ, and a blank for each run of them.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for character in line.trim().chars() {
        let character = if character.is_ascii_digit() { '0' } else { character };
        if !(matches!(character, '0' | ' ') && shape.ends_with(character)) {
            shape.push(character);
        }
    }
    shape
}

fn expect_shown(shown: &str, output: &str) {
    let real: Vec<String> = output.lines().map(shape).collect();
    for line in shown.lines() {
        assert!(real.contains(&shape(line)), "nothing like {line:?} was shown: {output}");
    }
}

#[test]
fn the_tutorial_does_what_it_says() {
    let page = std::fs::read_to_string(repository().join("docs/TUTORIAL.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("jupyter");
    std::fs::create_dir(&settings).unwrap();
    // Nobody looks at a browser here, and CI is root.
    let jupyter = format!(
        "c.ServerApp.allow_root = True\nc.ServerApp.open_browser = False\nc.ServerApp.port = {}\n",
        free_port()
    );
    std::fs::write(settings.join("jupyter_server_config.py"), jupyter).unwrap();
    let environment = [("JUPYTER_CONFIG_DIR", settings.display().to_string())];

    let mut stack = Terminal::open(folder.path(), "stack", &environment);
    let mut shell = Terminal::open(folder.path(), "shell", &environment);
    let mut typed = 0;
    // Where the output of what was typed last begins, in the shell.
    let mut from = None;
    for block in blocks(&page) {
        match block {
            Block::Typed(commands) if commands.trim() == "make stack" => {
                stack.begin(&commands);
                stack.wait_until("the stack", |output| output.contains("all of it runs"));
                typed += 1;
            }
            Block::Typed(commands) if commands.starts_with("jupyter notebook") => {
                let mut notebook = Terminal::open(folder.path(), "notebook", &environment);
                notebook.begin(&format!(". stack/env\n. .venv/bin/activate\nexec {commands}"));
                notebook.wait_until("the notebook", |output| output.contains("http://"));
                typed += 1;
            }
            Block::Typed(commands) => {
                from = Some(shell.output().len());
                shell.run(&commands);
                typed += 1;
            }
            Block::Shown(lines) => match from {
                None => expect_shown(&lines, &stack.output()),
                Some(from) => expect_shown(&lines, &shell.output()[from..]),
            },
        }
    }
    assert!(typed >= 9, "{typed} blocks of commands");

    let made = |name: &str| std::fs::read(repository().join("stack").join(name)).unwrap();
    let html = String::from_utf8(made("frames.html")).unwrap();
    assert!(html.matches("data:image/png").count() >= 2, "the notebook has no pictures");
    assert_eq!(made("front-door.mkv")[..4], [0x1a, 0x45, 0xdf, 0xa3]);
    assert!(shell.output().contains("missing"), "{}", shell.output());
    let said = stack.interrupt();
    assert!(said.contains("ending all services"), "{said}");
}

#[test]
fn lines_differ_by_more_than_numbers() {
    assert_eq!(shape("  worker-1 runs on 127.0.0.1:8083, 10 "), "worker-0 runs on 0.0.0.0:0, 0");
    expect_shown("a 1  b\n", "x\na 22 b\n");
    assert!(std::panic::catch_unwind(|| expect_shown("a 1 c\n", "a 1 b\n")).is_err());
    let page = "x\n```sh\nls a\n```\n\ny\n```text\nb\n```\n";
    assert_eq!(blocks(page), [Block::Typed("ls a".to_owned()), Block::Shown("b".to_owned())]);
}
