//! Finds and ends what an earlier Keyward left running on the same cluster.
//! It must not be called without the data directory's lock, and touches no process that is not
//! a PostgreSQL of this very cluster: a pid in a file may have been given to somebody else.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::socket;

const FAST_SHUTDOWN: Duration = Duration::from_secs(25);
/// Without a postmaster they leave by themselves, but for one that is in a long statement.
const LEADERLESS: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn clear(cluster: &Path, socket_dir: &Path) -> Result<()> {
    stop(cluster)?;
    // Nobody is left, so these are stale, whoever has the pid in them today.
    socket::remove_if_there(&cluster.join("postmaster.pid"))?;
    socket::remove_stale(socket_dir)
}

fn stop(cluster: &Path) -> Result<()> {
    let began = Instant::now();
    let mut asked = None;
    let mut pressed = false;
    loop {
        let left = processes_of(cluster);
        if left.is_empty() {
            return Ok(());
        }
        let postmaster = left.iter().find(|one| one.is_postmaster);
        let patience = if postmaster.is_some() {
            FAST_SHUTDOWN
        } else {
            LEADERLESS
        };
        // Only the postmaster takes SIGINT as "shut down", and the others leave with it.
        if let Some(postmaster) = postmaster.filter(|one| asked != Some(one.pid)) {
            asked = Some(postmaster.pid);
            let pid = postmaster.number();
            tracing::warn!(
                pid,
                "stopping the PostgreSQL that an earlier Keyward left behind"
            );
            postmaster.signal(Signal::INT);
        }
        if began.elapsed() > patience && !pressed {
            pressed = true;
            left.iter().for_each(Process::quit);
        }
        if began.elapsed() > PATIENCE {
            let pids: Vec<_> = left.iter().map(Process::number).collect();
            bail!(
                "PostgreSQL processes {pids:?} of an earlier Keyward still use {} and do not \
                 stop: end them by hand",
                cluster.display()
            );
        }
        sleep(Duration::from_millis(50));
    }
}

/// For a half-made cluster, which nobody will miss.
pub(super) fn kill(cluster: &Path) {
    for one in processes_of(cluster) {
        one.signal(Signal::KILL);
    }
}

#[derive(Debug)]
struct Process {
    pid: Pid,
    is_postmaster: bool,
}

impl Process {
    fn number(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    fn quit(&self) {
        self.signal(Signal::QUIT);
    }

    fn signal(&self, signal: Signal) {
        if let Err(error) = kill_process(self.pid, signal)
            && error != Errno::SRCH
        {
            tracing::warn!(%error, pid = self.number(), "cannot signal PostgreSQL");
        }
    }
}

#[cfg(target_os = "linux")]
fn processes_of(cluster: &Path) -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry
                .file_name()
                .to_str()?
                .parse()
                .ok()
                .and_then(Pid::from_raw)?;
            examine(&entry.path(), pid, cluster)
        })
        .collect()
}

/// Every PostgreSQL process works in its cluster. Root without `CAP_SYS_PTRACE` (a container) is
/// not shown that, but may read the arguments, which the postmaster alone keeps.
#[cfg(target_os = "linux")]
fn examine(process: &Path, pid: Pid, cluster: &Path) -> Option<Process> {
    use std::fs::{read, read_link, read_to_string};

    let name = read_to_string(process.join("comm")).ok()?;
    if !name.contains("postgres") && name.trim_end() != "initdb" {
        return None;
    }
    let arguments = read(process.join("cmdline")).unwrap_or_default();
    let arguments: Vec<_> = arguments.split(|byte| *byte == 0).collect();
    let cluster_option = [b"-D", cluster.as_os_str().as_encoded_bytes()];
    let is_postmaster = arguments.windows(2).any(|pair| pair == cluster_option);
    let works_there = read_link(process.join("cwd")).is_ok_and(|cwd| cwd == cluster);
    (works_there || is_postmaster).then_some(Process { pid, is_postmaster })
}

#[cfg(not(target_os = "linux"))]
fn processes_of(cluster: &Path) -> Vec<Process> {
    let Ok(listed) = std::process::Command::new("/bin/ps")
        .args(["-axo", "pid=,command="])
        .output()
    else {
        return Vec::new();
    };
    let cluster = format!("postgres -D {} ", cluster.display());
    String::from_utf8_lossy(&listed.stdout)
        .lines()
        .filter(|line| line.contains(&cluster))
        .filter_map(|line| {
            line.split_whitespace()
                .next()?
                .parse()
                .ok()
                .and_then(Pid::from_raw)
        })
        .map(|pid| Process {
            pid,
            is_postmaster: true,
        })
        .collect()
}
