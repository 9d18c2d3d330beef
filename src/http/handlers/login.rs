//! `/v1/auth/login` and its second step.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Deserialize;

use super::{TokenTransport, needed_second_factor};
use crate::domain::{FieldCode, FieldError, FieldErrors, Identifier, Password, Refusal, Transport};
use crate::http::extractors::{Body, Browser, Client, Held};
use crate::http::problem::Problem;
use crate::http::views::ChallengeView;
use crate::services::{LogIn, LoggedIn, SecondStep, Services};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct LoginBody {
    email: Option<String>,
    username: Option<String>,
    password: String,
    device_token: Option<String>,
    #[serde(default)]
    token_transport: TokenTransport,
}

impl LoginBody {
    fn parse(self, held: Held) -> Result<LogIn, Refusal> {
        let mut errors = FieldErrors::default();
        let who = match (self.email, self.username) {
            (Some(email), None) => errors.keep("/email", Identifier::email(&email)),
            (None, Some(name)) => errors.keep("/username", Identifier::username(&name)),
            (None, None) => {
                let missing =
                    FieldError::new(FieldCode::Required, "An e-mail address or a username.");
                errors.keep("/email", Err(missing))
            }
            (Some(_), Some(_)) => {
                let both = FieldError::new(
                    FieldCode::MutuallyExclusive,
                    "Either this or the e-mail address.",
                );
                errors.keep("/username", Err(both))
            }
        };
        let password = errors.keep("/password", Password::parse(self.password));
        match (who, password) {
            (Some(who), Some(password)) => Ok(LogIn {
                who,
                password,
                transport: self.token_transport.into(),
                replaces: held.refresh,
                device_token: self.device_token.or(held.device),
            }),
            _ => Err(errors.into()),
        }
    }
}

pub(in crate::http) async fn log_in(
    services: Data<Services>,
    Client(client): Client,
    browser: Browser,
    Body(body): Body<LoginBody>,
) -> Result<HttpResponse, Problem> {
    let held = browser.held(body.token_transport.into())?;
    let outcome = services.login.log_in(body.parse(held)?, &client).await?;
    Ok(match outcome {
        LoggedIn::Authenticated(signed_in) => browser.signed_in(StatusCode::OK, *signed_in),
        LoggedIn::TwoFactorRequired(challenge) => {
            HttpResponse::Ok().json(ChallengeView::from(challenge))
        }
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct SecondStepBody {
    challenge_token: String,
    code: Option<String>,
    backup_code: Option<String>,
}

impl SecondStepBody {
    fn parse(self, held: Held) -> Result<SecondStep, Refusal> {
        let mut errors = FieldErrors::default();
        let (code, backup_code) = (self.code.as_deref(), self.backup_code.as_deref());
        let code = needed_second_factor(&mut errors, code, backup_code).ok_or(errors)?;
        Ok(SecondStep {
            challenge_token: self.challenge_token,
            code,
            replaces: held.refresh,
        })
    }
}

pub(in crate::http) async fn complete(
    services: Data<Services>,
    Client(client): Client,
    browser: Browser,
    Body(body): Body<SecondStepBody>,
) -> Result<HttpResponse, Problem> {
    // What is no challenge of ours asks for no cookie.
    let transport = services.login.transport_of(&body.challenge_token);
    let held = browser.held(transport.unwrap_or(Transport::Body))?;
    let signed_in = services.login.complete(body.parse(held)?, &client).await?;
    Ok(browser.signed_in(StatusCode::OK, signed_in))
}
