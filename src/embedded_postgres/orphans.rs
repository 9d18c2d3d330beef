//! Finds and ends what an earlier Keyward left running on the same cluster.
//! It must not be called without the data directory's lock, and touches no process that is not
//! a Postgres of this very cluster: a pid in a file may have been given to somebody else.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::socket;

const FAST_SHUTDOWN: Duration = Duration::from_secs(25);
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
        // Only the postmaster takes SIGINT as "shut down", and the others leave with it.
        if let Some(postmaster) = left.iter().find(|one| one.is_postmaster)
            && asked != Some(postmaster.pid)
        {
            asked = Some(postmaster.pid);
            let pid = postmaster.pid.as_raw_nonzero().get();
            tracing::warn!(
                pid,
                "stopping the PostgreSQL that an earlier Keyward left behind"
            );
            signal(postmaster, Signal::INT);
        }
        if began.elapsed() > FAST_SHUTDOWN && !pressed {
            pressed = true;
            for one in &left {
                signal(one, Signal::QUIT);
            }
        }
        if began.elapsed() > PATIENCE {
            let pids: Vec<_> = left
                .iter()
                .map(|one| one.pid.as_raw_nonzero().get())
                .collect();
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
    for one in &processes_of(cluster) {
        signal(one, Signal::KILL);
    }
}

fn signal(process: &Process, signal: Signal) {
    if let Err(error) = kill_process(process.pid, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(%error, pid = process.pid.as_raw_nonzero().get(), "cannot signal PostgreSQL");
    }
}

#[derive(Debug)]
struct Process {
    pid: Pid,
    is_postmaster: bool,
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

/// Every Postgres process works in its cluster. Root without `CAP_SYS_PTRACE` (a container) is
/// not shown that, but may read the arguments, which the postmaster alone keeps.
#[cfg(target_os = "linux")]
fn examine(process: &Path, pid: Pid, cluster: &Path) -> Option<Process> {
    use std::fs::{read, read_link, read_to_string};

    if !read_to_string(process.join("comm"))
        .ok()?
        .contains("postgres")
    {
        return None;
    }
    let arguments = read(process.join("cmdline")).unwrap_or_default();
    let is_postmaster = arguments
        .split(|byte| *byte == 0)
        .any(|argument| argument == cluster.as_os_str().as_encoded_bytes());
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
