//! Codes of authenticator apps: TOTP (RFC 6238) with SHA-1, 6 digits and 30 seconds, which is what every app knows.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use super::{KeyRing, Purpose, RingError, seal};
use crate::domain::{Entropy, SealedSecret, TotpCode, UserId};

/// Bytes of a secret: 160 bits, as many as the hash has (RFC 4226, section 4).
const LENGTH: usize = 20;
/// Seconds of a time step.
const STEP: i64 = 30;

/// Why a secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TotpError {
    /// The ring lacks the key.
    #[error("a TOTP secret cannot be sealed or opened")]
    Ring(#[from] RingError),
    /// It is not what was sealed for this person by the key it names.
    #[error("the TOTP secret of user {0} is not what was sealed for them")]
    Broken(UserId),
    /// The library refuses it.
    #[error("a TOTP secret is not usable")]
    Unusable,
}

/// The secret that somebody's authenticator app shares with us. It does not print.
pub struct TotpSecret(Zeroizing<[u8; LENGTH]>);

impl TotpSecret {
    /// A new one.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        Self(Zeroizing::new(entropy.bytes()))
    }

    /// Opens a sealed one.
    pub fn open(sealed: &SealedSecret, user_id: UserId, ring: &KeyRing) -> Result<Self, TotpError> {
        let broken = TotpError::Broken(user_id);
        let Some(key) = ring.named(Purpose::TotpSecret, sealed.key_id) else {
            return Err(broken);
        };
        let opened = seal::open(key, &identity(user_id), &sealed.sealed).ok();
        let bytes = opened.and_then(|plain| plain.as_slice().try_into().ok());
        bytes.map(|bytes| Self(Zeroizing::new(bytes))).ok_or(broken)
    }

    /// Seals it for its owner: exchanged between two people's rows, it does not open.
    pub fn seal(
        &self,
        user_id: UserId,
        ring: &KeyRing,
        now: DateTime<Utc>,
        entropy: &dyn Entropy,
    ) -> Result<SealedSecret, TotpError> {
        let (key_id, key) = ring.active_named(Purpose::TotpSecret, now)?;
        let sealed = seal::seal(key, &identity(user_id), self.0.as_slice(), entropy)
            .map_err(|_| TotpError::Unusable)?;
        Ok(SealedSecret { key_id, sealed })
    }

    /// As people type it into an app that cannot read the QR code: base 32 (RFC 4648).
    pub fn base32(&self) -> SecretString {
        self.secret().to_base32().into()
    }

    /// What the QR code says: <https://github.com/google/google-authenticator/wiki/Key-Uri-Format>.
    pub fn uri(&self, issuer: &str, account: &str) -> Result<SecretString, TotpError> {
        // A colon parts the two.
        let totp = self
            .builder()
            .with_issuer(Some(issuer.replace(':', " ")))
            .with_account_name(account.replace(':', " "))
            .build()
            .map_err(|_| TotpError::Unusable)?;
        totp.to_url()
            .map(Into::into)
            .map_err(|_| TotpError::Unusable)
    }

    /// The time step whose code this is: the current one, or the one before, for a code typed as it ran out.
    pub fn step_of(&self, code: &TotpCode, now: DateTime<Utc>) -> Result<Option<i64>, TotpError> {
        let totp = self.verifier()?;
        let now = now.timestamp();
        let of = |time: i64| totp.check(code.digits(), u64::try_from(time).unwrap_or_default());
        let step = of(now).or_else(|| of(now - STEP));
        Ok(step.and_then(|step| i64::try_from(step).ok()))
    }

    fn verifier(&self) -> Result<Totp, TotpError> {
        self.builder()
            .with_account_name("-")
            .build()
            .map_err(|_| TotpError::Unusable)
    }

    fn builder(&self) -> Builder {
        Builder::new().with_secret(self.secret()).with_skew(0)
    }

    fn secret(&self) -> Secret {
        Secret::from(self.0.as_slice())
    }
}

fn identity(user_id: UserId) -> String {
    format!("totp|{user_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the last six of the eight digits, of the secret for SHA-1.
    const VECTORS: [(i64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];

    fn secret() -> TotpSecret {
        TotpSecret(Zeroizing::new(*b"12345678901234567890"))
    }

    fn step(code: &str, time: i64) -> Option<i64> {
        let now = DateTime::from_timestamp(time, 0).unwrap();
        let code = TotpCode::parse(code).unwrap();
        secret().step_of(&code, now).unwrap()
    }

    #[test]
    fn the_vectors_of_rfc_6238_pass() {
        for (time, code) in VECTORS {
            assert_eq!(step(code, time), Some(time / 30), "{time}");
        }
    }

    // MFA-17
    #[test]
    fn a_code_is_good_in_its_step_and_the_next() {
        for (time, code) in VECTORS {
            let begins = time / 30 * 30;
            for (now, good) in [
                (begins - 30, false),
                (begins - 1, false),
                (begins, true),
                (begins + 29, true),
                (begins + 30, true),
                (begins + 59, true),
                (begins + 60, false),
            ] {
                let expected = good.then_some(time / 30);
                assert_eq!(step(code, now), expected, "{code} at {now}");
            }
        }
    }

    #[test]
    fn a_colon_in_a_name_parts_nothing() {
        use secrecy::ExposeSecret;
        let uri = secret().uri("A: B", "c:d@example.com").unwrap();
        let uri = uri.expose_secret();
        assert_eq!(uri.matches(':').count(), 2, "{uri}");
    }
}
