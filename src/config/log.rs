//! What is logged and how it looks. It must not install a logger or judge the filter's text.

use super::env::Env;
use super::names::Name;
use super::{Profile, parse};

pub(super) const FORMAT: Name = Name::plain(
    "KEYWARD_LOG_FORMAT",
    "pretty",
    "pretty (for people) or json; unset: pretty in development, json in production",
);
pub(super) const FILTER: Name = Name::plain(
    "RUST_LOG",
    "info,actix_server=warn,sqlx::postgres::notice=warn",
    "What is logged: error, warn, info, debug or trace, also by module as in info,keyward=debug",
);

/// What is logged and how it looks.
#[derive(Debug, Clone)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// What is logged, as `tracing_subscriber::EnvFilter` reads it. Not checked here.
    pub filter: String,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For machines: one object a line.
    Json,
}

impl Log {
    pub(super) fn read(env: &mut Env, profile: Profile) -> Option<Self> {
        let usual = if profile.is_production() {
            LogFormat::Json
        } else {
            LogFormat::Pretty
        };
        let formats = [("pretty", LogFormat::Pretty), ("json", LogFormat::Json)];
        let format = env.parsed_or(&FORMAT, usual, parse::choice(formats));
        let filter = env.parsed(&FILTER, |text| Ok(text.to_owned()));
        Some(Self {
            format: format?,
            filter: filter?,
        })
    }
}
