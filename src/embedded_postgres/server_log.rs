//! Picks the few lines that say why PostgreSQL stopped out of all that its programs write.
//! It must not pass on statements: they may hold people's data.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// More than a start or a crash ever writes; a log may be of any size.
const LOOK_BACK: u64 = 64 * 1024;
const MARKS: [&str; 6] = ["FATAL:", "PANIC:", "HINT:", "error:", "hint:", "could not"];
/// The second is said to a client that came too early.
const IGNORED: [&str; 2] = ["STATEMENT:", "FATAL:  the database system is"];

/// Of what was logged since `from`.
pub(super) fn last_words(log: &Path, from: u64) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let end = file.metadata()?.len();
        file.seek(SeekFrom::Start(from.max(end.saturating_sub(LOOK_BACK))))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok(text)
    };
    let said = telling(&String::from_utf8_lossy(&read().unwrap_or_default()));
    if said.is_empty() {
        "it said nothing".to_owned()
    } else {
        said
    }
}

pub(super) fn telling(text: &str) -> String {
    let mut told = true;
    let marked = text.lines().filter_map(|line| {
        let mark = from_mark(line);
        if line.contains("HINT:") {
            // With what it belongs to, or not at all.
            return mark.filter(|_| told);
        }
        if mark.is_some() || line.contains("LOG:") {
            told = mark.is_some();
        }
        mark
    });
    let marked: Vec<_> = marked.collect();
    let last_three = marked
        .get(marked.len().saturating_sub(3)..)
        .unwrap_or_default();
    if last_three.is_empty() {
        // A loader that misses a library has no marks, and no time before what it says.
        let mut unmarked = text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.contains(" UTC ["));
        return unmarked.next_back().unwrap_or_default().to_owned();
    }
    last_three.join("; ")
}

/// Without the time and pid before it.
fn from_mark(line: &str) -> Option<&str> {
    if IGNORED.iter().any(|text| line.contains(text)) {
        return None;
    }
    let start = MARKS.iter().filter_map(|mark| line.find(mark)).min()?;
    line.get(start..).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_picked_out_of_the_log() {
        let log = "2026-01-01 00:00:00.000 UTC [1] LOG:  starting PostgreSQL 15.18\n\
            2026-01-01 00:00:00.000 UTC [1] FATAL:  could not map shared memory\n\
            2026-01-01 00:00:00.000 UTC [1] HINT:  Reduce shared_buffers.\n\
            2026-01-01 00:00:00.000 UTC [1] LOG:  database system is shut down\n";
        assert_eq!(
            telling(log),
            "FATAL:  could not map shared memory; HINT:  Reduce shared_buffers."
        );
    }

    #[test]
    fn an_unmarked_end_is_quoted_and_statements_never_are() {
        assert_eq!(
            telling("a\nlibpq.so.5: not found\n\n"),
            "libpq.so.5: not found"
        );
        assert_eq!(telling(""), "");
        assert_eq!(
            telling("2026-01-01 00:00:00.000 UTC [1] LOG:  database system is ready\n"),
            ""
        );
        let early = "[2] FATAL:  the database system is starting up\n";
        assert_eq!(
            telling(&format!("[1] PANIC:  disk full\n{early}")),
            "PANIC:  disk full"
        );
        let log = "[1] FATAL:  out of memory\n[1] STATEMENT:  select 'FATAL:'\n";
        assert_eq!(telling(log), "FATAL:  out of memory");
    }

    #[test]
    fn a_hint_is_told_with_what_it_belongs_to() {
        let log = "[1] LOG:  database system was interrupted while in recovery\n\
            [1] HINT:  This probably means that some data is corrupted.\n\
            [1] FATAL:  could not write to file: No space left on device\n\
            [1] DETAIL:  Some.\n[1] HINT:  Free some.\n[1] LOG:  shut down\n[1] HINT:  None.\n";
        assert_eq!(
            telling(log),
            "FATAL:  could not write to file: No space left on device; HINT:  Free some."
        );
    }

    #[test]
    fn only_this_run_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        std::fs::write(&log, "FATAL:  old\nFATAL:  new\n").unwrap();
        assert_eq!(last_words(&log, 12), "FATAL:  new");
        assert_eq!(last_words(&log, 24), "it said nothing");
        assert_eq!(last_words(&dir.path().join("none"), 0), "it said nothing");
    }
}
