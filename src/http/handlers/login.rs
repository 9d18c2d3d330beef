//! `/v1/auth/login`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Deserialize;

use super::TokenTransport;
use crate::domain::{FieldCode, FieldError, FieldErrors, Identifier, Password, Refusal};
use crate::http::extractors::{Body, Browser, Client, Held};
use crate::http::problem::Problem;
use crate::services::{LogIn, Services};

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
    let signed_in = services.login.log_in(body.parse(held)?, &client).await?;
    Ok(browser.signed_in(StatusCode::OK, signed_in))
}
