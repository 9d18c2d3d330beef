//! `POST /v1/auth/login`.

use chrono::TimeDelta;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Person, TestApp};

async fn log_in(app: &TestApp, body: Value) -> Answer {
    app.post("/v1/auth/login", body).await
}

/// An answer without what differs from request to request.
async fn comparable(app: &TestApp, body: Value) -> (u16, HeaderMap, String) {
    let request = app
        .request(Method::POST, "/v1/auth/login")
        .header("x-request-id", "one-for-all")
        .json(&body);
    let mut answer = app.send(request).await;
    answer.headers.remove("date");
    (answer.status, answer.headers.clone(), answer.text())
}

async fn signed_up_as<'a>(app: &'a TestApp, email: &str, username: &str) -> Person<'a> {
    let body = json!({ "email": email, "password": PASSWORD, "username": username });
    Person::new(app, &app.post("/v1/auth/signup", body).await.is(201))
}

// LGN-04
#[actix_web::test]
async fn an_address_logs_in_in_every_spelling() {
    let app = TestApp::start().await;
    let ann = app.sign_up("José@Bücher.example").await;
    for email in [
        "José@Bücher.example",
        "JOSÉ@BÜCHER.EXAMPLE",
        "jose\u{301}@xn--bcher-kva.example",
        " ｊｏｓé@bücher.example\n",
    ] {
        let user = app.log_in(email, PASSWORD).await.is(200)["user"].clone();
        assert_eq!(user, ann.user, "{email:?}");
    }
}

#[actix_web::test]
async fn a_username_logs_in_in_any_case() {
    let app = TestApp::start().await;
    let ann = signed_up_as(&app, "ann@example.com", "Ann.Lee").await;
    for username in ["ann.lee", "Ann.Lee", "ANN.LEE"] {
        let body = json!({ "username": username, "password": PASSWORD, "token_transport": "body" });
        assert_eq!(log_in(&app, body).await.is(200)["user"], ann.user);
    }
}

#[actix_web::test]
async fn each_login_is_a_session_of_its_own_and_is_noted() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    app.advance(TimeDelta::minutes(5));
    let again = ann.log_in_again().await;
    assert_ne!(again.session_id, ann.session_id);
    assert_ne!(again.refresh_token, ann.refresh_token);
    let now = app.app.seams.clock.now();
    assert_eq!(again.user["last_login_at"], json!(now));
    assert_eq!(again.user["updated_at"], ann.user["updated_at"]);
    assert_eq!(ann.me().await.is(200), again.user);
    assert_eq!(
        app.events().await,
        ["account_created", "logged_in", "logged_in"]
    );
}

// LGN-01
#[actix_web::test]
async fn what_cannot_log_in_gets_one_answer_to_the_byte() {
    let app = TestApp::start().await;
    signed_up_as(&app, "ann@example.com", "ann").await;
    signed_up_as(&app, "passwordless@example.com", "passwordless").await;
    signed_up_as(&app, "disabled@example.com", "disabled").await;
    signed_up_as(&app, "outdated@example.com", "outdated").await;
    let outdated = app
        .replica_with(|config| config.passwords.argon2.memory_kib = 16)
        .await;
    outdated
        .log_in("outdated@example.com", PASSWORD)
        .await
        .is(200);
    app.tamper(
        "update users set password_hash = null where username = 'passwordless';
         update users set disabled_at = now() where username = 'disabled'",
    )
    .await;
    let unknown = json!({ "email": "nobody@example.com", "password": PASSWORD });
    let expected = comparable(&app, unknown).await;
    assert_eq!(expected.0, 401);
    assert!(expected.2.contains("invalid_credentials"));
    for name in ["ann", "disabled", "outdated", "passwordless", "nobody"] {
        let wrong = "wrong password, alas";
        let email = json!({ "email": format!("{name}@example.com"), "password": wrong });
        assert_eq!(comparable(&app, email).await, expected, "{name}");
        let username = json!({ "username": name, "password": wrong });
        assert_eq!(comparable(&app, username).await, expected, "{name}");
    }
    let passwordless = json!({ "username": "passwordless", "password": PASSWORD });
    assert_eq!(comparable(&app, passwordless).await, expected);
    assert!(!expected.1.contains_key("set-cookie"));
}

#[actix_web::test]
async fn a_failed_login_opens_nothing_and_changes_nothing() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let events = app.events().await;
    app.advance(TimeDelta::minutes(5));
    app.log_in("ann@example.com", "wrong password, alas")
        .await
        .refused(401, "invalid_credentials");
    assert_eq!(ann.me().await.is(200), ann.user);
    assert_eq!(app.count("select count(*) from sessions").await, 1);
    assert_eq!(app.events().await[..events.len()], events);
    assert_eq!(app.events().await[events.len()..], ["login_failed"]);
}

// LGN-13
#[actix_web::test]
async fn no_password_opens_an_account_that_has_none() {
    let app = TestApp::start().await;
    app.sign_up("ann@example.com").await;
    app.tamper("update users set password_hash = null").await;
    for password in [" ", "null", "NULL", "\0", "$argon2id$", PASSWORD] {
        app.log_in("ann@example.com", password)
            .await
            .refused(401, "invalid_credentials");
    }
    app.log_in("ann@example.com", "")
        .await
        .invalid(&[("/password", "too_short")]);
    for (password, code) in [(Some(Value::Null), "wrong_type"), (None, "required")] {
        let mut body = json!({ "email": "ann@example.com" });
        if let Some(password) = password {
            body["password"] = password;
        }
        log_in(&app, body).await.invalid(&[("/password", code)]);
    }
}

// SES-13
#[actix_web::test]
async fn that_an_account_is_disabled_is_said_only_after_the_right_password() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    app.tamper("update users set disabled_at = now()").await;
    app.log_in("ann@example.com", "wrong password, alas")
        .await
        .refused(401, "invalid_credentials");
    let answer = app.log_in("ann@example.com", PASSWORD).await;
    answer.refused(403, "account_disabled");
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(app.count("select count(*) from sessions").await, 1);
    app.tamper("update users set disabled_at = null").await;
    ann.log_in_again().await;
}

#[actix_web::test]
async fn an_account_is_named_in_exactly_one_way() {
    let app = TestApp::start().await;
    signed_up_as(&app, "ann@example.com", "ann").await;
    let password = PASSWORD;
    log_in(&app, json!({ "password": password }))
        .await
        .invalid(&[("/email", "required")]);
    let both = json!({ "email": "ann@example.com", "username": "ann", "password": password });
    log_in(&app, both)
        .await
        .invalid(&[("/username", "mutually_exclusive")]);
    log_in(&app, json!({ "email": "ann", "password": password }))
        .await
        .invalid(&[("/email", "invalid_format")]);
    log_in(
        &app,
        json!({ "username": "ann@example.com", "password": password }),
    )
    .await
    .invalid(&[("/username", "invalid_format")]);
    log_in(&app, json!({ "email": "x", "password": "" }))
        .await
        .invalid(&[("/email", "invalid_format"), ("/password", "too_short")]);
}

// LGN-09, LGN-10, LGN-07
#[actix_web::test]
async fn a_password_is_compared_byte_for_byte() {
    let app = TestApp::start().await;
    let long = format!("{}x", "tall cliff moth ribbon 7 caf\u{e9} ".repeat(4));
    let others = [
        long[..72].to_owned(),
        long[..long.len() - 1].to_owned(),
        format!("{}y", &long[..long.len() - 1]),
        format!("{long}x"),
        format!("{long} "),
        format!(" {long}"),
        format!("{long}\0"),
        long.to_uppercase(),
        long.replacen(' ', "  ", 1),
        long.replacen('\u{e9}', "e\u{301}", 1),
        long.replacen(' ', "\u{a0}", 1),
    ];
    let body = json!({ "email": "ann@example.com", "password": long });
    app.post("/v1/auth/signup", body).await.is(201);
    for other in others {
        app.log_in("ann@example.com", &other)
            .await
            .refused(401, "invalid_credentials");
    }
    app.log_in("ann@example.com", &long).await.is(200);
}

// LGN-08
#[actix_web::test]
async fn a_password_to_compare_is_bounded_like_one_to_set() {
    let app = TestApp::start().await;
    app.sign_up("ann@example.com").await;
    for (password, status) in [
        ("x".to_owned(), 401),
        ("x".repeat(256), 401),
        ("🦊".repeat(256), 401),
        ("x".repeat(257), 422),
        ("x".repeat(10_000), 422),
    ] {
        app.log_in("ann@example.com", &password).await.is(status);
    }
}

// LGN-11
#[actix_web::test]
async fn no_text_is_a_statement() {
    let app = TestApp::start().await;
    signed_up_as(&app, "ann@example.com", "ann").await;
    for text in [
        "' or '1'='1",
        "ann'--",
        "ann';select pg_sleep(9)--",
        "ann\\",
        "%",
        "$1",
    ] {
        app.log_in("ann@example.com", text)
            .await
            .refused(401, "invalid_credentials");
        log_in(&app, json!({ "username": text, "password": PASSWORD }))
            .await
            .invalid(&[("/username", "invalid_format")]);
        let email = format!("{text}@example.com");
        assert!(matches!(
            app.log_in(&email, PASSWORD).await.status,
            401 | 422
        ));
    }
}
