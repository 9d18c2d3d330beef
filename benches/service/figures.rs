//! What steps measured, round by round, and the medians of it.

use std::time::Duration;

use crate::machine::Used;

/// Of one step in one round. What is not known is not a number.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) a_second: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Microseconds of CPU for one request: of the service, and of PostgreSQL.
    pub(crate) service: f64,
    pub(crate) database: f64,
    /// CPUs that this program kept busy, with what it ran.
    pub(crate) asking: f64,
    /// The share of the CPUs that other programs took.
    pub(crate) others: f64,
}

impl Figures {
    /// Of answers that took so long, while so much CPU time was used.
    pub(crate) fn of(mut took: Vec<Duration>, elapsed: Duration, used: Used) -> Self {
        took.sort_unstable();
        let count = f64::from(u32::try_from(took.len()).unwrap_or(u32::MAX));
        let milliseconds = |at: usize| {
            took.get(at)
                .map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
        };
        Self {
            a_second: count / elapsed.as_secs_f64(),
            p50: milliseconds(took.len() / 2),
            p99: milliseconds(took.len() * 99 / 100),
            service: used.service / count * 1e6,
            database: used.database / count * 1e6,
            asking: used.own() / elapsed.as_secs_f64(),
            others: used.others(),
        }
    }

    /// The same where the CPU time was for other requests as well.
    pub(crate) fn without_cpu(self) -> Self {
        Self {
            service: f64::NAN,
            database: f64::NAN,
            ..self
        }
    }
}

/// The median over all rounds of what is made of each.
pub(crate) fn median(each: impl Iterator<Item = f64>) -> f64 {
    let mut each: Vec<f64> = each.filter(|value| !value.is_nan()).collect();
    each.sort_by(f64::total_cmp);
    each.get(each.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A number with so many digits as it deserves.
pub(crate) fn shown(value: f64) -> String {
    match value {
        _ if value.is_nan() => "–".to_owned(),
        _ if value < 10.0 => format!("{value:.2}"),
        _ if value < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// The table of all steps, by their names.
pub(crate) fn table<'s>(steps: impl Iterator<Item = (&'s str, &'s [Figures])>) -> String {
    let rows = steps.map(|(name, rounds)| {
        let of = |value: fn(&Figures) -> f64| median(rounds.iter().map(value));
        let columns: [fn(&Figures) -> f64; 5] = [
            |f| f.a_second,
            |f| f.p50,
            |f| f.p99,
            |f| f.service,
            |f| f.database,
        ];
        let shown = columns.map(|column| shown(of(column))).join(" | ");
        let percent = |value| format!("{:.0} %", of(value) * 100.0);
        let (asking, others) = (percent(|f| f.asking), percent(|f| f.others));
        format!("| {name} | {shown} | {asking} | {others} |\n")
    });
    let head = "| | a second | p50 ms | p99 ms | CPU µs, service | CPU µs, PostgreSQL | who asks | others' CPU |\n\
                |---|---:|---:|---:|---:|---:|---:|---:|\n";
    head.to_owned() + &rows.collect::<String>()
}
