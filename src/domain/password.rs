//! Passwords as people type them: exactly as received, bounded, and judged before they are accepted.

use secrecy::{ExposeSecret, SecretString};

use super::{FieldCode, FieldError};

/// The longest password, in characters (NIST SP 800-63B-4, section 3.1.1.2 asks for at least 64).
pub const MAX_CHARACTERS: usize = 256;
const MAX_BYTES: usize = 1024;
/// Characters of a password whose strength is estimated.
const JUDGED: usize = 32;

/// Common and breached passwords of 12 characters or more, lower-case, sorted by bytes, one a line.
/// Where they come from: `docs/common-passwords.md`.
const COMMON: &str = include_str!("common_passwords.txt");

/// A password, byte for byte as received: neither trimmed nor normalized. Prints as a secret.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

impl Password {
    /// A password to compare with a known one: bounded, and otherwise whatever was typed.
    pub fn parse(typed: String) -> Result<Self, FieldError> {
        let password = Self(typed.into());
        password.bounded(1)?;
        Ok(password)
    }

    /// The bytes to hash.
    pub fn as_bytes(&self) -> &[u8] {
        self.text().as_bytes()
    }

    fn text(&self) -> &str {
        self.0.expose_secret()
    }

    fn bounded(&self, min: usize) -> Result<(), FieldError> {
        let characters = self.text().chars().count();
        if characters < min {
            return Err(FieldError::new(FieldCode::TooShort, at_least(min)).with("min", min));
        }
        if characters > MAX_CHARACTERS || self.text().len() > MAX_BYTES {
            let message = format!("At most {MAX_CHARACTERS} characters and {MAX_BYTES} bytes.");
            return Err(FieldError::new(FieldCode::TooLong, message).with("max", MAX_CHARACTERS));
        }
        Ok(())
    }
}

fn at_least(min: usize) -> String {
    format!(
        "At least {min} character{}.",
        if min == 1 { "" } else { "s" }
    )
}

/// What a new password must be.
#[derive(Debug, Clone, Copy)]
pub struct PasswordPolicy {
    /// Fewest characters.
    pub min_length: usize,
    /// Least strength as zxcvbn estimates it, 0 to 4.
    pub min_strength: u8,
    /// How many of one's last passwords are not taken again, the one in use among them.
    pub history: usize,
}

impl PasswordPolicy {
    /// Judges a password to be set: tens of milliseconds of work. `context` is what a guesser knows of the person: address, names.
    pub fn accept(&self, typed: String, context: &[&str]) -> Result<Password, FieldError> {
        let password = Password(typed.into());
        password.bounded(self.min_length)?;
        if is_common(password.text()) {
            let message = "This password is on a list of common or breached ones.";
            return Err(FieldError::new(FieldCode::Breached, message));
        }
        let strength = strength(password.text(), context);
        if strength < self.min_strength {
            return Err(FieldError::new(FieldCode::TooWeak, "Too easy to guess.")
                .with("strength", strength.into())
                .with("min", self.min_strength.into()));
        }
        Ok(password)
    }
}

/// The strength of the beginning: guessing it is part of guessing the whole, and the estimate of a long text with many
/// look-alike characters takes seconds.
fn strength(password: &str, context: &[&str]) -> u8 {
    let beginning: String = password.chars().take(JUDGED).collect();
    let parts = context.iter().flat_map(|text| text.split(['@', '.', ' ']));
    let known: Vec<&str> = context
        .iter()
        .copied()
        .chain(parts)
        .chain(["keyward"])
        .filter(|t| t.len() > 2)
        .collect();
    zxcvbn::zxcvbn(&beginning, &known).score().into()
}

fn is_common(password: &str) -> bool {
    let password = password.to_lowercase();
    let (mut low, mut high) = (0, COMMON.len());
    while low < high {
        let start = line_start(low.midpoint(high));
        let line = COMMON[start..].split('\n').next().unwrap_or_default();
        match line.as_bytes().cmp(password.as_bytes()) {
            std::cmp::Ordering::Equal => return !line.is_empty(),
            std::cmp::Ordering::Less => low = start + line.len() + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

fn line_start(position: usize) -> usize {
    let before = &COMMON.as_bytes()[..position];
    before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |newline| newline + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: PasswordPolicy = PasswordPolicy {
        min_length: 12,
        min_strength: 3,
        history: 5,
    };

    fn refused(typed: &str) -> FieldCode {
        POLICY
            .accept(typed.to_owned(), &["ann.marie@example.com", "annmarie"])
            .unwrap_err()
            .code
    }

    #[test]
    fn every_listed_password_is_found_and_others_are_not() {
        assert!(COMMON.lines().count() > 1000);
        assert!(COMMON.lines().all(is_common));
        assert!(
            COMMON
                .lines()
                .all(|line| line.chars().count() >= 12 && line.to_lowercase() == line)
        );
        assert!(
            COMMON
                .lines()
                .is_sorted_by(|a, b| a.as_bytes() < b.as_bytes())
        );
        for other in [
            "",
            "\n",
            "zzzzzzzzzzzzzzzzzzzzzzzz~",
            "!!",
            "tall cliff moth ribbon",
        ] {
            assert!(!is_common(other), "{other:?}");
        }
    }

    #[test]
    fn common_passwords_are_refused_in_any_case() {
        let listed = COMMON
            .lines()
            .find(|line| line.chars().all(char::is_alphabetic))
            .unwrap();
        assert_eq!(refused(listed), FieldCode::Breached);
        assert_eq!(refused(&listed.to_uppercase()), FieldCode::Breached);
    }

    #[test]
    fn lengths_are_counted_in_characters_and_bounded_in_bytes() {
        assert_eq!(refused("elevenchars"), FieldCode::TooShort);
        assert_eq!(refused("éèêëàâäôöûü"), FieldCode::TooShort);
        assert_eq!(refused(&"x7 Q".repeat(65)), FieldCode::TooLong);
        assert!(
            POLICY
                .accept("x7 Q".repeat(64), &[])
                .is_err_and(|e| e.code != FieldCode::TooLong)
        );
        assert!(
            POLICY
                .accept("🦊".repeat(257), &[])
                .is_err_and(|e| e.code == FieldCode::TooLong)
        );
    }

    #[test]
    fn ones_own_name_does_not_make_a_password_strong() {
        assert_eq!(refused("annmarieannmarie"), FieldCode::TooWeak);
        assert_eq!(refused("ann.marie@example.com"), FieldCode::TooWeak);
        assert!(
            POLICY
                .accept("tall cliff moth ribbon".to_owned(), &["ann@example.com"])
                .is_ok()
        );
    }

    #[test]
    fn spaces_and_nul_are_part_of_a_password() {
        let typed = " tall\0cliff moth ribbon ";
        let password = POLICY.accept(typed.to_owned(), &[]).unwrap();
        assert_eq!(password.as_bytes(), typed.as_bytes());
    }

    #[test]
    fn a_password_prints_as_a_secret() {
        let password = Password::parse("tall cliff moth ribbon".to_owned()).unwrap();
        assert!(!format!("{password:?}").contains("cliff"));
    }
}
