//! Usernames: `[a-z0-9][a-z0-9._-]{2,31}`, compared without case.

use super::{FieldCode, FieldError};

/// A username in lower case, as it is kept, shown and compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// Reads a username, typed in any case.
    pub fn parse(typed: &str) -> Result<Self, FieldError> {
        let name = typed.to_ascii_lowercase();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let form = name.starts_with(allowed)
            && name
                .chars()
                .all(|c| allowed(c) || matches!(c, '.' | '_' | '-'))
            && (3..=32).contains(&name.len());
        if form {
            return Ok(Self(name));
        }
        Err(FieldError::new(
            FieldCode::InvalidFormat,
            "3 to 32 letters, digits, dots, dashes or underscores, a letter or digit first.",
        ))
    }

    /// The username.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_compared_without_case() {
        assert_eq!(
            Username::parse("Ann.B_c-9").unwrap(),
            Username::parse("ann.b_c-9").unwrap()
        );
    }

    #[test]
    fn other_forms_are_refused() {
        for typed in [
            "",
            "ab",
            ".abc",
            "-abc",
            "a b c",
            "änn",
            "ann@",
            "a\0bc",
            &"a".repeat(33),
        ] {
            assert_eq!(
                Username::parse(typed).unwrap_err().code,
                FieldCode::InvalidFormat
            );
        }
    }
}
