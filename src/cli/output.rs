//! What commands print: a table for people, JSON for programs. Nothing else in Keyward prints to standard output but the
//! greeting.

use std::io::{ErrorKind, Write};

use clap::Args;
use serde_json::Value;

#[derive(Args, Clone, Copy)]
pub(super) struct Output {
    /// Print JSON, for programs.
    #[arg(long)]
    pub(super) json: bool,
}

impl Output {
    /// A list of objects, with these members as columns.
    pub(super) fn list(self, columns: &[&str], rows: &[Value]) -> anyhow::Result<()> {
        if self.json {
            return print(&serde_json::to_string_pretty(rows)?);
        }
        print(&table(columns, rows))
    }

    /// What was done: a sentence, or an object.
    pub(super) fn done(self, sentence: &str, object: &Value) -> anyhow::Result<()> {
        if self.json {
            return print(&serde_json::to_string_pretty(object)?);
        }
        print(sentence)
    }
}

/// Prints a text. Who has stopped reading has read enough.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn table(columns: &[&str], rows: &[Value]) -> String {
    let heads = columns
        .iter()
        .map(|column| column.replace('_', " ").to_uppercase());
    let cells = |row: &Value| columns.iter().map(|column| cell(&row[*column])).collect();
    let lines: Vec<Vec<String>> = std::iter::once(heads.collect())
        .chain(rows.iter().map(cells))
        .collect();
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max();
    let widths: Vec<usize> = (0..columns.len()).filter_map(width).collect();
    let line = |line: &Vec<String>| {
        let padded = line
            .iter()
            .zip(&widths)
            .map(|(text, width)| format!("{text:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => return "-".to_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    // What somebody typed must not speak to the terminal.
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need_to_be() {
        let rows = [
            json!({ "name": "ann", "roles": ["a", "b"], "since": null }),
            json!({ "name": "äöü\u{1b}[31m!", "roles": [], "since": 7 }),
        ];
        assert_eq!(
            table(&["name", "roles", "since"], &rows),
            "NAME      ROLES  SINCE\nann       a,b    -\näöü[31m!  -      7"
        );
    }
}
