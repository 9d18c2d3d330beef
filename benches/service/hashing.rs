//! The password hash and nothing else, on as many threads as there are cores.

use std::thread::{available_parallelism, scope};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use keyward::config::Config;

/// How long each hash took.
pub(crate) fn run(time: Duration) -> Result<Vec<Duration>> {
    let cores = available_parallelism().map_or(1, usize::from);
    let costs = Config::read_without_master_key([])?.passwords.argon2;
    let params = Params::new(
        costs.memory_kib,
        costs.iterations,
        costs.parallelism,
        Some(32),
    )
    .map_err(|error| anyhow!("{error}"))?;
    let until = Instant::now() + time;
    scope(|threads| {
        let threads: Vec<_> = (0..cores)
            .map(|_| threads.spawn(|| hash_until(until, &params)))
            .collect();
        let took = threads.into_iter().map(|thread| thread.join().ok());
        let took: Option<Result<Vec<_>>> = took.collect();
        Ok(took.context("a thread has ended")??.concat())
    })
}

fn hash_until(until: Instant, params: &Params) -> Result<Vec<Duration>> {
    let mut memory = vec![Block::default(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let (mut took, mut output) = (Vec::new(), [0; 32]);
    while Instant::now() < until {
        let began = Instant::now();
        argon2
            .hash_password_into_with_memory(
                b"tall cliff moth ribbon",
                &[7; 16],
                &mut output,
                &mut memory,
            )
            .map_err(|error| anyhow!("{error}"))?;
        took.push(began.elapsed());
    }
    Ok(took)
}
