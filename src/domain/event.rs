//! Security events: what changed an account or a session, or tried to in a way that left a mark.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::{ClientInfo, EventId, SessionId, UserId};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $outcome:literal;)+) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum EventKind { $($(#[$doc])* $name,)+ }

        impl EventKind {
            /// Every kind, in the order of the registry.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The word for the database and for callers.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// `success`, or `failure` for what was refused.
            pub fn outcome(self) -> &'static str {
                match self { $(Self::$name => $outcome,)+ }
            }
        }
    };
}

events! {
    /// Somebody signed up.
    AccountCreated = "account_created", "success";
    /// Somebody deleted their account. Kept without the user.
    AccountDeleted = "account_deleted", "success";
    /// Somebody changed their profile.
    ProfileChanged = "profile_changed", "success";
    /// Somebody changed their password.
    PasswordChanged = "password_changed", "success";
    /// An operator set somebody's password.
    PasswordReset = "password_reset", "success";
    /// An operator disabled an account.
    AccountDisabled = "account_disabled", "success";
    /// An operator enabled an account.
    AccountEnabled = "account_enabled", "success";
    /// An operator changed what somebody may do.
    RolesChanged = "roles_changed", "success";
    /// A login was completed.
    LoggedIn = "logged_in", "success";
    /// A login failed: a wrong password. Without a user where there is no such account.
    LoginFailed = "login_failed", "failure";
    /// The password was right, and the account was disabled, or changed before the login was complete.
    LoginRefused = "login_refused", "failure";
    /// A wrong password was given inside a session.
    PasswordRefused = "password_refused", "failure";
    /// A password was right, and the second factor was asked for.
    LoginChallenged = "login_challenged", "success";
    /// A wrong second factor was shown at login, after a right password.
    SecondFactorFailed = "second_factor_failed", "failure";
    /// A wrong second factor was shown inside a session.
    CodeRefused = "code_refused", "failure";
    /// Somebody turned the second factor on.
    TwoFactorEnabled = "two_factor_enabled", "success";
    /// Somebody turned the second factor off.
    TwoFactorDisabled = "two_factor_disabled", "success";
    /// Somebody took new backup codes.
    BackupCodesReplaced = "backup_codes_replaced", "success";
    /// A backup code was used up.
    BackupCodeUsed = "backup_code_used", "success";
    /// A session was ended by its owner.
    LoggedOut = "logged_out", "success";
    /// A session was ended from the list of one's sessions, or by an operator.
    SessionRevoked = "session_revoked", "success";
    /// The session unused for longest gave way to a new one.
    SessionEvicted = "session_evicted", "success";
    /// The session whose cookie a browser held gave way to the one that somebody logged in to there.
    SessionReplaced = "session_replaced", "success";
    /// A replaced refresh token came back within the grace from another address or program.
    RefreshedFromElsewhere = "refreshed_from_elsewhere", "success";
    /// The answer to a refresh was lost, and the client came back after the grace.
    RefreshRetriedLate = "refresh_retried_late", "success";
    /// A refresh token that had been replaced was shown again: the session was ended.
    RefreshTokenReused = "refresh_token_reused", "failure";
    /// A key was added to a ring that had keys already. Without a user.
    KeyAdded = "key_added", "success";
    /// The older keys of a purpose were revoked: what was made with them is refused. Without a user.
    KeyRevoked = "key_revoked", "success";
    /// The keys were sealed by another master key. Without a user.
    KeysRewrapped = "keys_rewrapped", "success";
}

/// One event, written in the transaction it describes.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// Its own id.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// To whom; `None` when the account is gone.
    pub user_id: Option<UserId>,
    /// In which session.
    pub session_id: Option<SessionId>,
    /// Who did it.
    pub client: &'a ClientInfo,
    /// When.
    pub at: DateTime<Utc>,
}

/// An event that was written, as its owner may see it.
#[derive(Debug, Clone)]
pub struct PastEvent {
    /// Its own id.
    pub id: EventId,
    /// What happened: the word of an `EventKind`, perhaps one of a newer release.
    pub event: String,
    /// `success` or `failure`.
    pub outcome: String,
    /// When.
    pub at: DateTime<Utc>,
    /// From where.
    pub ip: Option<IpAddr>,
    /// With which program.
    pub user_agent: Option<String>,
    /// In which session.
    pub session_id: Option<SessionId>,
}
