//! Coded answers to refused requests: `application/problem+json` (RFC 9457). The one place that gives a code its
//! status, and the one that renders a failure.

use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use super::middleware::request_id;
use crate::domain::{Code, FieldError, Refusal};
use crate::services;

/// The media type of every refusal.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// A refused or failed request.
#[derive(Debug)]
pub struct Problem(Refusal);

/// Its body.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

fn status(code: Code) -> StatusCode {
    match code {
        Code::MalformedJson | Code::BadRequest => StatusCode::BAD_REQUEST,
        Code::TokenMissing
        | Code::TokenInvalid
        | Code::TokenExpired
        | Code::SessionEnded
        | Code::InvalidCredentials
        | Code::RefreshTokenInvalid
        | Code::InvalidCode
        | Code::ChallengeExpired => StatusCode::UNAUTHORIZED,
        Code::AccountDisabled | Code::WrongPassword | Code::WrongCode | Code::OriginNotAllowed => {
            StatusCode::FORBIDDEN
        }
        Code::NotFound | Code::SessionNotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Code::EmailTaken
        | Code::UsernameTaken
        | Code::TwoFactorAlreadyEnabled
        | Code::TwoFactorNotPending
        | Code::TwoFactorNotEnabled => StatusCode::CONFLICT,
        Code::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::ValidationFailed => StatusCode::UNPROCESSABLE_ENTITY,
        Code::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
        Code::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Overloaded | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// `WWW-Authenticate` of a 401 (RFC 6750, section 3): with an error only where a bearer token was shown.
fn challenge(code: Code) -> &'static str {
    match code {
        Code::TokenInvalid | Code::TokenExpired | Code::SessionEnded => {
            r#"Bearer error="invalid_token""#
        }
        _ => "Bearer",
    }
}

impl Problem {
    /// Whether this is the reason.
    pub(super) fn is(&self, code: Code) -> bool {
        self.0.code == code
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        status(self.0.code)
    }

    fn error_response(&self) -> HttpResponse {
        let Refusal {
            code,
            retry_after,
            ref fields,
        } = self.0;
        let status = status(code);
        let mut response = HttpResponse::build(status);
        response.content_type(PROBLEM_JSON);
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, challenge(code)));
        }
        if let Some(seconds) = retry_after {
            response.insert_header((RETRY_AFTER, seconds));
        }
        if matches!(code, Code::PayloadTooLarge | Code::RequestTimeout) {
            // What of the request has not been read is not worth reading.
            response.force_close();
        }
        let mut response = response.json(Body {
            kind: format!("urn:keyward:error:{}", code.as_str()),
            title: code.title(),
            status: status.as_u16(),
            code: code.as_str(),
            request_id: request_id(),
            retry_after,
            errors: fields,
        });
        // For the log.
        response.extensions_mut().insert(code);
        response
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.code.as_str())
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self(code.into())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Self {
        Self(error.into())
    }
}

impl From<services::Error> for Problem {
    fn from(error: services::Error) -> Self {
        match &error {
            services::Error::Internal { passing: true, .. } => {
                tracing::warn!(%error, "the database is not available");
                Self(Refusal::unavailable())
            }
            services::Error::Internal { passing: false, .. } => {
                tracing::error!(%error, "a request failed");
                Self(Code::InternalError.into())
            }
            services::Error::Refused(refusal) => Self(refusal.clone()),
        }
    }
}
