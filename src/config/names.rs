//! The one list of names that Keyward reads, and what is done about any other. It must not read a
//! value.

use super::{
    browser, database, events, http, keys, log, passwords, spans, throttle, tokens, two_factor,
};

/// What containers and the tests put beside our own names: exact ones, and beginnings.
const FOREIGN: [&str; 2] = ["KEYWARD_SERVICE_HOST", "KEYWARD_PORT"];
const FOREIGN_PREFIXES: [&str; 3] = ["KEYWARD_SERVICE_PORT", "KEYWARD_PORT_", "KEYWARD_TEST_"];

/// A variable that Keyward reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// The variable's name, as it stands in the environment.
    pub name: &'static str,
    /// The value it has when unset, as `.env.example` shows it. Empty where there is none or the
    /// machine decides.
    pub default: &'static str,
    /// Whether the value must be kept secret.
    pub secret: bool,
    /// One line of explanation, with range and allowed values.
    pub help: &'static str,
}

impl Name {
    pub(super) const fn plain(
        name: &'static str,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Self {
            name,
            default,
            secret: false,
            help,
        }
    }

    pub(super) const fn secret(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            default: "",
            secret: true,
            help,
        }
    }
}

pub(super) const PROFILE: Name = Name::plain(
    "KEYWARD_PROFILE",
    "development",
    "development or production; must be said where KEYWARD_LISTEN is not a loopback address",
);

/// Every variable Keyward reads, in the order of `.env.example`. Any other `KEYWARD_…` name is
/// refused.
pub const NAMES: &[Name] = &[
    PROFILE,
    http::LISTEN,
    http::MANAGEMENT_LISTEN,
    http::PUBLIC_URL,
    http::TRUSTED_PROXIES,
    http::MAX_CONNECTIONS,
    http::MAX_CONNECTIONS_PER_SOURCE,
    http::STOP_DELAY,
    browser::ALLOWED_ORIGINS,
    browser::COOKIE_SECURE,
    browser::COOKIE_SAMESITE,
    database::URL,
    database::POOL,
    database::MIGRATE_ON_START,
    database::DATA_DIR,
    database::POSTGRES_BIN_DIR,
    database::POSTGRES_USER,
    keys::MASTER_KEY,
    keys::MASTER_KEY_FILE,
    keys::SIGNING_ALGORITHM,
    keys::SIGNING_KEY_PERIOD,
    tokens::AUDIENCE,
    tokens::ACCESS_TTL,
    tokens::REFRESH_IDLE_TTL,
    tokens::REFRESH_ABSOLUTE_TTL,
    tokens::REFRESH_GRACE,
    tokens::REFRESH_RECOVERY,
    tokens::SESSIONS_PER_USER,
    passwords::MIN_LENGTH,
    passwords::MIN_STRENGTH,
    passwords::HISTORY,
    passwords::ARGON2_MEMORY,
    passwords::ARGON2_ITERATIONS,
    passwords::ARGON2_PARALLELISM,
    passwords::HASH_CONCURRENCY,
    passwords::HASH_QUEUE_TIMEOUT,
    throttle::LOGIN,
    two_factor::SERVICE_NAME,
    events::RETENTION,
    log::FORMAT,
    log::FILTER,
    spans::ENDPOINT,
    spans::TRACES_ENDPOINT,
    spans::HEADERS,
    spans::SERVICE_NAME,
    spans::RESOURCE_ATTRIBUTES,
    spans::SAMPLER,
    spans::SAMPLER_ARG,
    spans::DISABLED,
];

pub(super) fn is_ours(name: &str) -> bool {
    name.starts_with("KEYWARD_") || is_known(name)
}

fn is_known(name: &str) -> bool {
    NAMES.iter().any(|known| known.name == name)
}

/// Whether the name looks like ours and is neither known nor put there by others.
pub(super) fn is_unknown(name: &str) -> bool {
    let foreign = FOREIGN.contains(&name)
        || FOREIGN_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix));
    is_ours(name) && !is_known(name) && !foreign
}

/// The known name a typo was probably meant to be. `KEYWARD_DATABASE_URL` is near to
/// `DATABASE_URL`.
pub(super) fn nearest(typo: &str) -> Option<&'static str> {
    let bare = typo.strip_prefix("KEYWARD_").unwrap_or(typo);
    let near = |known: &Name| distance(typo, known.name).min(distance(bare, known.name));
    let best = NAMES.iter().min_by_key(|known| near(known))?;
    (near(best) <= 3).then_some(best.name)
}

/// How many letters must be inserted, removed or replaced to turn `from` into `to` (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in from.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (at, wanted) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *wanted);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[to.len()]
}
