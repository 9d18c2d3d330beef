//! A ring with one key of each purpose, and a session that tokens are made for.

use anyhow::{Context, Result, anyhow};
use chrono::{DateTime, TimeDelta, Utc};
use keyward::config::{MasterKey, SigningAlgorithm};
use keyward::crypto::{AccessTokenRules, KeyMaker, KeyRing, OsEntropy, RefreshToken};
use keyward::domain::{AuthMethod, Clock, Entropy, Session, SystemClock, Transport};
use secrecy::SecretString;
use uuid::Uuid;

pub(crate) const ENTROPY: &dyn Entropy = &OsEntropy;

/// What tokens are made from, and judged by.
pub(crate) struct Tokens {
    ring: KeyRing,
    rules: AccessTokenRules,
    session: Session,
    now: DateTime<Utc>,
}

impl Tokens {
    pub(crate) fn new(algorithm: SigningAlgorithm) -> Result<Self> {
        let now = SystemClock.now();
        let masters = MasterKey::parse_list("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        let masters = masters.map_err(anyhow::Error::msg)?;
        let maker = KeyMaker {
            master: &masters[0],
            algorithm,
            now,
            entropy: ENTROPY,
        };
        let made = KeyRing::default().missing(&maker)?;
        Ok(Self {
            ring: KeyRing::open(&made, &masters)?,
            rules: AccessTokenRules {
                issuer: "https://auth.example.com".to_owned(),
                audience: vec!["https://api.example.com".to_owned()],
                ttl: TimeDelta::minutes(10),
            },
            session: session(now),
            now,
        })
    }

    /// Signs an access token.
    pub(crate) fn sign(&self) -> Result<String> {
        let issued = self
            .rules
            .issue(&self.ring, &self.session, &[], self.now, ENTROPY);
        Ok(issued?.token)
    }

    /// Verifies an access token, which is quicker where it was verified before.
    pub(crate) fn verify(&self, token: &str) -> Result<()> {
        let verified = self.rules.verify(&self.ring, token, self.now);
        verified
            .map(drop)
            .map_err(|_| anyhow!("a token of ours is refused"))
    }

    /// The first refresh token of the session.
    pub(crate) fn first(&self) -> RefreshToken {
        RefreshToken::first(self.session.id, ENTROPY.bytes())
    }

    /// Reads a refresh token, with its MAC.
    pub(crate) fn read(&self, text: &str) -> Result<RefreshToken> {
        RefreshToken::parse(text, &self.ring, self.now).context("a token of ours is refused")
    }

    /// The token that takes its place.
    pub(crate) fn derive(&self, token: &RefreshToken) -> Result<RefreshToken> {
        let next = token.generation + 1;
        Ok(token.successor(next, &ENTROPY.bytes(), &self.ring, self.now)?)
    }

    /// Writes a refresh token, with its MAC.
    pub(crate) fn write(&self, token: &RefreshToken) -> Result<SecretString> {
        Ok(token.encode(&self.ring, self.now)?)
    }
}

fn session(now: DateTime<Utc>) -> Session {
    let id = Uuid::from_bytes(ENTROPY.bytes());
    Session {
        id: id.into(),
        user_id: id.into(),
        device_id: id.into(),
        transport: Transport::Body,
        auth_methods: vec![AuthMethod::Password],
        created_at: now,
        last_seen_at: now,
        rotated_at: now,
        absolute_expires_at: now + TimeDelta::days(30),
        ip: None,
        user_agent: None,
        ended_at: None,
    }
}
