//! What was done and what came of it, counted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use crate::killer::Kill;

#[derive(Default)]
pub(crate) struct Report {
    /// How long until it was ready again, of each kill.
    pub(crate) kills: BTreeMap<Kill, Vec<Duration>>,
    /// Of each kind of request, how often it ended how.
    requests: BTreeMap<&'static str, BTreeMap<String, u32>>,
    /// Whatever else is counted.
    pub(crate) facts: BTreeMap<&'static str, u64>,
}

#[derive(Default)]
pub(crate) struct Shared(Mutex<Report>);

impl Shared {
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Report) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }
}

impl Report {
    pub(crate) fn asked(&mut self, name: &'static str, fate: String) {
        *self
            .requests
            .entry(name)
            .or_default()
            .entry(fate)
            .or_default() += 1;
    }

    pub(crate) fn killed(&mut self, kill: Kill, recovered: Duration) {
        self.kills.entry(kill).or_default().push(recovered);
    }

    pub(crate) fn note(&mut self, fact: &'static str, count: u64) {
        if count == 0 {
            return;
        }
        *self.facts.entry(fact).or_default() += count;
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (kill, recovered) in other.kills {
            self.kills.entry(kill).or_default().extend(recovered);
        }
        for (name, fates) in other.requests {
            for (fate, count) in fates {
                *self
                    .requests
                    .entry(name)
                    .or_default()
                    .entry(fate)
                    .or_default() += count;
            }
        }
        for (fact, count) in other.facts {
            self.note(fact, count);
        }
    }

    pub(crate) fn kill_count(&self) -> usize {
        self.kills.values().map(Vec::len).sum()
    }

    /// How often a request of this kind ended so.
    pub(crate) fn count(&self, name: &str, fate: &str) -> u32 {
        let fates = self.requests.get(name);
        fates
            .and_then(|fates| fates.get(fate))
            .copied()
            .unwrap_or(0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} kills; ready again after", self.kill_count())?;
        for (kill, recovered) in &self.kills {
            writeln!(
                f,
                "  {:4} {kill:?}: {}",
                recovered.len(),
                quartiles(recovered)
            )?;
        }
        writeln!(f, "requests, by how they ended")?;
        for (name, fates) in &self.requests {
            let fates = fates.iter().map(|(fate, count)| format!("{fate}: {count}"));
            writeln!(f, "  {name}: {}", fates.collect::<Vec<_>>().join(", "))?;
        }
        for (fact, count) in &self.facts {
            writeln!(f, "{fact}: {count}")?;
        }
        Ok(())
    }
}

fn quartiles(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let last = sorted.len() - 1;
    let at = |quarter: usize| sorted[last * quarter / 4].as_millis();
    let quarters = [at(0), at(1), at(2), at(3), at(4)].map(|ms| ms.to_string());
    format!("{} ms (least, quartiles, most)", quarters.join(", "))
}
