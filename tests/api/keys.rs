//! The key ring and what is published of it.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join_all;
use keyward::config::{Config, Master, MasterKey, SigningAlgorithm};
use serde_json::Value;

use crate::support::TestApp;
use crate::support::app::{MASTER_KEY, config};
use crate::support::clock::TestClock;
use crate::support::database::TestDatabase;

const OTHER_MASTER_KEY: &str = "IB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE=";

async fn published(app: &TestApp) -> Vec<Value> {
    app.get("/.well-known/jwks.json").await.is(200)["keys"]
        .as_array()
        .unwrap()
        .clone()
}

fn algorithms(keys: &[Value]) -> Vec<&str> {
    keys.iter()
        .map(|key| key["alg"].as_str().unwrap())
        .collect()
}

fn algorithm_of(access_token: &str) -> Value {
    use base64::Engine;
    let header = access_token.split('.').next().unwrap();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(header)
        .unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["alg"].clone()
}

fn masters(text: &str) -> Master {
    Master::Given(MasterKey::parse_list(text).unwrap())
}

fn eddsa(config: &mut Config) {
    config.keys.signing_algorithm = SigningAlgorithm::EdDsa;
}

// JWT-21
#[actix_web::test]
async fn only_public_members_are_published() {
    let app = TestApp::start().await;
    let answer = app.get("/.well-known/jwks.json").await;
    let [key] = published(&app).await.try_into().unwrap();
    let members: BTreeSet<&str> = key
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        members,
        BTreeSet::from(["alg", "crv", "kid", "kty", "use", "x", "y"])
    );
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    app.post("/.well-known/jwks.json", Value::Null)
        .await
        .refused(405, "method_not_allowed");
}

#[actix_web::test]
async fn replicas_that_start_at_once_share_one_ring() {
    let database = Rc::new(TestDatabase::create().await);
    let clock = Arc::new(TestClock::stopped());
    let starting = (0..4).map(|_| TestApp::on(database.clone(), clock.clone(), |_| {}));
    let replicas = join_all(starting).await;
    assert_eq!(replicas[0].count("select count(*) from keys").await, 8);
    let ann = replicas[0].sign_up("ann@example.com").await;
    for replica in &replicas {
        ann.at(replica).me().await.is(200);
        replica.refresh(&ann.refresh_token).await.is(200);
    }
}

#[actix_web::test]
async fn a_ring_opens_only_with_the_master_key_that_sealed_it() {
    let app = TestApp::start().await;
    let database = TestDatabase::create().await;
    let build = async |master: &str| {
        let mut config = config(&database.url);
        config.keys.master = masters(master);
        let built = TestApp::build(&config, &database, app.clock.clone()).await;
        built.map(|_| ()).map_err(|error| format!("{error:#}"))
    };
    build(&format!("old:{MASTER_KEY}")).await.unwrap();
    let refused = build(&format!("new:{OTHER_MASTER_KEY}")).await.unwrap_err();
    assert!(
        refused.contains("master key old, which is not configured"),
        "{refused}"
    );
    let refused = build(&format!("old:{OTHER_MASTER_KEY}")).await.unwrap_err();
    assert!(refused.contains("not the key that sealed it"), "{refused}");
    build(&format!("new:{OTHER_MASTER_KEY},old:{MASTER_KEY}"))
        .await
        .unwrap();
}

#[actix_web::test]
async fn a_key_moved_to_another_row_does_not_open() {
    let app = TestApp::start().await;
    app.tamper(
        "update keys a set sealed = b.sealed from keys b
         where a.purpose = 'refresh_mac' and b.purpose = 'refresh_derivation'",
    )
    .await;
    assert!(app.app.services.keys.reload().await.is_err());
    // The ring at hand is kept.
    app.sign_up("ann@example.com").await.me().await.is(200);
}

#[actix_web::test]
async fn a_new_signing_key_is_published_before_it_signs_and_after_it_signed() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let changed = app.replica_with(eddsa).await;
    app.app.services.keys.reload().await.unwrap();
    for replica in [&app, &changed] {
        assert_eq!(algorithms(&published(replica).await), ["EdDSA", "ES256"]);
        let bob = replica
            .log_in("ann@example.com", crate::support::PASSWORD)
            .await
            .is(200);
        assert_eq!(algorithm_of(bob["access_token"].as_str().unwrap()), "ES256");
    }
    app.advance(TimeDelta::seconds(300));
    let mut ann_there = ann.at(&changed);
    ann_there.me().await.is(200);
    ann_there.refresh().await;
    assert_eq!(algorithm_of(&ann_there.access_token), "EdDSA");
    ann_there.at(&app).me().await.is(200);
    app.advance(TimeDelta::minutes(59));
    assert_eq!(algorithms(&published(&app).await), ["EdDSA", "ES256"]);
    app.advance(TimeDelta::minutes(2));
    assert_eq!(algorithms(&published(&app).await), ["EdDSA"]);
    ann.me().await.refused(401, "token_invalid");
}

#[actix_web::test]
async fn the_configured_algorithm_makes_no_second_key() {
    let app = TestApp::with(eddsa).await;
    app.replica_with(eddsa).await;
    assert_eq!(algorithms(&published(&app).await), ["EdDSA"]);
}

#[actix_web::test]
async fn a_clock_behind_the_one_that_made_the_keys_does_not_stop_the_service() {
    let app = TestApp::start().await;
    app.tamper("update keys set active_from = active_from + interval '1 day'")
        .await;
    app.app.services.keys.reload().await.unwrap();
    app.sign_up("ann@example.com").await.refresh().await;
}
