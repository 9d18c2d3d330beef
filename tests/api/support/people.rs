//! People who use the service: a test reads as a sentence about one.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, Authenticator, TestApp};

/// Strong enough, and nobody's.
pub(crate) const PASSWORD: &str = "tall cliff moth ribbon";

/// Somebody signed in, on one device.
#[derive(Clone)]
pub(crate) struct Person<'a> {
    pub(crate) app: &'a TestApp,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    pub(crate) session_id: String,
    pub(crate) user: Value,
}

impl<'a> Person<'a> {
    /// From an `authenticated` answer.
    #[track_caller]
    pub(crate) fn new(app: &'a TestApp, answer: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        Self {
            app,
            access_token: text(&answer["access_token"]),
            refresh_token: text(&answer["refresh_token"]),
            session_id: text(&answer["session"]["id"]),
            user: answer["user"].clone(),
        }
    }

    /// The same person on another replica.
    pub(crate) fn at<'b>(&self, app: &'b TestApp) -> Person<'b> {
        let Self {
            access_token,
            refresh_token,
            session_id,
            user,
            ..
        } = self.clone();
        Person {
            app,
            access_token,
            refresh_token,
            session_id,
            user,
        }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = self
            .app
            .request(method, path)
            .bearer_auth(&self.access_token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        self.app.send(request).await
    }

    pub(crate) async fn me(&self) -> Answer {
        self.call(Method::GET, "/v1/me", None).await
    }

    pub(crate) async fn change(&self, profile: Value) -> Answer {
        self.call(Method::PATCH, "/v1/me", Some(profile)).await
    }

    pub(crate) async fn delete(&self, password: &str) -> Answer {
        self.call(
            Method::POST,
            "/v1/me/delete",
            Some(json!({ "password": password })),
        )
        .await
    }

    /// Logs out with the access token.
    pub(crate) async fn log_out(&self) -> Answer {
        self.call(Method::POST, "/v1/auth/logout", None).await
    }

    /// Shows the refresh token held, and keeps the one that comes back.
    pub(crate) async fn refresh(&mut self) -> Value {
        let answer = self.app.refresh(&self.refresh_token).await.is(200);
        let Self {
            access_token,
            refresh_token,
            ..
        } = Self::new(self.app, &answer);
        (self.access_token, self.refresh_token) = (access_token, refresh_token);
        answer
    }

    #[track_caller]
    pub(crate) fn log_in_again(&self) -> impl Future<Output = Person<'a>> {
        let (app, email) = (self.app, self.user["email"].as_str().unwrap().to_owned());
        async move { Person::new(app, &app.log_in(&email, PASSWORD).await.is(200)) }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Asks for a secret, and gives it to an authenticator.
    pub(crate) async fn enable_two_factor(&self) -> Authenticator {
        let body = json!({ "password": PASSWORD });
        let answer = self.post("/v1/me/2fa/enable", body).await.is(200);
        Authenticator::of(answer["secret"].as_str().unwrap())
    }

    /// Turns the second factor on; the authenticator, and the backup codes. Time passes, so that the first code is of an
    /// older step than those to come.
    pub(crate) async fn turn_on_two_factor(&self) -> (Authenticator, Vec<String>) {
        let authenticator = self.enable_two_factor().await;
        let body = json!({ "code": authenticator.code(self.app) });
        let answer = self.post("/v1/me/2fa/verify", body).await.is(200);
        self.app.advance(TimeDelta::seconds(60));
        let codes = answer["backup_codes"].as_array().unwrap().iter();
        let codes = codes.map(|code| code.as_str().unwrap().to_owned());
        (authenticator, codes.collect())
    }

    /// Logs in as far as the question for the second factor.
    pub(crate) async fn challenge(&self) -> String {
        let email = self.user["email"].as_str().unwrap();
        let answer = self.app.log_in(email, PASSWORD).await.is(200);
        assert_eq!(answer["status"], "two_factor_required", "{answer}");
        answer["challenge_token"].as_str().unwrap().to_owned()
    }
}
