//! Every kind of event: what causes it, and what is written of it.

use chrono::TimeDelta;
use keyward::config::SigningAlgorithm;
use keyward::crypto::Purpose;
use keyward::domain::{EventKind, Role, UserRef};
use keyward::services::Rotation;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::app::masters;
use crate::support::{Answer, Browser, PASSWORD, Person, TestApp};

const WRONG: &str = "not the password at all";
const AGENT: &str = "Somebody/1.0";
const REQUEST: &str = "the-one-that-causes-it";

/// What is written of an event.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    user: bool,
    session: bool,
    /// Address, user agent and request id.
    client: bool,
}

const IN_A_SESSION: Written = Written {
    user: true,
    session: true,
    client: true,
};
const AT_AN_ACCOUNT: Written = Written {
    session: false,
    ..IN_A_SESSION
};
const AT_NONE: Written = Written {
    user: false,
    ..AT_AN_ACCOUNT
};
const BY_NOBODY: Written = Written {
    client: false,
    ..AT_NONE
};

/// What the request can be told by from all others.
fn marked(request: RequestBuilder) -> RequestBuilder {
    let request = request.header("user-agent", AGENT);
    request.header("x-request-id", REQUEST)
}

/// Sends a request that can be told from all others.
async fn send(app: &TestApp, method: Method, path: &str, token: &str, body: Value) -> Answer {
    let request = marked(app.request(method, path));
    let request = match token {
        "" => request,
        token => request.bearer_auth(token),
    };
    app.send(match body {
        Value::Null => request,
        body => request.json(&body),
    })
    .await
}

async fn post(app: &TestApp, path: &str, body: Value) -> Answer {
    send(app, Method::POST, path, "", body).await
}

async fn log_in(app: &TestApp, password: &str) -> Answer {
    let body = json!({ "email": "ann@example.com", "password": password });
    post(app, "/v1/auth/login", body).await
}

async fn refresh(app: &TestApp, token: &str) -> Answer {
    post(app, "/v1/auth/refresh", json!({ "refresh_token": token })).await
}

/// Does what causes an event of this kind, and says what is to be written of it. A kind without its row does not compile.
#[expect(clippy::too_many_lines, reason = "a table: a row for each kind")]
async fn cause(kind: EventKind, app: &TestApp, mut ann: Person<'_>) -> Written {
    let first = ann.clone();
    let token = &first.access_token;
    match kind {
        EventKind::AccountCreated => {
            let body = json!({ "email": "bob@example.com", "password": PASSWORD });
            post(app, "/v1/auth/signup", body).await.is(201);
            AT_AN_ACCOUNT
        }
        EventKind::AccountDeleted => {
            let body = json!({ "password": PASSWORD });
            send(app, Method::POST, "/v1/me/delete", token, body)
                .await
                .is(204);
            AT_NONE
        }
        EventKind::ProfileChanged => {
            let body = json!({ "locale": "de" });
            send(app, Method::PATCH, "/v1/me", token, body)
                .await
                .is(200);
            IN_A_SESSION
        }
        EventKind::PasswordChanged | EventKind::PasswordRefused => {
            let (current, status) = match kind {
                EventKind::PasswordChanged => (PASSWORD, 204),
                _ => (WRONG, 403),
            };
            let body =
                json!({ "current_password": current, "new_password": "amber kettle window 31" });
            send(app, Method::POST, "/v1/me/password", token, body)
                .await
                .is(status);
            IN_A_SESSION
        }
        EventKind::LoggedIn => {
            log_in(app, PASSWORD).await.is(200);
            IN_A_SESSION
        }
        EventKind::LoginFailed => {
            log_in(app, WRONG).await.is(401);
            AT_AN_ACCOUNT
        }
        EventKind::LoginRefused => {
            app.tamper("update users set disabled_at = created_at")
                .await;
            log_in(app, PASSWORD).await.is(403);
            AT_AN_ACCOUNT
        }
        EventKind::LoggedOut => {
            send(app, Method::POST, "/v1/auth/logout", token, Value::Null)
                .await
                .is(204);
            IN_A_SESSION
        }
        EventKind::SessionRevoked => {
            let path = format!("/v1/me/sessions/{}", first.session_id);
            send(app, Method::DELETE, &path, token, Value::Null)
                .await
                .is(204);
            IN_A_SESSION
        }
        EventKind::SessionEvicted => {
            for _ in 1..app.config.tokens.sessions_per_user {
                app.log_in("ann@example.com", PASSWORD).await.is(200);
            }
            log_in(app, PASSWORD).await.is(200);
            IN_A_SESSION
        }
        EventKind::SessionReplaced => {
            let browser = Browser::new(app);
            browser.sign_up("bob@example.com").await.is(201);
            let body = json!({ "email": "ann@example.com", "password": PASSWORD, "token_transport": "cookie" });
            let request = browser.request(Method::POST, "/v1/auth/login").json(&body);
            app.send(marked(request)).await.is(200);
            IN_A_SESSION
        }
        EventKind::LoginChallenged
        | EventKind::SecondFactorFailed
        | EventKind::CodeRefused
        | EventKind::TwoFactorEnabled
        | EventKind::TwoFactorDisabled
        | EventKind::BackupCodesReplaced
        | EventKind::BackupCodeUsed => cause_by_second_factor(kind, app, &first).await,
        EventKind::RefreshedFromElsewhere => {
            ann.refresh().await;
            refresh(app, &first.refresh_token).await.is(200);
            IN_A_SESSION
        }
        EventKind::RefreshRetriedLate => {
            ann.refresh().await;
            app.advance(TimeDelta::minutes(1));
            refresh(app, &first.refresh_token).await.is(200);
            IN_A_SESSION
        }
        EventKind::RefreshTokenReused => {
            ann.refresh().await;
            app.advance(TimeDelta::minutes(1));
            ann.refresh().await;
            app.advance(TimeDelta::minutes(1));
            refresh(app, &first.refresh_token).await.is(401);
            IN_A_SESSION
        }
        EventKind::KeyAdded => {
            let eddsa = SigningAlgorithm::EdDsa;
            app.replica_with(|config| config.keys.signing_algorithm = eddsa)
                .await;
            BY_NOBODY
        }
        EventKind::PasswordReset
        | EventKind::AccountDisabled
        | EventKind::AccountEnabled
        | EventKind::RolesChanged => {
            cause_by_operator(kind, app, &first).await;
            Written {
                user: true,
                ..BY_NOBODY
            }
        }
        EventKind::KeyRevoked => {
            let revoke = Rotation {
                now: true,
                revoke: true,
            };
            let keys = &app.app.services.keys;
            keys.rotate(Purpose::ChallengeMac, revoke).await.unwrap();
            BY_NOBODY
        }
        EventKind::KeysRewrapped => {
            let another = app.replica_with(|config| config.keys.master = masters(&["b", "a"]));
            let keys = another.await.app.services.keys.clone();
            assert_eq!(keys.rewrap().await.unwrap(), 8);
            BY_NOBODY
        }
    }
}

/// Does what an operator does.
async fn cause_by_operator(kind: EventKind, app: &TestApp, ann: &Person<'_>) {
    let services = &app.app.services;
    let who = UserRef::parse(ann.user["id"].as_str().unwrap()).unwrap();
    let user = services.users.find(&who).await.unwrap().unwrap().user;
    let changed = match kind {
        EventKind::PasswordReset => {
            let new = "amber kettle window 31".to_owned();
            services.passwords.reset(&user, new).await
        }
        EventKind::AccountDisabled => services.users.disable(user.id).await,
        EventKind::AccountEnabled => {
            services.users.disable(user.id).await.unwrap();
            services.users.enable(user.id).await
        }
        _ => {
            let role = Role::parse("admin").unwrap();
            services.users.set_roles(user.id, vec![role]).await
        }
    };
    assert!(changed.unwrap(), "{kind:?}");
}

/// The same, of the kinds that need a second factor.
async fn cause_by_second_factor(kind: EventKind, app: &TestApp, ann: &Person<'_>) -> Written {
    let token = &ann.access_token;
    if kind == EventKind::TwoFactorEnabled {
        let code = json!({ "code": ann.enable_two_factor().await.code(app) });
        let verify = send(app, Method::POST, "/v1/me/2fa/verify", token, code);
        verify.await.is(200);
        return IN_A_SESSION;
    }
    let (authenticator, codes) = ann.turn_on_two_factor().await;
    let (right, wrong) = (authenticator.code(app), authenticator.wrong_code(app));
    let (step, proofs) = match kind {
        EventKind::LoginChallenged => {
            log_in(app, PASSWORD).await.is(200);
            return AT_AN_ACCOUNT;
        }
        EventKind::SecondFactorFailed => (Some(("code", wrong)), None),
        EventKind::BackupCodeUsed => (Some(("backup_code", codes[0].clone())), None),
        EventKind::CodeRefused => (None, Some(("disable", wrong))),
        EventKind::TwoFactorDisabled => (None, Some(("disable", right))),
        EventKind::BackupCodesReplaced => (None, Some(("backup-codes", right))),
        other => panic!("{other:?} needs no second factor"),
    };
    if let Some((member, code)) = step {
        let body = json!({ "challenge_token": ann.challenge().await, member: code });
        let answer = post(app, "/v1/auth/login/2fa", body).await;
        return if answer.status == 200 {
            IN_A_SESSION
        } else {
            AT_AN_ACCOUNT
        };
    }
    if let Some((path, code)) = proofs {
        let body = json!({ "password": PASSWORD, "code": code });
        let path = format!("/v1/me/2fa/{path}");
        send(app, Method::POST, &path, token, body).await;
    }
    IN_A_SESSION
}

// AUD-03
#[actix_web::test]
async fn every_kind_of_event_is_written_once_with_all_there_is_to_say() {
    for kind in EventKind::ALL {
        let app = TestApp::with_pages().await;
        let ann = app.sign_up("ann@example.com").await;
        let before = app.ids_of(*kind).await;
        let expected = cause(*kind, &app, ann).await;
        let rows = app.rows_of(*kind).await;
        let new: Vec<&Value> = rows
            .iter()
            .filter(|row| !before.contains(&row["id"]))
            .collect();
        let [row] = new.as_slice() else {
            panic!("{kind:?}: {new:?}");
        };
        let written = Written {
            user: !row["user_id"].is_null(),
            session: !row["session_id"].is_null(),
            client: row["ip_address"] == "127.0.0.1"
                && row["user_agent"] == AGENT
                && row["request_id"] == REQUEST,
        };
        assert_eq!(written, expected, "{kind:?}: {row}");
        let nothing = ["ip_address", "user_agent", "request_id"];
        assert!(
            expected.client || nothing.iter().all(|name| row[*name].is_null()),
            "{row}"
        );
        assert_eq!(row["outcome"], kind.outcome());
    }
}

#[actix_web::test]
async fn a_password_tried_at_no_account_is_nobodys_event() {
    let app = TestApp::start().await;
    log_in(&app, PASSWORD).await.is(401);
    let row = app.rows_of(EventKind::LoginFailed).await.remove(0);
    assert!(row["user_id"].is_null() && row["session_id"].is_null());
    assert_eq!(row["request_id"], REQUEST);
}

#[actix_web::test]
async fn a_first_ring_is_no_event() {
    let app = TestApp::start().await;
    app.replica().await;
    assert_eq!(app.events().await, [""; 0]);
}

impl TestApp {
    /// The events of a kind, with all that is written of them.
    async fn rows_of(&self, kind: EventKind) -> Vec<Value> {
        let all = "select coalesce(json_agg(e order by id), '[]')::text
                   from (select *, host(ip_address) as ip_address from security_events) e";
        let rows = self.json(all).await;
        let mut rows = rows.as_array().unwrap().clone();
        rows.retain(|row| row["event"] == kind.as_str());
        rows
    }

    async fn ids_of(&self, kind: EventKind) -> Vec<Value> {
        let rows = self.rows_of(kind).await;
        rows.into_iter().map(|row| row["id"].clone()).collect()
    }
}
