//! Somebody with an account and a session, who knows what each request must be answered.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::keyward::PASSWORD;

/// Refreshes in a round.
const REFRESHES: usize = 8;
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Whatever there is, once.
    Everything,
    /// What may be asked again, until there is an answer. No logins: each that was under way stays counted as a guess.
    AskingAgain,
}

pub(crate) struct Person {
    http: Client,
    url: String,
    habit: Habit,
    number: usize,
    accounts: usize,
    /// The session.
    tokens: Option<Value>,
}

type Outcome<T> = Result<T, String>;

impl Person {
    pub(crate) fn new(url: &str, number: usize, habit: Habit) -> Self {
        let http = Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60));
        Self {
            http: http.build().unwrap(),
            url: url.to_owned(),
            habit,
            number,
            accounts: 0,
            tokens: None,
        }
    }

    /// Forgets the account.
    pub(crate) fn leave(&mut self) {
        self.tokens = None;
    }

    /// Everything once. The session lasts from round to round.
    pub(crate) async fn go_round(&mut self) -> Outcome<()> {
        let mut tokens = match self.tokens.take() {
            Some(tokens) => tokens,
            None => self.sign_up().await?,
        };
        for _ in 0..REFRESHES {
            self.me(&tokens, 200).await?;
            let body = json!({ "refresh_token": tokens["refresh_token"] });
            tokens = self.post("/v1/auth/refresh", &body, None, 200).await?;
        }
        if self.habit == Habit::Everything {
            self.come_and_go().await?;
        }
        self.tokens = Some(tokens);
        Ok(())
    }

    /// With a password: half of them with another session, half with another account.
    async fn come_and_go(&mut self) -> Outcome<()> {
        if self.number.is_multiple_of(2) {
            return self.sign_up().await.map(drop);
        }
        let body = json!({ "email": self.email(), "password": PASSWORD });
        let second = self.post("/v1/auth/login", &body, None, 200).await?;
        self.post("/v1/auth/logout", &json!({}), Some(&second), 204)
            .await?;
        self.me(&second, 401).await
    }

    fn email(&self) -> String {
        format!("ann{}.{}@example.com", self.number, self.accounts)
    }

    /// With a new account.
    async fn sign_up(&mut self) -> Outcome<Value> {
        self.accounts += 1;
        let body = json!({ "email": self.email(), "password": PASSWORD });
        self.post("/v1/auth/signup", &body, None, 201).await
    }

    async fn me(&self, tokens: &Value, expected: u16) -> Outcome<()> {
        let request = self.http.get(format!("{}/v1/me", self.url));
        let request = request.bearer_auth(tokens["access_token"].as_str().unwrap());
        self.ask("GET /v1/me", request, expected).await.map(drop)
    }

    async fn post(
        &self,
        path: &str,
        body: &Value,
        tokens: Option<&Value>,
        expected: u16,
    ) -> Outcome<Value> {
        let mut request = self.http.post(format!("{}{path}", self.url)).json(body);
        if let Some(tokens) = tokens {
            request = request.bearer_auth(tokens["access_token"].as_str().unwrap());
        }
        self.ask(path, request, expected).await
    }

    async fn ask(&self, what: &str, request: RequestBuilder, expected: u16) -> Outcome<Value> {
        loop {
            let answer = request.try_clone().unwrap().send().await;
            let answer = answer.map_err(|error| format!("{what}: {error:?}"))?;
            let status = answer.status().as_u16();
            if status == expected {
                let body = answer
                    .bytes()
                    .await
                    .map_err(|error| format!("{what}: {error:?}"))?;
                return Ok(serde_json::from_slice(&body).unwrap_or_default());
            }
            // The proxy has lost its replica, and does not know what became of the request.
            if !(self.habit == Habit::AskingAgain && status == 502) {
                return Err(format!(
                    "{what}: {status} {}",
                    answer.text().await.unwrap_or_default()
                ));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
