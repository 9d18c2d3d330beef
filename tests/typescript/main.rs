//! The contract as others use it: a linter, and a TypeScript client whose types are made from it, against the binary.
//! It needs Node.js: `cargo test --test typescript` runs it.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

#[expect(
    dead_code,
    clippy::panic,
    reason = "the tests of the process use the rest of it"
)]
#[path = "../process/keyward.rs"]
mod keyward;

use std::process::Command;
use std::sync::Once;

use keyward::{Keyward, home};

/// Seconds that an access token lives: the client has to wait until one has expired.
const ACCESS_TOKEN_LIFE: &str = "2";

/// Runs npm in the folder of this file, with what `package-lock.json` pins.
#[track_caller]
fn npm(arguments: &[&str]) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| run(&["ci", "--ignore-scripts", "--no-audit", "--no-fund"]));
    run(arguments);
}

#[track_caller]
fn run(arguments: &[&str]) {
    let mut npm = Command::new("npm");
    npm.args(["--prefix", "tests/typescript"]).args(arguments);
    npm.current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = npm.output();
    assert!(output.is_ok(), "there is no npm: apt install nodejs npm");
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "npm {arguments:?}\n{said}");
}

#[test]
fn the_linter_finds_nothing_in_the_contract_that_is_not_explained() {
    npm(&["run", "lint"]);
}

#[test]
fn a_client_made_from_the_contract_compiles_and_does_the_main_job() {
    npm(&["run", "build"]);
    let home = home();
    let keyward = Keyward::start_with(home.path(), |command| {
        command.env("KEYWARD_ACCESS_TOKEN_TTL", format!("{ACCESS_TOKEN_LIFE}s"));
    });
    npm(&["run", "main-job", "--", &keyward.url, ACCESS_TOKEN_LIFE]);
    npm(&["run", "hello", "--", &keyward.url]);
}

#[test]
fn the_program_of_the_readme_is_the_one_that_is_run() {
    let program = include_str!("src/hello.ts");
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&format!("```ts\n{program}```")));
}
