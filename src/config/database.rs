//! Where the database is and how it is used. It must not connect, and must not print the URL, which
//! has the password.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use super::env::Env;
use super::names::Name;
use super::{Profile, parse};

pub(super) const URL: Name = Name::secret(
    "DATABASE_URL",
    "postgres://user:password@host/database; without it Keyward runs a PostgreSQL of its own",
);
pub(super) const POOL: Name = Name::plain(
    "KEYWARD_DATABASE_POOL",
    "",
    "Connections at most for requests, 1 to 1000 (90 without DATABASE_URL), and up to 8 more for all else; unset: 8 per core, at most 48",
);
pub(super) const MIGRATE_ON_START: Name = Name::plain(
    "KEYWARD_MIGRATE_ON_START",
    "true",
    "Whether to migrate at start; unset: true in development or without DATABASE_URL, else false",
);
pub(super) const DATA_DIR: Name = Name::plain(
    "KEYWARD_DATA_DIR",
    "./.keyward",
    "Where Keyward's own PostgreSQL lives",
);
pub(super) const POSTGRES_BIN_DIR: Name = Name::plain(
    "KEYWARD_POSTGRES_BIN_DIR",
    "",
    "Where PostgreSQL's programs are, 14 or newer; unset: the usual places and PATH",
);
pub(super) const POSTGRES_USER: Name = Name::plain(
    "KEYWARD_POSTGRES_USER",
    "",
    "Who runs PostgreSQL when Keyward is started as root; unset: postgres or nobody",
);

/// Where the database is and how it is used.
#[derive(Debug, Clone)]
pub struct Database {
    /// Which server.
    pub source: Source,
    /// How many connections at most, 1 to 1000; 90 to an embedded server.
    pub pool: usize,
    /// Whether `serve` migrates the schema, rather than only checking it.
    pub migrate_on_start: bool,
}

/// Which server is used.
#[derive(Clone)]
pub enum Source {
    /// One that is run by others: a `postgres://` or `postgresql://` URL.
    External(SecretString),
    /// One that Keyward runs itself.
    Embedded(Embedded),
}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::External(_) => out.write_str("External([secret])"),
            Self::Embedded(embedded) => out.debug_tuple("Embedded").field(embedded).finish(),
        }
    }
}

/// A server that Keyward runs itself.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// Where the cluster, its socket and its keys are, as given: a relative path starts at the
    /// working directory.
    pub data_dir: PathBuf,
    /// Whether nobody chose the directory, so that another may be taken where it cannot serve.
    pub data_dir_is_default: bool,
    /// Where the programs are. `None`: to be searched for.
    pub bin_dir: Option<PathBuf>,
    /// The user the cluster runs as when Keyward is root. `None`: `postgres` or `nobody`.
    pub user: Option<String>,
    /// Whether missing programs may be downloaded: in development only.
    pub may_download: bool,
}

impl Database {
    pub(super) fn read(env: &mut Env, profile: Profile) -> Option<Self> {
        let source = Source::read(env, profile);
        let pool = env.parsed_or(&POOL, pool_for_this_machine(), parse::number(1..=most(env)));
        let migrates = !profile.is_production() || !env.has(&URL);
        let migrate_on_start = env.parsed_or(&MIGRATE_ON_START, migrates, parse::switch);
        Some(Self {
            source: source?,
            pool: pool?,
            migrate_on_start: migrate_on_start?,
        })
    }
}

impl Source {
    fn read(env: &mut Env, profile: Profile) -> Option<Self> {
        if env.has(&URL) {
            return env
                .parsed(&URL, |text| external(text, profile))
                .map(Self::External);
        }
        Some(Self::Embedded(Embedded {
            data_dir: data_dir(env),
            data_dir_is_default: !env.has(&DATA_DIR),
            bin_dir: env.text(&POSTGRES_BIN_DIR).map(PathBuf::from),
            user: env.text(&POSTGRES_USER),
            may_download: !profile.is_production(),
        }))
    }
}

pub(super) fn data_dir(env: &Env) -> PathBuf {
    env.text(&DATA_DIR)
        .unwrap_or_else(|| DATA_DIR.default.to_owned())
        .into()
}

/// An embedded server has 100 connections, and some of them are its owner's.
fn most(env: &Env) -> usize {
    if env.has(&URL) { 1000 } else { 90 }
}

fn pool_for_this_machine() -> usize {
    parse::cores().saturating_mul(8).clamp(8, 48)
}

fn external(text: &str, profile: Profile) -> Result<SecretString, String> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "postgres" | "postgresql") && url.has_authority())
        .ok_or("must be a URL such as postgres://user:password@host:5432/database")?;
    if let Some((name, _)) = url.query_pairs().find(|(name, _)| !is_known(name)) {
        return Err(format!("has a parameter that is not known: {name}"));
    }
    if profile.is_production() && is_remote(&url) && !is_encrypted(&url) {
        return Err(
            "must have sslmode=verify-full in production (or verify-ca or require), unless the server is on this \
             machine"
                .to_owned(),
        );
    }
    Ok(text.into())
}

/// Parameters that the driver understands. It would log the value of any other.
fn is_known(name: &str) -> bool {
    const KNOWN: &[&str] = &[
        "sslmode",
        "ssl-mode",
        "sslrootcert",
        "ssl-root-cert",
        "ssl-ca",
        "sslcert",
        "ssl-cert",
        "sslkey",
        "ssl-key",
        "statement-cache-capacity",
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "password",
        "application_name",
        "options",
    ];
    KNOWN.contains(&name) || (name.starts_with("options[") && name.ends_with(']'))
}

/// With no mode said, the driver falls back to plain text without a word.
fn is_encrypted(url: &Url) -> bool {
    let modes = url
        .query_pairs()
        .filter(|(name, _)| matches!(&**name, "sslmode" | "ssl-mode"));
    modes
        .last()
        .is_some_and(|(_, mode)| matches!(&*mode, "require" | "verify-ca" | "verify-full"))
}

/// As the driver sees it: a socket goes before every host, and of the hosts the last one counts.
fn is_remote(url: &Url) -> bool {
    let in_query = url
        .query_pairs()
        .filter(|(key, _)| matches!(&**key, "host" | "hostaddr"));
    let mut hosts: Vec<String> = url
        .host_str()
        .map(str::to_ascii_lowercase)
        .into_iter()
        .collect();
    hosts.extend(in_query.map(|(_, host)| host.to_ascii_lowercase()));
    let socket = hosts
        .iter()
        .any(|host| host.starts_with('/') || host.starts_with("%2f"));
    !socket
        && hosts
            .last()
            .is_some_and(|host| !host.is_empty() && !is_loopback(host))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_postgres_urls_are_taken() {
        let read = |text| external(text, Profile::Development).is_ok();
        assert!(read("postgres://u:p@h:5432/d?sslmode=disable") && read("postgresql://h/d"));
        assert!(read("postgres://%2Frun%2Fpostgresql/d") && read("postgres:///d?host=/run"));
        for text in [
            "mysql://h/d",
            "postgres:d",
            "host=h user=u",
            "postgres://h:port/d",
            "h",
        ] {
            assert!(!read(text), "{text}");
        }
    }

    #[test]
    fn production_refuses_plain_text_to_another_machine() {
        let read = |text| external(text, Profile::Production).is_ok();
        for local in [
            "postgres://u@localhost/d?sslmode=disable",
            "postgres://u@127.0.0.1/d?sslmode=disable",
            "postgres://u@[::1]:5432/d?sslmode=disable",
            "postgres://%2Frun%2Fpostgresql/d?sslmode=disable",
            "postgres:///d?host=/run/postgresql&sslmode=disable",
            "postgres:///d?sslmode=disable",
        ] {
            assert!(read(local), "{local}");
        }
        for remote in [
            "postgres://u@db.internal/d?sslmode=disable",
            "postgres://u@db.internal/d?sslmode=prefer&sslmode=disable",
            "postgres://u@10.0.0.5/d?ssl-mode=DISABLE",
            "postgres://u@localhost/d?host=db.internal&sslmode=disable",
            "postgres:///d?hostaddr=10.0.0.5&sslmode=require&sslmode=disable",
        ] {
            assert!(!read(remote), "{remote}");
            let safe = remote.to_lowercase().replace("disable", "verify-full");
            assert!(external(&safe, Profile::Production).is_ok(), "{remote}");
        }
        for unsaid in [
            "postgres://u@db.internal/d",
            "postgres://u@db.internal/d?sslmode=prefer",
        ] {
            assert!(!read(unsaid), "{unsaid}");
            assert!(external(unsaid, Profile::Development).is_ok(), "{unsaid}");
        }
    }

    #[test]
    fn a_parameter_the_driver_does_not_know_is_refused_by_name_alone() {
        let refused = external(
            "postgres://u@localhost/d?passwrd=hunter2",
            Profile::Development,
        );
        let said = refused.unwrap_err();
        assert!(
            said.contains("passwrd") && !said.contains("hunter2"),
            "{said}"
        );
    }
}
