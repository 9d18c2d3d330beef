//! `/v1/me/sessions`: where one is signed in, and ending it there.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Person, TestApp};

async fn listed(person: &Person<'_>) -> Vec<Value> {
    let answer = person
        .call(Method::GET, "/v1/me/sessions", None)
        .await
        .is(200);
    answer["items"].as_array().unwrap().clone()
}

fn ids(sessions: &[Value]) -> Vec<&str> {
    sessions
        .iter()
        .map(|session| session["id"].as_str().unwrap())
        .collect()
}

async fn end(person: &Person<'_>, which: &str) -> Answer {
    person
        .call(Method::DELETE, &format!("/v1/me/sessions{which}"), None)
        .await
}

#[actix_web::test]
async fn sessions_are_listed_by_their_last_activity() {
    let app = TestApp::start().await;
    let mut first = app.sign_up("ann@example.com").await;
    app.advance(TimeDelta::minutes(1));
    let second = first.log_in_again().await;
    assert_eq!(
        ids(&listed(&first).await),
        [&second.session_id, &first.session_id]
    );
    app.advance(TimeDelta::minutes(1));
    first.refresh().await;
    let sessions = listed(&first).await;
    assert_eq!(ids(&sessions), [&first.session_id, &second.session_id]);
    assert_eq!(
        (&sessions[0]["current"], &sessions[1]["current"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(sessions[0]["auth_methods"], json!(["pwd"]));
    assert_eq!(sessions[0]["ip_address"], "127.0.0.1");
}

#[actix_web::test]
async fn a_session_tells_its_device_and_nothing_that_could_be_replayed() {
    let app = TestApp::start().await;
    app.sign_up("ann@example.com").await;
    let login = json!({ "email": "ann@example.com", "password": PASSWORD });
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let request = app
        .request(Method::POST, "/v1/auth/login")
        .json(&login)
        .header("user-agent", firefox);
    let ann = Person::new(&app, &app.send(request).await.is(200));
    let sessions = listed(&ann).await;
    let session = sessions
        .iter()
        .find(|session| session["current"] == true)
        .unwrap();
    assert_eq!(
        session["device"],
        json!({ "kind": "desktop", "os": "Linux", "browser": "Firefox" })
    );
    assert_eq!(session["user_agent"], firefox);
    let text = session.to_string();
    assert!(
        !text.contains("kwr_") && !text.contains("digest") && !text.contains("salt"),
        "{text}"
    );
}

// SES-01
#[actix_web::test]
async fn somebody_elses_session_looks_like_none() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let bob = app.sign_up("bob@example.com").await;
    let mut theirs = end(&bob, &format!("/{}", ann.session_id)).await.is(404);
    let mut nobodys = end(&bob, "/01a1f8b7-fe43-7fac-83ad-ed2751d5aa99")
        .await
        .is(404);
    for body in [&mut theirs, &mut nobodys] {
        assert_eq!(body["code"], "session_not_found");
        body.as_object_mut().unwrap().remove("request_id");
    }
    assert_eq!(theirs, nobodys);
    ann.me().await.is(200);
    assert_eq!(listed(&bob).await.len(), 1);
}

// INP-07
#[actix_web::test]
async fn what_is_no_id_is_no_session() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for id in [
        "0",
        "-1",
        "null",
        "others2",
        "%00",
        "'%20or%201=1",
        &"x".repeat(5000),
        &ann.refresh_token,
    ] {
        end(&ann, &format!("/{id}"))
            .await
            .refused(404, "session_not_found");
    }
    assert_eq!(listed(&ann).await.len(), 1);
}

// SES-03, SES-05, RFT-09
#[actix_web::test]
async fn an_ended_session_is_over_at_once_on_every_replica() {
    let app = TestApp::start().await;
    let other = app.replica().await;
    let ann = app.sign_up("ann@example.com").await;
    let phone = ann.log_in_again().await;
    end(&ann, &format!("/{}", phone.session_id)).await.is(204);
    phone.me().await.refused(401, "session_ended");
    phone.at(&other).me().await.refused(401, "session_ended");
    other
        .refresh(&phone.refresh_token)
        .await
        .refused(401, "refresh_token_invalid");
    end(&ann, &format!("/{}", phone.session_id))
        .await
        .refused(404, "session_not_found");
    end(&ann, &format!("/{}", ann.session_id)).await.is(204);
    ann.me().await.refused(401, "session_ended");
    assert_eq!(app.events_of("session_revoked").await, 2);
}

#[actix_web::test]
async fn the_others_or_all_are_ended_together() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let bob = app.sign_up("bob@example.com").await;
    let others = join_all((0..3).map(|_| ann.log_in_again())).await;
    assert_eq!(end(&ann, "/others").await.is(200), json!({ "ended": 3 }));
    for other in &others {
        other.me().await.refused(401, "session_ended");
    }
    ann.me().await.is(200);
    assert_eq!(end(&ann, "/others").await.is(200), json!({ "ended": 0 }));
    ann.log_in_again().await;
    assert_eq!(end(&ann, "").await.is(200), json!({ "ended": 2 }));
    ann.me().await.refused(401, "session_ended");
    bob.me().await.is(200);
}

#[actix_web::test]
async fn a_session_that_expired_is_neither_listed_nor_counted() {
    let app = TestApp::start().await;
    let idle = app.sign_up("ann@example.com").await;
    app.advance(TimeDelta::days(7));
    let ann = idle.log_in_again().await;
    assert_eq!(ids(&listed(&ann).await), [&ann.session_id]);
    end(&ann, &format!("/{}", idle.session_id))
        .await
        .refused(404, "session_not_found");
    assert_eq!(end(&ann, "/others").await.is(200), json!({ "ended": 0 }));
}

// SES-10
#[actix_web::test]
async fn a_person_has_no_more_sessions_than_allowed_however_many_log_in_at_once() {
    let app = TestApp::with(|config| config.tokens.sessions_per_user = 5).await;
    let other = app
        .replica_with(|config| config.tokens.sessions_per_user = 5)
        .await;
    let ann = app.sign_up("ann@example.com").await;
    let callers = (0..20).map(|n| if n % 2 == 0 { &app } else { &other });
    let answers = join_all(callers.map(|app| app.log_in("ann@example.com", PASSWORD))).await;
    let people: Vec<_> = answers
        .iter()
        .map(|answer| Person::new(&app, &answer.is(200)))
        .collect();
    let mut alive = BTreeSet::new();
    for person in people.iter().chain([&ann]) {
        match person.me().await.status {
            200 => drop(alive.insert(person.session_id.clone())),
            _ => app
                .refresh(&person.refresh_token)
                .await
                .refused(401, "refresh_token_invalid"),
        }
    }
    assert_eq!(alive.len(), 5);
    assert_eq!(app.events_of("session_evicted").await, 16);
}

/// Each has looked how many there are before any of them opened one.
#[actix_web::test]
async fn logins_that_waited_for_each_other_have_no_more_sessions_either() {
    let app = TestApp::with(|config| config.tokens.sessions_per_user = 3).await;
    app.sign_up("ann@example.com").await;
    let mut holding = app.sql.begin().await.unwrap();
    sqlx::raw_sql("select from users for update")
        .execute(&mut *holding)
        .await
        .unwrap();
    let logins = join_all((0..5).map(|_| app.log_in("ann@example.com", PASSWORD)));
    let (answers, ()) = join(logins, async {
        app.so_many_wait(5).await;
        holding.rollback().await.unwrap();
    })
    .await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let alive = "select count(*) from sessions where ended_at is null";
    assert_eq!(app.count(alive).await, 3);
    assert_eq!(app.events_of("session_evicted").await, 3);
}

#[actix_web::test]
async fn the_session_unused_for_longest_gives_way() {
    let app = TestApp::with(|config| config.tokens.sessions_per_user = 2).await;
    let mut first = app.sign_up("ann@example.com").await;
    app.advance(TimeDelta::minutes(1));
    let second = first.log_in_again().await;
    app.advance(TimeDelta::minutes(1));
    first.refresh().await;
    let third = first.log_in_again().await;
    second.me().await.refused(401, "session_ended");
    first.me().await.is(200);
    third.me().await.is(200);
}

// SES-11
#[actix_web::test]
async fn a_sessions_id_opens_nothing() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let with_id = Person {
        access_token: ann.session_id.clone(),
        ..ann.clone()
    };
    with_id.me().await.refused(401, "token_invalid");
    app.refresh(&ann.session_id)
        .await
        .refused(401, "refresh_token_invalid");
}

#[actix_web::test]
async fn sessions_that_are_over_for_good_are_deleted() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    app.advance(TimeDelta::days(29));
    let mut later = ann.log_in_again().await;
    assert_eq!(app.app.services.sessions.purge().await.unwrap(), 0);
    app.advance(TimeDelta::days(1));
    assert_eq!(app.app.services.sessions.purge().await.unwrap(), 1);
    assert_eq!(app.count("select count(*) from sessions").await, 1);
    later.refresh().await;
}

#[actix_web::test]
async fn a_session_just_opened_does_not_give_way_to_itself() {
    let app = TestApp::with(|config| config.tokens.sessions_per_user = 1).await;
    app.sign_up("ann@example.com").await;
    for _ in 0..6 {
        let ann = Person::new(&app, &app.log_in("ann@example.com", PASSWORD).await.is(200));
        ann.me().await.is(200);
        assert_eq!(listed(&ann).await.len(), 1);
    }
}
