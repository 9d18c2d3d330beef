//! Roles: words that access tokens carry for other services. Keyward itself gives them no meaning.

use super::{FieldCode, FieldError};

/// A word of 1 to 64 lower-case letters, digits, `.`, `_`, `:` or `-`, a letter or digit first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Role(String);

impl Role {
    /// How many somebody may have: access tokens stay small.
    pub const MOST: usize = 32;

    /// Reads one.
    pub fn parse(typed: &str) -> Result<Self, FieldError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let form = typed.starts_with(plain)
            && typed.len() <= 64
            && typed
                .chars()
                .all(|c| plain(c) || matches!(c, '.' | '_' | ':' | '-'));
        if form {
            return Ok(Self(typed.to_owned()));
        }
        Err(FieldError::new(
            FieldCode::InvalidFormat,
            "1 to 64 lower-case letters, digits, dots, dashes, colons or underscores, a letter or digit first.",
        ))
    }

    /// Those of somebody: each once, in the order of the alphabet.
    pub fn set(mut roles: Vec<Self>) -> Result<Vec<Self>, FieldError> {
        roles.sort();
        roles.dedup();
        if roles.len() > Self::MOST {
            let message = format!("At most {} roles.", Self::MOST);
            return Err(FieldError::new(FieldCode::TooLong, message).with("max", Self::MOST));
        }
        Ok(roles)
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_plain_words() {
        for word in ["a", "admin", "billing:read", "org.7-x_y", &"a".repeat(64)] {
            assert_eq!(Role::parse(word).unwrap().as_str(), word);
        }
        for word in ["", "Admin", "a b", "-a", ":", "é", "a\n", &"a".repeat(65)] {
            assert!(Role::parse(word).is_err(), "{word}");
        }
    }

    #[test]
    fn somebody_has_each_role_once_and_not_too_many() {
        let of = |names: &[&str]| {
            let roles = names.iter().map(|name| Role::parse(name).unwrap());
            Role::set(roles.collect())
        };
        assert_eq!(of(&["b", "a", "b"]), of(&["a", "b"]));
        let many: Vec<String> = (0..=Role::MOST).map(|n| format!("r{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(of(&many[1..]).is_ok() && of(&many).is_err());
    }
}
