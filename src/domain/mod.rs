//! Types and rules without I/O: values parsed once, state with its transitions, the registry of error codes.
//! Imports nothing else of ours.

mod client;
mod clock;
mod device;
mod email;
mod entropy;
mod event;
mod field_error;
mod flow;
mod ids;
mod origin;
mod page;
mod password;
mod profile;
mod refresh;
mod refusal;
mod role;
mod sealed_key;
mod second_factor;
mod session;
mod sign_up;
mod throttle;
mod user;
mod username;

pub use client::{ClientInfo, Network};
pub use clock::{Clock, SystemClock};
pub use device::Device;
pub use email::Email;
pub use entropy::Entropy;
pub use event::{Event, EventKind, PastEvent};
pub use field_error::{FieldCode, FieldError, FieldErrors};
pub use flow::Flow;
pub use ids::{DeviceId, EventId, KeyId, SessionId, UserId};
pub use origin::{Origin, Origins, is_localhost};
pub use page::{Page, Paged};
pub use password::{MAX_CHARACTERS as PASSWORD_MAX_CHARACTERS, Password, PasswordPolicy};
pub use profile::{Change, DisplayName, Locale, ProfileChange};
pub use refresh::{HeldToken, RefreshRules, ShownToken, Verdict, judge};
pub use refusal::{Code, Refusal};
pub use role::Role;
pub use sealed_key::{KeyState, SealedKey};
pub use second_factor::{
    BACKUP_CODES, BackupCode, LoginChallenge, PENDING as TOTP_PENDING, SealedSecret, SecondFactor,
    TotpCode,
};
pub use session::{AuthMethod, EndReason, Session, Transport};
pub use sign_up::{NewAccount, SignUpForm};
pub use throttle::Limit;
pub use user::{Account, Credentials, Identifier, Proof, Proven, User, UserRef};
pub use username::Username;
