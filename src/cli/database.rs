//! Where a command finds the database: the one that is configured, the embedded one of a Keyward that runs, or that of
//! none, which is then started for as long as the command takes.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use super::configured;
use crate::app::{App, Database};
use crate::config::{Config, Embedded, Source};
use crate::crypto::OsEntropy;
use crate::domain::{Entropy, SystemClock};
use crate::embedded_postgres::{EmbeddedPostgres, Found, Settings, look};
use crate::services::{Error, Seams, Services};

/// Runs a command on the services, of the database that is configured.
pub(super) fn on_services<T>(
    command: impl AsyncFnOnce(&Services) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let config = configured()?;
    on_database(&config, |url, data_dir| {
        let database = Database { url, data_dir };
        actix_web::rt::System::new().block_on(async {
            let app = App::attach(&config, &database, seams()).await?;
            let outcome = command(&app.services).await;
            app.close();
            outcome
        })
    })
}

/// Does something with the database that is configured. There has to be one.
pub(super) fn on_database<T>(
    config: &Config,
    work: impl FnOnce(&SecretString, Option<&Path>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let embedded = match &config.database.source {
        Source::External(url) => return work(url, None),
        Source::Embedded(embedded) => embedded,
    };
    match look(&settings(embedded))? {
        Found::Running {
            database_url,
            data_dir,
        } => work(&database_url.into(), Some(&data_dir)),
        Found::Stopped => on_started(embedded, work),
        Found::Nothing { data_dir } => bail!(
            "there is no database in {} yet: start Keyward first, or set DATABASE_URL or KEYWARD_DATA_DIR",
            data_dir.display()
        ),
    }
}

/// Does something with an embedded database that is started for it, and made where there is none.
pub(super) fn on_started<T>(
    embedded: &Embedded,
    work: impl FnOnce(&SecretString, Option<&Path>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let postgres = start_postgres(embedded)?;
    let url = SecretString::from(postgres.database_url().to_owned());
    let outcome = work(&url, Some(postgres.data_dir()));
    postgres.stop().and(outcome)
}

pub(super) fn start_postgres(embedded: &Embedded) -> anyhow::Result<EmbeddedPostgres> {
    EmbeddedPostgres::start(&settings(embedded), &|| new_password(&OsEntropy))
}

/// Time and randomness as they are.
pub(super) fn seams() -> Seams {
    Seams {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    }
}

/// What a service says to a command, as people read it.
pub(super) fn told(error: Error) -> anyhow::Error {
    match error {
        Error::Internal { source, .. } => anyhow::Error::from_boxed(source),
        Error::Refused(refusal) => {
            let fields = refusal.fields.iter().map(|field| field.message.as_str());
            let fields: Vec<&str> = fields.collect();
            if fields.is_empty() {
                anyhow::anyhow!("{}", refusal.code.title())
            } else {
                anyhow::anyhow!("{}", fields.join(" "))
            }
        }
    }
}

pub(super) fn settings(embedded: &Embedded) -> Settings {
    Settings {
        data_dir: embedded.data_dir.clone(),
        data_dir_is_default: embedded.data_dir_is_default,
        bin_dir: embedded.bin_dir.clone(),
        user: embedded.user.clone(),
        may_download: embedded.may_download,
        options: Vec::new(),
    }
}

fn new_password(entropy: &dyn Entropy) -> String {
    URL_SAFE_NO_PAD.encode(entropy.bytes::<24>())
}
