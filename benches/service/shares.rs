//! Where the CPU time of a request goes: what its parts cost by themselves, and what is left.

use std::time::Instant;

use anyhow::Result;
use keyward::config::SigningAlgorithm;
use secrecy::ExposeSecret;

use crate::figures::shown;
use crate::tokens::Tokens;

const TIMES: u32 = 500;

/// Microseconds that the tokens of a request cost.
#[derive(Clone, Copy)]
pub(crate) struct OfTokens {
    pub(crate) me: f64,
    pub(crate) refresh: f64,
    pub(crate) login: f64,
}

impl OfTokens {
    pub(crate) fn measure() -> Result<Self> {
        let tokens = Tokens::new(SigningAlgorithm::Es256)?;
        let shown = tokens.sign()?;
        let held = tokens.write(&tokens.first())?;
        Ok(Self {
            me: timed(|| tokens.verify(&shown))?,
            refresh: timed(|| {
                let shown = tokens.read(held.expose_secret())?;
                let successor = tokens.derive(&shown)?;
                std::hint::black_box((shown.digest(), successor.digest()));
                tokens.write(&successor)?;
                tokens.sign().map(drop)
            })?,
            login: timed(|| {
                let first = tokens.first();
                std::hint::black_box(first.digest());
                tokens.write(&first)?;
                tokens.sign().map(drop)
            })?,
        })
    }
}

/// Microseconds for one.
fn timed(work: impl Fn() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    for _ in 0..TIMES {
        work()?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES))
}

/// One request, in microseconds of CPU.
#[derive(Clone, Copy)]
pub(crate) struct Shares {
    pub(crate) http: f64,
    pub(crate) tokens: f64,
    pub(crate) hash: f64,
    /// All of the service's.
    pub(crate) service: f64,
    pub(crate) database: f64,
}

/// One part of them, by its name.
type Row = (&'static str, fn(&Shares) -> f64);

const ROWS: [Row; 6] = [
    ("HTTP: what a bare handler costs", |s| s.http),
    ("tokens", |s| s.tokens),
    ("the password hash", |s| s.hash),
    ("the rest of the service", |s| {
        s.service - s.http - s.tokens - s.hash
    }),
    ("PostgreSQL", |s| s.database),
    ("together", |s| s.service + s.database),
];

/// A column for each request.
pub(crate) fn table(requests: &[(&str, Shares)]) -> String {
    let row = |name: &str, cells: Vec<String>| format!("| {name} | {} |", cells.join(" | "));
    let names = requests.iter().map(|(name, _)| (*name).to_owned());
    let rule = format!("|---|{}", "---:|".repeat(requests.len()));
    let mut lines = vec![row("CPU µs of one", names.collect()), rule];
    lines.extend(ROWS.map(|(name, value)| {
        let cells = requests.iter().map(|(_, shares)| shown(value(shares)));
        row(name, cells.collect())
    }));
    lines.join("\n")
}
