//! Keyward's own PostgreSQL, for when nobody named one: made, started, watched and stopped here.
//! It must not speak SQL to the running server, listen on TCP, or trade durability for speed.

mod account;
mod cluster;
mod command;
#[cfg(feature = "download-postgres")]
mod download;
mod guardian;
mod home;
mod orphans;
mod place;
mod programs;
mod running;
mod server;
mod server_log;
mod socket;

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use account::Account;
use guardian::Guardian;
use home::Home;
use programs::Programs;
pub use running::{Found, look};
use server::Launch;

const USER: &str = "keyward";
const DATABASE: &str = "keyward";

#[derive(Clone, Debug)]
pub struct Settings {
    pub data_dir: PathBuf,
    /// The operator did not name it, so it may be moved to where PostgreSQL's user can enter.
    pub data_dir_is_default: bool,
    /// Where PostgreSQL's programs are; they are searched for otherwise.
    pub bin_dir: Option<PathBuf>,
    /// As whom PostgreSQL runs when Keyward is root.
    pub user: Option<String>,
    /// Whether programs that are not installed may be downloaded.
    pub may_download: bool,
    /// Further server settings, by name.
    pub options: Vec<(String, String)>,
}

/// A running server. It stops when this is dropped, and also when Keyward is killed.
pub struct EmbeddedPostgres {
    guardian: Guardian,
    home: Home,
    socket_dir: PathBuf,
    database_url: String,
    is_new: bool,
    /// Dropped last.
    _lock: File,
}

impl EmbeddedPostgres {
    /// Blocks until the server accepts connections. `new_password` is called for a new cluster.
    pub fn start(settings: &Settings, new_password: &dyn Fn() -> String) -> Result<Self> {
        let account = Account::choose(settings.user.as_deref())?;
        let home = place::settle(settings, account)?;
        let lock = home.lock()?;
        let socket_dir = socket::directory(&home)?;
        orphans::clear(&home.cluster(), &socket_dir)?;
        cluster::remove_unfinished(&home)?;
        let version = cluster::version(&home)?;
        let programs = programs::find(settings, &home, version)?;
        let is_new = version.is_none();
        let password = if is_new {
            make_cluster(&home, &programs, new_password)?
        } else {
            cluster::password(&home, &programs, new_password)?
        };
        let database_url = socket::database_url(&socket_dir, &password);
        let connection = format!("{{\"database_url\": \"{database_url}\"}}\n");
        home::write_private(&home.connection(), &connection)?;
        let options = settings.options.clone();
        let guardian = Guardian::start(Launch {
            home: home.clone(),
            programs,
            socket_dir: socket_dir.clone(),
            options,
        })?;
        Ok(Self {
            guardian,
            home,
            socket_dir,
            database_url,
            is_new,
            _lock: lock,
        })
    }

    /// Leads to the database over the unix socket. It holds the password.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// The real one, absolute.
    pub fn data_dir(&self) -> &Path {
        &self.home.dir
    }

    /// Whether this start made the cluster.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Blocks until the server has ended.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let ended = self.guardian.stop();
        if self.socket_dir != self.home.run() {
            // In the temporary directory; where it is not empty, the next start uses it again.
            let _ = fs::remove_dir(&self.socket_dir);
        }
        ended
    }
}

impl Drop for EmbeddedPostgres {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!("{error:#}");
        }
    }
}

impl fmt::Debug for EmbeddedPostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedPostgres")
            .field("data_dir", &self.home.dir)
            .finish_non_exhaustive()
    }
}

fn make_cluster(
    home: &Home,
    programs: &Programs,
    new_password: &dyn Fn() -> String,
) -> Result<String> {
    let password = new_password();
    ensure!(
        !password.is_empty() && !password.contains(char::is_whitespace),
        "the password for PostgreSQL must be one word"
    );
    cluster::make(home, programs, &password)?;
    Ok(password)
}
