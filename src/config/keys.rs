//! The master key and the kind of signing keys. It must not make a key or keep one: that belongs to
//! the code that makes a new embedded cluster.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use chrono::TimeDelta;
use zeroize::Zeroizing;

use super::env::Env;
use super::master_key::MasterKey;
use super::names::Name;
use super::parse::{self, time};
use super::{Profile, database};

pub(super) const MASTER_KEY: Name = Name::secret(
    "KEYWARD_MASTER_KEY",
    "32 bytes of base64 (openssl rand -base64 32); several by commas, as they were written before; the first seals",
);
pub(super) const MASTER_KEY_FILE: Name = Name::plain(
    "KEYWARD_MASTER_KEY_FILE",
    "",
    "A file with the same text instead; in production closed to others and outside KEYWARD_DATA_DIR",
);
pub(super) const SIGNING_ALGORITHM: Name = Name::plain(
    "KEYWARD_SIGNING_ALGORITHM",
    "ES256",
    "How access tokens are signed: ES256 or EdDSA",
);

pub(super) const SIGNING_KEY_PERIOD: Name = Name::plain(
    "KEYWARD_SIGNING_KEY_PERIOD",
    "90d",
    "How long a key signs access tokens until the next one is made, 1d to 3650d",
);

/// More than any list of keys needs; a device file would otherwise be read without end.
const LARGEST_FILE: u64 = 64 * 1024;

/// The master key and the kind of signing keys.
#[derive(Debug, Clone)]
pub struct Keys {
    /// What the key ring is sealed with.
    pub master: Master,
    /// How new access tokens are signed.
    pub signing_algorithm: SigningAlgorithm,
    /// How long a key signs until the next one is made: 1 to 3650 days.
    pub signing_key_period: TimeDelta,
}

/// Where the master key comes from.
#[derive(Debug, Clone)]
pub enum Master {
    /// Given by the operator, at least one: the first seals, all open.
    Given(Vec<MasterKey>),
    /// Made together with a new embedded cluster and kept as `master.key` in its data directory.
    InDataDir,
    /// Not looked for.
    Unread,
}

/// How access tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl SigningAlgorithm {
    /// The algorithm's name in a JWT's header (RFC 7518, RFC 8037).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl Keys {
    pub(super) fn read(env: &mut Env, profile: Profile) -> Option<Self> {
        let master = Master::read(env, profile);
        Self::read_beside(env, master)
    }

    pub(super) fn read_without_master(env: &mut Env, _: Profile) -> Option<Self> {
        Self::read_beside(env, Some(Master::Unread))
    }

    fn read_beside(env: &mut Env, master: Option<Master>) -> Option<Self> {
        let algorithms = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa]
            .map(|algorithm| (algorithm.as_str(), algorithm));
        let signing_algorithm = env.parsed(&SIGNING_ALGORITHM, parse::choice(algorithms));
        let signing_key_period = env.parsed(&SIGNING_KEY_PERIOD, time(86_400..=3650 * 86_400));
        Some(Self {
            master: master?,
            signing_algorithm: signing_algorithm?,
            signing_key_period: signing_key_period?,
        })
    }
}

impl Master {
    fn read(env: &mut Env, profile: Profile) -> Option<Self> {
        match (env.has(&MASTER_KEY), env.has(&MASTER_KEY_FILE)) {
            (true, true) => {
                env.problem(
                    &MASTER_KEY_FILE,
                    "must not be set together with KEYWARD_MASTER_KEY",
                );
                None
            }
            (true, false) => env
                .parsed(&MASTER_KEY, MasterKey::parse_list)
                .map(Self::Given),
            (false, true) => from_file(env, profile).map(Self::Given),
            (false, false) => Self::made_here(env, profile),
        }
    }

    fn made_here(env: &mut Env, profile: Profile) -> Option<Self> {
        let when = if env.has(&database::URL) {
            "with DATABASE_URL"
        } else if profile.is_production() {
            "in production"
        } else {
            return Some(Self::InDataDir);
        };
        let what = format!(
            "must be set {when} (or KEYWARD_MASTER_KEY_FILE): make a key with \
             `openssl rand -base64 32` and keep it apart from the database"
        );
        env.problem(&MASTER_KEY, &what);
        None
    }
}

fn from_file(env: &mut Env, profile: Profile) -> Option<Vec<MasterKey>> {
    let data_dir = database::data_dir(env);
    let (file, flaws) = env.parsed(&MASTER_KEY_FILE, |path| {
        let file = File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
        let flaws = flaws(&file, Path::new(path), &data_dir);
        Ok((file, flaws))
    })?;
    if profile.is_production() {
        for flaw in flaws {
            env.problem(&MASTER_KEY_FILE, flaw);
        }
    }
    env.parsed(&MASTER_KEY_FILE, |_| read_keys(file))
}

/// What speaks against the file in production.
fn flaws(file: &File, path: &Path, data_dir: &Path) -> Vec<&'static str> {
    let mut flaws = Vec::new();
    if is_inside(path, data_dir) {
        flaws.push(
            "must lie outside KEYWARD_DATA_DIR in production, or a copy of the data has the key",
        );
    }
    if is_open_to_others(file) {
        flaws.push(
            "must be closed to others, and to writing by its group, in production (chmod 600)",
        );
    }
    flaws
}

/// Symbolic links are followed, because what matters is where the bytes are.
fn is_inside(path: &Path, dir: &Path) -> bool {
    match (fs::canonicalize(path), fs::canonicalize(dir)) {
        (Ok(path), Ok(dir)) => path.starts_with(dir),
        _ => false,
    }
}

#[cfg(unix)]
fn is_open_to_others(file: &File) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .map_or(true, |about| about.permissions().mode() & 0o037 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &File) -> bool {
    false
}

fn read_keys(file: File) -> Result<Vec<MasterKey>, String> {
    let mut text = Zeroizing::new(String::new());
    file.take(LARGEST_FILE)
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot be read: {error}"))?;
    MasterKey::parse_list(&text).map_err(|what| format!("the file's text {what}"))
}
