//! Writes down which of the documented answers the tests have seen, so that `.ci/coverage` can tell what nobody tests.
//! One file for all the processes of a run: each line is appended by itself.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Once;

use super::Seen;
use super::document::Document;

/// The variable that names the file. Without it nothing is written.
const FILE: &str = "KEYWARD_TEST_COVERAGE";

/// Notes an answer that was checked, and once a process what there is to be seen.
pub(super) fn note(document: &Document, seen: &Seen<'_>) {
    static DOCUMENTED: Once = Once::new();
    let Some(file) = std::env::var_os(FILE) else {
        return;
    };
    let file = Path::new(&file);
    DOCUMENTED.call_once(|| write(file, &documented(document)));
    write(file, &line(document, seen).unwrap_or_default());
}

/// Such as `documented POST /v1/auth/login 403`, for each answer of each operation.
pub(super) fn documented(document: &Document) -> String {
    use std::fmt::Write;
    let mut lines = String::new();
    for operation in document.operations() {
        for status in operation.statuses() {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "documented {} {status}", operation.name());
        }
    }
    lines
}

/// Such as `seen POST /v1/auth/login 403`. An answer to `HEAD` shows no body, so it does not count; nor does one to a
/// path or method that is not in the document.
pub(super) fn line(document: &Document, seen: &Seen<'_>) -> Option<String> {
    let operation = document.operation(seen.method, seen.path);
    let operation = operation.filter(|_| seen.method != "HEAD")?;
    Some(format!("seen {} {}\n", operation.name(), seen.status))
}

fn write(file: &Path, lines: &str) {
    let opened = OpenOptions::new().create(true).append(true).open(file);
    let written = opened.and_then(|mut opened| opened.write_all(lines.as_bytes()));
    assert!(
        written.is_ok(),
        "{FILE}: {} cannot be written",
        file.display()
    );
}
