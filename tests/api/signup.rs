//! `POST /v1/auth/signup`.

use chrono::{DateTime, TimeDelta};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestApp};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:136.0) Gecko/20100101 Firefox/136.0";

async fn sign_up(app: &TestApp, body: Value) -> Answer {
    app.post("/v1/auth/signup", body).await
}

async fn with(app: &TestApp, member: &str, value: Value) -> Answer {
    let mut body = json!({ "email": "ann@example.com", "password": PASSWORD });
    body[member] = value;
    sign_up(app, body).await
}

/// How much there is of everything that signing up makes.
async fn rows(app: &TestApp) -> Value {
    app.json(
        "select to_json(array[(select count(*) from users), (select count(*) from sessions),
                              (select count(*) from security_events)])::text",
    )
    .await
}

#[actix_web::test]
async fn signing_up_signs_in_and_keeps_what_was_said() {
    let app = TestApp::start().await;
    let full = json!({
        "email": "  Ann.Lee@Bücher.Example ", "password": PASSWORD, "username": "Ann.Lee_1",
        "display_name": " Ann Lee 🦊 ", "locale": "zh-hant-tw", "token_transport": "body",
    });
    let request = app.request(Method::POST, "/v1/auth/signup");
    let request = request.header("user-agent", FIREFOX).json(&full);
    let answer = app.send(request).await.is(201);
    let now = app.app.seams.clock.now();
    assert_eq!(answer["status"], "authenticated");
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 600);
    assert_eq!(answer["refresh_expires_in"], 7 * 24 * 3600);
    assert_eq!(
        answer["user"],
        json!({
            "id": answer["user"]["id"], "email": "Ann.Lee@Bücher.Example", "email_verified": false,
            "username": "ann.lee_1", "display_name": "Ann Lee 🦊", "locale": "zh-Hant-TW",
            "two_factor_enabled": false, "roles": [],
            "created_at": now, "updated_at": now, "last_login_at": now,
        })
    );
    assert_eq!(
        answer["session"],
        json!({
            "id": answer["session"]["id"], "current": true, "created_at": now, "last_seen_at": now,
            "expires_at": now + TimeDelta::days(7), "ip_address": "127.0.0.1",
            "user_agent": FIREFOX, "auth_methods": ["pwd"],
            "device": { "kind": "desktop", "os": "Linux", "browser": "Firefox" },
        })
    );
}

#[actix_web::test]
async fn an_account_is_kept_in_its_canonical_form_and_begins_with_no_rights() {
    let app = TestApp::start().await;
    let body =
        json!({ "email": "Ｊose\u{301}@BÜCHER.example", "password": PASSWORD, "username": "JOE" });
    sign_up(&app, body).await.is(201);
    let kept = app
        .json(
            "select to_json(u)::text from (select email, email_canonical, username, roles,
                 email_verified_at, credential_version, two_factor_enabled_at, disabled_at from users) u",
        )
        .await;
    assert_eq!(
        kept,
        json!({
            "email": "Ｊose\u{301}@BÜCHER.example", "email_canonical": "jos\u{e9}@xn--bcher-kva.example",
            "username": "joe", "roles": [], "email_verified_at": null, "credential_version": 1,
            "two_factor_enabled_at": null, "disabled_at": null,
        })
    );
}

#[actix_web::test]
async fn signing_up_is_told_in_two_events() {
    let app = TestApp::start().await;
    let request = app
        .request(Method::POST, "/v1/auth/signup")
        .header("x-request-id", "signing-up_1")
        .header("user-agent", "script/1")
        .json(&json!({ "email": "ann@example.com", "password": PASSWORD }));
    let answer = app.send(request).await.is(201);
    let events = app
        .json(
            "select json_agg(e)::text from (select event, outcome, user_id, session_id,
                 host(ip_address) as ip, user_agent, request_id from security_events order by ctid) e",
        )
        .await;
    let event = |event: &str, session: &Value| {
        json!({
            "event": event, "outcome": "success", "user_id": answer["user"]["id"],
            "session_id": session, "ip": "127.0.0.1", "user_agent": "script/1",
            "request_id": "signing-up_1",
        })
    };
    assert_eq!(
        events,
        json!([
            event("account_created", &Value::Null),
            event("logged_in", &answer["session"]["id"]),
        ])
    );
}

#[actix_web::test]
async fn times_are_rfc_3339_in_utc() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let now = app.app.seams.clock.now();
    for member in ["created_at", "updated_at", "last_login_at"] {
        let text = ann.user[member].as_str().unwrap();
        assert!(text.ends_with('Z'), "{text}");
        assert_eq!(DateTime::parse_from_rfc3339(text).unwrap(), now);
    }
}

// LGN-04, LGN-05
#[actix_web::test]
async fn a_taken_address_is_taken_in_every_spelling() {
    let app = TestApp::start().await;
    app.sign_up("José.Kim@Bücher.example").await;
    for spelling in [
        "José.Kim@Bücher.example",
        "JOSÉ.KIM@BÜCHER.EXAMPLE",
        "jose\u{301}.kim@bu\u{308}cher.example",
        "josé.\u{212a}im@xn--bcher-kva.example",
        "josé.kim@XN--BCHER-KVA.example",
        "ｊｏｓé.kim@bücher.example",
        "josé.kim@bücher。example",
        "\t josé.kim@bücher.example\r\n",
    ] {
        with(&app, "email", json!(spelling))
            .await
            .refused(409, "email_taken");
    }
    assert_eq!(rows(&app).await, json!([1, 1, 2]));
}

// LGN-05, LGN-06: what mail providers or eyes take for one address is their business.
#[actix_web::test]
async fn addresses_that_only_look_alike_stay_apart() {
    let app = TestApp::start().await;
    for email in [
        "mike@example.org",
        "mike+x@example.org",
        "m.ike@example.org",
        "m\u{131}ke@example.org",
        "mike@\u{435}xample.org",
        "mike@example.com",
        "mike@sub.example.org",
    ] {
        app.sign_up(email).await;
    }
    assert_eq!(app.count("select count(*) from users").await, 7);
}

#[actix_web::test]
async fn a_taken_username_is_taken_in_any_case_and_its_address_stays_free() {
    let app = TestApp::start().await;
    with(&app, "username", json!("Ann_Lee")).await.is(201);
    for username in ["ann_lee", "ANN_LEE", "aNN_lEE"] {
        let mut body =
            json!({ "email": "bob@example.com", "password": PASSWORD, "username": username });
        sign_up(&app, body.clone())
            .await
            .refused(409, "username_taken");
        body["email"] = json!("ann@example.com");
        assert_eq!(sign_up(&app, body).await.status, 409);
    }
    assert_eq!(rows(&app).await, json!([1, 1, 2]));
    app.sign_up("bob@example.com").await;
}

// SGN-01
#[actix_web::test]
async fn fifty_who_sign_up_at_once_with_one_address_make_one_account() {
    let app = TestApp::start().await;
    let other = app.replica().await;
    let spelling = |mask: usize| -> String {
        let raise = |(at, c): (usize, char)| match mask >> at & 1 {
            1 => c.to_ascii_uppercase(),
            _ => c,
        };
        "parallel@example.com"
            .chars()
            .enumerate()
            .map(raise)
            .collect()
    };
    let answers = join_all((0..50).map(|n| {
        let app = if n % 2 == 0 { &app } else { &other };
        with(app, "email", json!(spelling(n)))
    }))
    .await;
    let made = answers.iter().filter(|answer| answer.status == 201);
    assert_eq!(made.count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "email_taken");
    }
    assert_eq!(rows(&app).await, json!([1, 1, 2]));
}

#[actix_web::test]
async fn many_who_sign_up_at_once_with_one_username_make_one_account() {
    let app = TestApp::start().await;
    let other = app.replica().await;
    let answers = join_all((0..20).map(|n| {
        let app = if n % 2 == 0 { &app } else { &other };
        let username = if n % 3 == 0 { "Wanted" } else { "wanted" };
        let email = format!("person{n}@example.com");
        sign_up(
            app,
            json!({ "email": email, "password": PASSWORD, "username": username }),
        )
    }))
    .await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 201).count(),
        1
    );
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "username_taken");
    }
    assert_eq!(rows(&app).await, json!([1, 1, 2]));
}

#[actix_web::test]
async fn a_client_that_lost_the_answer_learns_that_the_account_exists_and_logs_in() {
    let app = TestApp::start().await;
    let lost = app.sign_up("ann@example.com").await;
    with(&app, "locale", json!("de"))
        .await
        .refused(409, "email_taken");
    let user = app.log_in("ann@example.com", PASSWORD).await.is(200)["user"].clone();
    assert_eq!(user, lost.user);
}
