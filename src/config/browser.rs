//! What pages in browsers may do: whose they may be, and how cookies are given. It must not read a request.

use super::env::Env;
use super::names::Name;
use super::{Profile, parse};
use crate::domain::Origin;

pub(super) const ALLOWED_ORIGINS: Name = Name::plain(
    "KEYWARD_ALLOWED_ORIGINS",
    "",
    "Origins whose pages may call Keyward, comma separated: https://app.example.com; no path, no *",
);
pub(super) const COOKIE_SECURE: Name = Name::plain(
    "KEYWARD_COOKIE_SECURE",
    "true",
    "Whether cookies need https (or localhost) and have the prefix __Host-; in production true",
);
pub(super) const COOKIE_SAMESITE: Name = Name::plain(
    "KEYWARD_COOKIE_SAMESITE",
    "Strict",
    "Which requests browsers send cookies with: Strict or Lax",
);

/// What pages in browsers may do.
#[derive(Debug, Clone)]
pub struct Browser {
    /// Origins besides the service's own whose pages may read answers and use cookies.
    pub allowed_origins: Vec<Origin>,
    /// Whether cookies are given over https only. Off only outside production.
    pub cookie_secure: bool,
    /// Which requests browsers send cookies with.
    pub cookie_same_site: SameSite,
}

/// The attribute of that name. There is no `None`: a request from another site is refused whatever it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Only from pages of the same site.
    Strict,
    /// Also when somebody follows a link.
    Lax,
}

impl SameSite {
    /// The word in a cookie.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
        }
    }
}

impl Browser {
    pub(super) fn read(env: &mut Env, profile: Profile) -> Option<Self> {
        let origin = |text: &str| origin(text, profile);
        let allowed_origins = env.parsed(&ALLOWED_ORIGINS, |text| parse::list(text, origin));
        let cookie_secure = env.parsed(&COOKIE_SECURE, |text| secure(text, profile));
        let words = [SameSite::Strict, SameSite::Lax].map(|word| (word.as_str(), word));
        let cookie_same_site = env.parsed(&COOKIE_SAMESITE, parse::choice(words));
        Some(Self {
            allowed_origins: allowed_origins?,
            cookie_secure: cookie_secure?,
            cookie_same_site: cookie_same_site?,
        })
    }
}

fn origin(text: &str, profile: Profile) -> Result<Origin, String> {
    let origin = Origin::parse(text).ok_or(
        "must be an origin such as https://app.example.com: scheme, host and port, without / at the end or *",
    )?;
    if profile.is_production() && origin.is_exposed() {
        return Err("must not be http in production, but at localhost".to_owned());
    }
    Ok(origin)
}

fn secure(text: &str, profile: Profile) -> Result<bool, String> {
    let secure = parse::switch(text)?;
    if profile.is_production() && !secure {
        return Err("must be true in production".to_owned());
    }
    Ok(secure)
}
