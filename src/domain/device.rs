//! What a user agent says of its device, for people to recognise their sessions by.

use serde::Serialize;
use woothee::parser::Parser;

/// The device behind a session. `null` where the user agent does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Device {
    /// `desktop`, `mobile` or `other`.
    pub kind: Option<&'static str>,
    /// The operating system.
    pub os: Option<String>,
    /// The browser or program.
    pub browser: Option<String>,
}

impl Device {
    /// Reads a user agent.
    pub fn of(user_agent: Option<&str>) -> Self {
        let Some(found) = user_agent.and_then(|text| Parser::new().parse(text)) else {
            return Self::default();
        };
        Self {
            kind: kind(found.category),
            os: known(found.os),
            browser: known(found.name),
        }
    }
}

fn kind(category: &str) -> Option<&'static str> {
    match category {
        "pc" => Some("desktop"),
        "smartphone" | "mobilephone" => Some("mobile"),
        "appliance" | "misc" | "crawler" => Some("other"),
        _ => None,
    }
}

fn known(name: &str) -> Option<String> {
    (!name.is_empty() && name != "UNKNOWN").then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_recognised() {
        let device = Device::of(Some(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 \
             (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
        ));
        assert_eq!(device.kind, Some("mobile"));
        assert_eq!(device.os.as_deref(), Some("iPhone"));
        assert_eq!(device.browser.as_deref(), Some("Safari"));
    }

    #[test]
    fn what_is_unknown_is_null() {
        assert_eq!(Device::of(None), Device::default());
        assert_eq!(Device::of(Some("my-script/1.0")), Device::default());
    }
}
