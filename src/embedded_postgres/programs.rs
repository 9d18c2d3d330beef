//! Finds PostgreSQL's programs on this machine, in a version that fits the cluster.
//! It must not run them as root, and downloads nothing itself.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::Settings;
use super::account::Account;
use super::command::command;
use super::home::Home;

const OLDEST: u32 = 14;
/// Each directory in the first whose name begins with the second has a `bin`.
const USUAL_PLACES: [(&str, &str); 8] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/usr/lib64", "pgsql"),
    ("/usr/lib64", "postgresql-"),
    ("/usr/local", "pgsql"),
    ("/usr/local/opt", "postgresql"),
    ("/opt/homebrew/opt", "postgresql"),
    ("/Applications/Postgres.app/Contents/Versions", ""),
];

#[derive(Clone, Debug)]
pub(super) struct Programs {
    dir: PathBuf,
    pub(super) major: u32,
}

impl Programs {
    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    fn inspect(dir: &Path, account: &Account) -> Result<Self> {
        let postgres = dir.join("postgres");
        for program in [&postgres, &dir.join("initdb")] {
            ensure!(program.is_file(), "there is no {}", program.display());
        }
        let told = command(&postgres, account)
            .arg("--version")
            .output()
            .with_context(|| format!("{account} cannot run {}", postgres.display()))?;
        let major = major(&String::from_utf8_lossy(&told.stdout));
        let major = major.with_context(|| {
            let why = super::server_log::telling(&String::from_utf8_lossy(&told.stderr));
            format!("{} does not tell its version: {why}", postgres.display())
        })?;
        Ok(Self {
            dir: dir.to_owned(),
            major,
        })
    }

    fn fits(&self, cluster: Option<u32>) -> bool {
        self.major >= OLDEST && cluster.is_none_or(|major| major == self.major)
    }
}

/// `cluster` is the major version of the one that exists.
pub(super) fn find(settings: &Settings, home: &Home, cluster: Option<u32>) -> Result<Programs> {
    let account = &home.account;
    if let Some(dir) = &settings.bin_dir {
        let named = Programs::inspect(&std::path::absolute(dir)?, account)
            .context("KEYWARD_POSTGRES_BIN_DIR does not name PostgreSQL's programs")?;
        ensure!(named.fits(cluster), misfit(&named, home, cluster));
        return Ok(named);
    }
    let mut found: Vec<_> = candidates(home)
        .iter()
        .filter_map(|dir| Programs::inspect(dir, account).ok())
        .filter(|programs| programs.fits(cluster))
        .collect();
    // Stable: among equals the first place wins.
    found.sort_by_key(|programs| std::cmp::Reverse(programs.major));
    match found.into_iter().next() {
        Some(newest) => Ok(newest),
        None => fetch(settings, home, cluster),
    }
}

#[cfg(feature = "download-postgres")]
fn fetch(settings: &Settings, home: &Home, cluster: Option<u32>) -> Result<Programs> {
    if !settings.may_download {
        bail!(nothing_found(home, cluster));
    }
    super::download::programs(&home.programs(), cluster)
        .and_then(|bin| Programs::inspect(&bin, &home.account))
        .map_err(|why| {
            anyhow::anyhow!(
                "{} (the download failed: {why:#})",
                nothing_found(home, cluster)
            )
        })
}

#[cfg(not(feature = "download-postgres"))]
fn fetch(_: &Settings, home: &Home, cluster: Option<u32>) -> Result<Programs> {
    bail!(nothing_found(home, cluster))
}

fn nothing_found(home: &Home, cluster: Option<u32>) -> String {
    let (what, package) = match cluster {
        Some(major) => (
            format!(
                "{} was made by PostgreSQL {major}, whose programs are",
                home.cluster().display()
            ),
            format!("postgresql-{major}"),
        ),
        None => (
            format!("PostgreSQL ({OLDEST} or newer) is"),
            "postgresql".to_owned(),
        ),
    };
    format!(
        "{what} not found on this machine: install it (Debian: apt install {package}), or set \
         DATABASE_URL to a database that runs elsewhere, or set KEYWARD_POSTGRES_BIN_DIR to where \
         its programs are"
    )
}

fn misfit(named: &Programs, home: &Home, cluster: Option<u32>) -> String {
    let need = match cluster {
        Some(major) => format!("{} needs {major}", home.cluster().display()),
        None => format!("{OLDEST} or newer is needed"),
    };
    format!(
        "KEYWARD_POSTGRES_BIN_DIR names PostgreSQL {}, and {need}",
        named.major
    )
}

fn candidates(home: &Home) -> Vec<PathBuf> {
    let mut dirs: Vec<_> = USUAL_PLACES
        .iter()
        .flat_map(|(parent, prefix)| children(Path::new(parent), prefix))
        .chain(children(&home.programs(), ""))
        .map(|dir| dir.join("bin"))
        .collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<_> = std::env::split_paths(&path)
        .filter(|dir| dir.is_absolute())
        .collect();
    dirs.extend(
        path.iter()
            .filter_map(|dir| ask(&dir.join("pg_config"), &home.account)),
    );
    dirs.extend(path);
    dirs
}

fn children(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|child| {
            child
                .file_name()
                .as_encoded_bytes()
                .starts_with(prefix.as_bytes())
        })
        .map(|child| child.path())
        .collect()
}

fn ask(pg_config: &Path, account: &Account) -> Option<PathBuf> {
    if !pg_config.is_file() {
        return None;
    }
    let told = command(pg_config, account).arg("--bindir").output().ok()?;
    Some(PathBuf::from(String::from_utf8(told.stdout).ok()?.trim()))
}

/// Of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major(version: &str) -> Option<u32> {
    let number = version.strip_prefix("postgres (PostgreSQL) ")?;
    number
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_major_version_is_read_from_every_kind_of_build() {
        assert_eq!(
            major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major("postgres (PostgreSQL) 18beta2\n"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) 19devel\n"), Some(19));
        assert_eq!(major("initdb (PostgreSQL) 15.18\n"), None);
        assert_eq!(major(""), None);
    }

    fn fake(parent: &Path, version: &str) -> PathBuf {
        let bin = parent.join(version).join("bin");
        fs::create_dir_all(&bin).unwrap();
        for name in ["postgres", "initdb"] {
            let text = format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n");
            fs::write(bin.join(name), text).unwrap();
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        bin
    }

    fn settings(dir: &Path, bin_dir: Option<PathBuf>) -> Settings {
        Settings {
            data_dir: dir.to_owned(),
            data_dir_is_default: false,
            bin_dir,
            user: None,
            may_download: false,
            options: Vec::new(),
        }
    }

    /// The fakes run as whoever runs the tests.
    fn home(dir: &Path) -> Home {
        let account = Account {
            uid: 1,
            gid: 1,
            name: None,
            switched: false,
        };
        Home {
            dir: dir.to_owned(),
            account,
        }
    }

    #[test]
    fn the_newest_wins_unless_a_cluster_decides() {
        let dir = tempfile::tempdir().unwrap();
        let home = home(dir.path());
        for version in ["13.1", "98.1", "99.1"] {
            fake(&home.programs(), version);
        }
        let find = |cluster| find(&settings(dir.path(), None), &home, cluster);
        assert_eq!(find(None).unwrap().major, 99);
        assert_eq!(find(Some(98)).unwrap().major, 98);
        let error = find(Some(13)).unwrap_err().to_string();
        assert!(error.contains("was made by PostgreSQL 13"), "{error}");
        assert!(error.contains("apt install postgresql-13"), "{error}");
    }

    #[test]
    fn named_programs_are_the_only_ones_tried() {
        let dir = tempfile::tempdir().unwrap();
        let home = home(dir.path());
        let named = |bin| find(&settings(dir.path(), Some(bin)), &home, Some(15));
        let wrong = named(fake(dir.path(), "16.2")).unwrap_err().to_string();
        assert!(wrong.contains("names PostgreSQL 16"), "{wrong}");
        let absent = format!("{:#}", named(dir.path().join("absent")).unwrap_err());
        assert!(absent.contains("there is no"), "{absent}");
        assert_eq!(named(fake(dir.path(), "15.1")).unwrap().major, 15);
    }
}
