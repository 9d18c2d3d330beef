//! `POST /v1/me/password`, and what must not survive it.

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use keyward::config::Argon2;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Person, TestApp};

const NEW: &str = "amber kettle window 31";
const WRONG: &str = "not the password at all";

async fn change(person: &Person<'_>, current: &str, new: &str) -> Answer {
    let body = json!({ "current_password": current, "new_password": new });
    person
        .call(Method::POST, "/v1/me/password", Some(body))
        .await
}

#[actix_web::test]
async fn the_new_password_signs_in_and_the_old_one_does_not() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    change(&ann, PASSWORD, NEW).await.is(204);
    app.log_in("ann@example.com", PASSWORD)
        .await
        .refused(401, "invalid_credentials");
    app.log_in("ann@example.com", NEW).await.is(200);
    assert_eq!(
        app.count("select credential_version::bigint from users")
            .await,
        2
    );
    assert!(app.events().await.contains(&"password_changed".to_owned()));
}

// RFT-09, PWD
#[actix_web::test]
async fn the_other_sessions_end_at_once_and_this_one_goes_on() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let mut ann = app.sign_up("ann@example.com").await;
    let others = join_all((0..2).map(|_| ann.log_in_again())).await;
    change(&ann, PASSWORD, NEW).await.is(204);
    for other in &others {
        other.at(&replica).me().await.refused(401, "session_ended");
        replica
            .refresh(&other.refresh_token)
            .await
            .refused(401, "refresh_token_invalid");
    }
    ann.me().await.is(200);
    app.advance(TimeDelta::minutes(1));
    ann.refresh().await;
}

#[actix_web::test]
async fn the_other_sessions_go_on_when_asked_to() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let other = ann.log_in_again().await;
    let body =
        json!({ "current_password": PASSWORD, "new_password": NEW, "end_other_sessions": false });
    ann.call(Method::POST, "/v1/me/password", Some(body))
        .await
        .is(204);
    other.me().await.is(200);
}

#[actix_web::test]
async fn a_wrong_password_changes_nothing_and_is_counted_apart_from_logins() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let other = ann.log_in_again().await;
    for _ in 0..5 {
        change(&ann, WRONG, NEW)
            .await
            .refused(403, "wrong_password");
    }
    change(&ann, PASSWORD, NEW)
        .await
        .refused(429, "too_many_attempts");
    ann.delete(PASSWORD).await.refused(429, "too_many_attempts");
    other.me().await.is(200);
    app.log_in("ann@example.com", PASSWORD).await.is(200);
    app.advance(TimeDelta::seconds(31));
    change(&ann, PASSWORD, NEW).await.is(204);
}

#[actix_web::test]
async fn many_guesses_at_once_inside_a_session_get_no_more_tries() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let answers = join_all((0..40).map(|_| change(&ann, WRONG, NEW))).await;
    let compared = answers.iter().filter(|answer| answer.status == 403).count();
    assert_eq!(compared, 5);
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer.status, 403 | 429))
    );
}

#[actix_web::test]
async fn none_of_the_last_five_passwords_is_taken_again() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let password = |number: usize| match number {
        0 => PASSWORD.to_owned(),
        number => format!("amber kettle window {number}{number}"),
    };
    for number in 1..=5 {
        app.advance(TimeDelta::seconds(1));
        change(&ann, &password(number - 1), &password(number))
            .await
            .is(204);
        let before = number.saturating_sub(4);
        for used in before..=number {
            let answer = change(&ann, &password(number), &password(used)).await;
            answer.invalid(&[("/new_password", "password_reused")]);
        }
    }
    // The first is the sixth by now.
    app.advance(TimeDelta::seconds(1));
    change(&ann, &password(5), PASSWORD).await.is(204);
    assert_eq!(app.count("select count(*) from password_history").await, 4);
}

#[actix_web::test]
async fn whether_a_password_was_used_before_is_told_only_to_who_knows_the_one_in_use() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    change(&ann, WRONG, PASSWORD)
        .await
        .refused(403, "wrong_password");
}

#[actix_web::test]
async fn a_new_password_keeps_the_rules_of_signing_up() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann.marie@example.com").await;
    for (new, code) in [
        ("short", "too_short"),
        ("passwordpassword", "breached"),
        ("ann.marie@example.com", "too_weak"),
        (&"x7 Q".repeat(65), "too_long"),
    ] {
        change(&ann, PASSWORD, new)
            .await
            .invalid(&[("/new_password", code)]);
    }
    change(&ann, "", NEW)
        .await
        .invalid(&[("/current_password", "too_short")]);
    for body in [
        json!({}),
        json!({ "current_password": PASSWORD }),
        json!({ "new_password": NEW }),
    ] {
        let answer = ann
            .call(Method::POST, "/v1/me/password", Some(body))
            .await
            .is(422);
        assert_eq!(answer["errors"][0]["code"], "required");
    }
}

#[actix_web::test]
async fn a_device_is_unknown_after_a_change() {
    let app = TestApp::guarded().await;
    let body = json!({ "email": "ann@example.com", "password": PASSWORD });
    let signed_up = app.post("/v1/auth/signup", body).await.is(201);
    let ann = Person::new(&app, &signed_up);
    change(&ann, PASSWORD, NEW).await.is(204);
    for _ in 0..5 {
        app.log_in("ann@example.com", WRONG)
            .await
            .refused(401, "invalid_credentials");
    }
    let login = |token: &Value| json!({ "email": "ann@example.com", "password": NEW, "device_token": token });
    app.post("/v1/auth/login", login(&signed_up["device_token"]))
        .await
        .refused(429, "too_many_attempts");
    let refreshed = app.refresh(&ann.refresh_token).await.is(200);
    app.post("/v1/auth/login", login(&refreshed["device_token"]))
        .await
        .is(200);
}

// A login that was under way with the old password opens no session.
#[actix_web::test]
async fn a_login_under_way_does_not_survive_the_change() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let mut changing = app.sql.begin().await.unwrap();
    sqlx::raw_sql("update users set credential_version = credential_version + 1")
        .execute(&mut *changing)
        .await
        .unwrap();
    let (answer, ()) = join(app.log_in("ann@example.com", PASSWORD), async {
        app.somebody_waits().await;
        changing.commit().await.unwrap();
    })
    .await;
    answer.refused(401, "invalid_credentials");
    assert_eq!(app.count("select count(*) from sessions").await, 1);
    ann.me().await.is(200);
}

// A rehash by a login does not undo a change, nor make it fail.
#[actix_web::test]
async fn a_change_beside_a_rehash_wins() {
    let app = TestApp::start().await;
    let costly = Argon2 {
        memory_kib: 512,
        iterations: 2,
        parallelism: 1,
    };
    let other = app
        .replica_with(|config| config.passwords.argon2 = costly)
        .await;
    for round in 0..8 {
        let email = format!("ann{round}@example.com");
        let ann = app.sign_up(&email).await;
        let (changed, logged_in) =
            join(change(&ann, PASSWORD, NEW), other.log_in(&email, PASSWORD)).await;
        changed.is(204);
        assert!(
            matches!(logged_in.status, 200 | 401),
            "{}",
            logged_in.text()
        );
        app.log_in(&email, NEW).await.is(200);
        app.log_in(&email, PASSWORD)
            .await
            .refused(401, "invalid_credentials");
    }
}

#[actix_web::test]
async fn of_two_changes_at_once_one_wins() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let others = ["copper meadow signal 58", "velvet harbor pencil 26"];
    let (first, second) = join(
        change(&ann, PASSWORD, others[0]),
        change(&ann, PASSWORD, others[1]),
    )
    .await;
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 403]);
    let winner = if first.status == 204 {
        others[0]
    } else {
        others[1]
    };
    app.log_in("ann@example.com", winner).await.is(200);
}

#[actix_web::test]
async fn a_right_password_inside_a_session_forgets_the_wrong_ones() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    for _ in 0..5 {
        change(&ann, WRONG, NEW)
            .await
            .refused(403, "wrong_password");
    }
    app.advance(TimeDelta::seconds(31));
    // Right, and refused for another reason: the next one is not made to wait.
    change(&ann, PASSWORD, PASSWORD)
        .await
        .invalid(&[("/new_password", "password_reused")]);
    change(&ann, PASSWORD, NEW).await.is(204);
    assert_eq!(app.events_of("password_refused").await, 5);
}

// What was asked from a session that has ended meanwhile is not done.
#[actix_web::test]
async fn a_session_that_ends_meanwhile_changes_no_password_and_deletes_nothing() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for delete in [false, true] {
        let thief = ann.log_in_again().await;
        let mut ending = app.sql.begin().await.unwrap();
        sqlx::query("with u as (select from users for no key update) update sessions set ended_at = created_at, end_reason = 'revoked' where id = $1")
            .bind(thief.session_id.parse::<uuid::Uuid>().unwrap())
            .execute(&mut *ending)
            .await
            .unwrap();
        sqlx::raw_sql("select from users for no key update")
            .execute(&mut *ending)
            .await
            .unwrap();
        let asking = async {
            if delete {
                thief.delete(PASSWORD).await
            } else {
                change(&thief, PASSWORD, NEW).await
            }
        };
        let (answer, ()) = join(asking, async {
            app.somebody_waits().await;
            ending.commit().await.unwrap();
        })
        .await;
        answer.refused(401, "session_ended");
    }
    ann.me().await.is(200);
    app.log_in("ann@example.com", PASSWORD).await.is(200);
}

#[actix_web::test]
async fn both_passwords_are_judged_at_once() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let answer = change(&ann, "", "short").await;
    answer.invalid(&[
        ("/current_password", "too_short"),
        ("/new_password", "too_short"),
    ]);
}
