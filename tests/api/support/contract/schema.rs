//! The schemas of the document, each compiled once. They are JSON Schema 2020-12, which `OpenAPI`
//! 3.1 takes as it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::{Draft, Validator};
use serde_json::Value;

use super::document::Document;

/// The schemas compiled so far. A schema's text is its key, so a part is compiled once wherever it
/// is used.
#[derive(Default)]
pub(super) struct Compiled(Mutex<HashMap<String, Arc<Validator>>>);

/// What is wrong with the value, in words.
pub(super) fn faults(document: &Document, schema: &Value, value: &Value) -> Vec<String> {
    let validator = compiled(document, schema);
    validator
        .iter_errors(value)
        .map(|error| said(&error))
        .collect()
}

fn said(error: &jsonschema::ValidationError<'_>) -> String {
    match error.instance_path().as_str() {
        "" => error.to_string(),
        path => format!("{path}: {error}"),
    }
}

fn compiled(document: &Document, schema: &Value) -> Arc<Validator> {
    let mut known = document
        .compiled
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let validator = known.entry(schema.to_string());
    Arc::clone(validator.or_insert_with(|| Arc::new(compile(document, schema))))
}

/// References point into `components`, so these come along.
fn compile(document: &Document, schema: &Value) -> Validator {
    let mut whole = schema.clone();
    if let Some(members) = whole.as_object_mut() {
        members.insert("components".to_owned(), document.components().clone());
    }
    let options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .with_format("idn-email", is_address)
        .should_ignore_unknown_formats(false);
    match options.build(&whole) {
        Ok(validator) => validator,
        Err(error) => unreachable!("{schema} is not a schema: {error}"),
    }
}

/// The library knows this format only with a feature that we do not take; and requests may have
/// spaces around it.
fn is_address(text: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
}
