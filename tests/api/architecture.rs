//! How the code is laid out, held to by tests: who may name whom, what every file keeps to, what SQL may say. Each rule
//! is a function that is itself tested with what it must find.

mod files;
mod imports;
mod paths;
pub(crate) mod sources;
mod sql;
mod tokens;

use std::collections::BTreeSet;

use crate::support::database::TestDatabase;
use imports::MAY_NAME;
use sources::{Source, sources};

fn library() -> Vec<Source> {
    sources("src", "rs")
}

fn all_rust() -> Vec<Source> {
    [library(), sources("tests", "rs"), sources("benches", "rs")]
        .into_iter()
        .flatten()
        .collect()
}

fn repositories() -> Vec<Source> {
    sources("src/repositories", "rs")
}

fn migrations() -> Vec<Source> {
    sources("migrations", "sql")
}

/// None of the sources has a fault by this rule.
#[track_caller]
fn none<F: IntoIterator<Item = String>>(sources: &[Source], rule: impl Fn(&Source) -> F) {
    let faults: Vec<String> = sources.iter().flat_map(rule).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn imports_point_downwards() {
    none(&library(), imports::upward);
}

#[test]
fn crates_stay_in_their_layer() {
    none(&library(), imports::foreign);
}

#[test]
fn the_table_of_layers_is_the_library() {
    let library = library();
    let modules: BTreeSet<&str> = library
        .iter()
        .map(|source| imports::layer(&source.path))
        .collect();
    let rows: BTreeSet<&str> = MAY_NAME.iter().map(|(module, _)| *module).collect();
    assert_eq!(rows, modules);
}

#[test]
fn every_file_says_what_it_is() {
    none(&all_rust(), files::silent);
}

#[test]
fn no_file_is_too_long() {
    none(&all_rust(), files::long);
}

#[test]
fn nothing_is_left_for_later_or_switched_off() {
    none(&all_rust(), files::unfinished);
}

#[test]
fn sql_tells_the_time_in_two_places() {
    for source in repositories() {
        let expected = usize::from(source.path == "src/repositories/schema.rs");
        assert_eq!(
            sql::clocks_in_statements(&source),
            expected,
            "{}: time is handed in",
            source.path
        );
    }
    for source in migrations() {
        // Who asks for events to be deleted is not believed about the time.
        let expected = usize::from(source.path == "migrations/0009_event_retention.sql");
        assert_eq!(
            sql::clocks(&source.text),
            expected,
            "{}: time is handed in",
            source.path
        );
    }
}

#[test]
fn statements_are_called_after_their_methods() {
    none(&repositories(), sql::misnamed_statements);
}

#[test]
fn migrations_do_not_wait_for_locks_for_ever() {
    none(&migrations(), sql::patient);
}

#[test]
fn migrations_name_constraints_and_indexes() {
    none(&migrations(), sql::unnamed);
}

#[actix_web::test]
async fn constraints_and_indexes_are_named_after_what_they_are() {
    let database = TestDatabase::create().await;
    let named = sql::named(&database.pool()).await;
    assert!(named.len() >= 10, "where are they?");
    let faults: Vec<String> = named.iter().filter_map(sql::misnamed).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Who may open a session, and who may answer with tokens: a new way in is a new line here, and a new column in `gate.rs`.
#[test]
fn sessions_are_opened_and_tokens_given_by_these() {
    let callers = |call: &str| {
        let calls = |source: &Source| {
            source
                .text
                .split_whitespace()
                .collect::<String>()
                .contains(call)
        };
        let found: BTreeSet<String> = library()
            .into_iter()
            .filter(calls)
            .map(|source| source.path)
            .collect();
        found
    };
    let ways_in = [
        "src/services/accounts.rs",
        "src/services/login/mod.rs",
        "src/services/login/second_step.rs",
    ];
    assert_eq!(
        callers("self.sessions.open("),
        ways_in.map(str::to_owned).into()
    );
    assert_eq!(
        callers("self.sessions.open_at_once("),
        ["src/services/login/mod.rs".to_owned()].into()
    );
    assert_eq!(
        callers("self.sessions.answer("),
        ["src/services/refresh.rs".to_owned()].into()
    );
    for opens in [".sessions().open(", ".sessions().open_below("] {
        assert_eq!(
            callers(opens),
            ["src/services/sessions/mod.rs".to_owned()].into()
        );
    }
}
