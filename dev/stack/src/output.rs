//! The folder of the user: what consumers write, logs, and the addresses for a shell and for the command line.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kvs_harness::kafka::repository;

use crate::stack::{Stack, write};
use crate::{StackError, say};

/// A file that says that a folder is a stack's.
const MARK: &str = "services.json";
/// What a stack has written, and the next one removes: its Kafka begins empty.
const REMOVED: [&str; 7] = ["pictures", "tables", "logs", "pids", "env", "worker.toml", MARK];
/// What the checked-in folder has.
const KEPT: &str = ".gitignore";
/// How often progress is said.
const SAID_EVERY: Duration = Duration::from_secs(10);
/// A folder with more files is not counted further.
const COUNTED_MAX: usize = 100_000;

/// Makes the folder, or empties the one of an earlier stack. Returns its absolute path.
pub(crate) fn prepare(folder: &Path) -> Result<PathBuf, StackError> {
    let failed = |source| StackError::File { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let folder = folder.canonicalize().map_err(failed)?;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name());
    }
    let is_marked = names.iter().any(|name| name == MARK);
    if !is_marked && names.iter().any(|name| name != KEPT) {
        return Err(StackError::Foreign { folder });
    }
    for name in REMOVED {
        let path = folder.join(name);
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match removed {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StackError::File { path, source });
            }
            _ => {}
        }
    }
    write(&folder.join(MARK), "{}\n")?;
    let logs = folder.join("logs");
    std::fs::create_dir_all(&logs).map_err(|source| StackError::File { path: logs, source })?;
    Ok(folder)
}

/// Writes `env` and `worker.toml`, with which the commands of the tutorial find the stack, whatever its ports.
pub(crate) fn write_for_users(stack: &mut Stack, folder: &Path) -> Result<(), StackError> {
    let programs = std::env::current_exe().ok().and_then(|here| here.parent().map(Path::to_owned)).unwrap_or_default();
    let env = format!(
        "# Addresses of the stack, for a shell: . stack/env\n\
         export BOOTSTRAP_SERVERS={}\n\
         export SCHEMA_REGISTRY_URL=http://{}/apis/ccompat/v7\n\
         export KVS_CONNECT_URL=http://{}\n\
         export KVS_ENDPOINT=http://{}\n\
         export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n\
         export PATH={}:$PATH\n",
        stack.address("kafka", 9092),
        stack.address("registry", 8080),
        stack.address("worker-1", 8083),
        stack.address("simulator", 9100),
        programs.display(),
    );
    write(&folder.join("env"), &env)?;
    let path = repository().join("connectors/worker.toml");
    let worker = std::fs::read_to_string(&path).map_err(|source| StackError::File { path, source })?;
    // The comments at its beginning are of its place.
    let worker: Vec<&str> = worker.lines().filter(|line| !line.starts_with('#')).collect();
    let worker = stack.replaced(&(worker.join("\n") + "\n"));
    write(&folder.join("worker.toml"), &worker)
}

pub(crate) fn say_what_to_do(folder: &Path) {
    let shown = std::env::current_dir().ok().and_then(|here| folder.strip_prefix(here).ok()).unwrap_or(folder);
    let shown = shown.display();
    say(&format!("all of it runs; pictures and tables arrive in {shown}, logs are in {shown}/logs; Ctrl-C ends it"));
    say("in another terminal:");
    println!("    . {shown}/env");
    println!("    kvs-connect tail --worker {shown}/worker.toml --topic kvs.fragments");
    println!("    kvs-connect connector status cameras");
    say("docs/TUTORIAL.md goes on from here");
}

/// Says from time to time what the consumers have written.
pub(crate) struct Progress {
    folder: PathBuf,
    said: Option<Instant>,
    before: [usize; 2],
}

impl Progress {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), said: None, before: [0; 2] }
    }

    /// Returns whether both consumers have written something.
    pub(crate) fn has_begun(&self) -> bool {
        self.counts().iter().all(|count| *count > 0)
    }

    fn counts(&self) -> [usize; 2] {
        [count(&self.folder.join("pictures"), "jpg"), count(&self.folder.join("tables"), "parquet")]
    }

    pub(crate) fn say(&mut self) {
        if self.said.is_some_and(|said| said.elapsed() < SAID_EVERY) {
            return;
        }
        self.said = Some(Instant::now());
        let now = self.counts();
        if now != self.before {
            say(&format!("{} pictures, {} files of tables", now[0], now[1]));
            self.before = now;
        }
    }
}

/// Returns how many files with this ending are in a folder and the folders in it.
fn count(folder: &Path, ending: &str) -> usize {
    let (mut folders, mut count) = (vec![folder.to_owned()], 0);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten().take(COUNTED_MAX) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|other| other == ending) {
                count += 1;
            }
        }
    }
    count
}
