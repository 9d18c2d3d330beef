//! `docs/security.md` is held to the code: the tests it names exist, and its numbers are those that hold.

use std::fs;
use std::path::Path;

use chrono::TimeDelta;
use keyward::config::NAMES;
use keyward::domain::Limit;

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md"));

/// Each row of the table of guesses, and the budget it is about.
const BUDGETS: [(&str, Limit); 9] = [
    (
        "a password, at an account, from where its owner has not logged in before",
        Limit::Account,
    ),
    (
        "a password, at an account, from one of its own devices",
        Limit::Account,
    ),
    (
        "a password, at an account that does not exist",
        Limit::Account,
    ),
    (
        "anything of a login, from one IPv4 address or IPv6 /64",
        Limit::Source,
    ),
    (
        "a password asked for inside a session, for each account",
        Limit::Prompt,
    ),
    (
        "a code at login, for each account, whatever the challenges",
        Limit::Code,
    ),
    (
        "a code at login, from one of the account's own devices",
        Limit::Code,
    ),
    (
        "a code asked for inside a session, for each account",
        Limit::Code,
    ),
    (
        "each of these three, without a right one in between",
        Limit::CodesInARow,
    ),
];

/// What stands between backticks and names a test. Paths of code begin with a capital letter.
fn references(document: &str) -> Vec<&str> {
    let spans = document.split('`').skip(1).step_by(2);
    spans
        .filter(|span| span.contains("::") && !span.starts_with(char::is_uppercase))
        .collect()
}

/// Whether there is a test of this name, in one of the files that the name may mean.
fn exists(reference: &str) -> bool {
    let Some((place, test)) = reference.split_once("::") else {
        return false;
    };
    let files = match place.strip_prefix("unit: ") {
        Some(file) => vec![format!("src/{file}.rs")],
        None => vec![format!("tests/api/{place}.rs"), format!("tests/{place}.rs")],
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = files
        .iter()
        .find_map(|file| fs::read_to_string(root.join(file)).ok());
    source.is_some_and(|source| has_test(&source, test))
}

/// Whether a source has a test of this name: a function right below the attribute that makes it one.
fn has_test(source: &str, name: &str) -> bool {
    let beginnings = [format!("fn {name}("), format!("async fn {name}(")];
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    lines.windows(2).any(|pair| {
        let is_attribute = pair[0].starts_with("#[") && pair[0].ends_with("test]");
        is_attribute && beginnings.iter().any(|begins| pair[1].starts_with(begins))
    })
}

fn words(time: TimeDelta) -> String {
    let seconds = time.num_seconds();
    match (seconds % 3600, seconds % 60) {
        (0, _) => format!("{} h", seconds / 3600),
        (_, 0) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let references = references(DOCUMENT);
    assert!(references.len() > 200, "where are they?");
    let missing: Vec<&str> = references
        .into_iter()
        .filter(|reference| !exists(reference))
        .collect();
    assert!(missing.is_empty(), "\n{}\n", missing.join("\n"));
}

#[test]
fn the_budgets_are_those_of_the_code() {
    for (what, limit) in BUDGETS {
        let (free, first) = (limit.free(), words(limit.first_wait()));
        let longest = words(limit.longest_wait());
        let budget = if limit.is_window() {
            format!("{free} in {first} | none until that time is over")
        } else if first == longest {
            format!("{free} | a wait of {first}")
        } else {
            format!("{free} | a wait of {first}, doubling to {longest}")
        };
        let row = format!("| {what} | {budget} |");
        assert!(DOCUMENT.lines().any(|line| line == row), "{row}");
    }
}

#[test]
fn the_defaults_are_those_of_the_code() {
    let rows: Vec<Vec<&str>> = DOCUMENT
        .lines()
        .filter(|line| line.starts_with("| `KEYWARD_"))
        .map(|line| line.split('`').collect())
        .collect();
    assert!(rows.len() > 10, "where are they?");
    for row in rows {
        let name = NAMES.iter().find(|name| name.name == row[1]);
        assert_eq!(name.map(|name| name.default), Some(row[3]), "{}", row[1]);
    }
}

#[test]
fn a_test_that_does_not_exist_is_found() {
    let named = references("`Sessions::open`, `a::b` and `unit: c/d::e`, not `f` or g::h");
    assert_eq!(named, ["a::b", "unit: c/d::e"]);
    let source =
        "#[test]\nfn one() {}\n\n    #[tokio::test]\n    async fn two() {}\n\nfn three() {}\n";
    for (name, is_there) in [
        ("one", true),
        ("two", true),
        ("three", false),
        ("on", false),
    ] {
        assert_eq!(has_test(source, name), is_there, "{name}");
    }
    assert!(exists("security_doc::a_test_that_does_not_exist_is_found"));
    for wrong in [
        "security_doc::exists",
        "nowhere::at_all",
        "unit: domain::at_all",
        "no",
    ] {
        assert!(!exists(wrong), "{wrong}");
    }
}
