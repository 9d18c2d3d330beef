//! Access tokens, looked at as other services do: by another JWT library, with the published keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use jwt_simple::prelude::{
    ECDSAP256PublicKeyLike, ES256PublicKey, Ed25519PublicKey, EdDSAPublicKeyLike, JWTClaims,
    UnixTimeStamp, VerificationOptions,
};
use keyward::config::SigningAlgorithm;
use serde_json::{Value, json};

use crate::support::TestApp;

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

pub(crate) fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

pub(crate) fn bytes(key: &Value, member: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD
        .decode(key[member].as_str().unwrap())
        .unwrap()
}

pub(crate) async fn published(app: &TestApp) -> Vec<Value> {
    app.get("/.well-known/jwks.json").await.is(200)["keys"]
        .as_array()
        .unwrap()
        .clone()
}

pub(crate) fn es256(key: &Value) -> ES256PublicKey {
    let point = [vec![4], bytes(key, "x"), bytes(key, "y")].concat();
    ES256PublicKey::from_bytes(&point).unwrap()
}

fn expected(app: &TestApp) -> VerificationOptions {
    let now = app.app.seams.clock.now().timestamp();
    VerificationOptions {
        artificial_time: Some(UnixTimeStamp::from_secs(now.try_into().unwrap())),
        allowed_issuers: Some([app.config.tokens.issuer.clone()].into()),
        allowed_audiences: Some(app.config.tokens.audience.iter().cloned().collect()),
        time_tolerance: None,
        ..VerificationOptions::default()
    }
}

#[actix_web::test]
async fn another_library_verifies_es256_tokens_with_the_published_key() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let [key] = published(&app).await.try_into().unwrap();
    assert_eq!(key["alg"], "ES256");
    let verified: JWTClaims<Value> = es256(&key)
        .verify_token(&ann.access_token, Some(expected(&app)))
        .unwrap();
    assert_eq!(verified.subject.as_deref(), ann.user["id"].as_str());
    let header = part(&ann.access_token, 0);
    assert_eq!(
        header,
        json!({ "typ": "at+jwt", "alg": "ES256", "kid": key["kid"] })
    );
}

#[actix_web::test]
async fn another_library_verifies_eddsa_tokens_with_the_published_key() {
    let app = TestApp::with(|config| config.keys.signing_algorithm = SigningAlgorithm::EdDsa).await;
    let ann = app.sign_up("ann@example.com").await;
    let [key] = published(&app).await.try_into().unwrap();
    assert_eq!(
        (&key["alg"], &key["kty"], &key["crv"]),
        (&json!("EdDSA"), &json!("OKP"), &json!("Ed25519"))
    );
    let public = Ed25519PublicKey::from_bytes(&bytes(&key, "x")).unwrap();
    let verified: JWTClaims<Value> = public
        .verify_token(&ann.access_token, Some(expected(&app)))
        .unwrap();
    assert_eq!(verified.subject.as_deref(), ann.user["id"].as_str());
    ann.me().await.is(200);
}

// JWT-22
#[actix_web::test]
async fn a_token_says_what_rfc_9068_asks_for_and_nothing_about_the_person() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let now = app.app.seams.clock.now().timestamp();
    let mut claims = claims(&ann.access_token);
    let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
    assert!(jti.as_str().unwrap().parse::<uuid::Uuid>().is_ok());
    assert_eq!(
        claims,
        json!({
            "iss": "http://localhost:8080", "aud": "http://localhost:8080", "client_id": "keyward",
            "sub": ann.user["id"], "sid": ann.session_id, "exp": now + 600, "iat": now, "nbf": now - 5,
            "auth_time": now, "amr": ["pwd"], "acr": "aal1", "roles": [],
        })
    );
}

#[actix_web::test]
async fn several_audiences_are_an_array_and_roles_are_told() {
    let app = TestApp::with(|config| config.tokens.audience = vec!["a".into(), "b".into()]).await;
    let mut ann = app.sign_up("ann@example.com").await;
    app.tamper("update users set roles = '{editor,admin}'")
        .await;
    ann.refresh().await;
    let claims = claims(&ann.access_token);
    assert_eq!(claims["aud"], json!(["a", "b"]));
    assert_eq!(claims["roles"], json!(["editor", "admin"]));
    assert_eq!(ann.me().await.is(200)["roles"], claims["roles"]);
}

#[actix_web::test]
async fn an_expired_token_is_told_from_a_wrong_one() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    app.advance(TimeDelta::seconds(599));
    ann.me().await.is(200);
    app.advance(TimeDelta::seconds(1));
    let answer = ann.me().await;
    answer.refused(401, "token_expired");
    assert_eq!(
        answer.header("www-authenticate"),
        Some(r#"Bearer error="invalid_token""#)
    );
}
