//! A key that takes over from another one, and the list of them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use chrono::TimeDelta;
use futures_util::future::join_all;
use keyward::crypto::Purpose;
use keyward::jobs;
use keyward::services::{Keys, Rotation};
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::clock::TestClock;
use crate::support::database::TestDatabase;

const AHEAD: Rotation = Rotation {
    now: false,
    revoke: false,
};
const NOW: Rotation = Rotation {
    now: true,
    revoke: false,
};

async fn published(app: &TestApp) -> Vec<Value> {
    let answer = app.get("/.well-known/jwks.json").await.is(200);
    let keys = answer["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].clone()).collect()
}

fn kid(access_token: &str) -> Value {
    let header = access_token.split('.').next().unwrap();
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    serde_json::from_slice::<Value>(&engine.decode(header).unwrap()).unwrap()["kid"].clone()
}

async fn states(app: &TestApp, purpose: Purpose) -> Vec<&'static str> {
    let keys = app.app.services.keys.list().await.unwrap().into_iter();
    let keys = keys.filter(|key| key.purpose == purpose.as_str());
    keys.map(|key| key.state.as_str()).collect()
}

// JWT-21
#[actix_web::test]
async fn a_signing_key_is_published_for_300_s_before_it_signs_and_until_its_last_token_is_over() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    let [old] = published(&app).await.try_into().unwrap();
    let rotated = app.app.services.keys.rotate(Purpose::AccessToken, AHEAD);
    let new = json!(rotated.await.unwrap().key.id);
    assert_eq!(published(&app).await, [new.clone(), old.clone()]);
    app.advance(TimeDelta::seconds(299));
    ann.refresh().await;
    assert_eq!(kid(&ann.access_token), old);
    app.advance(TimeDelta::seconds(31));
    assert_eq!(
        states(&app, Purpose::AccessToken).await,
        ["active", "retired"]
    );
    ann.me().await.is(200);
    ann.refresh().await;
    assert_eq!(kid(&ann.access_token), new);
    // The longest that a token may be configured to live.
    app.advance(TimeDelta::seconds(3574));
    assert_eq!(published(&app).await, [new.clone(), old]);
    assert_eq!(app.app.services.keys.retire().await.unwrap(), 0);
    app.advance(TimeDelta::seconds(1));
    assert_eq!(published(&app).await, [new]);
    assert_eq!(app.app.services.keys.retire().await.unwrap(), 1);
    assert_eq!(states(&app, Purpose::AccessToken).await, ["active"]);
}

#[actix_web::test]
async fn a_key_goes_from_next_to_active_to_retired() {
    let app = TestApp::start().await;
    for purpose in Purpose::ALL {
        assert_eq!(states(&app, *purpose).await, ["active"]);
        app.app.services.keys.rotate(*purpose, AHEAD).await.unwrap();
        assert_eq!(states(&app, *purpose).await, ["next", "active"]);
        app.advance(TimeDelta::seconds(299));
        assert_eq!(states(&app, *purpose).await, ["next", "active"]);
        app.advance(TimeDelta::seconds(1));
        assert_eq!(states(&app, *purpose).await, ["active", "retired"]);
    }
    assert_eq!(app.events_of("key_added").await, 8);
}

#[actix_web::test]
async fn at_once_means_when_every_replica_has_seen_it() {
    let app = TestApp::start().await;
    let keys = &app.app.services.keys;
    keys.rotate(Purpose::AccessToken, NOW).await.unwrap();
    app.advance(Keys::FOLLOWED_WITHIN - TimeDelta::milliseconds(1));
    assert_eq!(states(&app, Purpose::AccessToken).await, ["next", "active"]);
    app.advance(TimeDelta::milliseconds(1));
    assert_eq!(
        states(&app, Purpose::AccessToken).await,
        ["active", "retired"]
    );
    // Two looks at the ring fit in, should one fail.
    assert!(Keys::FOLLOW_EVERY * 2 < Keys::FOLLOWED_WITHIN.to_std().unwrap());
}

#[actix_web::test]
async fn a_running_replica_follows_without_a_restart() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    jobs::start(&replica.app.services);
    app.app
        .services
        .keys
        .rotate(Purpose::AccessToken, NOW)
        .await
        .unwrap();
    while published(&replica).await.len() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    app.advance(Keys::FOLLOWED_WITHIN);
    let ann = app.sign_up("ann@example.com").await;
    assert_eq!(kid(&ann.access_token), published(&replica).await[0]);
    ann.at(&replica).me().await.is(200);
}

// JWT-06
#[actix_web::test]
async fn a_token_of_an_unknown_key_asks_the_database_nothing() {
    let (database, network) = TestDatabase::behind_a_network().await;
    let app = TestApp::on(Rc::new(database), Arc::new(TestClock::stopped()), |_| {}).await;
    let ann = app.sign_up("ann@example.com").await;
    let mut stranger = ann.clone();
    let (header, rest) = ann.access_token.split_once('.').unwrap();
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut header: Value = serde_json::from_slice(&engine.decode(header).unwrap()).unwrap();
    header["kid"] = json!("01a1f8b7-fe43-7fac-83ad-ed2751d5aa99");
    stranger.access_token = format!("{}.{rest}", engine.encode(header.to_string()));
    network.fail();
    stranger.me().await.refused(401, "token_invalid");
    ann.me().await.refused(503, "unavailable");
}

#[actix_web::test]
async fn many_rotations_at_once_leave_a_ring_that_everybody_agrees_on() {
    let app = TestApp::start().await;
    let replicas = join_all((0..4).map(|_| app.replica())).await;
    let all = replicas.iter().map(|replica| {
        let keys = &replica.app.services.keys;
        keys.rotate(Purpose::RefreshMac, NOW)
    });
    for rotated in join_all(all).await {
        rotated.unwrap();
    }
    app.advance(Keys::FOLLOWED_WITHIN);
    for replica in &replicas {
        replica.app.services.keys.reload().await.unwrap();
    }
    let ann = replicas[0].sign_up("ann@example.com").await;
    let mut state = states(&app, Purpose::RefreshMac).await;
    state.sort_unstable();
    assert_eq!(
        state,
        ["active", "retired", "retired", "retired", "retired"]
    );
    for replica in &replicas {
        replica.refresh(&ann.refresh_token).await.is(200);
    }
}
