//! What it refuses to start with, and how it says so; and a second replica beside the first.

use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use sqlx::{Connection, PgConnection};

use crate::keyward::{Keyward, command, home, refused};

#[tokio::test]
async fn a_second_one_on_the_same_data_is_refused_and_the_first_goes_on() {
    let home = home();
    let keyward = Keyward::start(home.path());
    let said = refused(home.path(), |_| {});
    let data = std::fs::canonicalize(home.path().join(".keyward")).unwrap();
    assert!(
        said.contains("another Keyward") && said.contains(data.to_str().unwrap()),
        "{said}"
    );
    keyward.sign_up().await;
}

#[tokio::test]
async fn a_taken_port_is_refused_before_anything_is_made() {
    let home = home();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refused(home.path(), |command| {
        command.env("KEYWARD_LISTEN", &address);
    });
    assert!(
        said.contains(&format!("KEYWARD_LISTEN: cannot listen on {address}")),
        "{said}"
    );
    assert!(!home.path().join(".keyward").exists());
}

/// Killed while it starts a program, it leaves the port to that program until that is there.
#[tokio::test]
async fn a_port_that_is_free_a_moment_later_is_waited_for() {
    let home = home();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        drop(taken);
    });
    let keyward = Keyward::start_with(home.path(), |command| {
        command.env("KEYWARD_LISTEN", &address);
    });
    keyward.sign_up().await;
}

#[tokio::test]
async fn everything_wrong_with_the_configuration_is_said_at_once() {
    let home = home();
    let said = refused(home.path(), |command| {
        command
            .env("KEYWARD_LISTEN", "nowhere")
            .env("KEYWARD_LISTN", "127.0.0.1:1");
        command.env("DATABASE_URL", "postgres://u:hunter2@localhost/x");
    });
    for name in ["KEYWARD_LISTEN", "KEYWARD_LISTN", "KEYWARD_MASTER_KEY"] {
        assert!(said.contains(name), "{name}: {said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn a_second_replica_shares_the_database() {
    let (home, elsewhere) = (home(), home());
    let first = Keyward::start(home.path());
    let second = Keyward::start_with(elsewhere.path(), |command| {
        command.env("DATABASE_URL", first.database_url());
        command.env(
            "KEYWARD_MASTER_KEY_FILE",
            home.path().join(".keyward/master.key"),
        );
    });
    let ann = first.sign_up().await;
    assert_eq!(second.get("/v1/me", &ann["access_token"]).await, 200);
    let (status, refreshed) = second.refresh(&ann["refresh_token"]).await;
    assert_eq!(status, 200);
    assert_eq!(first.get("/v1/me", &refreshed["access_token"]).await, 200);
    assert!(!elsewhere.path().join(".keyward").exists());
    assert!(second.stop().success());
}

#[tokio::test]
async fn a_lost_master_key_is_not_replaced() {
    let home = home();
    assert!(Keyward::start(home.path()).stop().success());
    let key = home.path().join(".keyward/master.key");
    let text = std::fs::read_to_string(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let said = refused(home.path(), |_| {});
    assert!(said.contains("master.key is missing"), "{said}");
    assert!(!key.exists());
    std::fs::write(&key, text).unwrap();
    assert!(Keyward::start(home.path()).stop().success());
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named_without_its_password() {
    let home = home();
    let said = refused(home.path(), |command| {
        command.env("DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/x");
        command.env(
            "KEYWARD_MASTER_KEY",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        );
    });
    assert!(
        said.contains("database") && !said.contains("hunter2"),
        "{said}"
    );
}

const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[tokio::test]
async fn a_signal_stops_it_while_it_waits_for_its_database() {
    let home = home();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u@{}/x", silent.local_addr().unwrap());
    let mut waiting = command(home.path());
    waiting
        .env("DATABASE_URL", url)
        .env("KEYWARD_MASTER_KEY", MASTER_KEY);
    let mut waiting = waiting.spawn().unwrap();
    // It asks, and hears nothing.
    let connected = silent.accept().unwrap();
    rustix::process::kill_process(Pid::from_child(&waiting), Signal::TERM).unwrap();
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
    drop(connected);
}

#[tokio::test]
async fn a_schema_that_is_too_old_is_named() {
    let (owner, elsewhere) = (home(), home());
    let first = Keyward::start(owner.path());
    let mut database = PgConnection::connect(&first.database_url()).await.unwrap();
    sqlx::raw_sql("create database empty")
        .execute(&mut database)
        .await
        .unwrap();
    let mut url = url::Url::parse(&first.database_url()).unwrap();
    url.set_path("empty");
    let said = refused(elsewhere.path(), |command| {
        command
            .env("DATABASE_URL", url.as_str())
            .env("KEYWARD_MASTER_KEY", MASTER_KEY);
        command.env("KEYWARD_MIGRATE_ON_START", "false");
    });
    assert!(said.contains("schema is older than this release"), "{said}");
}

#[tokio::test]
async fn the_owner_migrates_and_another_process_serves() {
    let (owner, elsewhere) = (home(), home());
    let first = Keyward::start(owner.path());
    let mut database = PgConnection::connect(&first.database_url()).await.unwrap();
    sqlx::raw_sql("create database new")
        .execute(&mut database)
        .await
        .unwrap();
    let mut url = url::Url::parse(&first.database_url()).unwrap();
    url.set_path("new");
    let on_new = |command: &mut Command| {
        command
            .env("DATABASE_URL", url.as_str())
            .env("KEYWARD_MASTER_KEY", MASTER_KEY)
            .env("KEYWARD_MIGRATE_ON_START", "false");
    };
    let said = refused(elsewhere.path(), on_new);
    assert!(said.contains("keyward migrate"), "{said}");
    // Twice: it may be repeated.
    for _ in 0..2 {
        let mut migrate = command(elsewhere.path());
        on_new(&mut migrate);
        assert!(migrate.arg("migrate").status().unwrap().success());
    }
    Keyward::start_with(elsewhere.path(), on_new)
        .sign_up()
        .await;
}

#[tokio::test]
async fn events_that_would_be_kept_for_ever_are_warned_of() {
    let home = home();
    let warnings = |keyward: Keyward| {
        let log = keyward.log();
        assert!(keyward.stop().success());
        log.matches("security events are kept for ever").count()
    };
    let serve = || {
        Keyward::start_with(home.path(), |command| {
            command.env("KEYWARD_MIGRATE_ON_START", "false");
        })
    };
    let keyward = Keyward::start(home.path());
    let mut database = PgConnection::connect(&keyward.database_url())
        .await
        .unwrap();
    sqlx::raw_sql("delete from event_retention")
        .execute(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();
    assert_eq!(warnings(keyward), 0);
    assert_eq!(warnings(serve()), 1);
    let migrated = command(home.path()).arg("migrate").status().unwrap();
    assert!(migrated.success());
    assert_eq!(warnings(serve()), 1, "the log goes on: there is no new one");
}

#[test]
fn an_embedded_database_can_be_migrated_and_is_left_stopped() {
    let home = home();
    let migrated = command(home.path()).arg("migrate").status().unwrap();
    assert!(migrated.success());
    let postgres = home.path().join(".keyward/postgres");
    assert!(postgres.join("PG_VERSION").exists() && !postgres.join("postmaster.pid").exists());
}
