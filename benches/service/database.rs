//! A PostgreSQL of this program's own, durable and with the settings that Keyward gives the one it embeds.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward::crypto::OsEntropy;
use keyward::domain::Entropy;
use keyward::embedded_postgres::{EmbeddedPostgres, Settings};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use url::Url;

use crate::rows;

pub(crate) struct Server {
    postgres: EmbeddedPostgres,
    home: TempDir,
}

impl Server {
    /// In the directory for temporary files, with so much memory for tables, as PostgreSQL writes it.
    pub(crate) fn start(shared_buffers: &str) -> Result<Self> {
        let home = TempDir::new()?;
        // The user that PostgreSQL runs as has to enter it.
        fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755))?;
        let settings = Settings {
            data_dir: home.path().join("data"),
            data_dir_is_default: false,
            bin_dir: None,
            user: None,
            may_download: true,
            options: vec![("shared_buffers".to_owned(), shared_buffers.to_owned())],
        };
        let entropy: &dyn Entropy = &OsEntropy;
        let password = || URL_SAFE_NO_PAD.encode(entropy.bytes::<16>());
        let postgres = EmbeddedPostgres::start(&settings, &password)?;
        Ok(Self { postgres, home })
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The parent of its processes.
    pub(crate) fn pid(&self) -> Result<u32> {
        let file = self.postgres.data_dir().join("postgres/postmaster.pid");
        let text = fs::read_to_string(file)?;
        let pid = text.lines().next().context("an empty file")?;
        Ok(pid.trim().parse()?)
    }

    /// A new database with so many users; its URL.
    pub(crate) async fn seeded(&self, name: &'static str, users: i64) -> Result<String> {
        let mut connection = PgConnection::connect(self.postgres.database_url()).await?;
        let create = match name {
            "few" => "create database few",
            _ => "create database many",
        };
        sqlx::query(create).execute(&mut connection).await?;
        connection.close().await?;
        let mut url = Url::parse(self.postgres.database_url())?;
        url.set_path(name);
        rows::seed(url.as_str(), users).await?;
        Ok(url.into())
    }
}
