//! A server that speaks the protocol of Azure Blob Storage: Azurite, from npm.
//!
//! **What is real:** protocol and signatures, which Azurite, Microsoft's own emulator, checks. **What is not:** its only account and
//! the account's key are public, it knows no roles, and it keeps everything in memory here.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::connector::http_call;
use crate::kafka::{free_port, repository};
use crate::process::{Process, command};
use crate::wait::wait_for_within;

/// How long the server may take to respond on a slow machine.
const START_LIMIT: Duration = Duration::from_secs(240);
/// Creates a container; the arguments are the address, the container's name and the account's key.
const CREATE: &str = r#"
import base64, email.utils, hmac, sys, urllib.request
address, name, key = sys.argv[1:]
date = email.utils.formatdate(usegmt=True)
headers = {"x-ms-date": date, "x-ms-version": "2021-08-06"}
path = f"/devstoreaccount1/{name}"
text = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:2021-08-06\n/devstoreaccount1{path}\nrestype:container"
signature = base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), "sha256")).decode()
headers["Authorization"] = f"SharedKey devstoreaccount1:{signature}"
urllib.request.urlopen(urllib.request.Request(f"http://{address}{path}?restype=container", method="PUT", headers=headers))
"#;

/// A server that this process has started. It is killed when this is dropped.
#[derive(Debug)]
pub struct AzureServer {
    address: String,
    _process: Process,
}

impl AzureServer {
    /// The name of the only account.
    pub const ACCOUNT: &str = "devstoreaccount1";
    /// Its key, which Microsoft's documentation has.
    pub const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    /// Starts a server without containers, and waits until it responds. What it needs is downloaded once.
    ///
    /// # Panics
    /// Panics if it cannot be started.
    pub fn start() -> Self {
        let got =
            std::process::Command::new(repository().join("dev/sdks")).arg("azurite").output().expect("dev/sdks runs");
        assert!(got.status.success(), "{}", String::from_utf8_lossy(&got.stderr));
        let folder = PathBuf::from(String::from_utf8_lossy(&got.stdout).trim());
        let port = free_port().to_string();
        let mut start = command(folder.join("node_modules/.bin/azurite-blob"));
        start.args(["--blobHost", "127.0.0.1", "--blobPort", &port, "--inMemoryPersistence", "--skipApiVersionCheck"]);
        start.args(["--silent", "--disableTelemetry"]);
        start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let (mut process, address) = (Process::start(start), format!("127.0.0.1:{port}"));
        wait_for_within(START_LIMIT, "the Azure server to respond", || {
            assert_eq!(process.exit_code(), None, "the Azure server ended");
            http_call(&address, "GET", "/", None).is_some()
        });
        Self { address, _process: process }
    }

    /// Returns the account's URL, which is the value of `payload.store.endpoint`.
    pub fn url(&self) -> String {
        format!("http://{}/{}", self.address, Self::ACCOUNT)
    }

    /// Creates a container.
    ///
    /// # Panics
    /// Panics if it cannot be created.
    pub fn create_container(&self, name: &str) {
        let created =
            std::process::Command::new("python3").args(["-c", CREATE, &self.address, name, Self::KEY]).output();
        let created = created.expect("python3 runs");
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    }
}
