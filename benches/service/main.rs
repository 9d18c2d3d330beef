//! Keyward beside its own limits, in one run: a bare handler that verifies a token, the same SQL by pgbench, the same
//! password hash by itself. With `--users`, beside itself on a small database, with `--replicas`, as two processes.
//! How to read it: `docs/performance.md`.
#![expect(
    clippy::disallowed_methods,
    reason = "statements that only a benchmark makes"
)]
#![expect(clippy::print_stdout, reason = "what was measured is the result")]
#![expect(clippy::print_stderr, reason = "how far it has got is not")]

mod bare;
mod database;
mod figures;
mod hashing;
mod http;
mod keyward;
mod limits;
mod load;
mod machine;
mod nginx;
mod people;
mod pgbench;
mod purge;
mod replicas;
#[path = "../seed/rows.rs"]
mod rows;
mod shares;
mod sizes;
#[path = "../pieces/tokens.rs"]
mod tokens;

use std::time::Duration;

use anyhow::Result;
use clap::Parser;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Users of the small database.
const FEW: i64 = 10_000;

/// Measures Keyward beside its limits, or beside itself.
#[derive(Parser)]
struct Arguments {
    /// Compare a database of so many users, and three sessions each, with one of 10000.
    #[arg(long, value_parser = clap::value_parser!(i64).range(FEW..))]
    users: Option<i64>,
    /// With `--users`: how many sessions ask who they are, and how many are refreshed.
    #[arg(long, requires = "users", default_value_t = people::SESSIONS, value_parser = clap::value_parser!(i64).range(1000..))]
    sessions: i64,
    /// Compare two replicas with one, behind nginx.
    #[arg(long, conflicts_with = "users")]
    replicas: bool,
    /// Measure `GET /v1/me` beside the purge of so many sessions and as many events.
    #[arg(long, conflicts_with_all = ["users", "replicas"], value_name = "ROWS", num_args = 0..=1,
        default_missing_value = "200000", value_parser = clap::value_parser!(i64).range(1..))]
    purge: Option<i64>,
    /// How often each step is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long, in seconds.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the bare server, with this published key.
    #[arg(long, hide = true)]
    bare: Option<String>,
}

/// How much is measured.
#[derive(Clone, Copy)]
struct Extent {
    rounds: u32,
    step: Duration,
}

impl Extent {
    /// The rounds, of which the first, 0, only warms up.
    fn rounds(self) -> impl Iterator<Item = u32> {
        (0..=self.rounds).inspect(move |round| eprintln!("Round {round} of {}.", self.rounds))
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ::keyward::crypto::install_provider();
    if let Some(key) = arguments.bare {
        return bare::serve(&key);
    }
    let extent = Extent {
        rounds: arguments.rounds,
        step: Duration::from_secs(arguments.seconds),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match (arguments.users, arguments.purge) {
            (Some(users), _) => sizes::compare(users, arguments.sessions, extent).await,
            (None, Some(rows)) => purge::compare(rows, extent).await,
            (None, None) if arguments.replicas => replicas::compare(extent).await,
            (None, None) => limits::compare(extent).await,
        }
    })
}
