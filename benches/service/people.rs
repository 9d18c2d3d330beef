//! Requests of people who are spread over the whole database, with tokens made as Keyward would.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use keyward::config::MasterKey;
use keyward::crypto::{AccessTokenRules, KeyRing, OsEntropy, RefreshToken};
use keyward::domain::{AuthMethod, Clock, Session, SystemClock, Transport};
use keyward::repositories::Db;
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::http::{get, post};
use crate::keyward::MASTER_KEY;
use crate::load::{Request, member};
use crate::rows::PASSWORD;

/// Sessions that ask who they are, and as many that are refreshed, where nothing is said of how many.
pub(crate) const SESSIONS: i64 = 4096;
const USERS: i64 = 1024;

const ME: &str = "`GET /v1/me`";
const REFRESH: &str = "refresh";
/// What people ask for.
pub(crate) const REQUESTS: [&str; 3] = [ME, REFRESH, "login"];

/// A session that is alive, with its user, and the secret of its refresh token.
type Row = (Uuid, Uuid, DateTime<Utc>, Vec<u8>);

pub(crate) struct People {
    /// Access tokens.
    pub(crate) tokens: Vec<String>,
    pub(crate) me: Vec<Request>,
    pub(crate) refresh: Vec<Request>,
    pub(crate) login: Vec<Request>,
    /// What access tokens are verified with, as a JWK.
    pub(crate) key: String,
}

impl People {
    /// Of a database that Keyward has made its keys in, with so many sessions of either kind or as many as there are.
    pub(crate) async fn of(database_url: &str, sessions: i64) -> Result<Self> {
        let ring = ring(database_url).await?;
        let mut connection = PgConnection::connect(database_url).await?;
        let sessions: Vec<Row> = sqlx::query_as(
            "select id, user_id, created_at, sha256(uuid_send(id)) from sessions
             where ended_at is null and rotated_at > now() - interval '6 days' order by random() limit $1",
        )
        .bind(2 * sessions)
        .fetch_all(&mut connection)
        .await?;
        let emails: Vec<String> =
            sqlx::query_scalar("select email from users order by random() limit $1")
                .bind(USERS)
                .fetch_all(&mut connection)
                .await?;
        connection.close().await?;
        let (asking, refreshing) = sessions.split_at(sessions.len() / 2);
        let tokens = asking.iter().map(|row| access_token(&ring, row));
        let tokens: Vec<String> = tokens.collect::<Result<_>>()?;
        let refresh = refreshing.iter().zip(addresses());
        let login = emails.iter().zip(addresses());
        let published = ring.published(SystemClock.now());
        Ok(Self {
            me: asked_with("/v1/me", &tokens),
            tokens,
            refresh: refresh
                .map(|(row, from)| first_refresh(&ring, row, from))
                .collect::<Result<_>>()?,
            login: login.map(|(email, from)| log_in(email, from)).collect(),
            key: serde_json::to_string(published.first().context("no key is published")?)?,
        })
    }
}

impl People {
    /// Their requests of one of the kinds.
    pub(crate) fn requests(&mut self, kind: &str) -> &mut [Request] {
        match kind {
            ME => &mut self.me,
            REFRESH => &mut self.refresh,
            _ => &mut self.login,
        }
    }
}

async fn ring(database_url: &str) -> Result<KeyRing> {
    let db = Db::new(database_url)?;
    let sealed = db.conn().await?.keys().list().await?;
    let masters = MasterKey::parse_list(MASTER_KEY).map_err(anyhow::Error::msg)?;
    Ok(KeyRing::open(&sealed, &masters)?)
}

/// One for each client: what is limited by where it comes from is not limited here.
fn addresses() -> impl Iterator<Item = Ipv4Addr> {
    (u32::from(Ipv4Addr::new(10, 0, 0, 1))..).map(Ipv4Addr::from)
}

/// One request with each of the tokens.
pub(crate) fn asked_with(path: &str, tokens: &[String]) -> Vec<Request> {
    let requests = tokens.iter().zip(addresses()).map(|(token, from)| Request {
        bytes: get(path, from, token),
        from,
        next: None,
    });
    requests.collect()
}

fn access_token(ring: &KeyRing, (id, user_id, created_at, _): &Row) -> Result<String> {
    let rules = AccessTokenRules {
        issuer: "http://localhost:8080".to_owned(),
        audience: vec!["http://localhost:8080".to_owned()],
        ttl: TimeDelta::hours(1),
    };
    let session = Session {
        id: (*id).into(),
        user_id: (*user_id).into(),
        device_id: (*id).into(),
        transport: Transport::Body,
        auth_methods: vec![AuthMethod::Password],
        created_at: *created_at,
        last_seen_at: *created_at,
        rotated_at: *created_at,
        absolute_expires_at: *created_at + TimeDelta::days(30),
        ip: None,
        user_agent: None,
        ended_at: None,
    };
    let issued = rules.issue(ring, &session, &[], SystemClock.now(), &OsEntropy)?;
    Ok(issued.token)
}

fn first_refresh(ring: &KeyRing, (id, _, _, secret): &Row, from: Ipv4Addr) -> Result<Request> {
    let token = RefreshToken::first((*id).into(), secret.as_slice().try_into()?);
    let text = token.encode(ring, SystemClock.now())?;
    Ok(Request {
        bytes: refresh(from, text.expose_secret()),
        from,
        next: Some(|from, answer| Ok(refresh(from, member(answer, "refresh_token")?))),
    })
}

fn refresh(from: Ipv4Addr, token: &str) -> Vec<u8> {
    let body = json!({ "refresh_token": token });
    post("/v1/auth/refresh", from, &body.to_string())
}

fn log_in(email: &str, from: Ipv4Addr) -> Request {
    let body = json!({ "email": email, "password": PASSWORD });
    Request {
        bytes: post("/v1/auth/login", from, &body.to_string()),
        from,
        next: None,
    }
}
