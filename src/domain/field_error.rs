//! What is wrong with one member of a request, and the collector that finds all of them before refusing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Code, Refusal};

macro_rules! field_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)+) => {
        /// The codes inside `errors[]`. Public contract: never renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FieldCode { $($(#[$doc])* $name,)+ }

        impl FieldCode {
            /// Every code, in the order of the registry.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code as callers see it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }
        }
    };
}

field_codes! {
    /// The member is missing.
    Required = "required";
    /// The contract has no such member.
    UnknownMember = "unknown_member";
    /// Another JSON type is asked for.
    WrongType = "wrong_type";
    /// Given beside a member that excludes it.
    MutuallyExclusive = "mutually_exclusive";
    /// The text is not of the form asked for.
    InvalidFormat = "invalid_format";
    /// Not one of the values allowed.
    InvalidChoice = "invalid_choice";
    /// Holds NUL, another control character, or one that does not show.
    ForbiddenCharacter = "forbidden_character";
    /// Fewer characters than asked for; `params.min`.
    TooShort = "too_short";
    /// More characters than allowed; `params.max`.
    TooLong = "too_long";
    /// A password too easy to guess; `params.strength` and `params.min`, both 0 to 4.
    TooWeak = "too_weak";
    /// A password that was used before; `params.last` of them are refused.
    PasswordReused = "password_reused";
    /// A password found on a list of common or breached ones.
    Breached = "breached";
}

impl Serialize for FieldCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One wrong member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Where: a JSON Pointer (RFC 6901) into the request's body.
    pub pointer: String,
    /// What, for programs.
    pub code: FieldCode,
    /// What, for people.
    pub message: String,
    /// The limits that were missed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<&'static str, usize>,
}

impl FieldError {
    /// An error at the member that the collector will name.
    pub fn new(code: FieldCode, message: impl Into<String>) -> Self {
        Self {
            pointer: String::new(),
            code,
            message: message.into(),
            params: BTreeMap::new(),
        }
    }

    /// Adds a limit that was missed.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: usize) -> Self {
        self.params.insert(name, value);
        self
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = pointer.into();
        self
    }
}

/// Collects what is wrong with a request, so that all of it is said at once.
#[derive(Debug, Default)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// The value, or a note of what is wrong with it.
    pub fn keep<T>(&mut self, pointer: &str, parsed: Result<T, FieldError>) -> Option<T> {
        parsed.map_err(|error| self.0.push(error.at(pointer))).ok()
    }
}

impl FieldErrors {
    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<FieldErrors> for Refusal {
    fn from(errors: FieldErrors) -> Self {
        Self::invalid(errors.0)
    }
}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        Self::invalid(vec![error])
    }
}

impl Refusal {
    fn invalid(fields: Vec<FieldError>) -> Self {
        Self {
            fields,
            ..Self::from(Code::ValidationFailed)
        }
    }
}
