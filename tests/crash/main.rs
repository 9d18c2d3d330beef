//! Killed hundreds of times, at random moments of everything it does, it keeps what it acknowledged and its clients go on.
//! `KEYWARD_TEST_KILLS` says how often, and `KEYWARD_TEST_SEED` repeats the choices, though not what they meet.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests ask the database what no caller can, and an authenticator app has a clock of its own"
)]
#![expect(
    clippy::disallowed_types,
    reason = "the invariants are statements in a file"
)]
#![expect(clippy::print_stdout, reason = "what was done is the result")]

mod account;
mod changes;
mod client;
mod dice;
mod invariants;
#[expect(dead_code, reason = "the tests of the process use the rest of it")]
#[path = "../process/keyward.rs"]
mod keyward;
mod killer;
mod operator;
mod person;
mod report;
mod world;

use std::time::{SystemTime, UNIX_EPOCH};

use report::Report;
use tokio::runtime::Runtime;

/// Beside each other: most of the time each waits for its database.
const WORLDS: u8 = 3;
const KILLS: usize = 300;

fn set<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().ok().unwrap_or_else(|| panic!("{name}={text}")))
}

fn random_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::from(now.subsec_nanos())
}

// RFT-16
#[test]
fn killed_at_any_moment_it_keeps_what_it_said() {
    ::keyward::crypto::install_provider();
    let kills = set("KEYWARD_TEST_KILLS").unwrap_or(KILLS);
    let seed: u64 = set("KEYWARD_TEST_SEED").unwrap_or_else(random_seed);
    println!("KEYWARD_TEST_SEED={seed}");
    let each = kills.div_ceil(WORLDS.into());
    let report = Runtime::new().unwrap().block_on(run(each, seed));
    println!("{report}");
    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/crash-report.txt");
    std::fs::write(file, format!("seed {seed}\n{report}")).unwrap();
    if kills >= KILLS {
        met_everything(&report);
    }
}

async fn run(kills: usize, seed: u64) -> Report {
    let worlds = (0..WORLDS).map(|number| world::run(number, kills, seed + u64::from(number)));
    let worlds: Vec<_> = worlds.map(tokio::spawn).collect();
    let mut report = Report::default();
    for world in worlds {
        report.add(world.await.unwrap());
    }
    report
}

/// Where a request was never cut off, nothing is shown of it.
fn met_everything(report: &Report) {
    for name in ["signup", "login", "refresh", "password"] {
        let cut_off = report.count(name, "lost") + report.count(name, "503");
        assert!(cut_off > 0, "{name} was never cut off");
    }
    assert!(report.count("keys rotate", "killed") > 0);
    for fact in ["passwords rehashed", "refreshes retried after the grace"] {
        assert!(report.facts.contains_key(fact), "{fact}: none");
    }
}
