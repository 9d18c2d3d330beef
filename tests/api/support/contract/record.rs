//! Which of the documented answers some test has seen, so that what nobody tests is known.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Seen;
use super::document::Document;

/// Operations and their statuses.
pub(super) struct Record(Mutex<BTreeSet<(String, u16)>>);

impl Record {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(BTreeSet::new()))
    }

    /// Notes an answer that was checked. One to `HEAD` shows no body, so it does not count.
    pub(super) fn note(&self, document: &Document, seen: &Seen<'_>) {
        let operation = document.operation(seen.method, seen.path);
        if let Some(operation) = operation.filter(|_| seen.method != "HEAD") {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert((operation.name(), seen.status));
        }
    }

    /// What is documented and was not noted, such as `POST /v1/auth/login 403`.
    pub(super) fn unseen(&self, document: &Document) -> Vec<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let documented = document.operations().flat_map(|operation| {
            let statuses = operation.statuses().into_iter();
            statuses.map(move |status| (operation.name(), status))
        });
        let unseen = documented.filter(|entry| !known.contains(entry));
        unseen
            .map(|(operation, status)| format!("{operation} {status}"))
            .collect()
    }
}
