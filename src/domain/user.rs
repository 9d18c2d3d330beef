//! People's accounts, and what a login has proven about one.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{AuthMethod, Email, FieldError, UserId, Username};

/// An account, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Never reused.
    pub id: UserId,
    /// As typed.
    pub email: Option<String>,
    /// Whether the owner has shown to receive mail there.
    pub email_verified: bool,
    /// In lower case.
    pub username: Option<String>,
    /// The name shown.
    pub display_name: Option<String>,
    /// The language preferred (BCP 47).
    pub locale: Option<String>,
    /// Since when a login asks for a second factor, if it does.
    pub two_factor_enabled_at: Option<DateTime<Utc>>,
    /// What the operator lets them do.
    pub roles: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its profile last changed.
    pub updated_at: DateTime<Utc>,
    /// When it last signed in; signing up counts.
    pub last_login_at: Option<DateTime<Utc>>,
}

/// An account, as whoever operates the service sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What its owner sees.
    pub user: User,
    /// Since when nobody can sign in to it, if so.
    pub disabled_at: Option<DateTime<Utc>>,
}

/// By what an operator names somebody.
#[derive(Debug, Clone)]
pub enum UserRef {
    /// The id.
    Id(UserId),
    /// What they sign in with.
    Known(Identifier),
}

impl UserRef {
    /// Reads an id, an address or a username: no text is two of them.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        // With its dashes an id is longer than a username; without them it might be one.
        let id = text.parse::<Uuid>().ok();
        if let Some(id) = id.filter(|id| id.to_string().len() == text.len()) {
            return Ok(Self::Id(id.into()));
        }
        let known = if text.contains('@') {
            Identifier::email(text)
        } else {
            Identifier::username(text)
        };
        known.map(Self::Known)
    }
}

/// What somebody signs in with.
#[derive(Debug, Clone)]
pub enum Identifier {
    /// An e-mail address.
    Email(Email),
    /// A username.
    Username(Username),
}

impl Identifier {
    /// Reads an address.
    pub fn email(typed: &str) -> Result<Self, FieldError> {
        Email::parse(typed).map(Self::Email)
    }

    /// Reads a username.
    pub fn username(typed: &str) -> Result<Self, FieldError> {
        Username::parse(typed).map(Self::Username)
    }

    /// What all its spellings have in common.
    pub fn canonical(&self) -> &str {
        match self {
            Self::Email(email) => email.canonical(),
            Self::Username(name) => name.as_str(),
        }
    }
}

/// What a password is compared with.
#[derive(Clone)]
pub struct Credentials {
    /// Whose.
    pub user_id: UserId,
    /// The PHC string; accounts that sign in otherwise have none.
    pub password_hash: Option<String>,
    /// Rises with every change of password, second factor or status.
    pub version: i32,
    /// Whether the account is switched off.
    pub disabled: bool,
    /// Since when a second factor is asked for, if it is.
    pub two_factor_enabled_at: Option<DateTime<Utc>>,
}

/// What a login has proven: the one thing `Sessions::open` takes.
#[derive(Debug, Clone)]
pub struct Proof {
    /// Who it is.
    pub user_id: UserId,
    /// The credentials' version when it was proven: a change since then voids the proof.
    pub credential_version: i32,
    /// How it was proven.
    pub methods: Vec<AuthMethod>,
}

/// A password that was shown inside a session to be its own, and the credentials as they were then.
#[derive(Clone)]
pub struct Proven {
    /// Whose.
    pub user_id: UserId,
    /// The PHC string it was compared with.
    pub password_hash: String,
    /// The version of the credentials.
    pub version: i32,
    /// Since when a second factor is asked for, if it is.
    pub two_factor_enabled_at: Option<DateTime<Utc>>,
}
