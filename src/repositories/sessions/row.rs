//! A session's row: what the database gives, turned into what the domain knows.

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use uuid::Uuid;

use crate::domain::{AuthMethod, HeldToken, Session, Transport, User};
use crate::repositories::DbError;
use crate::repositories::users::UserRow;

/// A session with its user and the token it holds.
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
    /// Whether the account is switched off.
    pub user_disabled: bool,
    /// The version of its credentials.
    pub credential_version: i32,
    /// The refresh token, for the judgement.
    pub held: HeldToken,
    /// What the current token was derived with.
    pub salt: Option<[u8; 32]>,
    /// Whether a grace answer already went elsewhere.
    pub seen_elsewhere: bool,
}

/// One row of the statements that give a session.
pub(super) struct SignedInRow {
    pub(super) id: Uuid,
    pub(super) device_id: Uuid,
    pub(super) transport: String,
    pub(super) auth_methods: Vec<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) last_seen_at: DateTime<Utc>,
    pub(super) absolute_expires_at: DateTime<Utc>,
    pub(super) ended_at: Option<DateTime<Utc>>,
    pub(super) ip_address: Option<IpNet>,
    pub(super) user_agent: Option<String>,
    pub(super) generation: i32,
    pub(super) current_digest: Vec<u8>,
    pub(super) parent_digest: Option<Vec<u8>>,
    pub(super) salt: Option<Vec<u8>>,
    pub(super) rotated_at: DateTime<Utc>,
    pub(super) seen: bool,
    pub(super) seen_elsewhere: bool,
    pub(super) user_id: Uuid,
    pub(super) email: Option<String>,
    pub(super) email_verified_at: Option<DateTime<Utc>>,
    pub(super) username: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) locale: Option<String>,
    pub(super) two_factor_enabled_at: Option<DateTime<Utc>>,
    pub(super) roles: Vec<String>,
    pub(super) disabled_at: Option<DateTime<Utc>>,
    pub(super) credential_version: i32,
    pub(super) user_created_at: DateTime<Utc>,
    pub(super) user_updated_at: DateTime<Utc>,
    pub(super) last_login_at: Option<DateTime<Utc>>,
}

pub(super) fn read(row: Option<SignedInRow>) -> Result<Option<SignedIn>, DbError> {
    row.map(SignedInRow::read).transpose()
}

impl SignedInRow {
    pub(super) fn read(self) -> Result<SignedIn, DbError> {
        let session = self.session()?;
        Ok(SignedIn {
            held: self.held(&session)?,
            salt: self.salt.as_deref().map(digest).transpose()?,
            seen_elsewhere: self.seen_elsewhere,
            user_disabled: self.disabled_at.is_some(),
            credential_version: self.credential_version,
            session,
            user: self.user(),
        })
    }

    fn session(&self) -> Result<Session, DbError> {
        let transport = Transport::from_word(&self.transport);
        let methods = self
            .auth_methods
            .iter()
            .map(|word| AuthMethod::from_word(word))
            .collect();
        let (Some(transport), Some(auth_methods)) = (transport, methods) else {
            return Err(DbError::Unreadable("sessions.transport or auth_methods"));
        };
        Ok(Session {
            id: self.id.into(),
            user_id: self.user_id.into(),
            device_id: self.device_id.into(),
            transport,
            auth_methods,
            created_at: self.created_at,
            last_seen_at: self.last_seen_at,
            rotated_at: self.rotated_at,
            absolute_expires_at: self.absolute_expires_at,
            ip: self.ip_address.map(|net| net.addr()),
            user_agent: self.user_agent.clone(),
            ended_at: self.ended_at,
        })
    }

    fn held(&self, session: &Session) -> Result<HeldToken, DbError> {
        Ok(HeldToken {
            generation: self.generation,
            current: digest(&self.current_digest)?,
            parent: self.parent_digest.as_deref().map(digest).transpose()?,
            rotated_at: self.rotated_at,
            seen: self.seen,
            transport: session.transport,
            ended: self.ended_at.is_some(),
            absolute_expires_at: self.absolute_expires_at,
            user_disabled: self.disabled_at.is_some(),
        })
    }

    fn user(self) -> User {
        User::from(UserRow {
            id: self.user_id,
            email: self.email,
            email_verified_at: self.email_verified_at,
            username: self.username,
            display_name: self.display_name,
            locale: self.locale,
            two_factor_enabled_at: self.two_factor_enabled_at,
            roles: self.roles,
            created_at: self.user_created_at,
            updated_at: self.user_updated_at,
            last_login_at: self.last_login_at,
        })
    }
}

fn digest(bytes: &[u8]) -> Result<[u8; 32], DbError> {
    bytes
        .try_into()
        .map_err(|_| DbError::Unreadable("a digest or salt in sessions"))
}
