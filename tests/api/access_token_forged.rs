//! Access tokens that somebody made or changed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{
    ECDSAP256KeyPairLike, ES256KeyPair, HS256Key, HeaderOptions, JWTClaims, MACLike,
};
use serde_json::{Value, json};

use crate::access_token::{bytes, claims, es256, part, published};
use crate::support::{Person, TestApp};

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

/// The claims of a token, to be signed by somebody else.
fn same_claims(token: &str) -> JWTClaims<Value> {
    let claims: JWTClaims<Value> = serde_json::from_value(claims(token)).unwrap();
    let written = serde_json::to_value(&claims).unwrap();
    assert_eq!(
        written,
        crate::access_token::claims(token),
        "only the signature is to be wrong"
    );
    claims
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
        let forged = same_claims(&ann.access_token);
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
    let forged = same_claims(&ann.access_token);
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
