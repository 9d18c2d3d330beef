//! The second factor of a login: a code from an authenticator app (RFC 6238), or one of the backup codes on paper.

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};

use super::{AuthMethod, DeviceId, Entropy, FieldCode, FieldError, KeyId, UserId};

/// How long a secret waits to be verified.
pub const PENDING: TimeDelta = TimeDelta::minutes(10);
/// Backup codes a person gets at a time.
pub const BACKUP_CODES: usize = 10;

/// Characters of a code from an authenticator app.
const DIGITS: usize = 6;
/// Characters of a backup code: 5 random bits each, 120 in all, so that a keyed hash is enough to keep (OWASP ASVS 6.5.2).
const CHARACTERS: usize = 24;
/// How many stand together.
const GROUP: usize = 4;
/// Crockford's base 32: no letter that looks like a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Six digits as an authenticator app shows them. Prints as a secret.
#[derive(Debug, Clone)]
pub struct TotpCode(SecretString);

impl TotpCode {
    /// Reads what was typed: six digits, however spaced.
    pub fn parse(typed: &str) -> Result<Self, FieldError> {
        let digits: String = typed.chars().filter(|c| *c != ' ').collect();
        if digits.len() != DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(FieldError::new(FieldCode::InvalidFormat, "Six digits."));
        }
        Ok(Self(digits.into()))
    }

    /// The digits.
    pub fn digits(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A code that works once, for whoever has lost their authenticator. Prints as a secret.
#[derive(Debug, Clone)]
pub struct BackupCode(SecretString);

impl BackupCode {
    /// Draws one.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        let drawn = entropy.bytes::<CHARACTERS>();
        let text: String = drawn
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
            .collect();
        Self(text.into())
    }

    /// Reads what was typed: case, spaces and dashes do not matter, nor do the letters that are taken for digits.
    pub fn parse(typed: &str) -> Result<Self, FieldError> {
        let text: String = typed
            .chars()
            .filter(|c| !matches!(c, ' ' | '-'))
            .map(|c| match c.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                other => other,
            })
            .collect();
        if text.len() != CHARACTERS || !text.bytes().all(|byte| ALPHABET.contains(&byte)) {
            let message = "A backup code, such as k7wn-3mfx-0q2d-9trb-h5ve-p8cz.";
            return Err(FieldError::new(FieldCode::InvalidFormat, message));
        }
        Ok(Self(text.into()))
    }

    /// What all its spellings have in common.
    pub fn canonical(&self) -> &str {
        self.0.expose_secret()
    }

    /// As it is shown, once.
    pub fn grouped(&self) -> String {
        let characters: Vec<char> = self.canonical().chars().collect();
        let groups: Vec<String> = characters
            .chunks(GROUP)
            .map(|group| group.iter().collect())
            .collect();
        groups.join("-")
    }
}

/// What is shown as the second factor.
#[derive(Debug, Clone)]
pub enum SecondFactor {
    /// A code from the authenticator app.
    Totp(TotpCode),
    /// A backup code.
    BackupCode(BackupCode),
}

impl FieldError {
    /// Neither kind of code was given where one is needed.
    pub fn code_required() -> Self {
        Self::new(FieldCode::Required, "A code or a backup code.")
    }
}

/// A TOTP secret as it is kept: sealed by a key of the ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// Which key.
    pub key_id: KeyId,
    /// Nonce, ciphertext and tag.
    pub sealed: Vec<u8>,
}

/// A login whose password was right, and that waits for the second factor.
#[derive(Debug, Clone)]
pub struct LoginChallenge {
    /// Who logs in.
    pub user_id: UserId,
    /// The version of the credentials that were proven.
    pub credential_version: i32,
    /// How they were.
    pub methods: Vec<AuthMethod>,
    /// The device, where it is one that its owner is known on.
    pub device_id: Option<DeviceId>,
}

impl LoginChallenge {
    /// How long it waits.
    pub const LIFE: TimeDelta = TimeDelta::minutes(5);
    /// How many codes may be tried.
    pub const TRIES: i32 = 5;
    /// How many a person may have at once on a known device, and on all others together; the oldest gives way.
    pub const AT_ONCE: i64 = 20;
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;

    impl Entropy for Counting {
        fn fill(&self, out: &mut [u8]) {
            for (byte, next) in out.iter_mut().zip(8..) {
                *byte = next;
            }
        }
    }

    // MFA-19
    #[test]
    fn a_code_is_six_digits_however_spaced() {
        for typed in ["012345", " 012345", "012 345", "012345 "] {
            assert_eq!(TotpCode::parse(typed).unwrap().digits(), "012345");
        }
        for typed in [
            "",
            "12345",
            "0123456",
            "012345.0",
            "O12345",
            "-12345",
            "+12345",
            "012\t345",
            "０１２３４５",
            "٠١٢٣٤٥",
        ] {
            assert!(TotpCode::parse(typed).is_err(), "{typed}");
        }
    }

    // MFA-10
    #[test]
    fn a_backup_code_is_read_however_it_is_typed() {
        let code = BackupCode::draw(&Counting);
        let shown = code.grouped();
        assert_eq!(shown, "89ab-cdef-ghjk-mnpq-rstv-wxyz");
        for typed in [
            shown.clone(),
            shown.to_uppercase(),
            shown.replace('-', ""),
            shown.replace('-', " "),
            format!("  {shown} "),
        ] {
            let read = BackupCode::parse(&typed).unwrap();
            assert_eq!(read.canonical(), code.canonical(), "{typed}");
        }
        let alike = BackupCode::parse("OoIi-lL00-1111-0000-0000-0000").unwrap();
        assert_eq!(alike.canonical(), "001111001111000000000000");
    }

    #[test]
    fn what_is_no_backup_code_is_refused() {
        for typed in [
            "",
            "89ab-cdef-ghjk-mnpq-rstv-wxy",
            "89ab-cdef-ghjk-mnpq-rstv-wxyz-0",
            "89ab-cdef-ghjk-mnpq-rstv-wxyu",
            "89ab_cdef_ghjk_mnpq_rstv_wxyz",
        ] {
            assert!(BackupCode::parse(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn codes_print_as_secrets() {
        let (code, backup) = (
            TotpCode::parse("012345").unwrap(),
            BackupCode::draw(&Counting),
        );
        let printed = format!("{code:?} {backup:?}");
        assert!(!printed.contains("012345") && !printed.contains("89ab"));
    }
}
