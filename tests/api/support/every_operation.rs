//! A request of every operation that would succeed, by people who are ready for it: for tests of what happens to them all
//! when something else fails.

use chrono::TimeDelta;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::contract::{self, Operation};
use super::{Authenticator, PASSWORD, Person, TestApp};

/// People for whom each operation would succeed.
pub(crate) struct Everybody<'a> {
    /// Without a second factor.
    pub(crate) ann: Person<'a>,
    /// With one, and asked for it by a login.
    bob: Person<'a>,
    authenticator: Authenticator,
    challenge: String,
    /// About to have one.
    carl: Person<'a>,
    pending: Authenticator,
}

impl<'a> Everybody<'a> {
    pub(crate) async fn of(app: &'a TestApp) -> Self {
        // Turning a second factor on takes a minute; after it the clock is to agree with the database's.
        app.advance(TimeDelta::seconds(-60));
        let bob = app.sign_up("bob@example.com").await;
        let (authenticator, _) = bob.turn_on_two_factor().await;
        let challenge = bob.challenge().await;
        let carl = app.sign_up("carl@example.com").await;
        let pending = carl.enable_two_factor().await;
        let ann = app.sign_up("ann@example.com").await;
        Self {
            ann,
            bob,
            authenticator,
            challenge,
            carl,
            pending,
        }
    }

    /// Every operation that needs the database, with its request; another one with an optional token.
    pub(crate) fn requests(&self) -> Vec<(String, RequestBuilder)> {
        let operations = contract::operations();
        let requests = operations.iter().filter_map(|operation| {
            let Operation { method, path, .. } = operation;
            let name = format!("{method} {path}");
            let (caller, body) = self.succeeds(&name)?;
            let path = path.replace("{id}", &self.ann.session_id);
            let request = self.ann.app.request(method.parse().unwrap(), &path);
            let request = match caller {
                Some(person) => request.bearer_auth(&person.access_token),
                None => request,
            };
            let request = match body {
                Value::Null => request,
                body => request.json(&body),
            };
            Some((name, request))
        });
        let log_out = self.ann.app.request(Method::POST, "/v1/auth/logout");
        let log_out = log_out.bearer_auth(&self.ann.access_token);
        let log_out = (
            "POST /v1/auth/logout with an access token".to_owned(),
            log_out,
        );
        requests.chain([log_out]).collect()
    }

    /// Who calls, and with which body; `None` for what needs no database.
    fn succeeds(&self, operation: &str) -> Option<(Option<&Person<'a>>, Value)> {
        let Self { ann, bob, carl, .. } = self;
        let code_of = |authenticator: &Authenticator| authenticator.code(ann.app);
        let password = json!({ "password": PASSWORD });
        let both = json!({ "password": PASSWORD, "code": code_of(&self.authenticator) });
        Some(match operation {
            "GET /.well-known/jwks.json" | "GET /openapi.yaml" | "GET /health/live" => return None,
            page if page.starts_with("GET /docs") => return None,
            "GET /health/ready" => (None, Value::Null),
            "GET /v1/me"
            | "GET /v1/me/2fa"
            | "GET /v1/me/sessions"
            | "GET /v1/me/security-events"
            | "DELETE /v1/me/sessions"
            | "DELETE /v1/me/sessions/others"
            | "DELETE /v1/me/sessions/{id}" => (Some(ann), Value::Null),
            "PATCH /v1/me" => (Some(ann), json!({ "locale": "de" })),
            "POST /v1/me/password" => {
                let new = "amber kettle window 31";
                let change = json!({ "current_password": PASSWORD, "new_password": new });
                (Some(ann), change)
            }
            "POST /v1/me/delete" | "POST /v1/me/2fa/enable" => (Some(ann), password),
            "POST /v1/me/2fa/verify" => (Some(carl), json!({ "code": code_of(&self.pending) })),
            "POST /v1/me/2fa/disable" | "POST /v1/me/2fa/backup-codes" => (Some(bob), both),
            way_in => (None, self.signs_in(way_in)),
        })
    }

    /// With which body a token is got or given back.
    fn signs_in(&self, operation: &str) -> Value {
        let email = &self.ann.user["email"];
        match operation {
            "POST /v1/auth/signup" => json!({ "email": "new@example.com", "password": PASSWORD }),
            "POST /v1/auth/login" => json!({ "email": email, "password": PASSWORD }),
            "POST /v1/auth/login/2fa" => {
                let code = self.authenticator.code(self.ann.app);
                json!({ "challenge_token": self.challenge, "code": code })
            }
            "POST /v1/auth/refresh" | "POST /v1/auth/logout" => {
                json!({ "refresh_token": self.ann.refresh_token })
            }
            other => panic!("{other}: how does it succeed, and does it need the database?"),
        }
    }
}
