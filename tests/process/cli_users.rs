//! `keyward users`: what an operator does to accounts, and what their owners notice.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::cli::{Said, run, run_with};
use crate::keyward::{EMAIL, Keyward, PASSWORD, home};

const NEW: &str = "amber kettle window 31";

#[track_caller]
fn fine(said: Said) -> String {
    assert_eq!(said.code, Some(0), "{}", said.err);
    said.out
}

#[track_caller]
fn users(home: &Path, args: &[&str]) -> Value {
    let args: Vec<&str> = [&["users"], args, &["--json"]].concat();
    serde_json::from_str(&fine(run(home, &args))).unwrap()
}

fn reset(home: &Path, name: &str, password: &str) -> Said {
    run_with(home, &["users", "reset-password", name], password, |_| {})
}

fn roles(answer: &Value) -> Value {
    let token = answer["access_token"].as_str().unwrap();
    let payload = token.split('.').nth(1).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice::<Value>(&payload).unwrap()["roles"].clone()
}

#[tokio::test]
async fn accounts_are_listed_page_by_page_beside_a_service_and_without_one() {
    let home = home();
    let keyward = Keyward::start(home.path());
    keyward.sign_up().await;
    for name in ["bob", "Cat"] {
        let body = json!({ "email": format!("{name}@Example.com"), "username": format!("{name}-x"), "password": PASSWORD });
        assert_eq!(keyward.post("/v1/auth/signup", &body).await.0, 201);
    }
    let emails = |list: &Value| -> Vec<String> {
        let users = list["users"].as_array().unwrap().iter();
        users
            .map(|user| user["email"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = users(home.path(), &["list", "--limit", "2"]);
    assert_eq!(emails(&first), ["Cat@Example.com", "bob@Example.com"]);
    let next = first["next"].as_str().unwrap();
    let second = users(home.path(), &["list", "--limit", "2", "--after", next]);
    assert_eq!(
        (emails(&second), &second["next"]),
        (vec![EMAIL.to_owned()], &Value::Null)
    );
    assert!(keyward.stop().success());
    for (text, found) in [
        ("CAT@", 1),
        ("-x", 2),
        ("example.com", 3),
        ("%", 0),
        ("_", 0),
    ] {
        let list = users(home.path(), &["list", "--matching", text]);
        assert_eq!(emails(&list).len(), found, "{text}");
    }
    let table = fine(run(home.path(), &["users", "list", "--limit", "1"]));
    assert!(table.starts_with("ID "), "{table}");
    assert!(
        table.contains("cat-x") && table.contains("There are more: --after "),
        "{table}"
    );
}

#[tokio::test]
async fn a_disabled_account_is_shut_at_once_and_opens_again() {
    let home = home();
    let keyward = Keyward::start(home.path());
    let ann = keyward.sign_up().await;
    let id = ann["user"]["id"].as_str().unwrap();
    assert_eq!(
        users(home.path(), &["disable", EMAIL]),
        json!({ "id": id, "changed": true })
    );
    assert_eq!(
        users(home.path(), &["disable", id]),
        json!({ "id": id, "changed": false })
    );
    assert_eq!(keyward.get("/v1/me", &ann["access_token"]).await, 401);
    assert_eq!(keyward.refresh(&ann["refresh_token"]).await.0, 401);
    let (status, refused) = keyward.log_in().await;
    assert_eq!(
        (status, &refused["code"]),
        (403, &json!("account_disabled"))
    );
    let said = fine(run(home.path(), &["users", "enable", id]));
    assert_eq!(said, format!("{id} is enabled.\n"));
    assert_eq!(keyward.log_in().await.0, 200);
    assert_eq!(keyward.get("/v1/me", &ann["access_token"]).await, 401);
}

#[tokio::test]
async fn sessions_end_and_roles_arrive_with_the_next_refresh() {
    let home = home();
    let keyward = Keyward::start(home.path());
    let ann = keyward.sign_up().await;
    let changed = users(
        home.path(),
        &["set-roles", EMAIL, "editor", "admin", "editor"],
    );
    assert_eq!(changed["changed"], true);
    let changed = users(home.path(), &["set-roles", EMAIL, "admin", "editor"]);
    assert_eq!(changed["changed"], false);
    assert_eq!(roles(&ann), json!([]));
    let (_, refreshed) = keyward.refresh(&ann["refresh_token"]).await;
    assert_eq!(roles(&refreshed), json!(["admin", "editor"]));
    let wrong = run(
        home.path(),
        &["users", "set-roles", EMAIL, "admin", "Not This"],
    );
    assert_eq!((wrong.code, wrong.out.as_str()), (Some(1), ""));
    assert!(wrong.err.contains("lower-case"), "{}", wrong.err);
    assert_eq!(keyward.log_in().await.0, 200);
    assert_eq!(users(home.path(), &["end-sessions", EMAIL])["ended"], 2);
    assert_eq!(keyward.get("/v1/me", &refreshed["access_token"]).await, 401);
    assert_eq!(users(home.path(), &["set-roles", EMAIL])["changed"], true);
    assert_eq!(roles(&keyward.log_in().await.1), json!([]));
}

#[tokio::test]
async fn a_password_is_reset_by_the_rules_for_passwords() {
    let home = home();
    let keyward = Keyward::start(home.path());
    let ann = keyward.sign_up().await;
    for (password, why) in [
        ("", "standard input is empty"),
        ("\n", "standard input is empty"),
        ("short", "At least 12"),
        ("aaaaaaaaaaaaaaaa", ""),
        (PASSWORD, "last 5 passwords"),
    ] {
        let said = reset(home.path(), EMAIL, password);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{password}");
        assert!(said.err.contains(why), "{}", said.err);
    }
    assert_eq!(keyward.get("/v1/me", &ann["access_token"]).await, 200);
    fine(reset(home.path(), EMAIL, &format!("{NEW}\r\n")));
    assert_eq!(keyward.get("/v1/me", &ann["access_token"]).await, 401);
    assert_eq!(keyward.log_in().await.0, 401);
    let body = json!({ "email": EMAIL, "password": NEW });
    assert_eq!(keyward.post("/v1/auth/login", &body).await.0, 200);
    // The one before is remembered.
    assert_eq!(reset(home.path(), EMAIL, PASSWORD).code, Some(1));
}

#[tokio::test]
async fn who_does_not_exist_is_named() {
    let home = home();
    let keyward = Keyward::start(home.path());
    keyward.sign_up().await;
    let nobody = "01a1f97e-0780-755a-aec5-8a24016f9c94";
    for name in ["bob@example.com", "bob", nobody, "no such name", "@"] {
        for command in ["disable", "enable", "end-sessions", "set-roles"] {
            let said = run(home.path(), &["users", command, name]);
            assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{name}");
            assert!(said.err.contains(name), "{}", said.err);
        }
        assert_eq!(reset(home.path(), name, NEW).code, Some(1), "{name}");
    }
}
