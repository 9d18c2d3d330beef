//! What the ring needs by itself: a new signing key from time to time, and the end of keys that nothing needs.

use chrono::TimeDelta;
use futures_util::future::join_all;
use keyward::crypto::Purpose;
use keyward::services::{Keys, Rotation};

use crate::support::TestApp;
use crate::support::app::unnamed_masters;

const NOW: Rotation = Rotation {
    now: true,
    revoke: false,
};

async fn keys_of(app: &TestApp, purpose: Purpose) -> usize {
    let keys = app.app.services.keys.list().await.unwrap();
    let ours = keys.iter().filter(|key| key.purpose == purpose.as_str());
    ours.count()
}

#[actix_web::test]
async fn a_signing_key_is_replaced_after_its_period_by_one_replica() {
    let app = TestApp::start().await;
    let replicas = join_all((0..4).map(|_| app.replica())).await;
    let rotate = async || {
        let due = replicas
            .iter()
            .map(|replica| replica.app.services.keys.rotate_when_due());
        let made = join_all(due).await.into_iter();
        made.filter(|made| *made.as_ref().unwrap()).count()
    };
    app.advance(TimeDelta::days(90) - TimeDelta::seconds(1));
    assert_eq!(rotate().await, 0);
    app.advance(TimeDelta::seconds(1));
    assert_eq!(rotate().await, 1);
    assert_eq!(rotate().await, 0);
    assert_eq!(keys_of(&app, Purpose::AccessToken).await, 2);
    assert_eq!(app.events().await, ["key_added"]);
    // The next period begins when the key does.
    app.advance(TimeDelta::days(90));
    assert_eq!(rotate().await, 0);
    app.advance(TimeDelta::seconds(300));
    assert_eq!(rotate().await, 1);
}

/// A retired key stays until this long after another one has taken over, and goes then.
async fn stays_for(purpose: Purpose, life: TimeDelta) {
    let app = TestApp::start().await;
    let keys = &app.app.services.keys;
    keys.rotate(purpose, NOW).await.unwrap();
    app.advance(Keys::FOLLOWED_WITHIN + life - TimeDelta::seconds(1));
    assert_eq!(keys.retire().await.unwrap(), 0, "{purpose:?}");
    app.advance(TimeDelta::seconds(1));
    assert_eq!(keys.retire().await.unwrap(), 1, "{purpose:?}");
    assert_eq!(keys_of(&app, purpose).await, 1);
    app.advance(TimeDelta::days(4000));
    assert_eq!(keys.retire().await.unwrap(), 0, "{purpose:?}");
}

#[actix_web::test]
async fn a_retired_key_stays_for_as_long_as_what_was_made_with_it_may_live() {
    let leeway = TimeDelta::seconds(5);
    for (purpose, life) in [
        (Purpose::AccessToken, TimeDelta::hours(1) + leeway),
        (Purpose::RefreshMac, TimeDelta::days(400) + leeway),
        (Purpose::DeviceMac, TimeDelta::days(180) + leeway),
        (Purpose::RefreshDerivation, TimeDelta::hours(1)),
        (Purpose::ChallengeMac, TimeDelta::hours(1)),
        (Purpose::ThrottleSubject, TimeDelta::hours(1)),
        (Purpose::TotpSecret, TimeDelta::hours(1)),
        (Purpose::BackupCode, TimeDelta::hours(1)),
    ] {
        stays_for(purpose, life).await;
    }
}

#[actix_web::test]
async fn a_key_that_hashed_a_backup_code_stays_until_the_last_of_them_is_gone() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (_, codes) = ann.turn_on_two_factor().await;
    let keys = &app.app.services.keys;
    keys.rotate(Purpose::BackupCode, NOW).await.unwrap();
    app.advance(TimeDelta::days(400));
    for code in &codes {
        assert_eq!(keys.retire().await.unwrap(), 0);
        let challenge = ann.challenge().await;
        app.complete_with_backup(&challenge, code).await.is(200);
    }
    assert_eq!(keys.retire().await.unwrap(), 1);
}

#[actix_web::test]
async fn a_backup_code_whose_key_was_not_noted_keeps_them_all() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (_, codes) = ann.turn_on_two_factor().await;
    app.tamper("update backup_codes set key_id = null").await;
    let keys = &app.app.services.keys;
    keys.rotate(Purpose::BackupCode, NOW).await.unwrap();
    app.advance(TimeDelta::days(400));
    assert_eq!(keys.retire().await.unwrap(), 0);
    let challenge = ann.challenge().await;
    app.complete_with_backup(&challenge, &codes[0])
        .await
        .is(200);
}

#[actix_web::test]
async fn a_secret_that_does_not_open_keeps_its_key_and_holds_up_no_other() {
    let app = TestApp::start().await;
    let mut people = Vec::new();
    for name in ["ann", "bob", "cat"] {
        let person = app.sign_up(&format!("{name}@example.com")).await;
        let (authenticator, _) = person.turn_on_two_factor().await;
        people.push((person, authenticator));
    }
    app.tamper(
        "update totp_factors set sealed_secret = sealed_secret || '\\x00'
         where user_id = (select id from users where email = 'ann@example.com')",
    )
    .await;
    let keys = &app.app.services.keys;
    keys.rotate(Purpose::TotpSecret, NOW).await.unwrap();
    app.advance(TimeDelta::hours(2));
    assert_eq!(keys.reseal().await.unwrap(), 2);
    assert_eq!(keys.retire().await.unwrap(), 0);
    for (person, authenticator) in &people[1..] {
        let challenge = person.challenge().await;
        let code = authenticator.code(&app);
        app.complete(&challenge, &code).await.is(200);
    }
}

#[actix_web::test]
async fn a_secret_that_is_sealed_anew_while_its_code_is_compared_still_logs_in_once() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let keys = &app.app.services.keys;
    for _ in 0..5 {
        keys.rotate(Purpose::TotpSecret, NOW).await.unwrap();
        app.advance(TimeDelta::seconds(30));
        let code = authenticator.code(&app);
        let challenges = [
            ann.challenge().await,
            ann.challenge().await,
            ann.challenge().await,
        ];
        let logins = join_all(challenges.iter().map(|it| app.complete(it, &code)));
        let (resealed, answers) = futures_util::join!(keys.reseal(), logins);
        assert_eq!(resealed.unwrap(), 1);
        let in_time = answers.iter().filter(|answer| answer.status == 200);
        assert_eq!(in_time.count(), 1);
    }
}

/// The three steps of `docs/cli.md`, with keys that nobody has named.
#[actix_web::test]
async fn a_master_key_without_a_name_is_replaced_like_any_other() {
    let app = TestApp::with(|config| config.keys.master = unnamed_masters(&["a"])).await;
    let mut ann = app.sign_up("ann@example.com").await;
    let with = async |names: &[&str]| {
        let masters = unnamed_masters(names);
        app.replica_with(|config| config.keys.master = masters)
            .await
    };
    let both = with(&["a", "b"]).await;
    ann.at(&both).me().await.is(200);
    let rewrapping = with(&["b", "a"]).await;
    assert_eq!(rewrapping.app.services.keys.rewrap().await.unwrap(), 8);
    let new = with(&["b"]).await;
    ann.at(&new).me().await.is(200);
    ann.refresh().await;
    new.refresh(&ann.refresh_token).await.is(200);
}
