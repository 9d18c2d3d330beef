//! `docs/dependencies.md` is held to `Cargo.toml`: every crate that is named has its reason, under the right heading.

use std::collections::BTreeSet;

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/dependencies.md"));
const MANIFEST: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));

/// The crates of the sections with these headings.
fn named<'m>(manifest: &'m str, headings: &[&str]) -> BTreeSet<&'m str> {
    let mut inside = false;
    let mut crates = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = headings.contains(&line);
        } else if inside && line.starts_with(|first: char| first.is_ascii_alphabetic()) {
            crates.insert(line.split(['=', '.']).next().unwrap().trim());
        }
    }
    crates
}

/// The crates in the table below a heading, each with its reason.
fn explained<'d>(document: &'d str, heading: &str) -> BTreeSet<&'d str> {
    let (_, rest) = document.split_once(heading).unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let rows = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.filter_map(|row| row.split_once("` | "))
        .filter(|(_, why)| !why.trim().is_empty())
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn every_crate_of_the_service_has_its_reason() {
    let named = named(MANIFEST, &["[dependencies]", "[build-dependencies]"]);
    assert!(named.len() > 30, "where are they?");
    assert_eq!(explained(DOCUMENT, "\n## In Keyward\n"), named);
}

#[test]
fn every_crate_of_the_tests_has_its_reason() {
    let named = named(MANIFEST, &["[dev-dependencies]"]);
    assert!(named.len() > 5, "where are they?");
    assert_eq!(explained(DOCUMENT, "\n## Only in tests\n"), named);
}

#[test]
fn crates_and_reasons_are_found_where_they_stand() {
    let manifest = "[package]\nname = \"a\"\n[dependencies]\n# b\nc = \"1\"\nd.version = \"2\"\n[lints]\ne = 3\n";
    let crates = named(manifest, &["[dependencies]"]);
    assert_eq!(crates, BTreeSet::from(["c", "d"]));
    let document =
        "# A\n\n## B\n\n| crate | why |\n| `c` | because |\n| `d` |  |\n\n## E\n\n| `f` | so |\n";
    assert_eq!(explained(document, "\n## B\n"), BTreeSet::from(["c"]));
}
