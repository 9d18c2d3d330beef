//! The command line. Each command has a file; what it does is done by the services.

mod check;
mod database;
mod healthcheck;
mod keys;
mod migrate;
mod output;
mod password;
mod serve;
mod users;

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Parser, Subcommand};

use crate::app::CONTRACT;
use crate::config::{Config, Problems};
use crate::crypto::install_provider;
use crate::services::chain;
use crate::telemetry;

/// An authentication service: one binary and one PostgreSQL.
#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Configuration: environment variables and .env; see .env.example. Commands take the same ones as the \
                  service.\n\nExit codes: 0 when it was done, 1 when not, 2 when it was not understood."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service. Also what happens with no command.
    Serve,
    /// Bring the database's schema up to date, as its owner, and do nothing else.
    Migrate(migrate::Migrate),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(check::Config),
    /// Ask the service on this machine whether it is ready: exit code 0 or 1, for a container.
    Healthcheck,
    /// Print the contract, as the service has it at /openapi.yaml.
    Openapi,
    /// List and replace the keys in the database.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// List accounts and change them.
    #[command(subcommand)]
    Users(users::Users),
}

/// Runs the command line and gives the exit code: 0 when it was done, 1 after a failure.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(),
        Command::Migrate(command) => migrate::run(&command),
        Command::Config(check::Config::Check) => check::check(),
        Command::Healthcheck => healthcheck::ask(),
        Command::Openapi => output::print(CONTRACT),
        Command::Keys(command) => keys::run(command),
        Command::Users(command) => users::run(command),
    };
    outcome.map_or_else(|error| fail(&error), |()| ExitCode::SUCCESS)
}

#[expect(clippy::print_stderr, reason = "the log may not have been started")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("keyward: {}", chain(error.as_ref()));
    ExitCode::FAILURE
}

/// The configuration of a command that uses the key ring.
fn configured() -> anyhow::Result<Config> {
    read().and_then(ready)
}

/// The same of one that does not.
fn configured_without_master_key() -> anyhow::Result<Config> {
    read_without_master_key().and_then(ready)
}

fn ready(config: Config) -> anyhow::Result<Config> {
    telemetry::start(&config.log)?;
    install_provider();
    Ok(config)
}

fn read() -> anyhow::Result<Config> {
    Config::from_env().map_err(|problems| not_configured(&problems))
}

fn read_without_master_key() -> anyhow::Result<Config> {
    Config::from_env_without_master_key().map_err(|problems| not_configured(&problems))
}

fn not_configured(problems: &Problems) -> anyhow::Error {
    anyhow!("not configured\n{problems}")
}
