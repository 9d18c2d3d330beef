//! Everybody's accounts, as an operator lists and changes them.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{UserRow, Users};
use crate::domain::{Account, Identifier, Page, Role, UserId, UserRef};
use crate::repositories::DbError;

/// Reads accounts: `$condition` follows what is selected.
macro_rules! accounts {
    ($condition:literal, $($value:expr),* $(,)?) => {
        sqlx::query_as!(
            AccountRow,
            "select id, email, email_verified_at, username, display_name, locale, two_factor_enabled_at, roles,
                 created_at, updated_at, last_login_at, disabled_at from users " + $condition,
            $($value),*
        )
    };
}

impl Users<'_> {
    /// The account of that name.
    pub async fn find(self, who: &UserRef) -> Result<Option<Account>, DbError> {
        let (id, email, username) = match who {
            UserRef::Id(id) => (Some(id.uuid()), None, None),
            UserRef::Known(Identifier::Email(email)) => (None, Some(email.canonical()), None),
            UserRef::Known(Identifier::Username(name)) => (None, None, Some(name.as_str())),
        };
        let (connection, bound) = self.0.statement("users.find")?;
        let statement = accounts!(
            "where id = $1 or email_canonical = $2 or username = $3",
            id,
            email,
            username,
        );
        let row = bound.run(statement.fetch_optional(connection)).await?;
        Ok(row.map(Into::into))
    }

    /// A page of accounts, newest first: those whose address or username has this text in it.
    pub async fn page(self, containing: &str, page: Page) -> Result<Vec<Account>, DbError> {
        let (connection, bound) = self.0.statement("users.page")?;
        let statement = accounts!(
            "where id < $1 and ($2 = '' or strpos(email_canonical, $2) > 0 or strpos(username, $2) > 0)
             order by id desc limit $3",
            page.after.unwrap_or(Uuid::max()),
            containing,
            page.to_read(),
        );
        let rows = bound.run(statement.fetch_all(connection)).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Lets nobody sign in from now on, or again, and voids what was proven before; whether that changed anything.
    pub async fn set_disabled(
        self,
        id: UserId,
        disabled: bool,
        now: DateTime<Utc>,
    ) -> Result<bool, DbError> {
        let (connection, bound) = self.0.statement("users.set_disabled")?;
        let statement = sqlx::query!(
            "update users set disabled_at = case when $2 then $3::timestamptz end,
                 credential_version = credential_version + 1, updated_at = $3
             where id = $1 and (disabled_at is not null) <> $2",
            id.uuid(),
            disabled,
            now,
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// Gives somebody these roles and no others; whether that changed anything.
    pub async fn set_roles(
        self,
        id: UserId,
        roles: &[Role],
        now: DateTime<Utc>,
    ) -> Result<bool, DbError> {
        let roles: Vec<String> = roles.iter().map(|role| role.as_str().to_owned()).collect();
        let (connection, bound) = self.0.statement("users.set_roles")?;
        let statement = sqlx::query!(
            "update users set roles = $2, updated_at = $3 where id = $1 and roles <> $2",
            id.uuid(),
            &roles,
            now,
        );
        Ok(bound.changed(statement.execute(connection)).await? == 1)
    }

    /// Replaces the password whatever it was, and voids what was proven before; what it was, and `None` where there is no
    /// such account.
    pub async fn reset_password(
        self,
        id: UserId,
        hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Option<String>>, DbError> {
        let (connection, bound) = self.0.statement("users.reset_password")?;
        let statement = sqlx::query_scalar!(
            r#"update users u set
                   password_hash = $2, credential_version = u.credential_version + 1, updated_at = $3
               from (select id, password_hash from users where id = $1 for no key update) old
               where u.id = old.id
               returning old.password_hash as "password_hash?""#,
            id.uuid(),
            hash,
            now,
        );
        bound.run(statement.fetch_optional(connection)).await
    }
}

struct AccountRow {
    id: Uuid,
    email: Option<String>,
    email_verified_at: Option<DateTime<Utc>>,
    username: Option<String>,
    display_name: Option<String>,
    locale: Option<String>,
    two_factor_enabled_at: Option<DateTime<Utc>>,
    roles: Vec<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    last_login_at: Option<DateTime<Utc>>,
    disabled_at: Option<DateTime<Utc>>,
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        let user = UserRow {
            id: row.id,
            email: row.email,
            email_verified_at: row.email_verified_at,
            username: row.username,
            display_name: row.display_name,
            locale: row.locale,
            two_factor_enabled_at: row.two_factor_enabled_at,
            roles: row.roles,
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_login_at: row.last_login_at,
        };
        Self {
            user: user.into(),
            disabled_at: row.disabled_at,
        }
    }
}
