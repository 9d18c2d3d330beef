//! What long lists have in common: `?limit=` and `?cursor=`, and the cursor of the next page. A parameter that a list
//! does not know is refused, as a member of a body is.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use url::form_urlencoded;
use uuid::Uuid;

use super::json::escaped;
use super::problem::Problem;
use crate::domain::{Code, FieldCode, FieldError, FieldErrors, Page, Paged, Refusal};

const MOST: u8 = 100;
const USUAL: u8 = 50;

/// A page as callers see it.
#[derive(Serialize)]
pub(super) struct PageView<V> {
    items: Vec<V>,
    next_cursor: Option<String>,
}

impl<V> PageView<V> {
    pub(super) fn of<T: Into<V>>(page: Paged<T>) -> Self {
        Self {
            items: page.items.into_iter().map(Into::into).collect(),
            next_cursor: page.next.map(|id| URL_SAFE_NO_PAD.encode(id)),
        }
    }
}

/// The page that a query asks for.
pub(super) fn read(query: &str) -> Result<Page, Problem> {
    let (mut limit, mut cursor) = (None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let parameter = match &*name {
            "limit" => &mut limit,
            "cursor" => &mut cursor,
            _ => return Err(unknown(&name).into()),
        };
        if parameter.replace(value).is_some() {
            return Err(Code::BadRequest.into());
        }
    }
    let mut errors = FieldErrors::default();
    let limit = limit.map_or(Ok(USUAL), |text| limit_of(&text));
    let after = cursor.map(|text| place_of(&text)).transpose();
    match (errors.keep("/limit", limit), errors.keep("/cursor", after)) {
        (Some(limit), Some(after)) => Ok(Page { limit, after }),
        _ => Err(Refusal::from(errors).into()),
    }
}

fn unknown(name: &str) -> FieldError {
    FieldError::new(FieldCode::UnknownMember, "There is no such parameter.").at(escaped(name))
}

fn limit_of(text: &str) -> Result<u8, FieldError> {
    // `parse` would take a leading plus as well.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.filter(|_| digits).ok_or_else(|| {
        let message = format!("A whole number from 1 to {MOST}.");
        FieldError::new(FieldCode::InvalidFormat, message)
    })
}

fn place_of(text: &str) -> Result<Uuid, FieldError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let id = bytes.and_then(|bytes| Uuid::from_slice(&bytes).ok());
    id.filter(|id| id.get_version_num() == 7).ok_or_else(|| {
        let message = "The next_cursor of the page before.";
        FieldError::new(FieldCode::InvalidFormat, message)
    })
}
