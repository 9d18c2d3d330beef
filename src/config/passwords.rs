//! What a password must be and how it is hashed. It must not hash or judge one.

use std::time::Duration;

use super::env::Env;
use super::names::Name;
use super::parse;

pub(super) const MIN_LENGTH: Name = Name::plain(
    "KEYWARD_PASSWORD_MIN_LENGTH",
    "12",
    "How many characters a password needs, 8 to 64",
);
pub(super) const MIN_STRENGTH: Name = Name::plain(
    "KEYWARD_PASSWORD_MIN_STRENGTH",
    "3",
    "How hard to guess a password must be, by zxcvbn's score: 0 (anything) to 4 (very hard)",
);
pub(super) const HISTORY: Name = Name::plain(
    "KEYWARD_PASSWORD_HISTORY",
    "5",
    "How many of one's last passwords are not taken again, 0 to 24, the one in use among them",
);
pub(super) const ARGON2_MEMORY: Name = Name::plain(
    "KEYWARD_ARGON2_MEMORY_KIB",
    "19456",
    "Argon2id: memory of one hash in KiB, 7168 to 1048576; the less, the more iterations",
);
pub(super) const ARGON2_ITERATIONS: Name = Name::plain(
    "KEYWARD_ARGON2_ITERATIONS",
    "2",
    "Argon2id: passes over the memory, 1 to 20",
);
pub(super) const ARGON2_PARALLELISM: Name = Name::plain(
    "KEYWARD_ARGON2_PARALLELISM",
    "1",
    "Argon2id: lanes, 1 to 16",
);
pub(super) const HASH_CONCURRENCY: Name = Name::plain(
    "KEYWARD_HASH_CONCURRENCY",
    "",
    "How many passwords are hashed at once, 1 to 256; unset: as many as there are cores",
);
pub(super) const HASH_QUEUE_TIMEOUT: Name = Name::plain(
    "KEYWARD_HASH_QUEUE_TIMEOUT",
    "2s",
    "How long a request waits for its turn to hash before it is told to come back, 0s to 10s",
);

/// OWASP's least costs that are equally strong: memory in KiB, and iterations with it.
const FLOOR: [(u32, u32); 5] = [
    (47_104, 1),
    (19_456, 2),
    (12_288, 3),
    (9_216, 4),
    (7_168, 5),
];
const LARGEST_MEMORY_KIB: u32 = 1024 * 1024;

/// What a password must be and how it is hashed.
#[derive(Debug, Clone)]
pub struct Passwords {
    /// How many characters a password needs: 8 to 64.
    pub min_length: usize,
    /// The least zxcvbn score: 0 to 4.
    pub min_strength: u8,
    /// How many of one's last passwords are not taken again: 0 to 24.
    pub history: usize,
    /// What one hash costs.
    pub argon2: Argon2,
    /// How many passwords are hashed at once: 1 to 256.
    pub hash_concurrency: u32,
    /// How long a request waits for its turn to hash: 0 s to 10 s.
    pub hash_queue_timeout: Duration,
}

/// What one Argon2id hash costs: at least OWASP's floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2 {
    /// Memory in KiB: 7168 to 1048576 (1 GiB).
    pub memory_kib: u32,
    /// Passes over the memory: 1 to 20.
    pub iterations: u32,
    /// Lanes: 1 to 16.
    pub parallelism: u32,
}

impl Passwords {
    pub(super) fn read(env: &mut Env) -> Option<Self> {
        let min_length = env.parsed(&MIN_LENGTH, parse::number(8..=64));
        let min_strength = env.parsed(&MIN_STRENGTH, parse::number(0..=4));
        let history = env.parsed(&HISTORY, parse::number(0..=24));
        let argon2 = Argon2::read(env);
        let cores = u32::try_from(parse::cores()).map_or(256, |cores| cores.clamp(1, 256));
        let hash_concurrency = env.parsed_or(&HASH_CONCURRENCY, cores, parse::number(1..=256));
        let hash_queue_timeout = env.parsed(&HASH_QUEUE_TIMEOUT, parse::duration(0..=10));
        Some(Self {
            min_length: min_length?,
            min_strength: min_strength?,
            history: history?,
            argon2: argon2?,
            hash_concurrency: hash_concurrency?,
            hash_queue_timeout: hash_queue_timeout?,
        })
    }
}

impl Argon2 {
    fn read(env: &mut Env) -> Option<Self> {
        let memory_kib = env.parsed(&ARGON2_MEMORY, parse::number(1..=LARGEST_MEMORY_KIB));
        let iterations = env.parsed(&ARGON2_ITERATIONS, parse::number(1..=20));
        let parallelism = env.parsed(&ARGON2_PARALLELISM, parse::number(1..=16));
        if memory_kib
            .zip(iterations)
            .is_some_and(|(memory, passes)| !reaches_floor(memory, passes))
        {
            let pairs = FLOOR
                .map(|(memory, passes)| format!("{memory} with {passes}"))
                .join(", ");
            let what = format!(
                "is too little for KEYWARD_ARGON2_ITERATIONS; OWASP's floor: {pairs} (or more)"
            );
            env.problem(&ARGON2_MEMORY, &what);
        }
        Some(Self {
            memory_kib: memory_kib?,
            iterations: iterations?,
            parallelism: parallelism?,
        })
    }
}

fn reaches_floor(memory_kib: u32, iterations: u32) -> bool {
    FLOOR
        .iter()
        .any(|(memory, passes)| memory_kib >= *memory && iterations >= *passes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_floor_is_owasps() {
        for (memory, passes) in FLOOR {
            assert!(reaches_floor(memory, passes) && reaches_floor(memory + 1, passes + 1));
            assert!(!reaches_floor(memory - 1, passes) && !reaches_floor(memory, passes - 1));
        }
        assert!(!reaches_floor(7_167, 100));
    }

    #[test]
    fn numbers_have_their_bounds() {
        let read = |name: Name, value: &str| {
            // With the most memory and passes no pair is below the floor.
            let costs = [
                (ARGON2_MEMORY, "1048576"),
                (ARGON2_ITERATIONS, "20"),
                (name, value),
            ];
            let vars = costs.map(|(name, value)| (name.name.to_owned(), value.to_owned()));
            Config::read(vars).is_ok()
        };
        for (name, below, least, most, beyond) in [
            (MIN_LENGTH, "7", "8", "64", "65"),
            (MIN_STRENGTH, "-1", "0", "4", "5"),
            (HISTORY, "-1", "0", "24", "25"),
            (ARGON2_MEMORY, "7167", "7168", "1048576", "1048577"),
            (ARGON2_ITERATIONS, "0", "1", "20", "21"),
            (ARGON2_PARALLELISM, "0", "1", "16", "17"),
            (HASH_CONCURRENCY, "0", "1", "256", "257"),
            (HASH_QUEUE_TIMEOUT, "0", "0s", "10s", "11s"),
        ] {
            assert!(read(name, least) && read(name, most), "{name:?}");
            assert!(!read(name, below) && !read(name, beyond), "{name:?}");
        }
    }
}
