//! The commands of an operator: what they say and how they end, beside a service that runs and without one.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::keyward::{EMAIL, Keyward, PASSWORD, command, home};

pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    #[track_caller]
    fn fine(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self.out
    }

    #[track_caller]
    fn refused(self, why: &str) {
        assert_eq!(self.code, Some(1), "{}", self.err);
        assert!(self.err.contains(why), "{}", self.err);
        assert_eq!(self.out, "");
    }
}

/// Runs a command to its end.
pub(crate) fn run_with(
    home: &Path,
    args: &[&str],
    input: &str,
    change: impl FnOnce(&mut Command),
) -> Said {
    let mut command = command(home);
    command
        .args(args)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    change(&mut command);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Who reads nothing may be gone by now.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn run(home: &Path, args: &[&str]) -> Said {
    run_with(home, args, "", |_| {})
}

fn json_of(home: &Path, args: &[&str]) -> Value {
    let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&run(home, &args).fine()).unwrap()
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn help_names_every_command_and_what_is_not_understood_ends_with_2() {
    let home = home();
    let help = run(home.path(), &["--help"]).fine();
    for command in [
        "serve",
        "migrate",
        "config",
        "healthcheck",
        "openapi",
        "keys",
        "users",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
    }
    for args in [
        ["nonsense", ""].as_slice(),
        &["keys", "rotate"],
        &["keys", "rotate", "everything"],
        &["users", "list", "--limit", "0"],
        &["users", "list", "--after", "1"],
        // A password is not given where others can see it.
        &["users", "reset-password", EMAIL, PASSWORD],
    ] {
        let said = run(home.path(), args);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(said.err.contains("--help"), "{}", said.err);
    }
    assert!(!home.path().join(".keyward").exists());
}

#[test]
fn a_configuration_is_checked_without_starting_anything() {
    let home = home();
    let said = run(home.path(), &["config", "check"]).fine();
    assert!(said.contains("complete"), "{said}");
    let wrong = run_with(home.path(), &["config", "check"], "", |command| {
        command
            .env("KEYWARD_LISTEN", "nowhere")
            .env("KEYWARD_LISTN", "127.0.0.1:1")
            .env("DATABASE_URL", "postgres://u:hunter2@localhost/x");
    });
    for name in ["KEYWARD_LISTEN:", "KEYWARD_LISTN:", "KEYWARD_MASTER_KEY:"] {
        assert!(wrong.err.contains(name), "{name}: {}", wrong.err);
    }
    assert!(!wrong.err.contains("hunter2"), "{}", wrong.err);
    wrong.refused("not configured");
    run_with(home.path(), &["config", "check"], "", |command| {
        command.env("RUST_LOG", "keyward=loud");
    })
    .refused("RUST_LOG");
    assert!(!home.path().join(".keyward").exists());
}

#[test]
fn the_contract_is_printed_as_it_is() {
    let home = home();
    let contract = run(home.path(), &["openapi"]).fine();
    assert_eq!(contract, include_str!("../../openapi.yaml"));
}

#[test]
fn a_plan_names_what_would_be_applied_and_applies_nothing() {
    let home = home();
    let plan = json_of(home.path(), &["migrate", "--plan"]);
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    assert_eq!(plan.as_array().unwrap().len(), files.count());
    assert_eq!(plan[0], json!({ "version": "0001", "description": "keys" }));
    assert!(!home.path().join(".keyward").exists());
    run(home.path(), &["migrate"]).fine();
    let nothing = "The schema is up to date: nothing would be applied.\n";
    assert_eq!(run(home.path(), &["migrate", "--plan"]).fine(), nothing);
    let keyward = Keyward::start(home.path());
    assert_eq!(run(home.path(), &["migrate", "--plan"]).fine(), nothing);
    run(home.path(), &["migrate"]).fine();
    assert!(keyward.stop().success());
}

#[test]
fn a_command_makes_no_database() {
    let home = home();
    for args in [["keys", "list"], ["keys", "rewrap"], ["users", "list"]] {
        run(home.path(), &args).refused("there is no database in ");
    }
    assert!(!home.path().join(".keyward").exists());
}

#[test]
fn a_schema_that_is_too_old_is_named_and_not_migrated() {
    let home = home();
    run(home.path(), &["migrate"]).fine();
    let keyward = Keyward::start(home.path());
    let said = run_with(home.path(), &["users", "list"], "", |command| {
        let mut url = url::Url::parse(&keyward.database_url()).unwrap();
        url.set_path("postgres");
        command.env("DATABASE_URL", url.as_str()).env(
            "KEYWARD_MASTER_KEY_FILE",
            home.path().join(".keyward/master.key"),
        );
    });
    said.refused("keyward migrate");
}

#[tokio::test]
async fn health_is_asked_where_the_service_listens() {
    let (home, address, management) = (home(), free_address(), free_address());
    let check = |listen: &str, management: Option<&str>| {
        run_with(home.path(), &["healthcheck"], "", |command| {
            command.env("KEYWARD_LISTEN", listen);
            if let Some(management) = management {
                command.env("KEYWARD_MANAGEMENT_LISTEN", management);
            }
        })
    };
    check(&address, None).refused("nobody answers on ");
    let keyward = Keyward::start_with(home.path(), |command| {
        command
            .env("KEYWARD_LISTEN", &address)
            .env("KEYWARD_MANAGEMENT_LISTEN", &management);
    });
    assert_eq!(check(&address, None).fine(), "ready\n");
    assert_eq!(check(&free_address(), Some(&management)).fine(), "ready\n");
    let port = management.rsplit(':').next().unwrap();
    let everywhere = format!("0.0.0.0:{port}");
    let said = run_with(home.path(), &["healthcheck"], "", |command| {
        command
            .env("KEYWARD_LISTEN", everywhere)
            .env("KEYWARD_PROFILE", "development");
    });
    assert_eq!(said.fine(), "ready\n");
    assert!(keyward.stop().success());
    check(&address, None).refused("nobody answers on ");
}

#[test]
fn what_uses_no_master_key_asks_for_none() {
    let (home, elsewhere) = (home(), home());
    let keyward = Keyward::start(home.path());
    let address = keyward.url.trim_start_matches("http://");
    for set in [None, Some("/nowhere/master.key")] {
        let run = |args: &[&str]| {
            run_with(elsewhere.path(), args, "", |command| {
                command
                    .env("DATABASE_URL", keyward.database_url())
                    .env("KEYWARD_PROFILE", "production")
                    .env("KEYWARD_LISTEN", address);
                command.envs(set.map(|file| ("KEYWARD_MASTER_KEY_FILE", file)));
            })
        };
        for args in [
            ["migrate", "--plan"].as_slice(),
            &["migrate"],
            &["healthcheck"],
            &["openapi"],
        ] {
            run(args).fine();
        }
        for args in [["config", "check"], ["keys", "list"]] {
            run(&args).refused("KEYWARD_MASTER_KEY");
        }
    }
    assert!(keyward.stop().success());
}

#[test]
fn a_service_that_is_not_ready_is_not_healthy() {
    let home = home();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 512];
        let read = stream.read(&mut asked).unwrap();
        stream
            .write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
            .unwrap();
        String::from_utf8_lossy(&asked[..read]).into_owned()
    });
    run_with(home.path(), &["healthcheck"], "", |command| {
        command.env("KEYWARD_LISTEN", &address);
    })
    .refused("is not ready");
    assert!(answer.join().unwrap().starts_with("GET /health/ready "));
}
