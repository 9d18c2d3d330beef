//! What `openapi.yaml` itself must keep to, so that holding answers to it means something.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::document::{Document, Operation};
use super::super::schema;
use super::super::{error_codes, field_error_codes, operations};

const SMALL: &str = "
paths:
  /things/{id}: {get: {responses: {'200': {$ref: '#/components/responses/Thing'}}}}
  /things/new: {get: {security: [{bearer: []}], responses: {'204': {description: New}}}}
components: {responses: {Thing: {description: A thing}}}
";

/// What has no schema, because nothing is said of the bytes.
const ANY_BYTES: [&str; 2] = ["text/javascript", "text/css"];

/// Every documented answer: whose it is, its status and what is said of it.
fn responses() -> impl Iterator<Item = (String, u16, &'static Value)> {
    let document = Document::get();
    let known = document.operations().flat_map(|operation| {
        let described = move |status| {
            (
                operation.name(),
                status,
                operation.response(status).unwrap(),
            )
        };
        operation.statuses().into_iter().map(described)
    });
    let others = [204, 404, 405].map(|status| {
        (
            "elsewhere".to_owned(),
            status,
            document.elsewhere(status).expect("is documented"),
        )
    });
    known.chain(others)
}

fn examples(content: &Value) -> Vec<&Value> {
    content["examples"]
        .as_object()
        .unwrap()
        .values()
        .map(|example| &Document::get().resolve(example)["value"])
        .collect()
}

/// The codes that a documented error may have.
fn codes(content: &Value) -> BTreeSet<String> {
    let schema = Document::get().resolve(&content["schema"]);
    let words = schema["allOf"][1]["properties"]["code"]["enum"]
        .as_array()
        .unwrap();
    words
        .iter()
        .map(|word| word.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn examples_of_answers_are_valid() {
    for (operation, status, response) in responses() {
        for (media_type, content) in response["content"].as_object().into_iter().flatten() {
            if ANY_BYTES.contains(&media_type.as_str()) {
                assert!(content.get("schema").is_none(), "{operation}");
                continue;
            }
            for example in examples(content) {
                let schema = &content["schema"];
                let found = schema::faults(Document::get(), schema, example);
                assert!(
                    found.is_empty(),
                    "{operation} {status} {media_type}: {found:#?}"
                );
            }
        }
    }
}

#[test]
fn examples_of_requests_are_valid() {
    for operation in Document::get().operations() {
        let Some(body) = operation.request_body() else {
            continue;
        };
        let content = &body["content"]["application/json"];
        for example in examples(content) {
            let schema = &content["schema"];
            let found = schema::faults(Document::get(), schema, example);
            assert!(found.is_empty(), "{}: {found:#?}", operation.name());
        }
    }
}

#[test]
fn every_error_has_an_example_of_each_of_its_codes() {
    for (operation, status, response) in responses().filter(|(_, status, _)| *status >= 400) {
        let content = &response["content"]["application/problem+json"];
        let shown = examples(content);
        let words = shown
            .iter()
            .map(|example| example["code"].as_str().unwrap().to_owned());
        assert_eq!(
            words.collect::<BTreeSet<_>>(),
            codes(content),
            "{operation} {status}"
        );
        for example in shown {
            assert_eq!(example["status"], status, "{operation}");
            let code = example["code"].as_str().unwrap();
            assert_eq!(
                example["type"],
                format!("urn:keyward:error:{code}"),
                "{operation}"
            );
        }
    }
}

#[test]
fn every_code_is_some_operations() {
    let errors = responses().filter(|(_, status, _)| *status >= 400);
    let used =
        errors.flat_map(|(_, _, response)| codes(&response["content"]["application/problem+json"]));
    assert_eq!(used.collect::<BTreeSet<_>>(), error_codes());
    assert_eq!(field_error_codes().len(), 12);
}

#[test]
fn every_answer_promises_its_headers() {
    for (operation, status, response) in responses() {
        let promised = |name: &str| response["headers"].get(name).is_some();
        assert!(
            promised("X-Request-Id") && promised("Cache-Control"),
            "{operation} {status}"
        );
        assert_eq!(
            promised("WWW-Authenticate"),
            status == 401,
            "{operation} {status}"
        );
        assert_eq!(
            promised("Retry-After"),
            matches!(status, 429 | 503),
            "{operation} {status}"
        );
        assert_eq!(promised("Allow"), status == 405, "{operation} {status}");
    }
}

#[test]
fn operations_answer_what_their_kind_can() {
    for operation in operations() {
        let name = format!("{} {}", operation.method, operation.path);
        let has = |status: u16| operation.statuses.contains(&status);
        let takes_body = !operation.request_examples.is_empty();
        assert!(has(408) && has(500), "{name}");
        assert_eq!(
            has(401) && !name.contains("/auth/"),
            operation.secured,
            "{name}"
        );
        assert_eq!(
            operation.secured,
            operation.path.starts_with("/v1/me"),
            "{name}"
        );
        assert_eq!(has(400), takes_body || operation.secured, "{name}");
        assert!(has(413) == takes_body && has(415) == takes_body, "{name}");
        assert_eq!(has(422), takes_body || operation.takes_query, "{name}");
        let database = operation.path.starts_with("/v1/") || operation.path == "/health/ready";
        assert_eq!(has(503), database, "{name}");
    }
}

#[test]
fn what_is_documented_can_be_listed() {
    let names = operations()
        .into_iter()
        .map(|found| format!("{} {}", found.method, found.path));
    let expected = [
        "GET /.well-known/jwks.json",
        "GET /docs",
        "GET /docs/assets/{name}",
        "GET /docs/errors",
        "GET /health/live",
        "GET /health/ready",
        "GET /openapi.yaml",
        "GET /v1/me",
        "PATCH /v1/me",
        "POST /v1/auth/login",
        "POST /v1/auth/login/2fa",
        "POST /v1/auth/logout",
        "POST /v1/auth/refresh",
        "POST /v1/auth/signup",
        "DELETE /v1/me/sessions",
        "DELETE /v1/me/sessions/others",
        "DELETE /v1/me/sessions/{id}",
        "GET /v1/me/security-events",
        "GET /v1/me/sessions",
        "POST /v1/me/delete",
        "POST /v1/me/password",
        "GET /v1/me/2fa",
        "POST /v1/me/2fa/enable",
        "POST /v1/me/2fa/verify",
        "POST /v1/me/2fa/disable",
        "POST /v1/me/2fa/backup-codes",
    ];
    assert_eq!(
        names.collect::<BTreeSet<_>>(),
        expected.map(str::to_owned).into()
    );
}

#[test]
fn templates_match_one_segment_and_give_way_to_plain_paths() {
    let document = Document::read(SMALL);
    let name = |path| {
        document
            .operation("GET", path)
            .as_ref()
            .map(Operation::name)
    };
    assert_eq!(name("/things/7").as_deref(), Some("GET /things/{id}"));
    assert_eq!(name("/things/new").as_deref(), Some("GET /things/new"));
    for path in [
        "/things/",
        "/things/7/8",
        "/things",
        "things/7",
        "/Things/7",
    ] {
        assert_eq!(name(path), None, "{path}");
    }
    assert!(document.operation("HEAD", "/things/7").is_some());
    assert!(document.operation("POST", "/things/7").is_none());
    let thing = document.operation("GET", "/things/7").unwrap();
    assert_eq!(thing.response(200).unwrap()["description"], "A thing");
    assert!(!thing.describe().secured);
    assert!(
        document
            .operation("GET", "/things/new")
            .unwrap()
            .describe()
            .secured
    );
}

#[test]
#[should_panic(expected = "#/components/nothing leads nowhere")]
fn a_reference_must_lead_somewhere() {
    Document::read("components: {}").resolve(&serde_json::json!({"$ref": "#/components/nothing"}));
}
