//! Secrets in, values out: password hashing, tokens, signing keys, sealing, TOTP and its QR code. No I/O; time is an
//! argument.

mod access_token;
mod backup_code;
mod challenge_token;
mod device_token;
mod entropy;
mod key_ring;
mod opaque_token;
mod password_hash;
mod qr_code;
mod refresh_token;
mod seal;
mod signing_key;
mod throttle_subject;
mod totp;

pub use access_token::{AccessTokenRules, Issued, TokenFault, Verified};
pub use backup_code::{HashedCodes, backup_code_digests, hash_backup_codes};
pub use challenge_token::ChallengeToken;
pub use device_token::DeviceToken;
pub use entropy::OsEntropy;
pub use key_ring::{KeyMaker, KeyRing, PUBLISHED_AHEAD, Purpose, RingError, is_over, rewrapped};
pub use password_hash::{HashError, PasswordHasher};
pub use qr_code::{QrCode, QrError};
pub use refresh_token::RefreshToken;
pub use signing_key::PublicKey;
pub use throttle_subject::throttle_subject;
pub use totp::{TotpError, TotpSecret};

/// Chooses the one cryptographic provider, before anything could choose another.
pub fn install_provider() {
    // Fails only when it was done before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}
