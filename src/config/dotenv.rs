//! Reads the text of a `.env` file. It must not set process variables, and must not repeat a broken
//! line, which may hold a secret: it gives the line's number.

use std::cell::Cell;
use std::io::{self, Read};

/// Every `NAME=value` of the text with the number of its last line, and a problem for every line
/// that is none.
pub(super) fn read(text: &str) -> Vec<Result<(usize, String, String), String>> {
    // dotenvy strips no byte order mark here, and takes blanks at the very end for an unfinished
    // value.
    let text = format!("{}\n", text.trim_start_matches('\u{feff}'));
    let line = Cell::new(0);
    dotenvy::from_read_iter(Lines {
        rest: text.as_bytes(),
        line: &line,
    })
    .map(|entry| match entry {
        Ok((name, value)) => Ok((line.get(), name, value)),
        Err(error) => Err(problem(&error, line.get())),
    })
    .collect()
}

fn problem(error: &dotenvy::Error, last: usize) -> String {
    // The error holds the broken entry, which can span lines: an unclosed quote runs to the end of
    // the file.
    let height = match error {
        dotenvy::Error::LineParse(entry, _) => entry.lines().count().max(1),
        _ => 1,
    };
    let first = (last + 1).saturating_sub(height);
    format!(
        ".env line {first}: must be NAME=value, and the value in single quotes where it has blanks, \
         quotes, $, # or \\"
    )
}

/// Hands out one line at a time and counts them, because dotenvy does not.
struct Lines<'a> {
    rest: &'a [u8],
    line: &'a Cell<usize>,
}

impl Read for Lines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self
            .rest
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let (mut next, _) = self.rest.split_at(end);
        let read = next.read(buffer)?;
        if next.is_empty() && read > 0 {
            self.line.set(self.line.get() + 1);
        }
        self.rest = &self.rest[read..];
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken_lines(text: &str) -> Vec<usize> {
        let number = |problem: String| {
            problem
                .strip_prefix(".env line ")?
                .split(':')
                .next()?
                .parse()
                .ok()
        };
        read(text)
            .into_iter()
            .filter_map(Result::err)
            .filter_map(number)
            .collect()
    }

    #[test]
    fn entries_come_with_their_lines() {
        let text =
            "\u{feff}A=1\n\n# comment\nexport B='x $y #z' # why\nC=\"two\nlines\"\r\nD=last  ";
        let expected = [
            (1, "A", "1"),
            (4, "B", "x $y #z"),
            (6, "C", "two\nlines"),
            (7, "D", "last"),
        ];
        let read = read(text)
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .unwrap();
        let read: Vec<_> = read
            .iter()
            .map(|(line, a, b)| (*line, a.as_str(), b.as_str()))
            .collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn broken_lines_are_counted_and_the_others_still_read() {
        assert_eq!(
            broken_lines("A=1\nno equals sign\nB=2\n\n#\nC=two words\nD=3"),
            [2, 6]
        );
        assert_eq!(broken_lines("A=1\n=nameless\n"), [2]);
        assert_eq!(broken_lines("A=1\nB='never closed\nC=2\nD=3\n"), [2]);
        assert_eq!(broken_lines("A=1\nB='never closed"), [2]);
        assert_eq!(broken_lines("A=1\nB=\"two\nlines\" and more\nC=3\n"), [2]);
        assert_eq!(
            broken_lines(&format!("A={}\nB=two words\n", "x".repeat(100_000))),
            [2]
        );
    }

    #[test]
    fn a_broken_line_is_not_repeated() {
        for text in ["KEY=marker marker", "marker", "KEY='marker", "KEY=${marker"] {
            let printed = format!("{:?}", read(text));
            assert!(
                printed.contains("line 1") && !printed.contains("marker"),
                "{printed}"
            );
        }
    }
}
