//! Bodies that are not what the contract asks for.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Person, TestApp};

const JSON: &str = "application/json";

/// Every operation that needs a body, with one it accepts.
fn bodies(ann: &Person<'_>) -> Vec<(Method, &'static str, Value)> {
    let signup = json!({
        "email": "new@example.com", "password": PASSWORD, "username": "new",
        "display_name": "Newton", "locale": "de", "token_transport": "body",
    });
    let login =
        json!({ "email": "ann@example.com", "password": PASSWORD, "token_transport": "body" });
    vec![
        (Method::POST, "/v1/auth/signup", signup),
        (Method::POST, "/v1/auth/login", login),
        (
            Method::POST,
            "/v1/auth/refresh",
            json!({ "refresh_token": ann.refresh_token }),
        ),
        (
            Method::POST,
            "/v1/auth/logout",
            json!({ "refresh_token": ann.refresh_token }),
        ),
        (
            Method::PATCH,
            "/v1/me",
            json!({ "display_name": "Ann", "username": "a-a", "locale": "de" }),
        ),
        (
            Method::POST,
            "/v1/me/delete",
            json!({ "password": PASSWORD }),
        ),
    ]
}

async fn send(ann: &Person<'_>, method: &Method, path: &str, body: impl Into<Vec<u8>>) -> Answer {
    let request = ann
        .app
        .request(method.clone(), path)
        .bearer_auth(&ann.access_token);
    let request = request.header("content-type", JSON).body(body.into());
    ann.app.send(request).await
}

/// What is not JSON, or not only.
const MALFORMED: &[&str] = &[
    " ",
    "{",
    "}",
    "{}{}",
    "{},",
    "{} x",
    "{\"a\":}",
    "{\"a\"}",
    "{\"a\":1,}",
    "[1,]",
    "{a:1}",
    "{'a':1}",
    "nul",
    "NaN",
    "-Infinity",
    "{\"a\":1e400}",
    "{\"a\":01}",
    "{\"a\":+1}",
    "{\"a\":.5}",
    "\u{feff}{}",
    "{}\u{feff}",
    "{\"a\":\"\u{1}\"}",
    "{\"a\":\"\n\"}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\\u12\"}",
    "/**/{}",
    "{}//",
    "{\"a\":\"\\ud800\"}",
    "{\"a\":\"\\udc00\\ud800\"}",
    "{\"\\ud83e\":1}",
    "a=b&c=d",
    "<a/>",
];

/// The same, and what is not even text, or nested deeper than anybody means.
fn malformed() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = MALFORMED
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect();
    all.push(b"{\"a\":\"\xff\"}".to_vec());
    all.push(b"{\"a\":\"\xc0\x80\"}".to_vec());
    all.push(b"{\"a\":\"\xed\xa0\x80\"}".to_vec());
    all.push(b"{\"\xe9\":1}".to_vec());
    all.push(
        "{\"a\":1}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect(),
    );
    all.push("{}\0".into());
    all.push("[".repeat(16_000).into());
    all.push("{\"a\":".repeat(3_000).into());
    all.push(format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200)).into());
    all
}

// INP-01, INP-04
#[actix_web::test]
async fn what_is_not_json_is_malformed() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for (method, path, _) in bodies(&ann) {
        for body in malformed() {
            send(&ann, &method, path, body)
                .await
                .refused(400, "malformed_json");
        }
        if path != "/v1/auth/logout" {
            send(&ann, &method, path, "")
                .await
                .refused(400, "malformed_json");
        }
    }
    send(&ann, &Method::POST, "/v1/auth/login", "[".repeat(100_000))
        .await
        .refused(413, "payload_too_large");
    ann.me().await.is(200);
}

// LGN-14, INP-12
#[actix_web::test]
async fn no_member_is_named_twice_however_deep() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for (method, path, body) in bodies(&ann) {
        let body = body.to_string();
        for (name, value) in body_members(&body) {
            let escaped = format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]);
            for again in [name.clone(), escaped] {
                let twice = body.replacen('{', &format!("{{\"{again}\":{value},"), 1);
                send(&ann, &method, path, twice)
                    .await
                    .refused(400, "malformed_json");
            }
        }
        for nested in ["{\"a\":1,\"a\":2}", "[0,{\"a\":{\"\":1,\"\":1}}]"] {
            let nested = body.replacen('{', &format!("{{\"unknown\":{nested},"), 1);
            send(&ann, &method, path, nested)
                .await
                .refused(400, "malformed_json");
        }
    }
}

fn body_members(body: &str) -> Vec<(String, Value)> {
    let body: Value = serde_json::from_str(body).unwrap();
    body.as_object().unwrap().clone().into_iter().collect()
}

// LGN-12
#[actix_web::test]
async fn a_member_of_another_type_is_told_so() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for (method, path, body) in bodies(&ann) {
        for (name, _) in body_members(&body.to_string()) {
            for wrong in [
                json!(null),
                json!(true),
                json!(7),
                json!(-1.5),
                json!(1e300),
                json!([]),
                json!(["x"]),
                json!({}),
                json!({ "$ne": null }),
                json!({ "body": null }),
            ] {
                if path == "/v1/me" && wrong.is_null() {
                    continue;
                }
                let mut body = body.clone();
                body[&name] = wrong;
                send(&ann, &method, path, body.to_string())
                    .await
                    .invalid(&[(&format!("/{name}"), "wrong_type")]);
            }
        }
        for wrong in [
            "[]",
            "[\"ann@example.com\",\"x\"]",
            "\"x\"",
            "7",
            "null",
            "true",
        ] {
            send(&ann, &method, path, wrong)
                .await
                .invalid(&[("", "wrong_type")]);
        }
    }
    ann.me().await.is(200);
}

#[actix_web::test]
async fn a_member_that_is_needed_is_asked_for() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for (method, path, body) in bodies(&ann) {
        for name in ["password", "refresh_token"] {
            let mut without = body.clone();
            let members = without.as_object_mut().unwrap();
            if members.remove(name).is_some() && path != "/v1/auth/logout" {
                send(&ann, &method, path, without.to_string())
                    .await
                    .invalid(&[(&format!("/{name}"), "required")]);
            }
        }
    }
    app.post("/v1/auth/signup", json!({ "password": PASSWORD }))
        .await
        .invalid(&[("/email", "required")]);
}

#[actix_web::test]
async fn a_member_that_is_unknown_is_named_as_a_pointer_names_it() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let long = "x".repeat(9_000);
    for (method, path, body) in bodies(&ann) {
        for (name, pointer) in [
            ("admin", "/admin"),
            ("a/b~c", "/a~1b~0c"),
            ("~1", "/~01"),
            ("", "/"),
            ("0", "/0"),
            (" password", "/ password"),
            ("Password", "/Password"),
            ("p\u{e4}ssword\u{0}", "/p\u{e4}ssword\u{0}"),
            ("\"\\\u{1b}", "/\"\\\u{1b}"),
            ("src", "/src"),
            (&long, &format!("/{long}")),
        ] {
            let mut body = body.clone();
            body[name] = json!({ "$ne": null });
            send(&ann, &method, path, body.to_string())
                .await
                .invalid(&[(pointer, "unknown_member")]);
        }
    }
    ann.me().await.is(200);
}

// LGN-07
#[actix_web::test]
async fn control_characters_are_refused_where_text_is_text() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for (method, path, body) in bodies(&ann) {
        for (name, value) in body_members(&body.to_string()) {
            let code = match name.as_str() {
                "email" | "display_name" => "forbidden_character",
                "username" | "locale" => "invalid_format",
                "token_transport" => "invalid_choice",
                // Any password is one, and what is no refresh token is none.
                _ => continue,
            };
            for control in ['\0', '\u{1}', '\r', '\n', '\u{1b}', '\u{7f}', '\u{85}'] {
                let text = value.as_str().unwrap();
                let mut body = body.clone();
                body[&name] = json!(format!("{}{control}{}", &text[..1], &text[1..]));
                send(&ann, &method, path, body.to_string())
                    .await
                    .invalid(&[(&format!("/{name}"), code)]);
            }
        }
    }
    app.refresh(&format!("{}\0", ann.refresh_token))
        .await
        .refused(401, "refresh_token_invalid");
}
