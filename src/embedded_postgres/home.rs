//! The data directory: where it is, what lies in it, and that only one Keyward uses it.
//! It must not write as root where the user that PostgreSQL runs as could have planted a link.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::account::Account;

/// A supervisor may start the next Keyward before a killed one is quite gone.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) dir: PathBuf,
    pub(super) account: Account,
}

impl Home {
    pub(super) fn cluster(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    pub(super) fn run(&self) -> PathBuf {
        self.dir.join("run")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("postgres.log")
    }

    pub(super) fn password(&self) -> PathBuf {
        self.dir.join("postgres.password")
    }

    pub(super) fn connection(&self) -> PathBuf {
        self.dir.join("connection.json")
    }

    pub(super) fn programs(&self) -> PathBuf {
        self.dir.join("programs")
    }

    fn lock_file(&self) -> PathBuf {
        self.dir.join("keyward.lock")
    }

    /// Held for as long as the file is open; the kernel lets go of it when Keyward dies.
    pub(super) fn lock(&self) -> Result<File> {
        let path = self.lock_file();
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| self.cannot_write(&path))?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock {}", path.display()));
                }
                Err(TryLockError::WouldBlock) if began.elapsed() > LOCK_PATIENCE => {
                    bail!(self.taken(&io::read_to_string(&file).unwrap_or_default()))
                }
                Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(50)),
            }
        }
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        Ok(file)
    }

    /// Whether a Keyward that runs holds it.
    pub(super) fn is_locked(&self) -> bool {
        let file = File::open(self.lock_file());
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    fn taken(&self, pid: &str) -> String {
        format!(
            "another Keyward (pid {}) already uses {}: stop it, or set KEYWARD_DATA_DIR, or share \
             its database by setting DATABASE_URL to the one in {}, and the master key to its own",
            if pid.is_empty() { "unknown" } else { pid },
            self.dir.display(),
            self.connection().display()
        )
    }

    fn cannot_write(&self, path: &Path) -> String {
        let owner = fs::metadata(&self.dir).map_or(0, |dir| dir.uid());
        format!(
            "cannot write {} (the directory belongs to uid {owner}): start Keyward as that user or \
             set KEYWARD_DATA_DIR",
            path.display()
        )
    }

    /// A new directory that is the server's alone.
    pub(super) fn create_dir(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)?;
        self.give(path)
    }

    /// The same, where an earlier run may have left one. Only inside the data directory: there
    /// nobody can have put a link in its place.
    pub(super) fn create_or_adopt_dir(&self, path: &Path) -> Result<()> {
        let adopt = || {
            self.give(path)?;
            fs::set_permissions(path, Permissions::from_mode(0o700))
        };
        match self.create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => adopt(),
            other => other,
        }
        .with_context(|| format!("cannot make {} for {}", path.display(), self.account))
    }

    fn give(&self, path: &Path) -> io::Result<()> {
        if !self.account.switched {
            return Ok(());
        }
        lchown(path, Some(self.account.uid), Some(self.account.gid))
    }
}

/// A file of ours that is either the old one or the new one, never half of it.
pub(super) fn write_private(path: &Path, content: &str) -> Result<()> {
    let new = path.with_added_extension("new");
    let write = || -> io::Result<()> {
        let mut file = create_private(&new)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

pub(super) fn create_private(path: &Path) -> io::Result<File> {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("connection.json");
        for content in ["first and longer", "second"] {
            write_private(&file, content).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), content);
            assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
