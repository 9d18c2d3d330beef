//! Errors, right and wrong, and paths and methods that the document does not have.

use serde_json::json;

use super::Exchange;

const INVALID: &str = "Bearer error=\"invalid_token\"";

fn wrong_password() -> Exchange {
    Exchange::problem("POST", "/v1/me/delete", 403, "wrong_password")
}

fn ended() -> Exchange {
    Exchange::problem("GET", "/v1/me", 401, "session_ended").with("WWW-Authenticate", INVALID)
}

fn unavailable() -> Exchange {
    let problem = Exchange::problem("GET", "/v1/me", 503, "unavailable");
    problem
        .with("Retry-After", "1")
        .body("/retry_after", Some(json!(1)))
}

fn invalid() -> Exchange {
    let errors = json!([
        {"pointer": "/password", "code": "too_short", "message": "No.", "params": {"min": 12}}
    ]);
    let problem = Exchange::problem("POST", "/v1/auth/signup", 422, "validation_failed");
    problem.body("/errors", Some(errors))
}

#[test]
fn right_problems_pass() {
    wrong_password().passes();
    ended().passes();
    unavailable().passes();
    invalid().passes();
    let missing = Exchange::problem("GET", "/v1/me", 401, "token_missing");
    missing.with("WWW-Authenticate", "Bearer").passes();
}

#[test]
fn codes_belong_to_an_operation_and_a_status() {
    Exchange::problem("POST", "/v1/me/delete", 403, "account_disabled").fails("/code");
    Exchange::problem("PATCH", "/v1/me", 409, "email_taken").fails("/code");
    Exchange::problem("PATCH", "/v1/me", 409, "username_taken").passes();
    Exchange::problem("GET", "/v1/me", 500, "made_up").fails("/code");
    Exchange::problem("GET", "/health/live", 503, "unavailable").fails("has no status 503");
    let overloaded = Exchange::problem("GET", "/v1/me", 503, "overloaded");
    overloaded.fails("/code");
}

#[test]
fn problems_agree_with_the_head_of_the_answer() {
    wrong_password()
        .body("/status", Some(json!(401)))
        .fails("status must be 403");
    let other = "urn:keyward:error:token_missing";
    wrong_password()
        .body("/type", Some(json!(other)))
        .fails("type must be");
    wrong_password()
        .body("/request_id", Some(json!("another-one")))
        .fails("request_id must be");
    unavailable()
        .body("/retry_after", Some(json!(2)))
        .fails("retry_after must be 1");
    unavailable()
        .body("/retry_after", None)
        .fails("retry_after");
    wrong_password()
        .body("/retry_after", Some(json!(2)))
        .fails("retry_after is in the body");
    unavailable()
        .without("Retry-After")
        .fails("a 503 has Retry-After");
    for text in ["soon", "0", "+1", "01", "1.0"] {
        unavailable()
            .with("Retry-After", text)
            .fails("Retry-After: ");
    }
}

#[test]
fn problems_have_all_their_members_and_no_others() {
    for member in ["/type", "/title", "/status", "/code", "/request_id"] {
        wrong_password()
            .body(member, None)
            .fails("is a required property");
    }
    wrong_password()
        .body("/detail", Some(json!("x")))
        .fails("detail");
    wrong_password()
        .with("Content-Type", "application/json")
        .fails("problem+json");
    let mut html = wrong_password();
    html.body = b"<h1>403</h1>".to_vec();
    html.fails("the problem is not JSON");
}

#[test]
fn field_errors_belong_to_validation_failed() {
    invalid()
        .body("/errors", None)
        .fails("\"errors\" is a required property");
    invalid().body("/errors", Some(json!([]))).fails("/errors");
    invalid()
        .body("/errors/0/code", Some(json!("bad")))
        .fails("/errors/0/code");
    invalid()
        .body("/errors/0/pointer", Some(json!("password")))
        .fails("/errors/0/pointer");
    invalid()
        .body("/errors/0/params", Some(json!({})))
        .fails("/errors/0/params");
    let errors = json!([{"pointer": "", "code": "wrong_type", "message": "No."}]);
    invalid().body("/errors", Some(errors.clone())).passes();
    wrong_password()
        .body("/errors", Some(errors))
        .fails("errors belongs to validation_failed");
}

#[test]
fn a_401_says_how_to_authenticate() {
    ended()
        .without("WWW-Authenticate")
        .fails("a 401 has WWW-Authenticate");
    ended()
        .with("WWW-Authenticate", "Basic")
        .fails("a 401 has WWW-Authenticate");
    ended()
        .with("WWW-Authenticate", "Bearer")
        .fails("does not go with session_ended");
    let missing = Exchange::problem("GET", "/v1/me", 401, "token_missing");
    missing
        .with("WWW-Authenticate", INVALID)
        .fails("does not go with token_missing");
    let login = Exchange::problem("POST", "/v1/auth/login", 401, "invalid_credentials");
    login.with("WWW-Authenticate", "Bearer").passes();
}

#[test]
fn problems_are_silent_about_the_inside() {
    for word in [
        "sqlx::Error",
        "PostgreSQL",
        "panicked at",
        "src/main.rs",
        "actix",
        "serde_json",
        "a struct Body",
    ] {
        wrong_password()
            .body("/title", Some(json!(word)))
            .fails("betrays internals");
    }
}

#[test]
fn unknown_paths_are_404() {
    let not_found = |path| Exchange::problem("GET", path, 404, "not_found");
    not_found("/v1/nothing").passes();
    not_found("/v1/me/").passes();
    not_found("/").passes();
    not_found("/v1/me").fails("GET /v1/me has no status 404");
    not_found("/v1/nothing")
        .without("Cache-Control")
        .fails("Cache-Control is missing");
    Exchange::problem("GET", "/v1/nothing", 404, "token_missing").fails("/code");
    Exchange::problem("GET", "/v1/nothing", 403, "wrong_password").fails("404 is the answer");
    let mut found = Exchange::right("GET", "/v1/me", 200);
    found.path = "/v1/nothing";
    found.fails("404 is the answer");
}

#[test]
fn unknown_methods_are_405_and_name_the_known_ones() {
    let refused = |method| Exchange::problem(method, "/v1/me", 405, "method_not_allowed");
    refused("DELETE").with("Allow", "GET, HEAD, PATCH").passes();
    refused("DELETE").fails("Allow is missing");
    refused("DELETE")
        .with("Allow", "GET, PATCH")
        .fails("Allow is");
    refused("DELETE")
        .with("Allow", "GET, HEAD, PATCH, PUT")
        .fails("Allow is");
    refused("GET")
        .with("Allow", "GET, HEAD, PATCH")
        .fails("GET /v1/me has no status 405");
    let head = Exchange::problem("HEAD", "/v1/auth/login", 405, "method_not_allowed");
    let mut head = head.with("Allow", "POST");
    head.body = Vec::new();
    head.passes();
    let not_found = Exchange::problem("DELETE", "/v1/me", 404, "not_found");
    not_found.fails("405 is the answer");
}
