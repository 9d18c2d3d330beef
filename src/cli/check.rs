//! `keyward config check`: every problem of the configuration at once.

use clap::Subcommand;

use super::output::print;
use super::read;
use crate::config::{Profile, Source};
use crate::telemetry;

#[derive(Subcommand)]
pub(super) enum Config {
    /// Say what is wrong with the configuration, all of it at once. Starts and connects nothing.
    Check,
}

pub(super) fn check() -> anyhow::Result<()> {
    let config = read()?;
    telemetry::filter(&config.log)?;
    let profile = match config.profile {
        Profile::Development => "development",
        Profile::Production => "production",
    };
    let database = match config.database.source {
        Source::External(_) => "DATABASE_URL",
        Source::Embedded(_) => "embedded",
    };
    print(&format!(
        "The configuration is complete. Profile: {profile}; database: {database}; listening on {}.",
        config.http.listen
    ))
}
