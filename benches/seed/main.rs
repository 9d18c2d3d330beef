//! Fills the database of `DATABASE_URL`, which must have no users, for measurements at size: so many users, and three
//! sessions each. Not for a database that anybody can reach: the users have one password, and it is known.
#![expect(
    clippy::disallowed_methods,
    reason = "statements that only a benchmark makes"
)]
#![expect(clippy::print_stdout, reason = "what was done is the result")]

mod rows;

use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;

/// Fills the database of `DATABASE_URL` with users, and three sessions each.
#[derive(Parser)]
struct Arguments {
    /// How many.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(i64).range(1..))]
    users: i64,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let url = std::env::var("DATABASE_URL").context("DATABASE_URL names the database to fill")?;
    let began = Instant::now();
    rows::seed(&url, arguments.users).await?;
    println!(
        "{} users and {} sessions in {:.0} s. Each user's password is {:?}.",
        arguments.users,
        arguments.users * rows::SESSIONS_EACH,
        began.elapsed().as_secs_f64(),
        rows::PASSWORD
    );
    Ok(())
}
