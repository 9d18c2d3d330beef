//! Accounts. The password's hash is read only where a password is compared.

mod operated;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Conn, DbError};
use crate::domain::{
    Change, Credentials, DisplayName, Identifier, Locale, NewAccount, ProfileChange, Proven,
    SessionId, User, UserId, Username,
};

/// An account to be added.
pub struct NewUser<'a> {
    /// Its id.
    pub id: UserId,
    /// What was typed.
    pub account: &'a NewAccount,
    /// The PHC string.
    pub password_hash: &'a str,
    /// Now.
    pub now: DateTime<Utc>,
}

/// Statements on `users`.
pub struct Users<'c>(pub(in crate::repositories) &'c mut Conn);

impl Users<'_> {
    /// Adds an account. `users_email_key` and `users_username_key` keep them apart.
    pub async fn add(self, user: &NewUser<'_>) -> Result<(), DbError> {
        let account = user.account;
        let (connection, bound) = self.0.statement("users.add")?;
        let statement = sqlx::query!(
            "insert into users
                 (id, email, email_canonical, username, display_name, locale, password_hash, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
            user.id.uuid(),
            account.email.typed(),
            account.email.canonical(),
            account.username.as_ref().map(Username::as_str),
            account.display_name.as_ref().map(DisplayName::as_str),
            account.locale.as_ref().map(Locale::as_str),
            user.password_hash,
            user.now,
        );
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }

    /// What the password of whoever signs in so is compared with.
    pub async fn credentials(self, who: &Identifier) -> Result<Option<Credentials>, DbError> {
        let (email, username) = match who {
            Identifier::Email(email) => (Some(email.canonical()), None),
            Identifier::Username(name) => (None, Some(name.as_str())),
        };
        let (connection, bound) = self.0.statement("users.credentials")?;
        let statement = sqlx::query_as!(
            CredentialsRow,
            r#"select id, password_hash, credential_version, disabled_at is not null as "disabled!",
                   two_factor_enabled_at
               from users where email_canonical = $1 or username = $2"#,
            email,
            username,
        );
        Ok(bound
            .run(statement.fetch_optional(connection))
            .await?
            .map(Into::into))
    }

    /// What a password typed inside a session is compared with.
    pub async fn credentials_of(self, id: UserId) -> Result<Option<Credentials>, DbError> {
        let (connection, bound) = self.0.statement("users.credentials_of")?;
        let statement = sqlx::query_as!(
            CredentialsRow,
            r#"select id, password_hash, credential_version, disabled_at is not null as "disabled!",
                   two_factor_enabled_at
               from users where id = $1"#,
            id.uuid(),
        );
        Ok(bound
            .run(statement.fetch_optional(connection))
            .await?
            .map(Into::into))
    }

    /// Holds a user's row until the transaction ends: see `hold_owner`.
    pub async fn hold(self, id: UserId) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("users.hold")?;
        let statement = sqlx::query!(
            "select from users where id = $1 for no key update",
            id.uuid()
        );
        bound.run(statement.execute(connection)).await?;
        Ok(())
    }

    /// Holds the row of a session's user until the transaction ends; `None` when there is no such session. Whoever ends
    /// sessions takes it first, so that everybody locks users before sessions, and one after the other.
    pub async fn hold_owner(self, session: SessionId) -> Result<Option<UserId>, DbError> {
        let (connection, bound) = self.0.statement("users.hold_owner")?;
        let statement = sqlx::query_scalar!(
            "select u.id from users u join sessions s on s.user_id = u.id where s.id = $1 for no key update of u",
            session.uuid(),
        );
        Ok(bound
            .run(statement.fetch_optional(connection))
            .await?
            .map(Into::into))
    }

    /// The same for several sessions, in the one order of their users.
    pub async fn hold_owners(self, sessions: &[SessionId]) -> Result<(), DbError> {
        let sessions: Vec<Uuid> = sessions.iter().map(|id| id.uuid()).collect();
        let (connection, bound) = self.0.statement("users.hold_owners")?;
        let statement = sqlx::query!(
            "select u.id from users u join sessions s on s.user_id = u.id
             where s.id = any($1) order by u.id for no key update of u",
            &sessions,
        );
        bound.run(statement.fetch_all(connection)).await?;
        Ok(())
    }

    /// The same for a user and the user of a session.
    pub async fn hold_with_owner(self, id: UserId, session: SessionId) -> Result<(), DbError> {
        let (connection, bound) = self.0.statement("users.hold_with_owner")?;
        let statement = sqlx::query!(
            "select from users where id = any(array[$1, (select user_id from sessions where id = $2)])
             order by id for no key update",
            id.uuid(),
            session.uuid(),
        );
        bound.run(statement.fetch_all(connection)).await?;
        Ok(())
    }

    /// Replaces the hash of an unchanged password, unless the password has changed meanwhile.
    pub async fn rehash(self, id: UserId, seen: &str, hash: &str) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("users.rehash")?;
        let statement = sqlx::query!(
            "update users set password_hash = $3 where id = $1 and password_hash = $2",
            id.uuid(),
            seen,
            hash,
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// Replaces the password and voids what was proven by the old one, unless it has changed meanwhile.
    pub async fn change_password(
        self,
        seen: &Proven,
        hash: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("users.change_password")?;
        let statement = sqlx::query!(
            "update users set password_hash = $3, credential_version = credential_version + 1, updated_at = $4
             where id = $1 and password_hash = $2 and credential_version = $5 and disabled_at is null",
            seen.user_id.uuid(),
            seen.password_hash,
            hash,
            now,
            seen.version,
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// Says since when a second factor is asked for, and voids what was proven before, unless the credentials have
    /// changed meanwhile.
    pub async fn change_two_factor(
        self,
        id: UserId,
        seen_version: i32,
        enabled_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("users.change_two_factor")?;
        let statement = sqlx::query!(
            "update users set two_factor_enabled_at = $3, credential_version = credential_version + 1, updated_at = $4
             where id = $1 and credential_version = $2 and disabled_at is null",
            id.uuid(),
            seen_version,
            enabled_at,
            now,
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// Changes the profile; `None` when that changes nothing, or there is no such account any more.
    pub async fn change_profile(
        self,
        id: UserId,
        change: &ProfileChange,
        now: DateTime<Utc>,
    ) -> Result<Option<User>, DbError> {
        let ProfileChange {
            display_name,
            username,
            locale,
        } = change;
        let (connection, bound) = self.0.statement("users.change_profile")?;
        let statement = sqlx::query_as!(
            UserRow,
            r#"update users set
                   display_name = case when $2 then $3 else display_name end,
                   username = case when $4 then $5 else username end,
                   locale = case when $6 then $7 else locale end,
                   updated_at = $8
               where id = $1 and (
                   ($2 and display_name is distinct from $3) or ($4 and username is distinct from $5)
                   or ($6 and locale is distinct from $7)
               )
               returning id, email, email_verified_at, username, display_name, locale,
                   two_factor_enabled_at, roles, created_at, updated_at, last_login_at"#,
            id.uuid(),
            display_name.is_some(),
            text(display_name, DisplayName::as_str),
            username.is_some(),
            text(username, Username::as_str),
            locale.is_some(),
            text(locale, Locale::as_str),
            now,
        );
        Ok(bound
            .run(statement.fetch_optional(connection))
            .await?
            .map(Into::into))
    }

    /// Deletes the account and all that hangs on it, unless its credentials have changed meanwhile.
    pub async fn delete(self, seen: &Proven) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("users.delete")?;
        let statement = sqlx::query!(
            "delete from users
             where id = $1 and password_hash = $2 and credential_version = $3 and disabled_at is null",
            seen.user_id.uuid(),
            seen.password_hash,
            seen.version,
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }
}

fn text<T>(change: &Change<T>, as_str: fn(&T) -> &str) -> Option<&str> {
    change.value().map(as_str)
}

struct CredentialsRow {
    id: Uuid,
    password_hash: Option<String>,
    credential_version: i32,
    disabled: bool,
    two_factor_enabled_at: Option<DateTime<Utc>>,
}

impl From<CredentialsRow> for Credentials {
    fn from(row: CredentialsRow) -> Self {
        Self {
            user_id: row.id.into(),
            password_hash: row.password_hash,
            version: row.credential_version,
            disabled: row.disabled,
            two_factor_enabled_at: row.two_factor_enabled_at,
        }
    }
}

pub(super) struct UserRow {
    pub(super) id: Uuid,
    pub(super) email: Option<String>,
    pub(super) email_verified_at: Option<DateTime<Utc>>,
    pub(super) username: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) locale: Option<String>,
    pub(super) two_factor_enabled_at: Option<DateTime<Utc>>,
    pub(super) roles: Vec<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) last_login_at: Option<DateTime<Utc>>,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id.into(),
            email: row.email,
            email_verified: row.email_verified_at.is_some(),
            username: row.username,
            display_name: row.display_name,
            locale: row.locale,
            two_factor_enabled_at: row.two_factor_enabled_at,
            roles: row.roles,
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_login_at: row.last_login_at,
        }
    }
}
