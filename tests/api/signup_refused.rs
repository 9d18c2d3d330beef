//! What signing up refuses, and that nothing comes of it.

use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestApp};

async fn with(app: &TestApp, member: &str, value: Value) -> Answer {
    let mut body = json!({ "email": "ann@example.com", "password": PASSWORD });
    body[member] = value;
    app.post("/v1/auth/signup", body).await
}

#[actix_web::test]
async fn everything_wrong_is_said_at_once() {
    let app = TestApp::start().await;
    let body = json!({
        "email": "nobody", "password": "short", "username": "!", "display_name": " ", "locale": "english please",
    });
    let answer = app.post("/v1/auth/signup", body).await;
    answer.invalid(&[
        ("/email", "invalid_format"),
        ("/password", "too_short"),
        ("/username", "invalid_format"),
        ("/display_name", "too_short"),
        ("/locale", "invalid_format"),
    ]);
    let errors = answer.json()["errors"].clone();
    let short = errors
        .as_array()
        .unwrap()
        .iter()
        .find(|error| error["pointer"] == "/password");
    assert_eq!(short.unwrap()["params"], json!({ "min": 12 }));
}

// SGN-03
#[actix_web::test]
async fn nobody_gives_themselves_more_than_the_contract_lists() {
    let app = TestApp::start().await;
    for (member, value) in [
        ("role", json!("admin")),
        ("roles", json!(["admin"])),
        ("is_admin", json!(true)),
        ("is_verified", json!(true)),
        ("email_verified", json!(true)),
        ("email_verified_at", json!("2026-01-01T00:00:00Z")),
        ("email_canonical", json!("bob@example.com")),
        ("id", json!("01890000-0000-7000-8000-000000000000")),
        ("user_id", json!("01890000-0000-7000-8000-000000000000")),
        ("org_id", json!(null)),
        ("disabled_at", json!(null)),
        (
            "password_hash",
            json!("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"),
        ),
        ("credential_version", json!(7)),
        ("two_factor_enabled", json!(false)),
        ("mfa", json!({})),
        ("created_at", json!("2020-01-01T00:00:00Z")),
        ("last_login_at", json!(null)),
        ("Email", json!("bob@example.com")),
        ("__proto__", json!({ "roles": ["admin"] })),
    ] {
        with(&app, member, value)
            .await
            .invalid(&[(&format!("/{member}"), "unknown_member")]);
    }
    assert_eq!(app.count("select count(*) from users").await, 0);
}

// SGN-15
#[actix_web::test]
async fn what_is_not_one_mailbox_is_refused_when_signing_up_and_logging_in_alike() {
    let app = TestApp::start().await;
    for email in [
        "",
        "ann",
        "a@x.com,b@y.com",
        "a@x.com b@y.com",
        "a@b@example.com",
        "\"a\"@example.com",
        "ann(c)@example.com",
        "Ann <ann@example.com>",
        "ann@[127.0.0.1]",
        "ann@localhost",
        "ann@example.com.",
        "ann@example.com%0d",
        "ann@exa mple.com",
    ] {
        let invalid = [("/email", "invalid_format")];
        with(&app, "email", json!(email)).await.invalid(&invalid);
        app.log_in(email, PASSWORD).await.invalid(&invalid);
    }
    for email in [
        "a\r\nBcc: b@x.com@example.com",
        "a\0@example.com",
        "a\u{200d}@example.com",
    ] {
        let forbidden = [("/email", "forbidden_character")];
        with(&app, "email", json!(email)).await.invalid(&forbidden);
        app.log_in(email, PASSWORD).await.invalid(&forbidden);
    }
    let long = format!(
        "{}@{}.com",
        "a".repeat(64),
        ["b".repeat(62).as_str(); 4].join(".")
    );
    with(&app, "email", json!(long)).await.is(422);
    with(&app, "email", json!(["a@x.com", "b@y.com"]))
        .await
        .invalid(&[("/email", "wrong_type")]);
}

#[actix_web::test]
async fn a_username_cannot_be_mistaken_for_an_address() {
    let app = TestApp::start().await;
    app.sign_up("ann@example.com").await;
    for username in [
        "ann@example.com",
        "ANN@EXAMPLE.COM",
        "ann%40example.com",
        "ann＠example.com",
    ] {
        let mut body = json!({ "email": "bob@example.com", "password": PASSWORD });
        body["username"] = json!(username);
        app.post("/v1/auth/signup", body)
            .await
            .invalid(&[("/username", "invalid_format")]);
    }
}

#[actix_web::test]
async fn other_forms_of_names_and_locales_are_refused() {
    let app = TestApp::start().await;
    for username in [
        "",
        "ab",
        ".ann",
        "-ann",
        "_ann",
        "a n n",
        "änn",
        " ann",
        "ａｎｎ",
        &"a".repeat(33),
    ] {
        with(&app, "username", json!(username))
            .await
            .invalid(&[("/username", "invalid_format")]);
    }
    for (name, code) in [
        (" \u{a0}\t", "too_short"),
        ("a\u{7}b", "forbidden_character"),
        (&"🦊".repeat(129), "too_long"),
    ] {
        with(&app, "display_name", json!(name))
            .await
            .invalid(&[("/display_name", code)]);
    }
    for (locale, code) in [
        ("en_US", "invalid_format"),
        ("e", "invalid_format"),
        (&"a".repeat(36), "too_long"),
    ] {
        with(&app, "locale", json!(locale))
            .await
            .invalid(&[("/locale", code)]);
    }
    with(&app, "token_transport", json!("Cookie"))
        .await
        .invalid(&[("/token_transport", "invalid_choice")]);
}

// INP-14
#[actix_web::test]
async fn names_are_bounded_in_characters_and_kept_as_they_are() {
    let app = TestApp::start().await;
    for (n, name) in [
        "🦊".repeat(128),
        format!("e{}", "\u{301}".repeat(127)),
        "\u{202e}nimda".to_owned(),
        "a\u{200d}b".to_owned(),
        "<b>{{7*7}}</b>".to_owned(),
        "Robert'); drop table users;--".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({ "email": format!("p{n}@example.com"), "password": PASSWORD, "display_name": name });
        let answer = app.post("/v1/auth/signup", body).await.is(201);
        assert_eq!(answer["user"]["display_name"], json!(name));
    }
    assert_eq!(app.count("select count(*) from users").await, 6);
}

#[actix_web::test]
async fn nothing_remains_of_a_refused_signup() {
    let app = TestApp::start().await;
    app.sign_up("bob@example.com").await;
    app.tamper("update users set username = 'bob'").await;
    let before = app.events().await.len();
    with(&app, "email", json!("bob@example.com")).await.is(409);
    with(&app, "username", json!("bob")).await.is(409);
    with(&app, "password", json!("password1234")).await.is(422);
    with(&app, "email", json!("x")).await.is(422);
    with(&app, "admin", json!(true)).await.is(422);
    let body = json!({ "email": "ann@example.com", "password": PASSWORD }).to_string();
    let path = "/v1/auth/signup";
    app.post_raw(path, "text/plain", body.clone()).await.is(415);
    app.post_raw(path, "application/json", format!("{body},"))
        .await
        .is(400);
    assert_eq!(app.count("select count(*) from users").await, 1);
    assert_eq!(app.count("select count(*) from sessions").await, 1);
    assert_eq!(app.events().await.len(), before);
    app.sign_up("ann@example.com").await;
}
