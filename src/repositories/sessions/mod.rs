//! Sessions, and the refresh token each holds. What a shown token means is decided above; here the swap is made
//! only when the row still is what the decision was made on.

mod of_user;
mod row;

use chrono::{DateTime, Utc};
use ipnet::IpNet;

pub use of_user::Alive;
pub use row::SignedIn;
use row::{SignedInRow, read};

use super::{Conn, DbError};
use crate::domain::{
    AuthMethod, ClientInfo, DeviceId, EndReason, Event, HeldToken, Proof, RefreshRules, SessionId,
    ShownToken, Transport,
};

/// A session to be opened.
pub struct NewSession<'a> {
    /// Its id.
    pub id: SessionId,
    /// What was proven: only while the credentials still are of its version is the session made.
    pub proof: &'a Proof,
    /// The device it is opened on.
    pub device_id: DeviceId,
    /// Where its refresh token travels.
    pub transport: Transport,
    /// Of its first refresh token.
    pub digest: [u8; 32],
    /// When it ends, however active it is.
    pub absolute_expires_at: DateTime<Utc>,
    /// What is noted of it: who asks, and when.
    pub login: &'a Event<'a>,
}

/// A refresh token's replacement.
pub struct Rotation<'a> {
    /// The session.
    pub id: SessionId,
    /// The token that was shown.
    pub shown: &'a ShownToken,
    /// Of its successor.
    pub successor: [u8; 32],
    /// What the successor was derived with.
    pub salt: [u8; 32],
    /// Who asks.
    pub client: &'a ClientInfo,
    /// Now.
    pub now: DateTime<Utc>,
}

/// `query_as!` of a statement that ends in the columns of a session `s` and its user `u`.
macro_rules! signed_in {
    ($before:literal, $($rest:tt)+) => {
        signed_in!([$before], $($rest)+)
    };
    ([$($before:literal)+], $after:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            SignedInRow,
            $($before +)+ r#" s.id as "id!", coalesce(s.device_id, s.id) as "device_id!", s.transport as "transport!", s.auth_methods as "auth_methods!",
                s.created_at as "created_at!", s.last_seen_at as "last_seen_at!",
                s.absolute_expires_at as "absolute_expires_at!", s.ended_at as "ended_at?",
                s.ip_address as "ip_address?: ipnet::IpNet", s.user_agent as "user_agent?",
                s.generation as "generation!", s.current_digest as "current_digest!",
                s.parent_digest as "parent_digest?", s.salt as "salt?", s.rotated_at as "rotated_at!",
                s.seen as "seen!", s.seen_elsewhere as "seen_elsewhere!",
                u.id as "user_id!", u.email as "email?", u.email_verified_at as "email_verified_at?",
                u.username as "username?", u.display_name as "display_name?", u.locale as "locale?",
                u.two_factor_enabled_at as "two_factor_enabled_at?", u.roles as "roles!",
                u.disabled_at as "disabled_at?", u.credential_version as "credential_version!", u.created_at as "user_created_at!",
                u.updated_at as "user_updated_at!", u.last_login_at as "last_login_at?" "#
                + $after,
            $($argument),+
        )
    };
}

use signed_in;

/// `signed_in!` of the statement that opens a session, on a condition of its user.
macro_rules! opening {
    ($new:expr, $methods:expr, $condition:literal $(, $argument:expr)* $(,)?) => {{
        let NewSession { proof, login, .. } = $new;
        signed_in!(
            [
                "with u as (
                     update users set last_login_at = $3
                     where id = $2 and credential_version = $4 and disabled_at is null
                         and (two_factor_enabled_at is null or 'otp' = any($6)) "
                $condition
                "returning *
                 ), s as (
                     insert into sessions (id, user_id, transport, auth_methods, created_at, last_seen_at,
                         rotated_at, absolute_expires_at, ip_address, user_agent, current_digest, device_id)
                     select $1, u.id, $5, $6, $3, $3, $3, $7, $8, $9, $10, $11 from u
                     returning *
                 ), noted as (
                     insert into security_events
                         (id, user_id, session_id, event, outcome, created_at, ip_address, user_agent, request_id)
                     select $12, s.user_id, s.id, $13, $14, s.created_at, s.ip_address, s.user_agent, nullif($15, '') from s
                 )
                 select"
            ],
            "from s, u",
            $new.id.uuid(),
            proof.user_id.uuid(),
            login.at,
            proof.credential_version,
            $new.transport.as_str(),
            $methods,
            $new.absolute_expires_at,
            login.client.ip.map(IpNet::from) as Option<IpNet>,
            login.client.user_agent,
            &$new.digest,
            $new.device_id.uuid(),
            login.id.uuid(),
            login.kind.as_str(),
            login.kind.outcome(),
            login.client.request_id,
            $($argument,)*
        )
    }};
}

/// Statements on `sessions`.
pub struct Sessions<'c>(pub(super) &'c mut Conn);

impl Sessions<'_> {
    /// Opens a session and notes the login, if the proof still holds; `None` when it does not. The user's row is
    /// locked by it, so that a change of credentials comes wholly before or wholly after.
    pub async fn open(self, new: &NewSession<'_>) -> Result<Option<SignedIn>, DbError> {
        let methods = words(&new.proof.methods);
        let (connection, bound) = self.0.statement("sessions.open")?;
        let statement = opening!(new, &methods, "");
        read(bound.run(statement.fetch_optional(connection)).await?)
    }

    /// The same where the person has fewer sessions alive than so many, and nobody changes the user's row at the same
    /// time: who waited for that has not seen what was done meanwhile. `None` in any other case.
    pub async fn open_below(
        self,
        new: &NewSession<'_>,
        alive: Alive,
        most: i64,
    ) -> Result<Option<SignedIn>, DbError> {
        let methods = words(&new.proof.methods);
        let (connection, bound) = self.0.statement("sessions.open_below")?;
        let statement = opening!(
            new,
            &methods,
            "and xmin = (select before.xmin from users before where before.id = $2)
             and $17 > (
                 select count(*) from sessions
                 where user_id = $2 and ended_at is null and absolute_expires_at > $3 and rotated_at > $16
             )",
            alive.now - alive.idle,
            most,
        );
        read(bound.run(statement.fetch_optional(connection)).await?)
    }

    /// A session, alive or not, with its user.
    pub async fn by_id(self, id: SessionId) -> Result<Option<SignedIn>, DbError> {
        let (connection, bound) = self.0.statement("sessions.by_id")?;
        let statement = signed_in!(
            "select",
            "from sessions s join users u on u.id = s.user_id where s.id = $1",
            id.uuid(),
        );
        read(bound.run(statement.fetch_optional(connection)).await?)
    }

    /// The good path of a refresh in one statement: replaces the current token where `domain::judge` would say
    /// `Rotate`; `None` where it would say anything else.
    pub async fn rotate(
        self,
        rotation: &Rotation<'_>,
        rules: &RefreshRules,
    ) -> Result<Option<SignedIn>, DbError> {
        let (connection, bound) = self.0.statement("sessions.rotate")?;
        let statement = signed_in!(
            "update sessions s set
                 generation = s.generation + 1, parent_digest = s.current_digest, current_digest = $4,
                 salt = $5, rotated_at = $6, last_seen_at = $6, seen = false, seen_elsewhere = false,
                 ip_address = $7, user_agent = $8
             from users u
             where s.id = $1 and s.current_digest = $2 and s.transport = $3 and s.ended_at is null
                 and u.id = s.user_id and u.disabled_at is null
                 and $6 < s.absolute_expires_at and s.rotated_at > $9
                 and (s.generation = 0 or s.rotated_at <= $10)
             returning",
            "",
            rotation.id.uuid(),
            &rotation.shown.digest,
            rotation.shown.transport.as_str(),
            &rotation.successor,
            &rotation.salt,
            rotation.now,
            rotation.client.ip.map(IpNet::from) as Option<IpNet>,
            rotation.client.user_agent,
            rotation.now - rules.idle,
            rotated_before(rules, rotation.now),
        );
        read(bound.run(statement.fetch_optional(connection)).await?)
    }

    /// Replaces the successor that nobody has shown by a fresh one of the same parent; `None` when somebody was
    /// faster.
    pub async fn recover(
        self,
        rotation: &Rotation<'_>,
        held: &HeldToken,
    ) -> Result<Option<SignedIn>, DbError> {
        let (connection, bound) = self.0.statement("sessions.recover")?;
        let statement = signed_in!(
            "update sessions s set
                 generation = s.generation + 1, current_digest = $4, salt = $5, rotated_at = $6,
                 last_seen_at = $6, seen_elsewhere = false, ip_address = $7, user_agent = $8
             from users u
             where s.id = $1 and s.parent_digest = $2 and s.current_digest = $3 and not s.seen
                 and s.ended_at is null and u.id = s.user_id and u.disabled_at is null
             returning",
            "",
            rotation.id.uuid(),
            &rotation.shown.digest,
            &held.current,
            &rotation.successor,
            &rotation.salt,
            rotation.now,
            rotation.client.ip.map(IpNet::from) as Option<IpNet>,
            rotation.client.user_agent,
        );
        read(bound.run(statement.fetch_optional(connection)).await?)
    }

    /// Notes that the current token has been shown; whether that was news.
    pub async fn mark_seen(self, id: SessionId, current: &[u8; 32]) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("sessions.mark_seen")?;
        let statement = sqlx::query!(
            "update sessions set seen = true
             where id = $1 and current_digest = $2 and not seen and ended_at is null",
            id.uuid(),
            current,
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// Notes that the current token was given to another address or program; whether that was news.
    pub async fn mark_seen_elsewhere(
        self,
        id: SessionId,
        current: &[u8; 32],
    ) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("sessions.mark_seen_elsewhere")?;
        let statement = sqlx::query!(
            "update sessions set seen_elsewhere = true
             where id = $1 and current_digest = $2 and not seen_elsewhere and ended_at is null",
            id.uuid(),
            current,
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// Ends a session, where a transport is given only one of that; whether that was news.
    pub async fn end(
        self,
        id: SessionId,
        transport: Option<Transport>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("sessions.end")?;
        let statement = sqlx::query!(
            "update sessions set ended_at = $2, end_reason = $3
             where id = $1 and ended_at is null and ($4::text is null or transport = $4)",
            id.uuid(),
            now,
            reason.as_str(),
            transport.map(Transport::as_str),
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }
}

/// A token that was rotated later than this is not rotated again. Without a grace there is no such moment, also where
/// the clock went back.
fn rotated_before(rules: &RefreshRules, now: DateTime<Utc>) -> DateTime<Utc> {
    if rules.grace.is_zero() {
        DateTime::<Utc>::MAX_UTC
    } else {
        now - rules.grace
    }
}

fn words(methods: &[AuthMethod]) -> Vec<String> {
    let words = methods.iter().map(|method| method.as_str().to_owned());
    words.collect()
}
