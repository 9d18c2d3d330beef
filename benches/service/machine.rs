//! What the machine did meanwhile: CPU time of processes and of everybody, as Linux tells it. Elsewhere it is unknown.

use std::fs;

/// As Linux counts for programs, whatever it counts by itself.
const TICKS_A_SECOND: f64 = 100.0;

/// CPU seconds since some time long past; unknown ones are not numbers.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    pub(crate) service: f64,
    pub(crate) database: f64,
    /// Of this program, who asks, and of what it ran to its end.
    own: f64,
    everybody: f64,
    /// What there was to be used.
    all: f64,
}

/// The processes that are measured.
#[derive(Clone, Copy)]
pub(crate) struct Processes<'p> {
    /// With their children.
    pub(crate) service: &'p [u32],
    /// The parent of those that serve its connections.
    pub(crate) database: u32,
}

impl Processes<'_> {
    pub(crate) fn used(self) -> Used {
        let (everybody, all) = machine().unwrap_or((f64::NAN, f64::NAN));
        Used {
            service: self.service.iter().map(|pid| family(*pid)).sum(),
            database: family(self.database),
            own: with_ended(std::process::id()),
            everybody,
            all,
        }
    }
}

impl Used {
    /// Between then and now.
    pub(crate) fn since(self, then: Self) -> Self {
        Self {
            service: self.service - then.service,
            database: self.database - then.database,
            own: self.own - then.own,
            everybody: self.everybody - then.everybody,
            all: self.all - then.all,
        }
    }

    /// The same where this program does the work itself.
    pub(crate) fn as_service(self) -> Self {
        Self {
            service: self.own,
            own: 0.0,
            ..self
        }
    }

    /// CPU seconds of this program, and of what it ran to its end.
    pub(crate) fn own(self) -> f64 {
        self.own
    }

    /// The share of the CPUs that other programs took.
    pub(crate) fn others(self) -> f64 {
        let ours = self.service + self.database + self.own;
        ((self.everybody - ours) / self.all).max(0.0)
    }
}

/// Of a process, and of its children that have ended.
fn with_ended(pid: u32) -> f64 {
    times(pid).map_or(f64::NAN, |(_, own, ended)| own + ended)
}

/// Of a process and all its children.
fn family(pid: u32) -> f64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let children = pids
        .filter_map(times)
        .filter(|(parent, ..)| *parent == pid)
        .map(|(_, own, _)| own);
    with_ended(pid) + children.sum::<f64>()
}

/// A process's parent, its own CPU seconds, and those of its children that have ended.
fn times(pid: u32) -> Option<(u32, f64, f64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // "pid (name) state parent …"; times are the 14th to 17th.
    let (_, after) = stat.rsplit_once(") ")?;
    let words: Vec<&str> = after.split_whitespace().collect();
    let seconds = |at: usize| {
        words
            .get(at)?
            .parse()
            .ok()
            .map(|ticks: f64| ticks / TICKS_A_SECOND)
    };
    let parent = words.get(1)?.parse().ok()?;
    Some((
        parent,
        seconds(11)? + seconds(12)?,
        seconds(13)? + seconds(14)?,
    ))
}

/// CPU seconds of everybody, and of all that there were.
fn machine() -> Option<(f64, f64)> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let words = stat.lines().next()?.split_whitespace().skip(1);
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already.
    let ticks: Vec<f64> = words.take(8).filter_map(|word| word.parse().ok()).collect();
    let all: f64 = ticks.iter().sum();
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some(((all - idle) / TICKS_A_SECOND, all / TICKS_A_SECOND))
}
