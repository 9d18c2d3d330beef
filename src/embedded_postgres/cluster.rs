//! Makes the cluster, and knows what one on disk needs.
//! It must not leave a half-made cluster under the final name: one is complete or absent.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::fchown;
use std::path::Path;
use std::process::{Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::command::command;
use super::home::{Home, create_private, write_private};
use super::orphans;
use super::programs::Programs;
use super::server_log::telling;
use super::{DATABASE, USER};

const UNFINISHED: &str = "postgres.init-";
/// One syncfs at the end instead of a thousand fsyncs.
const SYNC_AT_ONCE: bool = cfg!(target_os = "linux");

/// After a crash PostgreSQL syncs the whole cluster first.
pub(super) const RECOVERY: &[&str] = if cfg!(target_os = "linux") {
    &["-c", "recovery_init_sync_method=syncfs"]
} else {
    &[]
};

/// The major version of the cluster, where there is one.
pub(super) fn version(home: &Home) -> Result<Option<u32>> {
    let cluster = home.cluster();
    if !cluster.exists() {
        return Ok(None);
    }
    let version = fs::read_to_string(cluster.join("PG_VERSION")).unwrap_or_default();
    let version = version.trim().parse().ok();
    ensure!(
        version.is_some(),
        "{} is not a PostgreSQL cluster: move it away, or restore it from a backup",
        cluster.display()
    );
    Ok(version)
}

pub(super) fn make(home: &Home, programs: &Programs, password: &str) -> Result<()> {
    tracing::info!(
        "making a PostgreSQL {} cluster in {}",
        programs.major,
        home.cluster().display()
    );
    let unfinished = home.dir.join(format!("{UNFINISHED}{}", std::process::id()));
    home.create_dir(&unfinished)
        .with_context(|| format!("cannot create {}", unfinished.display()))?;
    let made = initdb(home, programs, &unfinished, password)
        .and_then(|()| {
            single_user(
                home,
                programs,
                &unfinished,
                // An error's details hold data, such as the address of an account: they stay out of the log.
                &format!(
                    "create database {DATABASE}\nalter database {DATABASE} set log_error_verbosity = terse"
                ),
            )
        })
        // First the password: a cluster whose password is lost is of no use.
        .and_then(|()| write_private(&home.password(), password))
        .and_then(|()| publish(home, &unfinished));
    if made.is_err() {
        // What stays is removed by the next start.
        let _ = fs::remove_dir_all(&unfinished);
    }
    made
}

/// The password of an existing cluster; a new one where the file is lost.
pub(super) fn password(
    home: &Home,
    programs: &Programs,
    new: &dyn Fn() -> String,
) -> Result<String> {
    let path = home.password();
    let kept = match fs::read_to_string(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
        kept => kept.unwrap_or_default(),
    };
    if !kept.trim().is_empty() {
        return Ok(kept.trim().to_owned());
    }
    tracing::warn!(
        "{} is missing: giving the cluster a new password",
        path.display()
    );
    let password = new();
    let statement = format!(
        "alter role {USER} password '{}'",
        password.replace('\'', "''")
    );
    single_user(home, programs, &home.cluster(), &statement)?;
    write_private(&path, &password)?;
    Ok(password)
}

fn initdb(home: &Home, programs: &Programs, cluster: &Path, password: &str) -> Result<()> {
    // Here and not in a directory of the server's user, who could plant a link.
    let password_file = home.dir.join("postgres.password.initdb");
    let mut file = create_private(&password_file)
        .with_context(|| format!("cannot create {}", password_file.display()))?;
    file.write_all(password.as_bytes())?;
    if home.account.switched {
        fchown(&file, Some(home.account.uid), Some(home.account.gid))?;
    }
    let mut initdb = command(&programs.initdb(), &home.account);
    initdb
        .args([
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-k",
        ])
        .arg("--pwfile")
        .arg(&password_file)
        .arg("-D")
        .arg(cluster);
    if SYNC_AT_ONCE {
        initdb.arg("-N");
    }
    let done = initdb.output();
    fs::remove_file(&password_file)?;
    check(
        "initdb",
        &done.with_context(|| format!("cannot run {}", programs.initdb().display()))?,
    )
}

/// Runs one statement without a server.
/// Runs statements, one a line, in a cluster that nobody serves.
fn single_user(home: &Home, programs: &Programs, cluster: &Path, statements: &str) -> Result<()> {
    let mut postgres = command(&programs.postgres(), &home.account);
    postgres
        .arg("--single")
        .arg("-D")
        .arg(cluster)
        // A statement may hold a password: it stays out of the messages.
        .args([
            "-c",
            "exit_on_error=on",
            "-c",
            "log_min_error_statement=panic",
        ])
        .args(RECOVERY)
        .arg("postgres");
    let mut child = postgres
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", programs.postgres().display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // Where it has ended already, its exit status says more than the broken pipe.
        let _ = writeln!(stdin, "{statements}");
    }
    check("postgres --single", &child.wait_with_output()?)
}

fn check(program: &str, done: &Output) -> Result<()> {
    if done.status.success() {
        return Ok(());
    }
    let said = telling(&String::from_utf8_lossy(&done.stderr));
    let hint = if said.contains("could not look up effective user ID") {
        " (PostgreSQL needs a user with a name: add one to /etc/passwd, or set DATABASE_URL)"
    } else {
        ""
    };
    bail!("{program} failed ({}): {said}{hint}", done.status)
}

fn publish(home: &Home, unfinished: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(File::open(unfinished)?).context("cannot write the new cluster to disk")?;
    fs::rename(unfinished, home.cluster())
        .with_context(|| format!("cannot create {}", home.cluster().display()))?;
    File::open(&home.dir)?.sync_all()?;
    Ok(())
}

pub(super) fn remove_unfinished(home: &Home) -> Result<()> {
    for entry in fs::read_dir(&home.dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            tracing::info!("removing the unfinished {}", entry.path().display());
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// More than once, because an interrupted initdb may still be at work, or cleaning up itself.
fn remove(unfinished: &Path) -> Result<()> {
    for _ in 0..50 {
        orphans::kill(unfinished);
        if fs::remove_dir_all(unfinished).is_ok() || !unfinished.exists() {
            return Ok(());
        }
        sleep(Duration::from_millis(100));
    }
    fs::remove_dir_all(unfinished)
        .with_context(|| format!("cannot remove {}: remove it by hand", unfinished.display()))
}
