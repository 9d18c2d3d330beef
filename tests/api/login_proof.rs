//! What was proven is worth a session only while the account is what it was proven of.

use chrono::TimeDelta;
use futures_util::future::join;
use keyward::crypto::OsEntropy;
use keyward::domain::{
    AuthMethod, ClientInfo, DeviceId, Event, EventId, EventKind, Proof, SessionId, Transport,
};
use keyward::repositories::{Db, NewSession};
use serde_json::Value;

use crate::support::{PASSWORD, Person, TestApp};

/// Opens a session as a login does that has seen version 1 of the credentials.
async fn open(ann: &Person<'_>) -> bool {
    let id: uuid::Uuid = ann.user["id"].as_str().unwrap().parse().unwrap();
    let now = ann.app.app.seams.clock.now();
    let proof = Proof {
        user_id: id.into(),
        credential_version: 1,
        methods: vec![AuthMethod::Password],
    };
    let (id, client) = (SessionId::new(now, &OsEntropy), ClientInfo::default());
    let login = Event {
        id: EventId::new(now, &OsEntropy),
        kind: EventKind::LoggedIn,
        user_id: Some(proof.user_id),
        session_id: Some(id),
        client: &client,
        at: now,
    };
    let new = NewSession {
        id,
        proof: &proof,
        device_id: DeviceId::new(now, &OsEntropy),
        transport: Transport::Body,
        digest: [0; 32],
        absolute_expires_at: now + TimeDelta::days(30),
        login: &login,
    };
    let db = Db::new(ann.app.database_url()).unwrap();
    let mut tx = db.begin().await.unwrap();
    let opened = tx.sessions().open(&new).await.unwrap();
    tx.commit().await.unwrap();
    opened.is_some()
}

/// Sessions, and the last logins of whoever there is.
async fn traces(app: &TestApp) -> Value {
    app.json(
        "select json_build_array((select count(*) from sessions),
             (select json_agg(last_login_at) from users))::text",
    )
    .await
}

#[actix_web::test]
async fn a_proof_opens_a_session_while_it_holds() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    assert!(open(&ann).await);
    assert_eq!(app.count("select count(*) from sessions").await, 2);
}

#[actix_web::test]
async fn a_proof_is_void_once_the_account_has_changed() {
    for change in [
        "update users set credential_version = 2",
        "update users set disabled_at = now()",
        // A password is not enough any more, whatever the version says.
        "update users set two_factor_enabled_at = now()",
        "delete from users",
    ] {
        let app = TestApp::start().await;
        let ann = app.sign_up("ann@example.com").await;
        app.advance(TimeDelta::hours(1));
        app.tamper(change).await;
        let before = traces(&app).await;
        assert!(!open(&ann).await, "{change}");
        assert_eq!(traces(&app).await, before, "{change}");
    }
}

/// The same while a login is under way: the change is made after its password was read, and before its session is
/// opened.
#[actix_web::test]
async fn a_change_that_comes_between_password_and_session_wins() {
    for change in [
        "update users set password_hash = 'x', credential_version = 2",
        "update users set disabled_at = now()",
        "delete from users",
    ] {
        let app = TestApp::start().await;
        app.sign_up("ann@example.com").await;
        let events = app.events().await.len();
        let mut changing = app.sql.begin().await.unwrap();
        sqlx::raw_sql(change).execute(&mut *changing).await.unwrap();
        let (answer, ()) = join(app.log_in("ann@example.com", PASSWORD), async {
            app.somebody_waits().await;
            changing.commit().await.unwrap();
        })
        .await;
        answer.refused(401, "invalid_credentials");
        let gone = change.starts_with("delete");
        let sessions = app.count("select count(*) from sessions").await;
        assert_eq!(sessions, i64::from(!gone), "{change}");
        let left = app.events().await.len();
        assert_eq!(left, if gone { 1 } else { events + 1 }, "{change}");
        let whose =
            "select json_agg(user_id)::text from security_events where event = 'login_refused'";
        let [user] = serde_json::from_value::<[Value; 1]>(app.json(whose).await).unwrap();
        assert_eq!(user.is_null(), gone, "{change}");
    }
}
