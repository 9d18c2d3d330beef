//! Every way in against every state an account can be in: who is answered with tokens, who is asked for more, and who is
//! refused with what. A way in that is added without its column fails here.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Answer, Authenticator, PASSWORD, Person, TestApp, contract};

const EMAIL: &str = "ann@example.com";
const WRONG: &str = "not the password at all";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    SignUp,
    Password,
    Totp,
    BackupCode,
    Refresh,
}

/// Each way in, and the operation it is.
const WAYS: [(Way, &str); 5] = [
    (Way::SignUp, "POST /v1/auth/signup"),
    (Way::Password, "POST /v1/auth/login"),
    (Way::Totp, "POST /v1/auth/login/2fa"),
    (Way::BackupCode, "POST /v1/auth/login/2fa"),
    (Way::Refresh, "POST /v1/auth/refresh"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is no such account, or what is shown was never ours.
    Unknown,
    /// What is shown is not what opens it.
    WrongSecret,
    Disabled,
    TwoFactorOn,
    TwoFactorPending,
    /// Somebody has used up the tries.
    Throttled,
    /// Since the first step, where there are two.
    PasswordChanged,
    Deleted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Tokens.
    Opens,
    /// A challenge.
    Asks,
    Refused(u16, &'static str),
}

use Outcome::{Asks, Opens, Refused};

const TAKEN: Outcome = Refused(409, "email_taken");
const CREDENTIALS: Outcome = Refused(401, "invalid_credentials");
const CODE: Outcome = Refused(401, "invalid_code");
const EXPIRED: Outcome = Refused(401, "challenge_expired");
const INVALID: Outcome = Refused(401, "refresh_token_invalid");
const DISABLED: Outcome = Refused(403, "account_disabled");
const LATER: Outcome = Refused(429, "too_many_attempts");

/// The columns are those of `WAYS`.
const TABLE: [(State, [Outcome; 5]); 8] = [
    (
        State::Unknown,
        [Opens, CREDENTIALS, EXPIRED, EXPIRED, INVALID],
    ),
    (
        State::WrongSecret,
        [TAKEN, CREDENTIALS, CODE, CODE, INVALID],
    ),
    (
        State::Disabled,
        [TAKEN, DISABLED, EXPIRED, EXPIRED, INVALID],
    ),
    (State::TwoFactorOn, [TAKEN, Asks, Opens, Opens, Opens]),
    (
        State::TwoFactorPending,
        [TAKEN, Opens, EXPIRED, EXPIRED, Opens],
    ),
    (State::Throttled, [TAKEN, LATER, LATER, LATER, Opens]),
    (
        State::PasswordChanged,
        [TAKEN, CREDENTIALS, EXPIRED, EXPIRED, INVALID],
    ),
    (
        State::Deleted,
        [Opens, CREDENTIALS, EXPIRED, EXPIRED, INVALID],
    ),
];

/// What somebody holds who is about to come in.
struct Key {
    email: &'static str,
    password: &'static str,
    challenge: String,
    code: String,
    backup_code: String,
    refresh_token: String,
}

/// Ann, on the way in this way: where it has two steps, the first is done.
struct Arrival<'a> {
    app: &'a TestApp,
    ann: Person<'a>,
    authenticator: Option<Authenticator>,
    key: Key,
}

impl<'a> Arrival<'a> {
    async fn by(way: Way, app: &'a TestApp) -> Self {
        let ann = app.sign_up(EMAIL).await;
        let refresh_token = ann.log_in_again().await.refresh_token;
        let mut arrival = Self {
            app,
            key: Key {
                email: EMAIL,
                password: PASSWORD,
                challenge: String::new(),
                code: "123456".to_owned(),
                backup_code: String::new(),
                refresh_token,
            },
            ann,
            authenticator: None,
        };
        if matches!(way, Way::Totp | Way::BackupCode) {
            arrival.take_first_step().await;
        }
        // The refresh token is old enough to be replaced.
        app.advance(TimeDelta::seconds(31));
        arrival
    }

    async fn take_first_step(&mut self) {
        let (authenticator, codes) = self.ann.turn_on_two_factor().await;
        self.key.challenge = self.ann.challenge().await;
        self.authenticator = Some(authenticator);
        self.key.backup_code.clone_from(&codes[0]);
    }

    async fn brought_into(&mut self, state: State) {
        match state {
            State::Unknown => self.key = strangers_key().await,
            State::WrongSecret => self.spoil_the_key(),
            State::Disabled => {
                let disable = "update users set disabled_at = now(), credential_version = credential_version + 1";
                self.app.tamper(disable).await;
            }
            State::TwoFactorOn => {
                if self.authenticator.is_none() {
                    let body = self.ann.enable_two_factor().await.code(self.app);
                    let body = json!({ "code": body, "end_other_sessions": false });
                    self.ann.post("/v1/me/2fa/verify", body).await.is(200);
                }
            }
            State::TwoFactorPending => self.turn_off().await,
            State::Throttled => self.use_up_the_tries().await,
            State::PasswordChanged => {
                let body = json!({ "current_password": PASSWORD, "new_password": "amber kettle window 31" });
                self.ann.post("/v1/me/password", body).await.is(204);
            }
            State::Deleted => self.app.tamper("delete from users").await,
        }
    }

    fn spoil_the_key(&mut self) {
        let key = &mut self.key;
        key.password = WRONG;
        key.backup_code = key.backup_code.chars().rev().collect();
        key.refresh_token = key
            .refresh_token
            .replace(&key.refresh_token[40..44], "AAAA");
        if let Some(authenticator) = self.authenticator.take() {
            key.code = authenticator.wrong_code(self.app);
        }
    }

    /// Off where it was on, and then half on.
    async fn turn_off(&self) {
        if self.authenticator.is_some() {
            let proofs = json!({ "password": PASSWORD, "backup_code": self.key.backup_code });
            self.ann.post("/v1/me/2fa/disable", proofs).await.is(204);
        }
        self.ann.enable_two_factor().await;
    }

    async fn use_up_the_tries(&self) {
        let Some(authenticator) = &self.authenticator else {
            for _ in 0..5 {
                let answer = self.app.log_in(EMAIL, WRONG).await;
                answer.refused(401, "invalid_credentials");
            }
            return;
        };
        for _ in 0..2 {
            let challenge = self.ann.challenge().await;
            for _ in 0..5 {
                let wrong = authenticator.wrong_code(self.app);
                let answer = self.app.complete(&challenge, &wrong).await;
                answer.refused(401, "invalid_code");
            }
        }
    }

    async fn comes_in(&self, way: Way) -> Answer {
        let (app, key) = (self.app, &self.key);
        let credentials = json!({ "email": key.email, "password": key.password });
        let code = match &self.authenticator {
            Some(authenticator) => authenticator.code(app),
            None => key.code.clone(),
        };
        match way {
            Way::SignUp => {
                let body = json!({ "email": key.email, "password": PASSWORD });
                app.post("/v1/auth/signup", body).await
            }
            Way::Password => app.post("/v1/auth/login", credentials).await,
            Way::Totp => app.complete(&key.challenge, &code).await,
            Way::BackupCode => {
                app.complete_with_backup(&key.challenge, &key.backup_code)
                    .await
            }
            Way::Refresh => app.refresh(&key.refresh_token).await,
        }
    }
}

fn outcome(answer: &Answer) -> (u16, Value) {
    let body = answer.json();
    let word = body.get("code").or_else(|| body.get("status"));
    (answer.status, word.cloned().unwrap_or_default())
}

fn expected(way: Way, outcome: Outcome) -> (u16, Value) {
    match outcome {
        Opens if way == Way::SignUp => (201, "authenticated".into()),
        Opens => (200, "authenticated".into()),
        Asks => (200, "two_factor_required".into()),
        Refused(status, code) => (status, code.into()),
    }
}

/// What somebody holds who would come in, at another installation.
async fn strangers_key() -> Key {
    let elsewhere = TestApp::start().await;
    let stranger = elsewhere.sign_up(EMAIL).await;
    let refresh_token = stranger.refresh_token.clone();
    let (_, codes) = stranger.turn_on_two_factor().await;
    Key {
        email: "nobody@example.com",
        password: PASSWORD,
        challenge: stranger.challenge().await,
        code: "123456".to_owned(),
        backup_code: codes[0].clone(),
        refresh_token,
    }
}

async fn every_state(way: Way) {
    let column = WAYS.iter().position(|(row, _)| *row == way).unwrap();
    for (state, row) in TABLE {
        let app = TestApp::guarded().await;
        let mut arrival = Arrival::by(way, &app).await;
        arrival.brought_into(state).await;
        let before = app.count("select count(*) from sessions").await;
        let answer = arrival.comes_in(way).await;
        let right = expected(way, row[column]);
        assert_eq!(outcome(&answer), right, "{way:?}, {state:?}");
        let opened = app.count("select count(*) from sessions").await - before;
        let opens = row[column] == Opens && way != Way::Refresh;
        assert_eq!(opened, i64::from(opens), "{way:?}, {state:?}");
        let holds_tokens = answer.text().contains("kwr_") || answer.text().contains("eyJ");
        assert_eq!(holds_tokens, row[column] == Opens, "{way:?}, {state:?}");
    }
}

// MFA-21
#[actix_web::test]
async fn signing_up_in_every_state() {
    every_state(Way::SignUp).await;
}

#[actix_web::test]
async fn a_password_in_every_state() {
    every_state(Way::Password).await;
}

#[actix_web::test]
async fn a_code_in_every_state() {
    every_state(Way::Totp).await;
}

#[actix_web::test]
async fn a_backup_code_in_every_state() {
    every_state(Way::BackupCode).await;
}

#[actix_web::test]
async fn a_refresh_token_in_every_state() {
    every_state(Way::Refresh).await;
}

#[test]
fn every_way_in_has_its_column() {
    let signs_in = contract::operations()
        .into_iter()
        .filter(|operation| operation.gives_tokens)
        .map(|operation| format!("{} {}", operation.method, operation.path));
    let columns = WAYS.map(|(_, operation)| operation.to_owned());
    assert_eq!(signs_in.collect::<BTreeSet<_>>(), columns.into());
}
