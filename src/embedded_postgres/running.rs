//! Whether there is a cluster, and whether another Keyward runs it. It must not make, start or change anything.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::account::Account;
use super::{Settings, cluster, place};

/// What there is.
pub enum Found {
    /// Nothing: Keyward was never started here.
    Nothing {
        /// Where it was looked for.
        data_dir: PathBuf,
    },
    /// A cluster that nobody runs.
    Stopped,
    /// A cluster that another Keyward runs.
    Running {
        /// Leads to it. It holds the password.
        database_url: String,
        /// The real one, absolute.
        data_dir: PathBuf,
    },
}

/// Looks for the cluster of these settings.
pub fn look(settings: &Settings) -> Result<Found> {
    let home = place::find(settings, Account::choose(settings.user.as_deref())?)?;
    let data_dir = home.dir.clone();
    if home.is_locked() {
        let path = home.connection();
        let file = fs::read(&path)
            .with_context(|| format!("cannot read {}: is Keyward starting?", path.display()))?;
        let connection: serde_json::Value = serde_json::from_slice(&file)
            .with_context(|| format!("{} is not whole", path.display()))?;
        let database_url = connection["database_url"].as_str().unwrap_or_default();
        return Ok(Found::Running {
            database_url: database_url.to_owned(),
            data_dir,
        });
    }
    Ok(match cluster::version(&home)? {
        Some(_) => Found::Stopped,
        None => Found::Nothing { data_dir },
    })
}
