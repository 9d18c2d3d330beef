//! Access tokens, looked at as other services do: by another JWT library, with the published keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use jwt_simple::prelude::{
    Claims, Duration, ECDSAP256KeyPairLike, ECDSAP256PublicKeyLike, ES256KeyPair, ES256PublicKey,
    Ed25519PublicKey, EdDSAPublicKeyLike, HS256Key, HeaderOptions, JWTClaims, MACLike,
    UnixTimeStamp, VerificationOptions,
};
use keyward::config::SigningAlgorithm;
use serde_json::{Value, json};

use crate::support::{Person, TestApp};

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn bytes(key: &Value, member: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD
        .decode(key[member].as_str().unwrap())
        .unwrap()
}

async fn published(app: &TestApp) -> Vec<Value> {
    app.get("/.well-known/jwks.json").await.is(200)["keys"]
        .as_array()
        .unwrap()
        .clone()
}

fn es256(key: &Value) -> ES256PublicKey {
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

fn reassembled(header: &Value, claims: &Value, signature: &str) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap());
    format!("{}.{}.{signature}", encode(header), encode(claims))
}

async fn refuses(person: &Person<'_>, token: String) {
    let forger = Person {
        access_token: token,
        ..person.clone()
    };
    forger.me().await.refused(401, "token_invalid");
}

// JWT-01
#[actix_web::test]
async fn a_token_without_an_algorithm_is_refused() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (header, claims) = (part(&ann.access_token, 0), claims(&ann.access_token));
    let signature = ann.access_token.rsplit('.').next().unwrap();
    let algorithms = [
        json!("none"),
        json!("None"),
        json!("NONE"),
        json!("nOnE"),
        json!(""),
        json!(null),
        json!(0),
    ];
    for alg in algorithms {
        let mut header = header.clone();
        header["alg"] = alg;
        refuses(&ann, reassembled(&header, &claims, "")).await;
        refuses(&ann, reassembled(&header, &claims, signature)).await;
    }
    let mut header = header;
    header.as_object_mut().unwrap().remove("alg");
    refuses(&ann, reassembled(&header, &claims, signature)).await;
}

/// Everything right but the signature.
fn at_jwt() -> HeaderOptions {
    HeaderOptions {
        signature_type: Some("at+jwt".to_owned()),
        ..HeaderOptions::default()
    }
}

// JWT-02: the public key is no secret, so it must not verify a MAC.
#[actix_web::test]
async fn a_mac_by_the_public_key_is_refused() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let [key] = published(&app).await.try_into().unwrap();
    let kid = key["kid"].as_str().unwrap();
    let public = es256(&key);
    let coordinates = [bytes(&key, "x"), bytes(&key, "y")].concat();
    let pem = public.to_pem().unwrap();
    let secrets = [
        pem.clone().into_bytes(),
        pem.trim_end().as_bytes().to_vec(),
        public.to_der().unwrap(),
        public.to_bytes(),
        key.to_string().into_bytes(),
        bytes(&key, "x"),
        coordinates,
        vec![0; 32],
    ];
    for secret in secrets {
        let forged = Claims::with_custom_claims(claims(&ann.access_token), Duration::from_secs(60));
        let mac = HS256Key::from_bytes(&secret).with_key_id(kid);
        refuses(
            &ann,
            mac.authenticate_with_options(forged, &at_jwt()).unwrap(),
        )
        .await;
    }
}

// JWT-04
#[actix_web::test]
async fn a_strangers_signature_under_our_key_id_is_refused() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let [key] = published(&app).await.try_into().unwrap();
    let stranger = ES256KeyPair::generate().with_key_id(key["kid"].as_str().unwrap());
    let forged = Claims::with_custom_claims(claims(&ann.access_token), Duration::from_secs(60));
    let token = stranger.sign_with_options(forged, &at_jwt()).unwrap();
    refuses(&ann, token).await;
}

// JWT-11
#[actix_web::test]
async fn another_services_token_is_refused() {
    let app = TestApp::start().await;
    let other = TestApp::start().await;
    let theirs = other.sign_up("ann@example.com").await;
    theirs.at(&app).me().await.refused(401, "token_invalid");
}

// JWT-12
#[actix_web::test]
async fn a_token_changed_anywhere_is_refused() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let bob = app.sign_up("bob@example.com").await;
    let token = &ann.access_token;
    let signature = token.rsplit('.').next().unwrap();
    for (claim, value) in [
        ("sub", &bob.user["id"]),
        ("sid", &json!(bob.session_id)),
        ("roles", &json!(["admin"])),
    ] {
        let mut changed = claims(token);
        changed[claim] = value.clone();
        refuses(&ann, reassembled(&part(token, 0), &changed, signature)).await;
    }
    for cut in 1..=4 {
        refuses(&ann, token[..token.len() - cut].to_owned()).await;
    }
    let other_alphabet = token.replace('-', "+").replace('_', "/");
    if other_alphabet != *token {
        refuses(&ann, other_alphabet).await;
    }
    for changed in [
        format!("{token}A"),
        format!("{token}="),
        format!("{token}.{token}"),
        format!("{token},x"),
        token.replace('.', ". "),
    ] {
        refuses(&ann, changed).await;
    }
    ann.me().await.is(200);
}

// JWT-06
#[actix_web::test]
async fn a_key_id_is_looked_up_and_never_trusted() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let signature = ann.access_token.rsplit('.').next().unwrap();
    let ids = [
        json!("' OR '1'='1"),
        json!("../../../../dev/null"),
        json!("\0"),
        json!("x".repeat(5000)),
        json!(7),
        json!({}),
        json!([]),
        json!(uuid::Uuid::nil()),
        json!(null),
    ];
    for kid in ids {
        let mut header = part(&ann.access_token, 0);
        header["kid"] = kid;
        refuses(
            &ann,
            reassembled(&header, &claims(&ann.access_token), signature),
        )
        .await;
    }
}

// JWT-16, JWT-17, JWT-20
#[actix_web::test]
async fn the_authorization_header_is_read_strictly() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let token = &ann.access_token;
    let me = |value: String| {
        app.send(
            app.request(reqwest::Method::GET, "/v1/me")
                .header("authorization", value),
        )
    };
    for accepted in [format!("bearer {token}"), format!("BEARER {token}")] {
        me(accepted).await.is(200);
    }
    for other_scheme in [
        format!("Basic {token}"),
        format!("Token {token}"),
        token.clone(),
        String::new(),
    ] {
        me(other_scheme).await.refused(401, "token_missing");
    }
    let long = format!("Bearer {}", "a.".repeat(30_000));
    for wrong in [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer  {token}"),
        format!("Bearer Bearer {token}"),
        format!("Bearer {{\"payload\":\"{token}\"}}"),
        long,
    ] {
        me(wrong).await.refused(401, "token_invalid");
    }
    let answer = app.get("/v1/me").await;
    answer.refused(401, "token_missing");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    app.get(&format!("/v1/me?access_token={token}"))
        .await
        .refused(401, "token_missing");
}
