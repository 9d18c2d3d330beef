//! Keyward's configuration: plain data, read once at start from the environment and a `.env` file.
//!
//! It must not set process variables, open connections or start anything, and nothing else in
//! Keyward may read the environment. A problem's text never quotes a value, so that no secret can
//! end up in a log by way of it.

mod browser;
mod database;
mod dotenv;
mod env;
mod events;
mod http;
mod keys;
mod log;
mod master_key;
mod names;
mod parse;
mod passwords;
mod spans;
mod throttle;
mod tokens;
mod two_factor;

pub use browser::{Browser, SameSite};
pub use database::{Database, Embedded, Source};
pub use env::Problems;
pub use events::Events;
pub use http::Http;
use http::Listeners;
pub use keys::{Keys, Master, SigningAlgorithm};
pub use log::{Log, LogFormat};
pub use master_key::MasterKey;
pub use names::{NAMES, Name};
pub use passwords::{Argon2, Passwords};
pub use spans::{Sampling, Spans};
pub use throttle::Throttle;
pub use tokens::Tokens;
pub use two_factor::TwoFactor;

use env::Env;
use names::PROFILE;

/// How the section of the keys is read: with the master key, or without.
type ReadKeys = fn(&mut Env, Profile) -> Option<Keys>;

/// The whole configuration. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// How strict the start is.
    pub profile: Profile,
    /// The listener and what clients see of it.
    pub http: Http,
    /// What pages in browsers may do.
    pub browser: Browser,
    /// Where the database is and how it is used.
    pub database: Database,
    /// The master key and the kind of signing keys.
    pub keys: Keys,
    /// What tokens say and how long they live.
    pub tokens: Tokens,
    /// What a password must be and how it is hashed.
    pub passwords: Passwords,
    /// Whether guesses are counted.
    pub throttle: Throttle,
    /// What authenticator apps are told.
    pub two_factor: TwoFactor,
    /// How long security events are kept.
    pub events: Events,
    /// What is logged, and how it looks.
    pub log: Log,
    /// Where spans are sent, and which.
    pub spans: Spans,
}

impl Config {
    /// Reads the process environment and, where there is one, `.env` in the working directory. A
    /// name that is in the environment, even with an empty value, is not taken from the file.
    pub fn from_env() -> Result<Self, Problems> {
        Self::assemble(Env::of_process(), Keys::read)
    }

    /// The same for what uses no master key: whoever does it need not have one.
    pub fn from_env_without_master_key() -> Result<Self, Problems> {
        Self::assemble(Env::of_process(), Keys::read_without_master)
    }

    /// Reads `vars` and nothing else but the file that `KEYWARD_MASTER_KEY_FILE` names. An empty
    /// value counts as unset; names that are not Keyward's are ignored.
    pub fn read(vars: impl IntoIterator<Item = (String, String)>) -> Result<Self, Problems> {
        Self::assemble(Env::of(vars), Keys::read)
    }

    /// The same for what uses no master key.
    pub fn read_without_master_key(
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        Self::assemble(Env::of(vars), Keys::read_without_master)
    }

    fn assemble(mut env: Env, keys: ReadKeys) -> Result<Self, Problems> {
        env.refuse_unknown_names();
        let config = Self::sections(&mut env, keys);
        env.finish(config)
    }

    /// Reads every section before the first `?`, so that one broken section does not hide the
    /// problems of the next.
    fn sections(env: &mut Env, keys: ReadKeys) -> Option<Self> {
        let listeners = Listeners::read(env);
        let profile = Profile::read(env, listeners);
        let http = Http::read(env, profile, listeners);
        let browser = Browser::read(env, profile);
        let database = Database::read(env, profile);
        let keys = keys(env, profile);
        let tokens = Tokens::read(env, http.as_ref().map(|http| http.public_url.as_str()));
        let passwords = Passwords::read(env);
        let throttle = Throttle::read(env, profile);
        let two_factor = TwoFactor::read(env);
        let events = Events::read(env);
        let log = Log::read(env, profile);
        let spans = Spans::read(env);
        Some(Self {
            profile,
            http: http?,
            browser: browser?,
            database: database?,
            keys: keys?,
            tokens: tokens?,
            passwords: passwords?,
            throttle: throttle?,
            two_factor: two_factor?,
            events: events?,
            log: log?,
            spans: spans?,
        })
    }
}

/// How strict the start is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Starts with nothing prepared. The default while the listener is on loopback.
    Development,
    /// Refuses to start with settings that are only fit for a developer's machine.
    Production,
}

impl Profile {
    /// A profile that is missing or broken has been noted as a problem; the rest is then judged as
    /// development, so that nobody reads refusals of a profile they did not choose.
    fn read(env: &mut Env, listeners: Listeners) -> Self {
        let exposed = listeners.exposed().filter(|_| !env.has(&PROFILE));
        if let Some(listener) = exposed {
            let listener = listener.name;
            env.problem(
                &PROFILE,
                &format!("must be set to `development` or `production`, because {listener} is not a loopback address"),
            );
        }
        let choices = [
            ("development", Self::Development),
            ("production", Self::Production),
        ];
        env.parsed(&PROFILE, parse::choice(choices))
            .unwrap_or(Self::Development)
    }

    fn is_production(self) -> bool {
        self == Self::Production
    }
}
