//! Access tokens: JWTs of the profile for OAuth 2.0 (RFC 9068). Short-lived, and only a pointer at the session, which
//! is looked up afterwards.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::signing_key::SigningKey;
use super::{KeyRing, RingError};
use crate::domain::{AuthMethod, Entropy, Session, SessionId, UserId};

/// Longest token looked at, in bytes.
const MAX_LENGTH: usize = 8192;
/// `client_id` of logins that no OAuth client asked for.
const FIRST_PARTY: &str = "keyward";

/// What every access token of this service has in common.
#[derive(Debug, Clone)]
pub struct AccessTokenRules {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: Vec<String>,
    /// From `iat` to `exp`.
    pub ttl: TimeDelta,
}

/// A signed token and how long it is good for.
pub struct Issued {
    /// The JWT.
    pub token: String,
    /// Seconds.
    pub expires_in: i64,
}

/// What a genuine token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// `sub`.
    pub user_id: UserId,
    /// `sid`.
    pub session_id: SessionId,
    /// Whether `exp` has passed: enough to log out with, and for nothing else.
    pub expired: bool,
}

/// Not a token of ours. Why is nobody's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenFault;

#[derive(Serialize)]
struct Header<'a> {
    typ: &'static str,
    alg: &'static str,
    kid: &'a str,
}

/// The header of a token that is shown: these members, and no others (RFC 8725, section 3).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShownHeader {
    typ: String,
    alg: String,
    kid: String,
}

/// One audience or several.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// The claims of an access token; each is required, and of this type.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    client_id: String,
    sub: Uuid,
    exp: i64,
    iat: i64,
    nbf: i64,
    jti: Uuid,
    sid: Uuid,
    auth_time: i64,
    amr: Vec<String>,
    acr: String,
    roles: Vec<String>,
}

impl AccessTokenRules {
    /// The longest life that may be configured.
    pub const MAX_TTL: TimeDelta = TimeDelta::hours(1);
    /// How far the clocks of two replicas may differ.
    pub const LEEWAY: TimeDelta = TimeDelta::seconds(5);

    /// A new token for a session.
    pub fn issue(
        &self,
        ring: &KeyRing,
        session: &Session,
        roles: &[String],
        now: DateTime<Utc>,
        entropy: &dyn Entropy,
    ) -> Result<Issued, RingError> {
        let claims = self.claims(session, roles, now, entropy);
        let key = ring.signing(now)?;
        let token = sign(key, &claims).map_err(|()| RingError::NotMade)?;
        Ok(Issued {
            token,
            expires_in: claims.exp - claims.iat,
        })
    }

    /// Judges a token that is shown: its form, its header, its signature by the one key it names, every claim.
    pub fn verify(
        &self,
        ring: &KeyRing,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Verified, TokenFault> {
        let claims = genuine(ring, token, now)?;
        let age = TimeDelta::seconds(
            claims
                .exp
                .saturating_sub(claims.iat)
                .clamp(-1, i64::from(i32::MAX)),
        );
        let latest = (now + Self::LEEWAY).timestamp();
        let fits = claims.iss == self.issuer
            && self.is_for_us(&claims.aud)
            && claims.nbf <= latest
            && claims.iat <= latest + Self::LEEWAY.num_seconds()
            && TimeDelta::zero() < age
            && age <= Self::MAX_TTL;
        if !fits {
            return Err(TokenFault);
        }
        let (user_id, session_id) = (claims.sub.into(), claims.sid.into());
        Ok(Verified {
            user_id,
            session_id,
            expired: claims.exp <= now.timestamp(),
        })
    }

    fn claims(
        &self,
        session: &Session,
        roles: &[String],
        now: DateTime<Utc>,
        entropy: &dyn Entropy,
    ) -> Claims {
        let iat = now.timestamp();
        let (amr, acr) = strength(&session.auth_methods);
        Claims {
            iss: self.issuer.clone(),
            aud: match self.audience.as_slice() {
                [one] => Audience::One(one.clone()),
                several => Audience::Several(several.to_vec()),
            },
            client_id: FIRST_PARTY.to_owned(),
            sub: session.user_id.uuid(),
            exp: (now + self.ttl)
                .min(session.absolute_expires_at)
                .timestamp(),
            iat,
            nbf: iat - Self::LEEWAY.num_seconds(),
            jti: uuid::Builder::from_random_bytes(entropy.bytes()).into_uuid(),
            sid: session.id.uuid(),
            auth_time: session.created_at.timestamp(),
            amr,
            acr: acr.to_owned(),
            roles: roles.to_vec(),
        }
    }

    fn is_for_us(&self, audience: &Audience) -> bool {
        match audience {
            Audience::One(one) => self.audience.contains(one),
            Audience::Several(several) => several.iter().any(|one| self.audience.contains(one)),
        }
    }
}

/// `amr` (RFC 8176) and `acr` of a session opened by these methods.
fn strength(methods: &[AuthMethod]) -> (Vec<String>, &'static str) {
    let mut amr: Vec<String> = methods
        .iter()
        .map(|method| method.as_str().to_owned())
        .collect();
    if methods.len() < 2 {
        return (amr, "aal1");
    }
    amr.push("mfa".to_owned());
    (amr, "aal2")
}

fn sign(key: &SigningKey, claims: &Claims) -> Result<String, ()> {
    let kid = key.id.to_string();
    let header = encode(&Header {
        typ: "at+jwt",
        alg: key.alg(),
        kid: &kid,
    })?;
    let message = format!("{header}.{}", encode(claims)?);
    let signature = key.sign(&message).map_err(|_| ())?;
    Ok(format!("{message}.{signature}"))
}

fn encode(part: &impl Serialize) -> Result<String, ()> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).map_err(|_| ())?))
}

/// The claims of a token, once its form, header and signature are right.
fn genuine(ring: &KeyRing, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenFault> {
    if token.len() > MAX_LENGTH {
        return Err(TokenFault);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(TokenFault)?;
    let (header, payload) = message.split_once('.').ok_or(TokenFault)?;
    let (header, payload) = (decode(header)?, decode(payload)?);
    // The crate's own decoder may be more forgiving than this one.
    decode(signature)?;
    let header: ShownHeader = serde_json::from_slice(&header).map_err(|_| TokenFault)?;
    if !is_access_token(&header.typ) {
        return Err(TokenFault);
    }
    let kid: Uuid = header.kid.parse().map_err(|_| TokenFault)?;
    let key = ring
        .verifying(now)
        .find(|key| key.id.uuid() == kid)
        .ok_or(TokenFault)?;
    if header.alg != key.alg() || !key.has_signed(message, signature) {
        return Err(TokenFault);
    }
    serde_json::from_slice(&payload).map_err(|_| TokenFault)
}

fn decode(part: &str) -> Result<Vec<u8>, TokenFault> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault)
}

/// RFC 9068, section 4: the media type, with or without `application/`.
fn is_access_token(typ: &str) -> bool {
    typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")
}

#[cfg(test)]
mod tests;
