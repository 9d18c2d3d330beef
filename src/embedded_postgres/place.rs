//! Decides which directory is the data directory, and makes it.
//! It must not open up a directory that is not Keyward's own, and puts nothing into it.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::Settings;
use super::account::{Account, TRAVERSE, WRITE};
use super::home::Home;

const FALLBACK: &str = "/var/lib/keyward";
const STICKY: u32 = 0o1000;

pub(super) fn settle(settings: &Settings, account: Account) -> Result<Home> {
    let home = find(settings, account)?;
    make(&home.dir, if home.account.switched { 0o711 } else { 0o700 })?;
    Ok(home)
}

/// The same, and makes nothing.
pub(super) fn find(settings: &Settings, account: Account) -> Result<Home> {
    let mut dir = absolute(&settings.data_dir)?;
    refuse_file(&dir)?;
    refuse_foreign_cluster(&dir, &account)?;
    if account.switched {
        dir = within_reach(dir, &account, settings.data_dir_is_default)?;
        refuse_controlled(&dir, &account)?;
    }
    refuse_odd_name(&dir)?;
    Ok(Home { dir, account })
}

/// With links followed as far as the path exists.
fn absolute(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let Some(existing) = path.ancestors().find(|dir| dir.exists()) else {
        return Ok(path);
    };
    let rest = path.strip_prefix(existing)?;
    ensure!(
        !rest.components().any(|part| part == Component::ParentDir),
        "{} goes through a directory that does not exist: set KEYWARD_DATA_DIR without ..",
        path.display()
    );
    let mut real = existing
        .canonicalize()
        .with_context(|| format!("cannot look at {}", existing.display()))?;
    // Joining nothing would add a slash.
    real.extend(rest);
    Ok(real)
}

fn within_reach(dir: PathBuf, account: &Account, is_default: bool) -> Result<PathBuf> {
    open_up_own(&dir, is_default)?;
    let Some(obstacle) = obstacle(&dir, account) else {
        return Ok(dir);
    };
    let problem = format!(
        "{account}, as whom PostgreSQL runs because Keyward is root, cannot enter {}",
        obstacle.display()
    );
    // A cluster that is there already must not look as if it were lost.
    if !is_default || dir.join("postgres").exists() {
        bail!(
            "{problem}: set KEYWARD_DATA_DIR to a directory elsewhere (such as {FALLBACK}), or \
             start Keyward as an ordinary user"
        );
    }
    let fallback = Path::new(FALLBACK).join(short_hash(&dir));
    tracing::info!("{problem}: the data is kept in {}", fallback.display());
    refuse_foreign_cluster(&fallback, account)?;
    Ok(fallback)
}

fn refuse_file(path: &Path) -> Result<()> {
    let existing = path.ancestors().find(|step| step.exists());
    if let Some(file) = existing.filter(|step| !step.is_dir()) {
        bail!(
            "{} is not a directory: set KEYWARD_DATA_DIR to another path",
            file.display()
        );
    }
    Ok(())
}

fn refuse_foreign_cluster(dir: &Path, account: &Account) -> Result<()> {
    let cluster = dir.join("postgres");
    let Ok(found) = fs::symlink_metadata(&cluster) else {
        return Ok(());
    };
    ensure!(
        found.is_dir(),
        "{} is not a directory: move it away",
        cluster.display()
    );
    if found.uid() == account.uid {
        return Ok(());
    }
    let way_out = if account.switched {
        "set KEYWARD_POSTGRES_USER to its owner, or"
    } else {
        "start Keyward as its owner, or set"
    };
    bail!(
        "the PostgreSQL cluster {} belongs to uid {} and not to {account}: {way_out} \
         KEYWARD_DATA_DIR to another directory",
        cluster.display(),
        found.uid()
    )
}

/// A data directory of ours that was made under a strict umask, or by whoever wrote the key first.
fn open_up_own(dir: &Path, is_default: bool) -> Result<()> {
    let Ok(found) = fs::metadata(dir) else {
        return Ok(());
    };
    let ours = is_default
        || dir.join("keyward.lock").exists()
        || fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
    if ours && found.is_dir() && found.uid() == 0 && found.mode() & 0o011 != 0o011 {
        fs::set_permissions(dir, Permissions::from_mode(found.mode() & 0o7777 | 0o011))
            .with_context(|| format!("cannot change {}", dir.display()))?;
    }
    Ok(())
}

/// The first directory on the way that the account cannot pass.
fn obstacle(dir: &Path, account: &Account) -> Option<PathBuf> {
    let mut way: Vec<_> = dir.ancestors().collect();
    way.reverse();
    way.into_iter()
        .find(|step| fs::metadata(step).is_ok_and(|found| !account.may(TRAVERSE, &found)))
        .map(Path::to_path_buf)
}

fn refuse_controlled(dir: &Path, account: &Account) -> Result<()> {
    for step in dir.ancestors().filter(|step| step.exists()) {
        let found = fs::metadata(step)?;
        // In a sticky directory (/tmp) one cannot touch what belongs to somebody else.
        let shared = step != dir && found.mode() & STICKY != 0;
        if found.uid() == account.uid || (account.may(WRITE, &found) && !shared) {
            bail!(
                "{account}, as whom PostgreSQL runs because Keyward is root, could write {}, and \
                 root must not trust such a place: set KEYWARD_DATA_DIR to a directory that only \
                 root can write, or start Keyward as an ordinary user",
                step.display()
            );
        }
    }
    Ok(())
}

/// PostgreSQL keeps the path as one line of its pid file, and a URL is text.
fn refuse_odd_name(dir: &Path) -> Result<()> {
    ensure!(
        dir.to_str()
            .is_some_and(|name| !name.contains(char::is_control)),
        "the path {} has characters that PostgreSQL cannot use: set KEYWARD_DATA_DIR to another",
        dir.display()
    );
    Ok(())
}

fn make(dir: &Path, mode: u32) -> Result<()> {
    let mut missing: Vec<_> = dir.ancestors().take_while(|step| !step.exists()).collect();
    missing.reverse();
    for step in missing {
        DirBuilder::new()
            .mode(mode)
            .create(step)
            .and_then(|()| fs::set_permissions(step, Permissions::from_mode(mode)))
            .with_context(|| {
                format!(
                    "cannot create {}: set KEYWARD_DATA_DIR to another directory",
                    step.display()
                )
            })?;
    }
    Ok(())
}

/// FNV-1a: the same in every build, which std's hasher does not promise.
pub(super) fn short_hash(path: &Path) -> String {
    let hash = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        });
    format!("{hash:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn account(found: &fs::Metadata, uid_offset: u32) -> Account {
        Account {
            uid: found.uid() + uid_offset,
            gid: found.gid() + uid_offset,
            name: None,
            switched: true,
        }
    }

    fn set(dir: &Path, mode: u32) {
        fs::set_permissions(dir, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_hash_is_the_same_in_every_build() {
        assert_eq!(short_hash(Path::new("")), "811c9dc5");
        assert_eq!(short_hash(Path::new("a")), "e40c292c");
        assert_eq!(short_hash(Path::new("foobar")), "bf9cf968");
    }

    #[test]
    fn links_are_followed_as_far_as_the_path_exists() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        symlink(&real, real.join("link")).unwrap();
        let exact = |path: &str| absolute(&real.join(path)).unwrap().into_os_string();
        assert_eq!(exact("link"), real.as_os_str());
        assert_eq!(exact("link/../"), real.parent().unwrap().as_os_str());
        assert_eq!(exact("link/new/er"), real.join("new/er").as_os_str());
        assert!(absolute(&real.join("new/../er")).is_err());
    }

    #[test]
    fn the_first_closed_directory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let closed = dir.path().join("closed");
        make(&closed.join("inner"), 0o711).unwrap();
        set(dir.path(), 0o711);
        let other = account(&fs::metadata(&closed).unwrap(), 1);
        assert_eq!(obstacle(&closed.join("inner/new"), &other), None);
        set(&closed, 0o700);
        assert_eq!(obstacle(&closed.join("inner/new"), &other), Some(closed));
    }

    #[test]
    fn a_place_that_the_server_could_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let inner = dir.join("inner");
        make(&inner, 0o711).unwrap();
        let found = fs::metadata(&inner).unwrap();
        let check = || refuse_controlled(&inner, &account(&found, 1)).is_ok();
        for (outer_mode, inner_mode, fine) in [
            (0o711, 0o711, true),
            (0o755, 0o777, false),
            (0o777, 0o711, false),
            (0o1777, 0o711, true),
            (0o711, 0o1777, false),
        ] {
            set(&dir, outer_mode);
            set(&inner, inner_mode);
            assert_eq!(check(), fine, "{outer_mode:o} {inner_mode:o}");
        }
        set(&dir, 0o711);
        set(&inner, 0o711);
        assert!(refuse_controlled(&inner, &account(&found, 0)).is_err());
    }

    #[test]
    fn odd_names_are_refused() {
        assert!(refuse_odd_name(Path::new("/a b/é,\"x")).is_ok());
        assert!(refuse_odd_name(Path::new("/a\nb")).is_err());
    }
}
