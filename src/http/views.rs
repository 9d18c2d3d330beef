//! What callers see of users, sessions and security events. No hash, no digest, nothing that could be replayed.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::problem::Problem;
use crate::domain::{
    AuthMethod, BackupCode, Device, EventId, PastEvent, Session, SessionId, Transport, User, UserId,
};
use crate::services::{Authenticated, Challenge, Enrolment, Error, TwoFactorState};

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
            two_factor_enabled: user.two_factor_enabled_at.is_some(),
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
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    refresh_expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_token: Option<String>,
    session: SessionView,
    user: UserView,
}

impl From<Authenticated> for AuthenticatedView {
    fn from(signed_in: Authenticated) -> Self {
        let in_body = signed_in.session.transport == Transport::Body;
        let shown = |token: SecretString| in_body.then(|| token.expose_secret().to_owned());
        Self {
            status: "authenticated",
            access_token: signed_in.access.token,
            token_type: "Bearer",
            expires_in: signed_in.access.expires_in,
            refresh_token: shown(signed_in.refresh_token),
            refresh_expires_in: signed_in.refresh_expires_in,
            device_token: shown(signed_in.device_token),
            session: SessionView::new(signed_in.session, signed_in.session_expires_at, true),
            user: signed_in.user.into(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct ChallengeView {
    status: &'static str,
    challenge_token: String,
    expires_in: i64,
    methods: [&'static str; 2],
}

impl From<Challenge> for ChallengeView {
    fn from(challenge: Challenge) -> Self {
        Self {
            status: "two_factor_required",
            challenge_token: challenge.token.expose_secret().to_owned(),
            expires_in: challenge.expires_in,
            methods: ["totp", "backup_code"],
        }
    }
}

#[derive(Serialize)]
pub(super) struct TwoFactorView {
    enabled: bool,
    enabled_at: Option<DateTime<Utc>>,
    backup_codes_remaining: i64,
}

impl From<TwoFactorState> for TwoFactorView {
    fn from(state: TwoFactorState) -> Self {
        Self {
            enabled: state.enabled_at.is_some(),
            enabled_at: state.enabled_at,
            backup_codes_remaining: state.backup_codes_remaining,
        }
    }
}

#[derive(Serialize)]
pub(super) struct EnrolmentView {
    secret: String,
    otpauth_uri: String,
    qr_code_svg: String,
    qr_code_png: String,
    expires_in: i64,
}

impl EnrolmentView {
    pub(super) fn new(enrolment: &Enrolment) -> Result<Self, Problem> {
        Ok(Self {
            secret: enrolment.secret.expose_secret().to_owned(),
            otpauth_uri: enrolment.uri.expose_secret().to_owned(),
            qr_code_svg: enrolment.qr_code.svg(),
            qr_code_png: enrolment.qr_code.png_url().map_err(Error::from)?,
            expires_in: enrolment.expires_in,
        })
    }
}

#[derive(Serialize)]
pub(super) struct BackupCodesView {
    backup_codes: Vec<String>,
}

impl BackupCodesView {
    pub(super) fn new(codes: &[BackupCode]) -> Self {
        Self {
            backup_codes: codes.iter().map(BackupCode::grouped).collect(),
        }
    }
}
