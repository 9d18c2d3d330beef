//! The registry of error codes: every coded answer Keyward can give. Public contract: never renamed.

use super::FieldError;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $title:literal;)+) => {
        /// Why a request is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name,)+ }

        impl Code {
            /// Every code, in the order of the registry.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code as callers see it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// One sentence for people.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

codes! {
    /// 400: the body is not JSON, or names a member twice.
    MalformedJson = "malformed_json", "The body is not well-formed JSON.";
    /// 400: not what HTTP says a request should be.
    BadRequest = "bad_request", "The request is not well-formed.";
    /// 401: no bearer token where one is needed.
    TokenMissing = "token_missing", "An access token is needed.";
    /// 401: not a token of ours.
    TokenInvalid = "token_invalid", "The access token is not valid.";
    /// 401: ours, and too old.
    TokenExpired = "token_expired", "The access token has expired.";
    /// 401: ours, and its session is over.
    SessionEnded = "session_ended", "The session has ended. Sign in again.";
    /// 401: wrong password, or no such account: not said which.
    InvalidCredentials = "invalid_credentials", "The account or the password is wrong.";
    /// 401: a refresh token that does not work, whatever the reason.
    RefreshTokenInvalid = "refresh_token_invalid", "The refresh token is not valid. Sign in again.";
    /// 401: a wrong second factor at login, or one that was used before.
    InvalidCode = "invalid_code", "The code is wrong or was used before.";
    /// 401: a login that waits for its second factor no more, whatever the reason.
    ChallengeExpired = "challenge_expired", "The login has to be started again.";
    /// 403: right password, account switched off.
    AccountDisabled = "account_disabled", "The account is disabled.";
    /// 403: a wrong password typed inside a session.
    WrongPassword = "wrong_password", "The password is wrong.";
    /// 403: the same inside a session.
    WrongCode = "invalid_code", "The code is wrong or was used before.";
    /// 403: a cookie, or the wish for one, from a page that may not have it.
    OriginNotAllowed = "origin_not_allowed", "Cookies are not for pages of this origin.";
    /// 404: no such thing, or not yours.
    NotFound = "not_found", "There is nothing here.";
    /// 404: no such session, or not yours.
    SessionNotFound = "session_not_found", "There is no such session.";
    /// 405: the path exists and does not know the method.
    MethodNotAllowed = "method_not_allowed", "The method is not allowed here.";
    /// 408: the request did not arrive, or was not answered, in time.
    RequestTimeout = "request_timeout", "The request took too long.";
    /// 409: an account with this e-mail address exists.
    EmailTaken = "email_taken", "An account with this e-mail address exists.";
    /// 409: an account with this username exists.
    UsernameTaken = "username_taken", "An account with this username exists.";
    /// 409: the second factor is on.
    TwoFactorAlreadyEnabled = "two_factor_already_enabled", "Two-factor authentication is on already.";
    /// 409: no secret waits to be verified.
    TwoFactorNotPending = "two_factor_not_pending", "There is nothing to verify. Start again.";
    /// 409: the second factor is off.
    TwoFactorNotEnabled = "two_factor_not_enabled", "Two-factor authentication is not on.";
    /// 413: the body is larger than 16 KiB.
    PayloadTooLarge = "payload_too_large", "The body is too large.";
    /// 415: the body is something other than `application/json`.
    UnsupportedMediaType = "unsupported_media_type", "The body must be application/json.";
    /// 422: members that are wrong; `errors` lists them.
    ValidationFailed = "validation_failed", "Some fields are not valid.";
    /// 429: too many guesses, or too many requests of a kind.
    TooManyAttempts = "too_many_attempts", "Too many attempts. Try again later.";
    /// 500: a fault of ours.
    InternalError = "internal_error", "Something went wrong on our side.";
    /// 503: more work is waiting than can be done in time.
    Overloaded = "overloaded", "Too busy. Try again shortly.";
    /// 503: the database is away.
    Unavailable = "unavailable", "The service is not available. Try again shortly.";
}

/// A refused request: a code, and what helps to put it right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub code: Code,
    /// Seconds after which trying again may help.
    pub retry_after: Option<u32>,
    /// The members that are wrong.
    pub fields: Vec<FieldError>,
}

impl Refusal {
    /// Too many guesses: the seconds to wait.
    pub fn too_many_attempts(retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Code::TooManyAttempts.into()
        }
    }

    /// Too busy: the work queue would take too long.
    pub fn overloaded() -> Self {
        Self {
            retry_after: Some(1),
            ..Code::Overloaded.into()
        }
    }

    /// The database is away.
    pub fn unavailable() -> Self {
        Self {
            retry_after: Some(1),
            ..Code::Unavailable.into()
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self {
            code,
            retry_after: None,
            fields: Vec::new(),
        }
    }
}
