//! E-mail addresses: parsed by a library, kept as typed, compared by one canonical form.

use email_address::{EmailAddress, Options};
use unicode_normalization::UnicodeNormalization;

use super::{FieldCode, FieldError};

/// Octets of an address that SMTP carries (RFC 5321, section 4.5.3.1).
const MAX_BYTES: usize = 254;

/// An address that mail can be sent to, and the form it is compared by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    typed: String,
    canonical: String,
}

impl Email {
    /// Reads an address: trimmed, one mailbox, a domain with a dot, no quotes, comments or address literals.
    pub fn parse(typed: &str) -> Result<Self, FieldError> {
        let typed = typed.trim();
        if typed.chars().any(|c| c.is_control() || does_not_show(c)) {
            let message = "No control characters and none that do not show.";
            return Err(FieldError::new(FieldCode::ForbiddenCharacter, message));
        }
        let invalid = || {
            FieldError::new(
                FieldCode::InvalidFormat,
                "An address such as ann@example.com.",
            )
        };
        let canonical = canonical(typed).ok_or_else(invalid)?;
        if typed.len() > MAX_BYTES || canonical.len() > MAX_BYTES {
            let message = format!("At most {MAX_BYTES} bytes.");
            return Err(FieldError::new(FieldCode::TooLong, message).with("max", MAX_BYTES));
        }
        Ok(Self {
            typed: typed.to_owned(),
            canonical,
        })
    }

    /// As typed: what is shown, and where mail goes.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// What two spellings of one address have in common.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

/// Folds case, compatibility forms (NFKC) and the spelling of the domain (IDNA). Tags and dots in the local part
/// stay: whether they matter is the mail provider's business.
fn canonical(typed: &str) -> Option<String> {
    let (local, domain) = typed.rsplit_once('@')?;
    let local = fold(local);
    let domain = idna::domain_to_ascii_strict(domain).ok()?;
    let address = format!("{local}@{domain}");
    let options = Options::default()
        .with_required_tld()
        .without_domain_literal()
        .without_display_text();
    // The checks are of what is compared, so that what is equal is also equally valid.
    let valid = EmailAddress::parse_with_options(&address, options).is_ok();
    (valid && !local.contains(['"', '(', ')', ' ']) && !domain.ends_with('.')).then_some(address)
}

fn fold(text: &str) -> String {
    let once = |text: &str| {
        text.nfkc()
            .flat_map(char::to_lowercase)
            .nfkc()
            .collect::<String>()
    };
    once(&once(text))
}

/// Characters that would let two addresses look the same: zero width, direction and soft hyphens.
fn does_not_show(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        Email::parse(a).unwrap().canonical == Email::parse(b).unwrap().canonical
    }

    #[test]
    fn spellings_of_one_address_are_one() {
        assert!(same("Alice@Example.COM", " alice@example.com\t"));
        assert!(same("ann@bücher.de", "ann@xn--bcher-kva.de"));
        assert!(same("ann@BÜCHER.de", "ann@bücher.de"));
        assert!(same("jos\u{e9}@example.com", "jose\u{301}@example.com"));
        assert!(same("ＭＩＫＥ@example.com", "mike@example.com"));
        assert!(same("mi\u{212a}e@example.com", "mike@example.com"));
    }

    #[test]
    fn different_addresses_stay_apart() {
        assert!(!same("bob+x@example.com", "bob@example.com"));
        assert!(!same("b.ob@example.com", "bob@example.com"));
        assert!(!same("m\u{131}ke@example.org", "mike@example.org"));
        assert!(!same("mike@\u{435}xample.org", "mike@example.org"));
    }

    #[test]
    fn the_canonical_form_is_its_own() {
        for typed in [
            "Alice@Example.COM",
            "ann@bücher.de",
            "Straße@example.com",
            "ΣΊΣΥΦΟΣ@example.com",
        ] {
            let once = Email::parse(typed).unwrap().canonical;
            assert_eq!(Email::parse(&once).unwrap().canonical, once, "{typed}");
        }
    }

    #[test]
    fn letters_whose_folded_form_is_not_one_letter_are_refused() {
        for typed in ["\u{130}@example.com", "\u{1f0}\u{323}@example.com"] {
            assert_eq!(
                Email::parse(typed).unwrap_err().code,
                FieldCode::InvalidFormat,
                "{typed}"
            );
        }
    }

    #[test]
    fn what_was_typed_is_kept() {
        assert_eq!(
            Email::parse(" Ann.B@Bücher.DE ").unwrap().typed(),
            "Ann.B@Bücher.DE"
        );
    }

    #[test]
    fn what_is_not_one_mailbox_is_refused() {
        for typed in [
            "",
            "ann",
            "ann@",
            "@example.com",
            "ann@localhost",
            "ann@[127.0.0.1]",
            "a@b@example.com",
            "a@x.com,b@y.com",
            "a@x.com b@y.com",
            "\"a\"@example.com",
            "ann(c)@example.com",
            "Ann <ann@example.com>",
            "ann@x_y.com",
            "ann@example.com.",
            "ann@-x.com",
            "a..b@example.com",
            ".a@example.com",
            "\"a b\"@example.com",
            "ann@example..com",
        ] {
            let code = Email::parse(typed).unwrap_err().code;
            assert_eq!(code, FieldCode::InvalidFormat, "{typed}");
        }
    }

    #[test]
    fn hidden_characters_are_refused() {
        for typed in [
            "a\0@example.com",
            "a\r\nb@example.com",
            "a\u{200d}nn@example.com",
            "a\u{202e}@example.com",
        ] {
            assert_eq!(
                Email::parse(typed).unwrap_err().code,
                FieldCode::ForbiddenCharacter
            );
        }
    }

    #[test]
    fn long_addresses_are_refused() {
        let long = format!(
            "{}@{}.com",
            "a".repeat(64),
            ["b".repeat(60).as_str(); 4].join(".")
        );
        assert!(Email::parse(&long).is_err());
        assert!(Email::parse(&format!("{}@example.com", "a".repeat(65))).is_err());
    }
}
