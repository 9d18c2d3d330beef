//! What every answer is held to: the operation's statuses, headers, content type, body and, where
//! the service accepted it, the request. Says what is wrong; never panics.

use std::collections::BTreeSet;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::Seen;
use super::browser;
use super::document::{Document, Operation};
use super::problem;
use super::schema;

pub(super) fn faults(document: &Document, seen: &Seen<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let operation = document.operation(seen.method, seen.path);
    match operation {
        Some(operation) => faults.extend(request_faults(document, &operation, seen)),
        None => faults.extend(elsewhere_faults(document, seen)),
    }
    match promised(document, operation, seen) {
        Ok(response) => faults.extend(response_faults(document, response, seen)),
        Err(fault) => faults.push(fault),
    }
    faults.extend(general_faults(seen));
    faults
}

/// What the document says of this answer.
fn promised<'d>(
    document: &'d Document,
    operation: Option<Operation<'d>>,
    seen: &Seen<'_>,
) -> Result<&'d Value, String> {
    let Some(operation) = operation else {
        let expected = match document.methods(seen.path) {
            Some(_) if seen.method == "OPTIONS" && seen.status == 204 => 204,
            Some(_) => 405,
            None => 404,
        };
        let response = document
            .elsewhere(expected)
            .filter(|_| seen.status == expected);
        return response.ok_or(format!("not in the document, so {expected} is the answer"));
    };
    operation.response(seen.status).ok_or_else(|| {
        format!(
            "{} has no status {}, only {:?}",
            operation.name(),
            seen.status,
            operation.statuses()
        )
    })
}

/// Rules that hold whatever the document says of the operation.
fn general_faults(seen: &Seen<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let store = text(seen.headers, "cache-control").unwrap_or_default();
    if seen.path.starts_with("/v1/") && !store.split(',').any(|word| word.trim() == "no-store") {
        faults.push(format!(
            "Cache-Control is {store:?}, and must say no-store under /v1"
        ));
    }
    faults.extend(browser::faults(seen));
    if seen.status >= 400 {
        faults.extend(problem::faults(seen));
    }
    faults
}

/// A method that a path does not know is answered with those it knows.
fn elsewhere_faults(document: &Document, seen: &Seen<'_>) -> Option<String> {
    let known = document.methods(seen.path)?;
    let name = match seen.status {
        204 => "Access-Control-Allow-Methods",
        _ => "Allow",
    };
    let allow = text(seen.headers, name).unwrap_or_default();
    let said: BTreeSet<_> = allow
        .split(',')
        .map(|method| method.trim().to_owned())
        .collect();
    (said != known).then(|| format!("{name} is {said:?}, and the document has {known:?}"))
}

/// A request that was accepted must be one the document allows.
fn request_faults(document: &Document, operation: &Operation<'_>, seen: &Seen<'_>) -> Vec<String> {
    let Some(body) = operation
        .request_body()
        .filter(|_| (200..300).contains(&seen.status))
    else {
        return Vec::new();
    };
    let Some(sent) = seen.request_body.filter(|sent| !sent.is_empty()) else {
        let needed = body["required"] == true;
        return needed
            .then(|| "accepted without a body".to_owned())
            .into_iter()
            .collect();
    };
    let Ok(value) = serde_json::from_slice(sent) else {
        return vec!["accepted a body that is not JSON".to_owned()];
    };
    let schema = &body["content"]["application/json"]["schema"];
    let faults = schema::faults(document, schema, &value);
    faults
        .into_iter()
        .map(|fault| format!("accepted a request that is not valid: {fault}"))
        .collect()
}

fn response_faults(document: &Document, response: &Value, seen: &Seen<'_>) -> Vec<String> {
    let mut faults = header_faults(document, response, seen.headers);
    if response["headers"].get("Set-Cookie").is_none() && seen.headers.contains_key("set-cookie") {
        faults.push("a cookie that is not documented".to_owned());
    }
    let Some(known) = response["content"].as_object() else {
        faults.extend((!seen.body.is_empty()).then(|| "the body must be empty".to_owned()));
        return faults;
    };
    let given = media_type_of(seen.headers);
    let is_given = |name: &String| given.as_ref() == Some(name);
    let Some((media_type, content)) = known.iter().find(|(name, _)| is_given(name)) else {
        let known: Vec<_> = known.keys().map(String::as_str).collect();
        let known = known.join(" or ");
        faults.push(format!(
            "the content type is {given:?}, and must be {known}"
        ));
        return faults;
    };
    if seen.method == "HEAD" {
        faults.extend((!seen.body.is_empty()).then(|| "an answer to HEAD has no body".to_owned()));
        return faults;
    }
    if content.get("schema").is_none() {
        // Nothing is said of the bytes.
        return faults;
    }
    match value_of(media_type, seen.body) {
        Ok(value) => {
            let schema = &content["schema"];
            faults.extend(schema::faults(document, schema, &value));
        }
        Err(error) => faults.push(format!("the body is not {media_type}: {error}")),
    }
    faults
}

fn header_faults(document: &Document, response: &Value, headers: &HeaderMap) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        let header = document.resolve(header);
        let schema = &header["schema"];
        let given: Vec<_> = headers.get_all(name).iter().collect();
        match given.as_slice() {
            [] if header["required"] == true => faults.push(format!("{name} is missing")),
            [] => {}
            values if values.len() == 1 || name == "Set-Cookie" => {
                for value in values {
                    let value = String::from_utf8_lossy(value.as_bytes());
                    let value = header_value(document, schema, &value);
                    let found = schema::faults(document, schema, &value);
                    faults.extend(found.into_iter().map(|fault| format!("{name}: {fault}")));
                }
            }
            _ => faults.push(format!("{name} is there {} times", given.len())),
        }
    }
    faults
}

/// Headers are text; a schema that asks for a number means its digits.
fn header_value(document: &Document, schema: &Value, text: &str) -> Value {
    let number = || {
        text.parse::<u64>()
            .ok()
            .filter(|number| number.to_string() == text)
    };
    match document.resolve(schema)["type"].as_str() {
        Some("integer") => number().map_or_else(|| text.into(), Value::from),
        _ => text.into(),
    }
}

fn value_of(media_type: &str, body: &[u8]) -> Result<Value, String> {
    if media_type.ends_with("json") {
        return serde_json::from_slice(body).map_err(|error| error.to_string());
    }
    String::from_utf8(body.to_vec())
        .map(Value::from)
        .map_err(|error| error.to_string())
}

/// Without parameters such as `charset`.
fn media_type_of(headers: &HeaderMap) -> Option<String> {
    let whole = text(headers, "content-type")?;
    whole
        .split(';')
        .next()
        .map(|essence| essence.trim().to_ascii_lowercase())
}

pub(super) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
