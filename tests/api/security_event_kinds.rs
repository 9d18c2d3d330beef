//! Every kind of event: what causes it, and what is written of it.

use chrono::TimeDelta;
use keyward::config::SigningAlgorithm;
use keyward::domain::EventKind;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Person, TestApp};

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

/// Sends a request that can be told from all others.
async fn send(app: &TestApp, method: Method, path: &str, token: &str, body: Value) -> Answer {
    let request = app.request(method, path).header("user-agent", AGENT);
    let request = request.header("x-request-id", REQUEST);
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
    }
}

// AUD-03
#[actix_web::test]
async fn every_kind_of_event_is_written_once_with_all_there_is_to_say() {
    for kind in EventKind::ALL {
        let app = TestApp::start().await;
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
