//! What authenticator apps are told.

use super::env::Env;
use super::names::Name;

pub(super) const SERVICE_NAME: Name = Name::plain(
    "KEYWARD_SERVICE_NAME",
    "Keyward",
    "What authenticator apps call this service: up to 64 characters, no colon",
);

/// What authenticator apps are told.
#[derive(Debug, Clone)]
pub struct TwoFactor {
    /// The name they show beside the code.
    pub service_name: String,
}

impl TwoFactor {
    pub(super) fn read(env: &mut Env) -> Option<Self> {
        let service_name = env.parsed(&SERVICE_NAME, service_name)?;
        Some(Self { service_name })
    }
}

/// A colon would part the name from the account in an otpauth URI.
fn service_name(text: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&text.chars().count());
    if !fits || text.contains(|c: char| c == ':' || c.is_control()) {
        return Err(
            "must be 1 to 64 characters, none of them a colon or a control character".to_owned(),
        );
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_has_no_colon() {
        for name in ["Keyward", "Bücher & Söhne", &"x".repeat(64)] {
            assert_eq!(service_name(name).as_deref(), Ok(name));
        }
        for name in ["", "a:b", "a\nb", &"x".repeat(65)] {
            assert!(service_name(name).is_err(), "{name}");
        }
    }
}
