//! What tokens say and how long they live. It must not make a token or tell the time.

use chrono::TimeDelta;

use super::env::Env;
use super::names::Name;
use super::parse::{self, time};

pub(super) const AUDIENCE: Name = Name::plain(
    "KEYWARD_AUDIENCE",
    "",
    "Whom access tokens are for (aud), comma separated; unset: KEYWARD_PUBLIC_URL",
);
pub(super) const ACCESS_TTL: Name = Name::plain(
    "KEYWARD_ACCESS_TOKEN_TTL",
    "10m",
    "How long an access token lives, 1s to 1h",
);
pub(super) const REFRESH_IDLE_TTL: Name = Name::plain(
    "KEYWARD_REFRESH_IDLE_TTL",
    "7d",
    "How long a session lives unused; longer than KEYWARD_ACCESS_TOKEN_TTL + KEYWARD_REFRESH_GRACE",
);
pub(super) const REFRESH_ABSOLUTE_TTL: Name = Name::plain(
    "KEYWARD_REFRESH_ABSOLUTE_TTL",
    "30d",
    "How long a session lives at most, up to 400d; not below KEYWARD_REFRESH_IDLE_TTL",
);
pub(super) const REFRESH_GRACE: Name = Name::plain(
    "KEYWARD_REFRESH_GRACE",
    "30s",
    "How long a used refresh token gives the same answer again, 0s to 60s; 0s: never",
);
pub(super) const REFRESH_RECOVERY: Name = Name::plain(
    "KEYWARD_REFRESH_RECOVERY",
    "on",
    "Whether a client whose answer was lost may refresh later than the grace: on or off",
);
pub(super) const SESSIONS_PER_USER: Name = Name::plain(
    "KEYWARD_SESSIONS_PER_USER",
    "20",
    "How many sessions a user may have at once, 1 to 100; the one unused for longest gives way",
);

/// What a session's life may be at most. Browsers keep no cookie longer (RFC 6265bis).
const LONGEST: u64 = 400 * 86_400;

/// What tokens say and how long they live.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// `iss`: the public URL.
    pub issuer: String,
    /// `aud`: at least one.
    pub audience: Vec<String>,
    /// How long an access token lives: 1 s to 1 h.
    pub access_ttl: TimeDelta,
    /// How long a session lives after its last rotation: longer than access token and grace
    /// together.
    pub refresh_idle_ttl: TimeDelta,
    /// How long a session lives at most: not below the idle time, at most 400 days.
    pub refresh_absolute_ttl: TimeDelta,
    /// How long after a rotation the parent gives the same successor again: 0 to 60 s, 0 for never.
    pub refresh_grace: TimeDelta,
    /// Whether a parent whose successor was never seen may be retried after the grace.
    pub refresh_recovery: bool,
    /// How many sessions a user may have at once: 1 to 100.
    pub sessions_per_user: u32,
}

impl Tokens {
    /// Without an issuer, which then has a problem of its own, everything else is still read.
    pub(super) fn read(env: &mut Env, issuer: Option<&str>) -> Option<Self> {
        let fallback = issuer.into_iter().map(str::to_owned).collect();
        let audience = env.parsed_or(&AUDIENCE, fallback, |text| {
            parse::list(text, audience_entry)
        });
        let access_ttl = env.parsed(&ACCESS_TTL, time(1..=3_600));
        let refresh_idle_ttl = env.parsed(&REFRESH_IDLE_TTL, time(1..=LONGEST));
        let refresh_absolute_ttl = env.parsed(&REFRESH_ABSOLUTE_TTL, time(1..=LONGEST));
        let refresh_grace = env.parsed(&REFRESH_GRACE, time(0..=60));
        let refresh_recovery = env.parsed(&REFRESH_RECOVERY, parse::switch);
        let sessions_per_user = env.parsed(&SESSIONS_PER_USER, parse::number(1..=100));
        check_order(
            env,
            access_ttl.zip(refresh_grace),
            refresh_idle_ttl,
            refresh_absolute_ttl,
        );
        Some(Self {
            issuer: issuer?.to_owned(),
            audience: audience?,
            access_ttl: access_ttl?,
            refresh_idle_ttl: refresh_idle_ttl?,
            refresh_absolute_ttl: refresh_absolute_ttl?,
            refresh_grace: refresh_grace?,
            refresh_recovery: refresh_recovery?,
            sessions_per_user: sessions_per_user?,
        })
    }
}

/// Judges the times that could be read, whatever else is wrong.
fn check_order(
    env: &mut Env,
    access_and_grace: Option<(TimeDelta, TimeDelta)>,
    idle: Option<TimeDelta>,
    absolute: Option<TimeDelta>,
) {
    if let (Some((access, grace)), Some(idle)) = (access_and_grace, idle)
        && idle <= access + grace
    {
        env.problem(
            &REFRESH_IDLE_TTL,
            "must be longer than KEYWARD_ACCESS_TOKEN_TTL and KEYWARD_REFRESH_GRACE together",
        );
    }
    if let (Some(idle), Some(absolute)) = (idle, absolute)
        && absolute < idle
    {
        env.problem(
            &REFRESH_ABSOLUTE_TTL,
            "must not be shorter than KEYWARD_REFRESH_IDLE_TTL",
        );
    }
}

fn audience_entry(text: &str) -> Result<String, String> {
    if text.is_empty()
        || text.contains(|letter: char| letter.is_whitespace() || letter.is_control())
    {
        return Err("must be a name or URL without blanks".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(name: &Name, value: &str) -> Result<Tokens, String> {
        let vars = [(name.name.to_owned(), value.to_owned())];
        let config = Config::read(vars).map_err(|problems| problems.to_string())?;
        Ok(config.tokens)
    }

    #[test]
    fn times_have_their_bounds() {
        for (name, least, most, beyond) in [
            (ACCESS_TTL, "1s", "1h", "3601s"),
            (REFRESH_IDLE_TTL, "631s", "30d", "31d"),
            (REFRESH_ABSOLUTE_TTL, "7d", "400d", "401d"),
            (REFRESH_GRACE, "0s", "60s", "61s"),
        ] {
            assert!(
                read(&name, least).is_ok() && read(&name, most).is_ok(),
                "{name:?}"
            );
            assert!(read(&name, beyond).is_err(), "{name:?}");
        }
        assert!(read(&ACCESS_TTL, "0s").is_err());
    }

    #[test]
    fn a_session_outlives_its_access_token_and_the_grace() {
        let problem = read(&REFRESH_IDLE_TTL, "630s").unwrap_err();
        assert!(
            problem.starts_with("KEYWARD_REFRESH_IDLE_TTL: must be longer"),
            "{problem}"
        );
    }

    #[test]
    fn a_session_is_not_idle_longer_than_it_lives() {
        let problem = read(&REFRESH_ABSOLUTE_TTL, "6d").unwrap_err();
        assert!(
            problem.starts_with("KEYWARD_REFRESH_ABSOLUTE_TTL: must not be"),
            "{problem}"
        );
    }

    #[test]
    fn audiences_are_listed() {
        let audience = |text| read(&AUDIENCE, text).map(|tokens| tokens.audience);
        assert_eq!(
            audience("app, https://api.test").unwrap(),
            ["app", "https://api.test"]
        );
        for text in ["a b", ",", "a,", "a,,b", "a\u{7}"] {
            assert!(audience(text).is_err(), "{text}");
        }
    }
}
