//! The log: one subscriber, pretty for people or JSON for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts the log, on standard error. Fails when the filter cannot be read.
pub fn start(log: &Log) -> anyhow::Result<()> {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter(log)?)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match log.format {
        LogFormat::Json => subscriber
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .init(),
        LogFormat::Pretty => subscriber.with_target(false).compact().init(),
    }
    Ok(())
}

/// What is logged, if it can be read.
pub fn filter(log: &Log) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(&log.filter)
        .map_err(|_| anyhow::anyhow!("RUST_LOG: not a filter such as info,keyward=debug"))
}
