//! `GET` and `PATCH /v1/me`.

use chrono::TimeDelta;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, TestApp};

/// Somebody with every member of a profile.
async fn ann(app: &TestApp) -> Person<'_> {
    let body = json!({
        "email": "ann@example.com", "password": PASSWORD, "username": "ann",
        "display_name": "Ann", "locale": "en-GB",
    });
    Person::new(app, &app.post("/v1/auth/signup", body).await.is(201))
}

#[actix_web::test]
async fn one_reads_ones_own_account() {
    let app = TestApp::start().await;
    let (ann, bob) = (ann(&app).await, app.sign_up("bob@example.com").await);
    assert_eq!(ann.me().await.is(200), ann.user);
    assert_eq!(bob.me().await.is(200), bob.user);
    app.get("/v1/me").await.refused(401, "token_missing");
}

#[actix_web::test]
async fn each_member_is_changed_alone_and_null_clears_it() {
    let app = TestApp::start().await;
    let ann = ann(&app).await;
    let mut expected = ann.user.clone();
    for (member, typed, kept) in [
        ("display_name", json!(" Ann Lee "), json!("Ann Lee")),
        ("username", json!("Ann.Lee"), json!("ann.lee")),
        ("locale", json!("PT-br"), json!("pt-BR")),
        ("display_name", Value::Null, Value::Null),
        ("username", Value::Null, Value::Null),
        ("locale", Value::Null, Value::Null),
        ("display_name", json!("null"), json!("null")),
    ] {
        app.advance(TimeDelta::seconds(1));
        expected[member] = kept;
        expected["updated_at"] = json!(app.app.seams.clock.now());
        assert_eq!(ann.change(json!({ member: typed })).await.is(200), expected);
        assert_eq!(ann.me().await.is(200), expected);
    }
}

#[actix_web::test]
async fn all_members_are_changed_at_once_and_it_is_told() {
    let app = TestApp::start().await;
    let ann = ann(&app).await;
    let change = json!({ "display_name": null, "username": "lee", "locale": "de" });
    let changed = ann.change(change).await.is(200);
    assert_eq!(changed["display_name"], Value::Null);
    assert_eq!(
        (&changed["username"], &changed["locale"]),
        (&json!("lee"), &json!("de"))
    );
    let event = app
        .json(
            "select to_json(e)::text from (select user_id, session_id, outcome
                 from security_events where event = 'profile_changed') e",
        )
        .await;
    let expected =
        json!({ "user_id": ann.user["id"], "session_id": ann.session_id, "outcome": "success" });
    assert_eq!(event, expected);
    app.post(
        "/v1/auth/login",
        json!({ "username": "lee", "password": PASSWORD }),
    )
    .await
    .is(200);
    app.post(
        "/v1/auth/login",
        json!({ "username": "ann", "password": PASSWORD }),
    )
    .await
    .refused(401, "invalid_credentials");
}

#[actix_web::test]
async fn an_empty_change_changes_nothing() {
    let app = TestApp::start().await;
    let ann = ann(&app).await;
    let events = app.events().await;
    app.advance(TimeDelta::seconds(1));
    assert_eq!(ann.change(json!({})).await.is(200), ann.user);
    assert_eq!(ann.me().await.is(200), ann.user);
    assert_eq!(app.events().await, events);
}

#[actix_web::test]
async fn wrong_values_are_all_said_at_once_and_nothing_changes() {
    let app = TestApp::start().await;
    let ann = ann(&app).await;
    app.advance(TimeDelta::seconds(1));
    ann.change(json!({ "display_name": "", "username": "-", "locale": "en_US" }))
        .await
        .invalid(&[
            ("/display_name", "too_short"),
            ("/username", "invalid_format"),
            ("/locale", "invalid_format"),
        ]);
    ann.change(json!({ "display_name": "Lee", "username": "ann@example.com" }))
        .await
        .invalid(&[("/username", "invalid_format")]);
    for (member, value) in [
        ("display_name", json!(7)),
        ("username", json!(["x"])),
        ("locale", json!({})),
    ] {
        ann.change(json!({ member: value }))
            .await
            .invalid(&[(&format!("/{member}"), "wrong_type")]);
    }
    assert_eq!(ann.me().await.is(200), ann.user);
}

#[actix_web::test]
async fn a_username_of_somebody_else_is_taken_in_any_case_and_nothing_changes() {
    let app = TestApp::start().await;
    let ann = ann(&app).await;
    let bob = app.sign_up("bob@example.com").await;
    app.advance(TimeDelta::seconds(1));
    for username in ["ann", "ANN"] {
        bob.change(json!({ "username": username, "locale": "de" }))
            .await
            .refused(409, "username_taken");
    }
    assert_eq!(bob.me().await.is(200), bob.user);
    // One's own is no conflict, and what is given up is free.
    ann.change(json!({ "username": "ANN" })).await.is(200);
    ann.change(json!({ "username": null })).await.is(200);
    bob.change(json!({ "username": "ann" })).await.is(200);
}

#[actix_web::test]
async fn of_many_who_want_one_username_one_gets_it() {
    let app = TestApp::start().await;
    let mut people = Vec::new();
    for n in 0..10 {
        people.push(app.sign_up(&format!("p{n}@example.com")).await);
    }
    let answers = join_all(
        people
            .iter()
            .map(|person| person.change(json!({ "username": "one" }))),
    )
    .await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 200).count(),
        1
    );
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused(409, "username_taken");
    }
}

// SGN-04
#[actix_web::test]
async fn nobody_changes_what_the_contract_does_not_list() {
    let app = TestApp::start().await;
    let (ann, bob) = (ann(&app).await, app.sign_up("bob@example.com").await);
    for (member, value) in [
        ("email", json!("eve@example.com")),
        ("email_verified", json!(true)),
        ("email_verified_at", json!("2026-01-01T00:00:00Z")),
        ("phone_verified", json!(true)),
        ("role", json!("admin")),
        ("roles", json!(["admin"])),
        ("id", bob.user["id"].clone()),
        ("user_id", bob.user["id"].clone()),
        ("sub", bob.user["id"].clone()),
        ("org_id", json!(null)),
        ("disabled_at", json!(null)),
        ("password", json!("another long password")),
        ("password_hash", json!(null)),
        ("two_factor_enabled", json!(true)),
        ("created_at", json!("2020-01-01T00:00:00Z")),
    ] {
        ann.change(json!({ "display_name": "Eve", member: value }))
            .await
            .invalid(&[(&format!("/{member}"), "unknown_member")]);
    }
    assert_eq!(ann.me().await.is(200), ann.user);
    assert_eq!(bob.me().await.is(200), bob.user);
}

// SGN-05
#[actix_web::test]
async fn who_one_is_comes_from_the_token_and_from_nowhere_else() {
    let app = TestApp::start().await;
    let (ann, bob) = (ann(&app).await, app.sign_up("bob@example.com").await);
    let id = bob.user["id"].as_str().unwrap();
    let path = format!(
        "/v1/me?user_id={id}&sub={id}&access_token={}",
        bob.access_token
    );
    let request = app
        .request(Method::GET, &path)
        .header("x-user-id", id)
        .header("x-forwarded-user", id);
    let signed_in = request.try_clone().unwrap().bearer_auth(&ann.access_token);
    assert_eq!(app.send(signed_in).await.is(200), ann.user);
    app.send(request).await.refused(401, "token_missing");
}

// SES-13, RFT-10
#[actix_web::test]
async fn a_disabled_account_is_shut_out_at_once_everywhere() {
    let app = TestApp::start().await;
    let other = app.replica().await;
    let ann = ann(&app).await;
    ann.at(&other).me().await.is(200);
    app.tamper("update users set disabled_at = now()").await;
    for app in [&app, &other] {
        let ann = ann.at(app);
        ann.me().await.refused(401, "session_ended");
        ann.change(json!({ "locale": "de" }))
            .await
            .refused(401, "session_ended");
        ann.delete(PASSWORD).await.refused(401, "session_ended");
        app.refresh(&ann.refresh_token)
            .await
            .refused(401, "refresh_token_invalid");
    }
    assert_eq!(
        app.count("select count(*) from users where locale = 'en-GB'")
            .await,
        1
    );
}

#[actix_web::test]
async fn who_calls_is_judged_before_what_they_sent() {
    let app = TestApp::start().await;
    let ann = ann(&app).await;
    ann.log_out().await.is(204);
    ann.change(json!({ "admin": true }))
        .await
        .refused(401, "session_ended");
    ann.delete("").await.refused(401, "session_ended");
    let request = app.request(Method::PATCH, "/v1/me").body("{");
    app.send(request).await.refused(401, "token_missing");
}

/// A look-up that is cut off in the middle is paid for with its connection.
#[actix_web::test]
async fn a_refused_body_costs_no_database_connection() {
    let app = TestApp::start().await;
    let ann = ann(&app).await;
    let connections = "select json_agg(pid)::text from pg_stat_activity
                       where application_name = 'keyward' and datname = current_database()";
    let before = app.json(connections).await;
    for _ in 0..10 {
        ann.change(json!({ "admin": true })).await.is(422);
        let request = app
            .request(Method::PATCH, "/v1/me")
            .bearer_auth(&ann.access_token);
        app.send(request.body("{")).await.is(415);
        ann.call(Method::POST, "/v1/me/delete", None).await.is(400);
    }
    let after = app.json(connections).await;
    let after = after.as_array().unwrap();
    let before = before.as_array().unwrap();
    assert!(
        before.iter().all(|pid| after.contains(pid)),
        "{before:?} became {after:?}"
    );
}
