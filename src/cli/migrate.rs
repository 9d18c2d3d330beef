//! `keyward migrate`: the schema, brought up to date by the owner of the database.

use anyhow::bail;
use clap::Args;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::configured_without_master_key;
use super::database::{on_started, settings};
use super::output::{Output, print};
use crate::app::{self, PendingMigration};
use crate::config::{Config, Source};
use crate::embedded_postgres::{Found, look};

#[derive(Args)]
pub(super) struct Migrate {
    /// Print what would be applied, and apply nothing.
    #[arg(long)]
    plan: bool,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(command: &Migrate) -> anyhow::Result<()> {
    let config = configured_without_master_key()?;
    if command.plan {
        return show(&plan(&config)?, command.output);
    }
    if command.output.json {
        bail!("--json goes with --plan");
    }
    let migrate = |url: &SecretString| {
        block_on(app::migrate(&config, url))?;
        tracing::info!("the schema is up to date");
        Ok(())
    };
    match &config.database.source {
        Source::External(url) => migrate(url),
        Source::Embedded(embedded) => match look(&settings(embedded))? {
            Found::Running { database_url, .. } => migrate(&database_url.into()),
            Found::Stopped | Found::Nothing { .. } => on_started(embedded, |url, _| migrate(url)),
        },
    }
}

fn plan(config: &Config) -> anyhow::Result<Vec<PendingMigration>> {
    let ask = |url: &SecretString| block_on(app::plan(url));
    match &config.database.source {
        Source::External(url) => ask(url),
        Source::Embedded(embedded) => match look(&settings(embedded))? {
            Found::Running { database_url, .. } => ask(&database_url.into()),
            Found::Stopped => on_started(embedded, |url, _| ask(url)),
            Found::Nothing { .. } => Ok(PendingMigration::all()),
        },
    }
}

fn show(pending: &[PendingMigration], output: Output) -> anyhow::Result<()> {
    if pending.is_empty() && !output.json {
        return print("The schema is up to date: nothing would be applied.");
    }
    let rows = pending.iter().map(|migration| {
        let PendingMigration {
            version,
            description,
        } = migration;
        json!({ "version": format!("{version:04}"), "description": description })
    });
    let rows: Vec<Value> = rows.collect();
    output.list(&["version", "description"], &rows)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    actix_web::rt::System::new().block_on(work)
}
