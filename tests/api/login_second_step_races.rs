//! Codes and challenges are spent once, however many try at once and wherever.

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use serde_json::json;

use crate::support::{Answer, PASSWORD, TestApp};

/// Exactly one got in; the others were refused in one of the ways there are.
#[track_caller]
fn one_winner(answers: &[Answer]) {
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1, "{answers:?}");
    let refused = |answer: &&Answer| matches!(answer.status, 401 | 429);
    let lost = answers.iter().filter(refused).count();
    assert_eq!(lost, answers.len() - 1);
}

// MFA-03
#[actix_web::test]
async fn a_code_signs_in_once() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let authenticator = ann.enable_two_factor().await;
    let code = authenticator.code(&app);
    ann.post("/v1/me/2fa/verify", json!({ "code": code }))
        .await
        .is(200);
    // The code that turned it on is used as well.
    let challenge = ann.challenge().await;
    app.complete(&challenge, &code)
        .await
        .refused(401, "invalid_code");
    app.advance(TimeDelta::seconds(30));
    let (first, second) = (ann.challenge().await, ann.challenge().await);
    let code = authenticator.code(&app);
    app.complete(&first, &code).await.is(200);
    app.complete(&second, &code)
        .await
        .refused(401, "invalid_code");
}

// MFA-04, MFA-17
#[actix_web::test]
async fn steps_only_ever_rise() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let earlier = authenticator.code(&app);
    app.advance(TimeDelta::seconds(30));
    let challenge = ann.challenge().await;
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .is(200);
    // Not used, not too old, and before the one that was used.
    let challenge = ann.challenge().await;
    app.complete(&challenge, &earlier)
        .await
        .refused(401, "invalid_code");
    app.advance(TimeDelta::seconds(-60));
    let challenge = ann.challenge().await;
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .refused(401, "invalid_code");
}

// MFA-05, OPS-12
#[actix_web::test]
async fn of_many_challenges_answered_at_once_with_one_code_one_opens_a_session() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let sessions = app.count("select count(*) from sessions").await;
    let mut challenges = Vec::new();
    for _ in 0..20 {
        challenges.push(ann.challenge().await);
    }
    let code = authenticator.code(&app);
    let apps = [&app, &replica];
    let answers = join_all(
        challenges
            .iter()
            .enumerate()
            .map(|(number, challenge)| apps[number % 2].complete(challenge, &code)),
    )
    .await;
    one_winner(&answers);
    assert_eq!(
        app.count("select count(*) from sessions").await,
        sessions + 1
    );
}

// MFA-05
#[actix_web::test]
async fn of_many_answers_to_one_challenge_one_opens_a_session() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, codes) = ann.turn_on_two_factor().await;
    let challenge = ann.challenge().await;
    let code = authenticator.code(&app);
    let apps = [&app, &replica];
    // Different codes, all of them right: it is the challenge that is spent.
    let answers = join_all((0..20).map(async |number: usize| {
        let app = apps[number % 2];
        match codes.get(number) {
            Some(backup) => app.complete_with_backup(&challenge, backup).await,
            None => app.complete(&challenge, &code).await,
        }
    }))
    .await;
    one_winner(&answers);
    let spent = 10 - app.count("select count(*) from backup_codes").await;
    assert!((0..=1).contains(&spent), "{spent}");
}

// MFA-11
#[actix_web::test]
async fn of_many_uses_of_one_backup_code_one_opens_a_session() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let ann = app.sign_up("ann@example.com").await;
    let (_, codes) = ann.turn_on_two_factor().await;
    let mut challenges = Vec::new();
    for _ in 0..20 {
        challenges.push(ann.challenge().await);
    }
    let apps = [&app, &replica];
    let answers =
        join_all(challenges.iter().enumerate().map(|(number, challenge)| {
            apps[number % 2].complete_with_backup(challenge, &codes[3])
        }))
        .await;
    one_winner(&answers);
    assert_eq!(app.count("select count(*) from backup_codes").await, 9);
    assert_eq!(app.events_of("backup_code_used").await, 1);
}

// MFA-08
#[actix_web::test]
async fn many_guesses_at_once_get_no_more_tries() {
    let app = TestApp::guarded().await;
    let replica = app
        .replica_with(|config| config.throttle.enabled = true)
        .await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let mut challenges = Vec::new();
    for _ in 0..10 {
        challenges.push(ann.challenge().await);
    }
    let (wrong, right) = (authenticator.wrong_code(&app), authenticator.code(&app));
    let apps = [&app, &replica];
    let answers = join_all((0..200).map(async |number: usize| {
        let code = if number == 150 { &right } else { &wrong };
        apps[number % 2]
            .complete(&challenges[number % 10], code)
            .await
    }))
    .await;
    let compared = app.events_of("second_factor_failed").await;
    assert!(compared <= 10, "{compared}");
    let answered = |code: &str| {
        let with = |answer: &&Answer| answer.status != 200 && answer.json()["code"] == code;
        answers.iter().filter(with).count()
    };
    assert_eq!(answered("invalid_code"), compared);
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answered("too_many_attempts") + answered("challenge_expired");
    assert_eq!(compared + won + refused, 200);
    assert!(won <= 1);
}

// MFA-08: five tries of one challenge, with nothing else that counts.
#[actix_web::test]
async fn many_guesses_at_one_challenge_get_five_tries() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let challenge = ann.challenge().await;
    let wrong = authenticator.wrong_code(&app);
    let answers = join_all((0..50).map(|_| app.complete(&challenge, &wrong))).await;
    let compared = answers
        .iter()
        .filter(|answer| answer.json()["code"] == "invalid_code");
    assert_eq!(compared.count(), 5);
    assert_eq!(app.events_of("second_factor_failed").await, 5);
}

/// The password is changed after the challenge was found alive, and before the session is opened.
#[actix_web::test]
async fn a_change_that_comes_between_code_and_session_wins() {
    for change in [
        "update users set password_hash = 'x', credential_version = credential_version + 1",
        "update users set two_factor_enabled_at = null, credential_version = credential_version + 1",
        "update users set disabled_at = now()",
        "delete from users",
    ] {
        let app = TestApp::start().await;
        let ann = app.sign_up("ann@example.com").await;
        let (authenticator, _) = ann.turn_on_two_factor().await;
        let challenge = ann.challenge().await;
        let sessions = app.count("select count(*) from sessions").await;
        let mut changing = app.sql.begin().await.unwrap();
        sqlx::raw_sql(change).execute(&mut *changing).await.unwrap();
        let code = authenticator.code(&app);
        let (answer, ()) = join(app.complete(&challenge, &code), async {
            app.somebody_waits().await;
            changing.commit().await.unwrap();
        })
        .await;
        answer.refused(401, "challenge_expired");
        let gone = change.starts_with("delete");
        let left = if gone { 0 } else { sessions };
        assert_eq!(app.count("select count(*) from sessions").await, left);
    }
}

/// Two-factor is turned on while a login with the password alone is under way.
#[actix_web::test]
async fn a_password_alone_does_not_outrun_a_second_factor() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let sessions = app.count("select count(*) from sessions").await;
    let mut changing = app.sql.begin().await.unwrap();
    let change = "update users set two_factor_enabled_at = now(), credential_version = credential_version + 1";
    sqlx::raw_sql(change).execute(&mut *changing).await.unwrap();
    let (answer, ()) = join(app.log_in("ann@example.com", PASSWORD), async {
        app.somebody_waits().await;
        changing.commit().await.unwrap();
    })
    .await;
    answer.refused(401, "invalid_credentials");
    assert_eq!(app.count("select count(*) from sessions").await, sessions);
    ann.me().await.is(200);
}
