//! Answers and accepted requests, right and wrong.

use serde_json::json;

use super::super::check;
use super::Exchange;

fn login() -> Exchange {
    let request = json!({"email": "ann@example.org", "password": "violet tandem quarry 72"});
    Exchange::right("POST", "/v1/auth/login", 200).sending(&request)
}

fn refreshed() -> Exchange {
    let token = format!("kwr_{}", "A".repeat(91));
    Exchange::right("POST", "/v1/auth/refresh", 200).sending(&json!({ "refresh_token": token }))
}

fn me() -> Exchange {
    Exchange::right("GET", "/v1/me", 200)
}

#[test]
fn right_answers_pass() {
    login().passes();
    me().passes();
    me().with("Content-Type", "application/json; charset=utf-8")
        .passes();
    me().body("/display_name", Some(json!(null))).passes();
    Exchange::right("GET", "/health/live", 200).passes();
    Exchange::right("GET", "/health/ready", 200).passes();
    let public = "public, max-age=300";
    Exchange::right("GET", "/openapi.yaml", 200)
        .with("Cache-Control", public)
        .passes();
    Exchange::right("GET", "/.well-known/jwks.json", 200)
        .with("Cache-Control", public)
        .passes();
    Exchange::right("POST", "/v1/auth/logout", 204).passes();
}

#[test]
fn statuses_that_are_not_documented_fail() {
    let mut exchange = me();
    exchange.status = 203;
    exchange.fails("GET /v1/me has no status 203");
    let conflict = Exchange::problem("GET", "/v1/me", 409, "username_taken");
    conflict.fails("GET /v1/me has no status 409");
}

#[test]
fn bodies_are_held_to_their_schema() {
    me().body("/email", None)
        .fails("\"email\" is a required property");
    me().body("/password_hash", Some(json!("x")))
        .fails("password_hash");
    me().body("/roles", Some(json!("admin"))).fails("/roles");
    me().body("/created_at", Some(json!("2026-03-02T09:15:42+00:00")))
        .fails("/created_at");
    me().body("/created_at", Some(json!("2026-02-31T09:15:42Z")))
        .fails("date-time");
    me().body("/last_login_at", Some(json!(1_772_442_942)))
        .fails("/last_login_at");
    me().body("/id", Some(json!("9f1b8c1e-5b7c-4d8e-9a51-0d6f1e2a3b4c")))
        .fails("/id");
    for address in ["ann", "@example.org", "ann@"] {
        me().body("/email", Some(json!(address))).fails("idn-email");
    }
    me().body("/username", Some(json!("Ann.Lee")))
        .fails("/username");
    refreshed()
        .body("/session/ip_address", Some(json!("nearby")))
        .fails("/session/ip_address");
    refreshed()
        .body("/session/ip_address", Some(json!(null)))
        .passes();
    refreshed()
        .body("/session/device/kind", Some(json!("toaster")))
        .fails("/session/device/kind");
    refreshed()
        .body("/session/hash", Some(json!("x")))
        .fails("hash");
    refreshed().body("/user/id", None).fails("/user");
    refreshed()
        .body("/refresh_token", Some(json!("kwr_short")))
        .fails("/refresh_token");
    refreshed()
        .body("/device_token", Some(json!("kwd_x")))
        .fails("device_token");
}

#[test]
fn private_members_of_a_key_fail() {
    let keys = |key| {
        let right = Exchange::right("GET", "/.well-known/jwks.json", 200);
        right
            .with("Cache-Control", "public, max-age=300")
            .body("/keys", Some(json!([key])))
    };
    let x = "FVaDjmq8E8CEtcXk_2el21bgGkWXGNGCgAjPO887fLA";
    let mut key =
        json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "k", "alg": "EdDSA", "use": "sig"});
    keys(key.clone()).passes();
    key["d"] = json!(x);
    keys(key).fails("/keys/0");
}

#[test]
fn bodies_that_are_no_json_fail() {
    let mut exchange = me();
    exchange.body = b"{\"id\":".to_vec();
    exchange.fails("the body is not application/json");
    exchange.body = Vec::new();
    exchange.fails("the body is not application/json");
}

#[test]
fn content_types_are_held_to() {
    me().with("Content-Type", "text/html")
        .fails("must be application/json");
    me().without("Content-Type")
        .fails("the content type is None");
    let jwks = Exchange::right("GET", "/.well-known/jwks.json", 200);
    jwks.with("Content-Type", "text/plain")
        .fails("must be application/jwk-set+json");
}

#[test]
fn an_answer_without_content_has_no_body() {
    let mut exchange = Exchange::right("POST", "/v1/auth/logout", 204);
    exchange.body = b"{}".to_vec();
    exchange.fails("the body must be empty");
}

#[test]
fn headers_are_held_to() {
    me().without("X-Request-Id")
        .fails("X-Request-Id is missing");
    me().with("X-Request-Id", "short").fails("X-Request-Id: ");
    me().without("Cache-Control")
        .fails("Cache-Control is missing");
    me().with("Cache-Control", "private")
        .fails("must say no-store under /v1");
    let mut twice = me();
    twice
        .headers
        .append("X-Request-Id", "another-one-of-them".parse().unwrap());
    twice.fails("X-Request-Id is there 2 times");
    let jwks = Exchange::right("GET", "/.well-known/jwks.json", 200);
    jwks.with("Cache-Control", "no-store")
        .fails("Cache-Control: ");
    let odd = me().with("Cache-Control", "no-store, private");
    odd.fails("Cache-Control: ");
}

#[test]
fn head_is_get_without_a_body() {
    let head = |mut exchange: Exchange| {
        exchange.method = "HEAD";
        exchange
    };
    head(me()).fails("an answer to HEAD has no body");
    let mut empty = head(me());
    empty.body = Vec::new();
    empty.passes();
    empty
        .without("Cache-Control")
        .fails("Cache-Control is missing");
    let mut refused = head(Exchange::problem("GET", "/v1/me", 401, "token_missing"));
    refused.body = Vec::new();
    refused.fails("WWW-Authenticate is missing");
    refused.with("WWW-Authenticate", "Bearer").passes();
}

#[test]
fn an_accepted_request_must_be_valid() {
    let request = |value| login().sending(&value);
    let password = "violet tandem quarry 72";
    request(json!({"username": "Ann", "password": password})).passes();
    request(json!({"email": "  ann@example.org ", "password": password})).passes();
    let both = json!({"email": "ann@example.org", "username": "ann", "password": password});
    request(both).fails("accepted a request that is not valid");
    request(json!({"password": password})).fails("accepted a request that is not valid");
    let more = json!({"email": "ann@example.org", "password": password, "otp": "1"});
    request(more).fails("otp");
    let null = json!({"email": "ann@example.org", "password": password, "token_transport": null});
    request(null).fails("/token_transport");
    request(json!("not json, but text")).fails("accepted a body that is not JSON");
    let mut nothing = login();
    nothing.request = None;
    nothing.fails("accepted without a body");
}

#[test]
fn a_change_may_clear_and_a_logout_may_be_empty() {
    let change = |value| Exchange::right("PATCH", "/v1/me", 200).sending(&value);
    change(json!({"username": null, "locale": "de"})).passes();
    change(json!({"username": "a b"})).fails("/username");
    change(json!({"email": "eve@example.org"})).fails("email");
    let logout = |value| Exchange::right("POST", "/v1/auth/logout", 204).sending(&value);
    logout(json!({"refresh_token": "garbage"})).passes();
    logout(json!({})).passes();
    logout(json!([])).fails("accepted a request");
}

#[test]
fn a_refused_request_may_be_anything() {
    let problem = Exchange::problem("POST", "/v1/auth/login", 400, "malformed_json");
    problem.sending(&json!("{{{")).passes();
}

#[test]
#[should_panic(expected = "GET /v1/me answered 200, and openapi.yaml says otherwise")]
fn a_wrong_answer_panics() {
    check(&me().body("/email", None).seen());
}
