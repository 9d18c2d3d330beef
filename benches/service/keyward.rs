//! Keyward itself, as an operator runs it behind a proxy, but for what would refuse a session to be refreshed so often.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Of the keys in the databases that are made here.
pub(crate) const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

const BINARY: &str = env!("CARGO_BIN_EXE_keyward");

/// One process. It ends when this does.
pub(crate) struct Keyward {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Keyward {
    /// Starts it, and waits for its greeting.
    pub(crate) fn start(home: &Path, database_url: &str) -> Result<Self> {
        Self::start_by(Command::new(BINARY), home, database_url)
    }

    /// The same on some of the cores: `0-3`.
    pub(crate) fn start_on(cores: &str, home: &Path, database_url: &str) -> Result<Self> {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", cores, BINARY]);
        Self::start_by(command, home, database_url)
    }

    fn start_by(mut command: Command, home: &Path, database_url: &str) -> Result<Self> {
        command
            .env_clear()
            .current_dir(home)
            .env("DATABASE_URL", database_url)
            .env("KEYWARD_LISTEN", "127.0.0.1:0")
            .env("KEYWARD_MASTER_KEY", MASTER_KEY)
            .env("KEYWARD_ACCESS_TOKEN_TTL", "1h")
            .env("KEYWARD_REFRESH_GRACE", "0s")
            .env("KEYWARD_TRUSTED_PROXIES", "127.0.0.1")
            .env("KEYWARD_LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("it has no output")?);
        let mut greeting = String::new();
        while !greeting.contains("Ctrl-C") {
            let read = lines.read_line(&mut greeting)?;
            ensure!(read > 0, "Keyward did not start: {greeting}");
        }
        let address = greeting
            .split_whitespace()
            .find_map(|word| word.strip_prefix("http://")?.parse().ok())
            .context("Keyward does not say where it listens")?;
        Ok(Self { child, address })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Keyward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
