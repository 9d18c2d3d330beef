//! What people say of themselves: a display name, a locale, and how a change of them is expressed.

use icu_locale_core::Locale as LanguageTag;

use super::{FieldCode, FieldError, Username};

/// A name to show, 1 to 128 characters, trimmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    const MAX: usize = 128;
    const MAX_BYTES: usize = 1024;

    /// Reads a display name.
    pub fn parse(typed: &str) -> Result<Self, FieldError> {
        let name = typed.trim();
        if name.is_empty() {
            return Err(
                FieldError::new(FieldCode::TooShort, "At least 1 character.").with("min", 1),
            );
        }
        if name.chars().count() > Self::MAX || name.len() > Self::MAX_BYTES {
            let message = format!("At most {} characters.", Self::MAX);
            return Err(FieldError::new(FieldCode::TooLong, message).with("max", Self::MAX));
        }
        if name.chars().any(char::is_control) {
            return Err(FieldError::new(
                FieldCode::ForbiddenCharacter,
                "No control characters.",
            ));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A language tag (BCP 47), in canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale(String);

impl Locale {
    const MAX: usize = 35;

    /// Reads a language tag such as `de` or `pt-BR`.
    pub fn parse(typed: &str) -> Result<Self, FieldError> {
        if typed.len() > Self::MAX {
            let message = format!("At most {} characters.", Self::MAX);
            return Err(FieldError::new(FieldCode::TooLong, message).with("max", Self::MAX));
        }
        match LanguageTag::try_from_str(typed) {
            Ok(tag) if !typed.contains('_') => Ok(Self(tag.to_string())),
            _ => Err(FieldError::new(
                FieldCode::InvalidFormat,
                "A language tag such as en or pt-BR.",
            )),
        }
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a change says of one member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Change<T> {
    /// Nothing: it stays as it is.
    #[default]
    Keep,
    /// `null`: it is cleared.
    Clear,
    /// A new value.
    Set(T),
}

impl<T> Change<T> {
    /// Whether anything is asked for.
    pub fn is_some(&self) -> bool {
        !matches!(self, Self::Keep)
    }

    /// The new value, `None` to clear.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }

    /// Parses the new value, if there is one.
    pub fn try_map<U, E>(self, parse: impl FnOnce(T) -> Result<U, E>) -> Result<Change<U>, E> {
        Ok(match self {
            Self::Keep => Change::Keep,
            Self::Clear => Change::Clear,
            Self::Set(value) => Change::Set(parse(value)?),
        })
    }
}

/// A change of one's own profile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfileChange {
    /// The name shown.
    pub display_name: Change<DisplayName>,
    /// The name signed in with.
    pub username: Change<Username>,
    /// The language preferred.
    pub locale: Change<Locale>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_take_their_canonical_form() {
        for (typed, kept) in [
            ("en-us", "en-US"),
            ("PT-br", "pt-BR"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("de-ch-1996", "de-CH-1996"),
            ("en-us-U-ca-buddhist", "en-US-u-ca-buddhist"),
        ] {
            assert_eq!(Locale::parse(typed).unwrap().as_str(), kept);
        }
        for typed in ["", "e", "english language", "en_US", "en-", "12"] {
            assert_eq!(
                Locale::parse(typed).unwrap_err().code,
                FieldCode::InvalidFormat,
                "{typed}"
            );
        }
    }

    #[test]
    fn display_names_are_bounded_and_printable() {
        let code = |typed: &str| DisplayName::parse(typed).unwrap_err().code;
        assert_eq!(code("  "), FieldCode::TooShort);
        assert_eq!(code(&"x".repeat(129)), FieldCode::TooLong);
        assert_eq!(code("a\0b"), FieldCode::ForbiddenCharacter);
        assert_eq!(DisplayName::parse(" Ann 🦊 ").unwrap().as_str(), "Ann 🦊");
    }
}
