//! `/v1/auth/signup` and `/v1/me`: making, showing, changing and deleting one's own account.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Json};
use serde::{Deserialize, Deserializer};

use super::{TokenTransport, proofs, second_factor};
use crate::domain::{
    Change, DisplayName, FieldErrors, Locale, ProfileChange, Refusal, SignUpForm, Username,
};
use crate::http::extractors::{Body, Browser, Client, Signed};
use crate::http::problem::Problem;
use crate::http::views::UserView;
use crate::services::{Caller, Proofs, Services};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct SignUpBody {
    email: String,
    password: String,
    username: Option<String>,
    display_name: Option<String>,
    locale: Option<String>,
    #[serde(default)]
    token_transport: TokenTransport,
}

pub(in crate::http) async fn sign_up(
    services: Data<Services>,
    Client(client): Client,
    browser: Browser,
    Body(body): Body<SignUpBody>,
) -> Result<HttpResponse, Problem> {
    let SignUpBody {
        email,
        password,
        username,
        display_name,
        locale,
        token_transport,
    } = body;
    let form = SignUpForm {
        email,
        password,
        username,
        display_name,
        locale,
    };
    let transport = token_transport.into();
    let held = browser.held(transport)?;
    let signed_in = services
        .accounts
        .sign_up(form, transport, held.refresh.as_deref(), &client)
        .await?;
    Ok(browser.signed_in(StatusCode::CREATED, signed_in))
}

pub(in crate::http) async fn me(caller: Caller) -> Json<UserView> {
    Json(caller.into_user().into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ProfileBody {
    #[serde(default, deserialize_with = "nullable")]
    display_name: Change<String>,
    #[serde(default, deserialize_with = "nullable")]
    username: Change<String>,
    #[serde(default, deserialize_with = "nullable")]
    locale: Change<String>,
}

impl ProfileBody {
    fn parse(self) -> Result<ProfileChange, Refusal> {
        let mut errors = FieldErrors::default();
        let name = self.display_name.try_map(|name| DisplayName::parse(&name));
        let display_name = errors.keep("/display_name", name);
        let username = errors.keep(
            "/username",
            self.username.try_map(|name| Username::parse(&name)),
        );
        let locale = errors.keep("/locale", self.locale.try_map(|tag| Locale::parse(&tag)));
        match (display_name, username, locale) {
            (Some(display_name), Some(username), Some(locale)) => Ok(ProfileChange {
                display_name,
                username,
                locale,
            }),
            _ => Err(errors.into()),
        }
    }
}

pub(in crate::http) async fn change_profile(
    services: Data<Services>,
    Client(client): Client,
    Signed(caller, body): Signed<ProfileBody>,
) -> Result<Json<UserView>, Problem> {
    let user = services
        .accounts
        .change_profile(caller, &body.parse()?, &client)
        .await?;
    Ok(Json(user.into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct DeleteBody {
    password: String,
    code: Option<String>,
    backup_code: Option<String>,
}

impl DeleteBody {
    fn parse(self) -> Result<Proofs, Refusal> {
        let (code, backup_code) = (self.code.as_deref(), self.backup_code.as_deref());
        proofs(self.password, |errors| {
            second_factor(errors, code, backup_code)
        })
    }
}

pub(in crate::http) async fn delete(
    services: Data<Services>,
    Client(client): Client,
    Signed(caller, body): Signed<DeleteBody>,
) -> Result<HttpResponse, Problem> {
    services
        .accounts
        .delete(&caller, body.parse()?, &client)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A string, or `null` to clear.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Change<String>, D::Error> {
    struct Nullable;

    impl serde::de::Visitor<'_> for Nullable {
        type Value = Change<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a string or null")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Change::Clear)
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Change::Set(text.to_owned()))
        }
    }

    deserializer.deserialize_any(Nullable)
}
