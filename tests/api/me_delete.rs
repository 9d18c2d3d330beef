//! `POST /v1/me/delete`.

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp};

const WRONG: &str = "wrong password, alas";

/// Everything there is, of everybody.
async fn everything(app: &TestApp) -> Value {
    app.json(
        "select json_build_array((select json_agg(u order by id) from users u),
             (select json_agg(s order by id) from sessions s),
             (select json_agg(e order by id) from security_events e))::text",
    )
    .await
}

#[actix_web::test]
async fn a_wrong_password_deletes_nothing() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let before = everything(&app).await;
    for wrong in [
        WRONG,
        " ",
        &format!("{PASSWORD} "),
        &PASSWORD.to_uppercase(),
    ] {
        ann.delete(wrong).await.refused(403, "wrong_password");
    }
    ann.delete("").await.invalid(&[("/password", "too_short")]);
    ann.delete(&"x".repeat(257))
        .await
        .invalid(&[("/password", "too_long")]);
    for (body, code) in [
        (json!({}), "required"),
        (json!({ "password": null }), "wrong_type"),
        (json!({ "password": true }), "wrong_type"),
    ] {
        ann.call(Method::POST, "/v1/me/delete", Some(body))
            .await
            .invalid(&[("/password", code)]);
    }
    let mut after = everything(&app).await;
    // Each wrong one has left its trace, and nothing else has changed.
    let events = after
        .as_array_mut()
        .unwrap()
        .last_mut()
        .unwrap()
        .as_array_mut()
        .unwrap();
    events.retain(|event| event["event"] != "password_refused");
    assert_eq!(after, before);
}

#[actix_web::test]
async fn an_account_without_a_password_is_not_deleted_by_one() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    app.tamper("update users set password_hash = null").await;
    ann.delete(PASSWORD).await.refused(403, "wrong_password");
    ann.me().await.is(200);
}

#[actix_web::test]
async fn everything_of_the_account_goes_and_nothing_of_others() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let bob = app.sign_up("bob@example.com").await;
    ann.log_in_again().await;
    ann.change(json!({ "locale": "de" })).await.is(200);
    ann.delete(PASSWORD).await.is(204);
    let left = everything(&app).await;
    assert_eq!(left[0].as_array().unwrap().len(), 1);
    assert_eq!(left[0][0]["id"], bob.user["id"]);
    assert_eq!(left[1].as_array().unwrap().len(), 1);
    assert_eq!(left[1][0]["id"], json!(bob.session_id));
    assert_eq!(
        app.events().await,
        ["account_created", "logged_in", "account_deleted"]
    );
    let text = left.to_string();
    for of_ann in [&ann.user["id"], &json!(ann.session_id), &ann.user["email"]] {
        assert!(
            !text.contains(of_ann.as_str().unwrap()),
            "{of_ann} in {text}"
        );
    }
    bob.me().await.is(200);
}

#[actix_web::test]
async fn the_event_outlives_the_account_without_naming_it() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let request = app
        .request(Method::POST, "/v1/me/delete")
        .bearer_auth(&ann.access_token)
        .header("x-request-id", "farewell-1")
        .json(&json!({ "password": PASSWORD }));
    app.send(request).await.is(204);
    let event = app
        .json(
            "select to_json(e)::text
             from (select event, outcome, user_id, session_id, request_id from security_events) e",
        )
        .await;
    assert_eq!(
        event,
        json!({
            "event": "account_deleted", "outcome": "success", "user_id": null, "session_id": null,
            "request_id": "farewell-1",
        })
    );
}

#[actix_web::test]
async fn tokens_of_a_deleted_account_open_nothing_on_any_replica() {
    let app = TestApp::start().await;
    let other = app.replica().await;
    let ann = app.sign_up("ann@example.com").await;
    let phone = ann.log_in_again().await;
    ann.delete(PASSWORD).await.is(204);
    for person in [&ann, &phone, &ann.at(&other), &phone.at(&other)] {
        person.me().await.refused(401, "session_ended");
        person.delete(PASSWORD).await.refused(401, "session_ended");
        person
            .app
            .refresh(&person.refresh_token)
            .await
            .refused(401, "refresh_token_invalid");
        person.log_out().await.is(204);
    }
    app.log_in("ann@example.com", PASSWORD)
        .await
        .refused(401, "invalid_credentials");
}

// JWT-23
#[actix_web::test]
async fn an_address_that_is_free_again_makes_a_stranger() {
    let app = TestApp::start().await;
    let old = app.sign_up("ann@example.com").await;
    old.change(json!({ "username": "ann", "display_name": "Ann", "locale": "de" }))
        .await
        .is(200);
    app.tamper("update users set roles = '{admin}'").await;
    old.delete(PASSWORD).await.is(204);
    let new = app.sign_up("ann@example.com").await;
    assert_ne!(new.user["id"], old.user["id"]);
    for member in ["username", "display_name", "locale"] {
        assert_eq!(new.user[member], Value::Null);
    }
    assert_eq!(new.user["roles"], json!([]));
    new.change(json!({ "username": "ann" })).await.is(200);
    old.me().await.refused(401, "session_ended");
    app.refresh(&old.refresh_token)
        .await
        .refused(401, "refresh_token_invalid");
    old.log_out().await.is(204);
    new.me().await.is(200);
    let of_new = "select count(*) from security_events e join users u on u.id = e.user_id";
    assert_eq!(app.count(of_new).await, 3);
}

#[actix_web::test]
async fn of_many_deletions_at_once_one_deletes() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let answers = join_all((0..10).map(|_| ann.delete(PASSWORD))).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 204).count(),
        1
    );
    for answer in answers.iter().filter(|answer| answer.status != 204) {
        assert!(matches!(answer.status, 401 | 403), "{answer:?}");
    }
    assert_eq!(app.events().await, ["account_deleted"]);
}

/// The password is compared before the account is deleted; in between it may change.
#[actix_web::test]
async fn a_password_that_changes_meanwhile_deletes_nothing() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let other = json!({ "email": "bob@example.com", "password": "quiet lamp river stone" });
    app.post("/v1/auth/signup", other).await.is(201);
    let mut changing = app.sql.begin().await.unwrap();
    let another = "update users set password_hash = bob.password_hash from users bob
        where users.email = 'ann@example.com' and bob.email = 'bob@example.com'";
    sqlx::raw_sql(another)
        .execute(&mut *changing)
        .await
        .unwrap();
    let (answer, ()) = join(ann.delete(PASSWORD), async {
        app.somebody_waits().await;
        changing.commit().await.unwrap();
    })
    .await;
    answer.refused(403, "wrong_password");
    ann.me().await.is(200);
}
