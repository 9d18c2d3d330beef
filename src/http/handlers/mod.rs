//! One file per feature, named as in the layers below. No rules here.

pub(super) mod accounts;
pub(super) mod contract;
pub(super) mod docs;
pub(super) mod health;
pub(super) mod keys;
pub(super) mod login;
pub(super) mod metrics;
pub(super) mod passwords;
pub(super) mod refresh;
pub(super) mod security_events;
pub(super) mod sessions;
pub(super) mod two_factor;

pub use contract::CONTRACT;
use serde::Deserialize;

use crate::domain::{
    BackupCode, FieldCode, FieldError, FieldErrors, Password, Refusal, SecondFactor, TotpCode,
    Transport,
};
use crate::services::Proofs;

/// Pages of every origin may read it, without credentials.
const OPEN_TO_ALL: (&str, &str) = ("access-control-allow-origin", "*");

/// Anyone may keep it for five minutes.
const KEEP_SHORTLY: (&str, &str) = ("cache-control", "public, max-age=300");

/// `token_transport` of a request.
#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum TokenTransport {
    #[default]
    Body,
    Cookie,
}

impl From<TokenTransport> for Transport {
    fn from(transport: TokenTransport) -> Self {
        match transport {
            TokenTransport::Body => Self::Body,
            TokenTransport::Cookie => Self::Cookie,
        }
    }
}

/// The second factor of a body: `code`, or `backup_code`, or neither.
fn second_factor(
    errors: &mut FieldErrors,
    code: Option<&str>,
    backup_code: Option<&str>,
) -> Option<SecondFactor> {
    match (code, backup_code) {
        (None, None) => None,
        (Some(code), None) => errors
            .keep("/code", TotpCode::parse(code))
            .map(SecondFactor::Totp),
        (None, Some(code)) => errors
            .keep("/backup_code", BackupCode::parse(code))
            .map(SecondFactor::BackupCode),
        (Some(_), Some(_)) => {
            let both = FieldError::new(FieldCode::MutuallyExclusive, "Either this or the code.");
            errors.keep("/backup_code", Err(both))
        }
    }
}

/// The same where one of them is needed.
fn needed_second_factor(
    errors: &mut FieldErrors,
    code: Option<&str>,
    backup_code: Option<&str>,
) -> Option<SecondFactor> {
    if code.is_none() && backup_code.is_none() {
        return errors.keep("/code", Err(FieldError::code_required()));
    }
    second_factor(errors, code, backup_code)
}

/// The password, and the second factor by one of the functions above.
fn proofs(
    password: String,
    code: impl FnOnce(&mut FieldErrors) -> Option<SecondFactor>,
) -> Result<Proofs, Refusal> {
    let mut errors = FieldErrors::default();
    let password = errors.keep("/password", Password::parse(password));
    let code = code(&mut errors);
    match password {
        Some(password) if errors.is_empty() => Ok(Proofs { password, code }),
        _ => Err(errors.into()),
    }
}
