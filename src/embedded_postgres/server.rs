//! One run of the server: start it, wait until it is ready, stop it.
//! It must not turn off anything that keeps data safe, and opens no TCP port.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::fs::statvfs;
use rustix::process::{Pid, Signal, kill_process};

use super::cluster::RECOVERY;
use super::command::command;
use super::home::Home;
use super::programs::Programs;
use super::{orphans, server_log, socket};

/// Recovery after a crash replays what was written since the last checkpoint, and begins anew where it is cut off.
const START_LIMIT: Duration = Duration::from_hours(1);
const STILL_WAITING: Duration = Duration::from_secs(5);
/// A file of the write-ahead log.
const LEAST_ROOM: u64 = 16 * 1024 * 1024;
const POLL: Duration = Duration::from_millis(15);
/// Fast shutdown, immediate shutdown, the end.
const STOPPING: [(Signal, &str, Duration); 3] = [
    (Signal::INT, "SIGINT", Duration::from_secs(20)),
    (Signal::QUIT, "SIGQUIT", Duration::from_secs(5)),
    (Signal::KILL, "SIGKILL", Duration::from_secs(5)),
];

/// What it takes to start the server, again and again.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) home: Home,
    pub(super) programs: Programs,
    pub(super) socket_dir: PathBuf,
    pub(super) options: Vec<(String, String)>,
}

#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pid_file: PathBuf,
    log: PathBuf,
    log_from: u64,
}

impl Launch {
    /// The calling thread must outlive the server: see `command`.
    pub(super) fn start(&self, stopping: &dyn Fn() -> bool) -> Result<Server> {
        orphans::clear(&self.home.cluster(), &self.socket_dir)?;
        let log = self.home.log();
        let open = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&log);
        let file = open.with_context(|| format!("cannot write {}", log.display()))?;
        let log_from = file.metadata()?.len();
        let mut postgres = self.command();
        postgres.stdout(file.try_clone()?).stderr(file);
        let child = postgres
            .spawn()
            .with_context(|| format!("cannot run {}", self.programs.postgres().display()))?;
        let pid_file = self.home.cluster().join("postmaster.pid");
        let mut server = Server {
            child,
            pid_file,
            log,
            log_from,
        };
        if let Err(error) = self.wait_until_ready(&mut server, stopping) {
            server.stop()?;
            return Err(error);
        }
        Ok(server)
    }

    /// Why the server has ended. What it would have said of a full disk may be lost to the full disk.
    pub(super) fn reason(&self, server: &Server) -> String {
        let said = server_log::last_words(&server.log, server.log_from);
        let room = statvfs(&self.home.dir).map(|disk| disk.f_bavail * disk.f_frsize);
        if room.is_ok_and(|room| room < LEAST_ROOM) {
            format!("the disk of {} is full: {said}", self.home.dir.display())
        } else {
            said
        }
    }

    fn wait_until_ready(&self, server: &mut Server, stopping: &dyn Fn() -> bool) -> Result<()> {
        let began = Instant::now();
        let mut next_line = STILL_WAITING;
        loop {
            if let Some(status) = server.exited()? {
                bail!(
                    "PostgreSQL did not start ({status}): {} (more in {})",
                    self.reason(server),
                    server.log.display()
                );
            }
            let pid_file = fs::read_to_string(&server.pid_file).unwrap_or_default();
            if is_ready(&pid_file, server.child.id()) {
                return Ok(());
            }
            if stopping() {
                bail!("PostgreSQL was stopped before it was ready");
            }
            if began.elapsed() > START_LIMIT {
                bail!(
                    "PostgreSQL was not ready within {} s ({}): look at {}",
                    START_LIMIT.as_secs(),
                    self.reason(server),
                    server.log.display()
                );
            }
            if began.elapsed() > next_line {
                tracing::info!("waiting for PostgreSQL since {} s", next_line.as_secs());
                next_line += STILL_WAITING;
            }
            sleep(POLL);
        }
    }

    fn command(&self) -> Command {
        let mut postgres = command(&self.programs.postgres(), &self.home.account);
        postgres.arg("-D").arg(self.home.cluster()).args(RECOVERY);
        let mut set = |name: &str, value: &str| {
            postgres.arg("-c").arg(format!("{name}={value}"));
        };
        set("max_connections", "100");
        for (name, value) in &self.options {
            set(name, value);
        }
        // Last, so that no option moves the server out of reach.
        set("port", "5432");
        set("listen_addresses", "");
        set(
            "unix_socket_directories",
            &socket::setting(&self.socket_dir),
        );
        set("unix_socket_permissions", "0700");
        set("logging_collector", "off");
        set("log_destination", "stderr");
        postgres
    }
}

impl Server {
    pub(super) fn exited(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot watch PostgreSQL")
    }

    pub(super) fn stop(&mut self) -> Result<()> {
        for (signal, name, patience) in STOPPING {
            if self.exited()?.is_some() {
                return Ok(());
            }
            if signal != Signal::INT {
                tracing::warn!("PostgreSQL does not stop: sending it {name}");
            }
            // Not reaped yet, so the pid is still the child's.
            kill_process(Pid::from_child(&self.child), signal).context("cannot stop PostgreSQL")?;
            let began = Instant::now();
            while began.elapsed() < patience {
                if self.exited()?.is_some() {
                    return Ok(());
                }
                sleep(POLL);
            }
        }
        bail!(
            "PostgreSQL (pid {}) does not end: end it by hand",
            self.child.id()
        )
    }
}

/// The first line of `postmaster.pid` is the pid, the eighth the state.
fn is_ready(pid_file: &str, pid: u32) -> bool {
    let mut lines = pid_file.lines();
    lines.next().and_then(|line| line.parse().ok()) == Some(pid)
        && lines
            .nth(6)
            .is_some_and(|state| state.trim_end() == "ready")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_the_eighth_line_of_our_own_pid_file() {
        let file = "123\n/d/postgres\n1790000000\n5432\n/d/run\n\n  5432001    1\nready   \n";
        assert!(is_ready(file, 123));
        assert!(!is_ready(file, 124));
        assert!(!is_ready(&file.replace("ready   ", "starting"), 123));
        assert!(!is_ready("123\n", 123));
        assert!(!is_ready("", 123));
        assert!(!is_ready("garbage\n\n\n\n\n\n\nready\n", 123));
    }
}
