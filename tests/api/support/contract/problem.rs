//! Rules of problem documents (RFC 9457) that a schema cannot say: agreement with status and
//! headers, and silence about what the service is made of.

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::Seen;
use super::answer::text;

/// Words that would tell a stranger what is inside.
const INTERNALS: [&str; 7] = [
    "sqlx", "postgres", "panicked", "src/", "actix", "serde", "struct ",
];
/// Codes that judge a bearer token that was shown.
const TOKEN_CODES: [&str; 3] = ["token_invalid", "token_expired", "session_ended"];

/// What is wrong with an answer of 400 and above.
pub(super) fn faults(seen: &Seen<'_>) -> Vec<String> {
    let mut faults = header_faults(seen);
    if seen.method == "HEAD" {
        return faults;
    }
    let lower = String::from_utf8_lossy(seen.body).to_ascii_lowercase();
    let betrayed = INTERNALS.iter().filter(|word| lower.contains(**word));
    faults.extend(betrayed.map(|word| format!("the body betrays internals: {word}")));
    match serde_json::from_slice::<Value>(seen.body) {
        Ok(problem) => faults.extend(body_faults(seen, &problem)),
        Err(error) => faults.push(format!("the problem is not JSON: {error}")),
    }
    faults
}

fn header_faults(seen: &Seen<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let challenge = text(seen.headers, "www-authenticate").unwrap_or_default();
    if seen.status == 401 && !challenge.starts_with("Bearer") {
        faults.push(format!(
            "a 401 has WWW-Authenticate: Bearer, and not {challenge:?}"
        ));
    }
    if seen.status == 503 && !seen.headers.contains_key("retry-after") {
        faults.push("a 503 has Retry-After".to_owned());
    }
    faults
}

fn body_faults(seen: &Seen<'_>, problem: &Value) -> Vec<String> {
    let code = problem["code"].as_str().unwrap_or_default();
    let request_id = text(seen.headers, "x-request-id");
    let expected = [
        ("status", Some(seen.status.into())),
        ("type", Some(format!("urn:keyward:error:{code}").into())),
        ("request_id", request_id.map(Value::from)),
        ("retry_after", retry_after(seen.headers).map(Value::from)),
    ];
    let mut faults: Vec<_> = expected
        .iter()
        .filter(|(member, value)| problem.get(member) != value.as_ref())
        .map(|(member, value)| match value {
            Some(value) => format!("{member} must be {value}, as in the answer's head"),
            None => format!("{member} is in the body and not in the answer's head"),
        })
        .collect();
    if problem.get("errors").is_some() != (code == "validation_failed") {
        faults.push("errors belongs to validation_failed, and to nothing else".to_owned());
    }
    let challenge = text(seen.headers, "www-authenticate").unwrap_or_default();
    if challenge.contains("invalid_token") != TOKEN_CODES.contains(&code) {
        faults.push(format!(
            "WWW-Authenticate is {challenge:?}, which does not go with {code}"
        ));
    }
    faults
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    text(headers, "retry-after")?.parse().ok()
}
