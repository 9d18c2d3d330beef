//! Accounts as an operator changes them, while their owners use them.

use futures_util::future::{join, join_all};
use keyward::domain::{Role, User, UserRef};
use serde_json::json;

use crate::support::{PASSWORD, Person, TestApp};

const NEW: &str = "amber kettle window 31";

async fn user(app: &TestApp, name: &str) -> User {
    let who = UserRef::parse(name).unwrap();
    let users = &app.app.services.users;
    users.find(&who).await.unwrap().unwrap().user
}

const OPEN: &str = "select count(*) from sessions where ended_at is null";

// SES-14, OPS-12
#[actix_web::test]
async fn of_logins_under_way_none_outlives_the_account_being_disabled() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    app.sign_up("ann@example.com").await;
    let ann = user(&app, "ann@example.com").await;
    let logins = (0..12).map(|number| {
        let at = if number % 2 == 0 { &app } else { &replica };
        at.log_in("ann@example.com", PASSWORD)
    });
    let disable = app.app.services.users.disable(ann.id);
    let (answers, disabled) = join(join_all(logins), disable).await;
    assert!(disabled.unwrap());
    for answer in answers {
        assert!(
            [200, 401, 403].contains(&answer.status),
            "{}",
            answer.status
        );
    }
    assert_eq!(app.count(OPEN).await, 0);
    let refused = replica.log_in("ann@example.com", PASSWORD).await;
    refused.refused(403, "account_disabled");
}

#[actix_web::test]
async fn of_logins_under_way_none_outlives_the_password_being_reset() {
    let app = TestApp::start().await;
    app.sign_up("ann@example.com").await;
    let ann = user(&app, "ann@example.com").await;
    let logins = (0..12).map(|_| app.log_in("ann@example.com", PASSWORD));
    let reset = app.app.services.passwords.reset(&ann, NEW.to_owned());
    let (_, reset) = join(join_all(logins), reset).await;
    assert!(reset.unwrap());
    assert_eq!(app.count(OPEN).await, 0);
    app.log_in("ann@example.com", PASSWORD)
        .await
        .refused(401, "invalid_credentials");
    app.log_in("ann@example.com", NEW).await.is(200);
}

#[actix_web::test]
async fn many_who_disable_at_once_do_it_once() {
    let app = TestApp::start().await;
    app.sign_up("ann@example.com").await;
    let ann = user(&app, "ann@example.com").await;
    let users = &app.app.services.users;
    let outcomes = join_all((0..6).map(|_| users.disable(ann.id))).await;
    let changed = outcomes
        .into_iter()
        .filter(|outcome| *outcome.as_ref().unwrap());
    assert_eq!(changed.count(), 1);
    assert_eq!(app.events_of("account_disabled").await, 1);
    assert_eq!(app.events_of("session_revoked").await, 1);
}

#[actix_web::test]
async fn a_reset_voids_what_was_proven_and_keeps_the_second_factor() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let challenge = ann.challenge().await;
    let known = user(&app, "ann@example.com").await;
    let passwords = &app.app.services.passwords;
    assert!(passwords.reset(&known, NEW.to_owned()).await.unwrap());
    ann.me().await.refused(401, "session_ended");
    let code = authenticator.code(&app);
    app.complete(&challenge, &code)
        .await
        .refused(401, "challenge_expired");
    let answer = app.log_in("ann@example.com", NEW).await.is(200);
    assert_eq!(answer["status"], "two_factor_required");
    let challenge = answer["challenge_token"].as_str().unwrap();
    let signed_in = app.complete(challenge, &code).await.is(200);
    Person::new(&app, &signed_in).me().await.is(200);
}

#[actix_web::test]
async fn a_reset_makes_no_device_known() {
    let app = TestApp::guarded().await;
    let body = json!({ "email": "ann@example.com", "password": PASSWORD });
    let device = app.post("/v1/auth/signup", body).await.is(201)["device_token"].clone();
    let known = user(&app, "ann@example.com").await;
    let passwords = &app.app.services.passwords;
    assert!(passwords.reset(&known, NEW.to_owned()).await.unwrap());
    for _ in 0..5 {
        app.log_in("ann@example.com", PASSWORD).await.is(401);
    }
    let body = json!({ "email": "ann@example.com", "password": NEW, "device_token": device });
    let refused = app.post("/v1/auth/login", body).await;
    refused.refused(429, "too_many_attempts");
}

#[actix_web::test]
async fn somebody_is_found_by_each_of_their_names_and_by_no_others() {
    let app = TestApp::start().await;
    // As long as an id without its dashes.
    let name = "01a1f97e0780755aaec58a24016f9c94";
    let body = json!({ "email": "ann@example.com", "username": name, "password": PASSWORD });
    let answer = app.post("/v1/auth/signup", body).await.is(201);
    let id = answer["user"]["id"].as_str().unwrap();
    for text in [id, "ann@example.com", "ANN@EXAMPLE.COM", name] {
        assert_eq!(user(&app, text).await.id.to_string(), id, "{text}");
    }
    let with_dashes = UserRef::parse("01a1f97e-0780-755a-aec5-8a24016f9c94").unwrap();
    let found = app.app.services.users.find(&with_dashes).await.unwrap();
    assert!(found.is_none());
}

#[actix_web::test]
async fn who_is_gone_meanwhile_is_changed_by_nothing() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let known = user(&app, "ann@example.com").await;
    ann.delete(PASSWORD).await.is(204);
    let services = &app.app.services;
    let roles = vec![Role::parse("admin").unwrap()];
    assert!(!services.users.disable(known.id).await.unwrap());
    assert!(!services.users.enable(known.id).await.unwrap());
    assert!(!services.users.set_roles(known.id, roles).await.unwrap());
    assert_eq!(services.users.end_sessions(known.id).await.unwrap(), 0);
    assert!(
        !services
            .passwords
            .reset(&known, NEW.to_owned())
            .await
            .unwrap()
    );
    assert_eq!(app.events().await, ["account_deleted"]);
}
