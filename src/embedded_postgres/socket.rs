//! The server's unix socket: where it lies, and the URL that leads to it.
//! It must not lie where anybody but the server's user can enter.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::home::Home;
use super::place::short_hash;

/// What fits into `sockaddr_un`.
const LONGEST_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
const SOCKET: &str = ".s.PGSQL.5432";
const LOCK: &str = ".s.PGSQL.5432.lock";

pub(super) fn directory(home: &Home) -> Result<PathBuf> {
    let run = home.run();
    if fits(&run) {
        home.create_or_adopt_dir(&run)?;
        return Ok(run);
    }
    (0..10)
        .map(|n| {
            let name = format!("keyward-{}-{n}", short_hash(&home.dir));
            std::env::temp_dir().join(name)
        })
        .filter(|dir| fits(dir))
        .find(|dir| is_ours(dir, home))
        .context(
            "the path of the data directory is too long for a unix socket, and the temporary \
             directory cannot take it: set KEYWARD_DATA_DIR to a shorter path",
        )
}

fn fits(dir: &Path) -> bool {
    dir.join(LOCK).as_os_str().len() <= LONGEST_PATH
}

/// Anybody can make a directory in /tmp: one that is there already must be private and ours.
fn is_ours(dir: &Path, home: &Home) -> bool {
    match fs::symlink_metadata(dir) {
        Ok(found) => {
            found.is_dir() && found.uid() == home.account.uid && found.mode() & 0o777 == 0o700
        }
        Err(error) => error.kind() == io::ErrorKind::NotFound && home.create_dir(dir).is_ok(),
    }
}

pub(super) fn remove_stale(dir: &Path) -> Result<()> {
    for name in [SOCKET, LOCK] {
        remove_if_there(&dir.join(name))?;
    }
    Ok(())
}

pub(super) fn remove_if_there(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

/// Port and sslmode are said because drivers otherwise take them from the environment.
pub(super) fn database_url(directory: &Path, password: &str) -> String {
    format!(
        "postgres://{user}:{password}@localhost:5432/{database}?host={host}&sslmode=disable",
        user = super::USER,
        database = super::DATABASE,
        password = percent_encoded(password.as_bytes()),
        host = percent_encoded(directory.as_os_str().as_encoded_bytes()),
    )
}

fn percent_encoded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(*byte));
            }
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
        out
    })
}

/// As a list of one for `unix_socket_directories`, in which a bare comma would separate two.
pub(super) fn setting(directory: &Path) -> String {
    format!(
        "\"{}\"",
        directory.display().to_string().replace('"', "\"\"")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_holds_any_path_and_password() {
        assert_eq!(
            database_url(Path::new("/a b/é,\"x"), "p@ss/1"),
            "postgres://keyward:p%40ss%2F1@localhost:5432/keyward?host=%2Fa%20b%2F%C3%A9%2C%22x\
             &sslmode=disable"
        );
    }

    #[test]
    fn the_setting_is_a_list_of_one() {
        assert_eq!(setting(Path::new("/a,b")), "\"/a,b\"");
        assert_eq!(setting(Path::new("/a\"b")), "\"/a\"\"b\"");
    }

    #[test]
    fn only_a_short_path_fits() {
        assert!(fits(Path::new("/srv/keyward/run")));
        assert!(!fits(&Path::new("/").join("x".repeat(100))));
    }
}
