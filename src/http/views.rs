//! What callers see of users, sessions and security events. No hash, no digest, nothing that could be replayed.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::domain::{AuthMethod, Device, EventId, PastEvent, Session, SessionId, User, UserId};
use crate::services::Authenticated;

#[derive(Serialize)]
pub(super) struct UserView {
    id: UserId,
    email: Option<String>,
    email_verified: bool,
    username: Option<String>,
    display_name: Option<String>,
    locale: Option<String>,
    two_factor_enabled: bool,
    roles: Vec<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    last_login_at: Option<DateTime<Utc>>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            email_verified: user.email_verified,
            username: user.username,
            display_name: user.display_name,
            locale: user.locale,
            two_factor_enabled: user.two_factor_enabled,
            roles: user.roles,
            created_at: user.created_at,
            updated_at: user.updated_at,
            last_login_at: user.last_login_at,
        }
    }
}

#[derive(Serialize)]
pub(super) struct SessionView {
    id: SessionId,
    current: bool,
    created_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    ip_address: Option<IpAddr>,
    user_agent: Option<String>,
    device: Device,
    auth_methods: Vec<&'static str>,
}

impl SessionView {
    pub(super) fn new(session: Session, expires_at: DateTime<Utc>, current: bool) -> Self {
        Self {
            id: session.id,
            current,
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            expires_at,
            ip_address: session.ip,
            device: Device::of(session.user_agent.as_deref()),
            user_agent: session.user_agent,
            auth_methods: session
                .auth_methods
                .into_iter()
                .map(AuthMethod::as_str)
                .collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct EventView {
    id: EventId,
    event: String,
    outcome: String,
    created_at: DateTime<Utc>,
    ip_address: Option<IpAddr>,
    user_agent: Option<String>,
    session_id: Option<SessionId>,
}

impl From<PastEvent> for EventView {
    fn from(event: PastEvent) -> Self {
        Self {
            id: event.id,
            event: event.event,
            outcome: event.outcome,
            created_at: event.at,
            ip_address: event.ip,
            user_agent: event.user_agent,
            session_id: event.session_id,
        }
    }
}

#[derive(Serialize)]
pub(super) struct AuthenticatedView {
    status: &'static str,
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    refresh_token: String,
    refresh_expires_in: i64,
    device_token: String,
    session: SessionView,
    user: UserView,
}

impl From<Authenticated> for AuthenticatedView {
    fn from(signed_in: Authenticated) -> Self {
        Self {
            status: "authenticated",
            access_token: signed_in.access.token,
            token_type: "Bearer",
            expires_in: signed_in.access.expires_in,
            refresh_token: signed_in.refresh_token.expose_secret().to_owned(),
            refresh_expires_in: signed_in.refresh_expires_in,
            device_token: signed_in.device_token.expose_secret().to_owned(),
            session: SessionView::new(signed_in.session, signed_in.session_expires_at, true),
            user: signed_in.user.into(),
        }
    }
}
