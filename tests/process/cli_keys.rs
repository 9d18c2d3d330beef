//! `keyward keys`, and that no command prints anything secret.

use std::path::Path;
use std::process::Command;

use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::cli::{run, run_with};
use crate::keyward::{EMAIL, Keyward, PASSWORD, home};

const OLD: &str = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "new:IB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE=";

#[track_caller]
fn keys(home: &Path, args: &[&str], master: &str) -> Value {
    let args: Vec<&str> = [&["keys"], args, &["--json"]].concat();
    let said = run_with(home, &args, "", sealed_by(master));
    assert_eq!(said.code, Some(0), "{}", said.err);
    serde_json::from_str(&said.out).unwrap()
}

fn sealed_by(master: &str) -> impl FnOnce(&mut Command) {
    let master = master.to_owned();
    move |command| {
        command.env("KEYWARD_MASTER_KEY", master);
    }
}

async fn published(keyward: &Keyward) -> Vec<Value> {
    let url = format!("{}/.well-known/jwks.json", keyward.url);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer: Value = http.get(url).send().await.unwrap().json().await.unwrap();
    let keys = answer["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].clone()).collect()
}

// JWT-07, OPS-10
#[tokio::test]
async fn a_service_that_runs_follows_a_leaked_key_without_a_restart() {
    let home = home();
    let keyward = Keyward::start_with(home.path(), sealed_by(OLD));
    let ann = keyward.sign_up().await;
    let [old] = published(&keyward).await.try_into().unwrap();
    let rotate = ["rotate", "access_token", "--now", "--revoke"];
    let rotated = keys(home.path(), &rotate, OLD);
    let new = &rotated["key"]["id"];
    assert_eq!(
        (&rotated["key"]["state"], &rotated["revoked"]),
        (&json!("next"), &json!(1))
    );
    while published(&keyward).await != [new.clone()] {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(keyward.get("/v1/me", &ann["access_token"]).await, 401);
    let (status, refreshed) = keyward.refresh(&ann["refresh_token"]).await;
    assert_eq!(status, 200);
    assert_eq!(keyward.get("/v1/me", &refreshed["access_token"]).await, 200);
    let list = keys(home.path(), &["list"], OLD);
    let state = |id: &Value| {
        let mut list = list.as_array().unwrap().iter();
        list.find(|key| key["id"] == *id).unwrap()["state"].clone()
    };
    assert_eq!(
        (state(&old), state(new)),
        (json!("revoked"), json!("active"))
    );
}

#[tokio::test]
async fn a_master_key_is_replaced_in_three_steps() {
    let home = home();
    let keyward = Keyward::start_with(home.path(), sealed_by(OLD));
    let ann = keyward.sign_up().await;
    assert!(keyward.stop().success());
    let keyward = Keyward::start_with(home.path(), sealed_by(&format!("{OLD},{NEW}")));
    let both = format!("{NEW},{OLD}");
    assert_eq!(
        keys(home.path(), &["rewrap"], &both),
        json!({ "rewrapped": 8 })
    );
    assert_eq!(
        keys(home.path(), &["rewrap"], &both),
        json!({ "rewrapped": 0 })
    );
    assert_eq!(keyward.get("/v1/me", &ann["access_token"]).await, 200);
    assert!(keyward.stop().success());
    let refused = run_with(home.path(), &["keys", "list"], "", sealed_by(OLD));
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .err
            .contains("master key new, which is not configured"),
        "{}",
        refused.err
    );
    let keyward = Keyward::start_with(home.path(), sealed_by(NEW));
    assert_eq!(keyward.get("/v1/me", &ann["access_token"]).await, 200);
    assert_eq!(keyward.refresh(&ann["refresh_token"]).await.0, 200);
    assert_eq!(keyward.log_in().await.0, 200);
}

/// Every command there is, and some of their ways.
const COMMANDS: [&[&str]; 14] = [
    &["keys", "list", "--json"],
    &["keys", "list"],
    &["keys", "rotate", "totp_secret", "--revoke"],
    &["keys", "rotate", "access_token", "--json"],
    &["keys", "rewrap"],
    &["users", "list"],
    &["users", "list", "--json"],
    &["users", "set-roles", EMAIL, "admin", "--json"],
    &["users", "reset-password", EMAIL, "--json"],
    &["users", "end-sessions", EMAIL],
    &["users", "disable", EMAIL, "--json"],
    &["config", "check"],
    &["migrate", "--plan"],
    &["migrate"],
];

/// The master key, the database's password, and what the database has of keys.
async fn secrets(keyward: &Keyward, home: &Path) -> Vec<String> {
    let master = std::fs::read_to_string(home.join(".keyward/master.key")).unwrap();
    let database_url = keyward.database_url();
    let url = url::Url::parse(&database_url).unwrap();
    let mut secrets = vec![master.trim().to_owned(), url.password().unwrap().to_owned()];
    let mut database = PgConnection::connect(&database_url).await.unwrap();
    let sealed: Vec<Vec<u8>> = sqlx::query_scalar("select sealed from keys")
        .fetch_all(&mut database)
        .await
        .unwrap();
    assert_eq!(sealed.len(), 10);
    for bytes in sealed {
        let bytes = &bytes[..24];
        let numbers = format!("{bytes:?}");
        secrets.extend([BASE64.encode(bytes), HEXLOWER.encode(bytes)]);
        secrets.push(numbers.trim_matches(['[', ']']).to_owned());
    }
    secrets
}

// OPS-14
#[tokio::test]
async fn no_command_prints_a_secret_however_much_is_logged() {
    let home = home();
    let keyward = Keyward::start(home.path());
    keyward.sign_up().await;
    let password = "amber kettle window 31";
    let mut said = String::new();
    for args in COMMANDS {
        let done = run_with(home.path(), args, password, |command| {
            command.env("RUST_LOG", "trace");
        });
        assert_eq!(done.code, Some(0), "{args:?}: {}", done.err);
        said = said + &done.out + &done.err;
    }
    assert!(said.contains("TRACE"), "this is not the whole log");
    let mut secrets = secrets(&keyward, home.path()).await;
    secrets.extend([PASSWORD, password, "$argon2"].map(str::to_owned));
    for secret in secrets {
        assert_eq!(said.lines().find(|line| line.contains(&secret)), None);
    }
    assert_eq!(run(home.path(), &["users", "enable", EMAIL]).code, Some(0));
}
