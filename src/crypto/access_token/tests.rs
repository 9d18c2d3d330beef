//! What the verifier refuses of tokens that are signed by the very key it trusts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{AccessTokenRules, TokenFault, Verified};
use crate::config::{MasterKey, SigningAlgorithm};
use crate::crypto::{KeyMaker, KeyRing, OsEntropy, install_provider};
use crate::domain::{AuthMethod, Session, Transport};

struct Signer {
    ring: KeyRing,
    rules: AccessTokenRules,
    now: DateTime<Utc>,
}

impl Signer {
    fn new(algorithm: SigningAlgorithm) -> Self {
        install_provider();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let master = MasterKey::parse_list("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        let maker = KeyMaker {
            master: &master[0],
            algorithm,
            now,
            entropy: &OsEntropy,
        };
        let made = KeyRing::default().missing(&maker).unwrap();
        let ring = KeyRing::open(&made, &master).unwrap();
        let rules = AccessTokenRules {
            issuer: "https://auth.example".into(),
            audience: vec!["https://api.example".into()],
            ttl: TimeDelta::minutes(10),
        };
        Self { ring, rules, now }
    }

    fn header(&self) -> Value {
        let key = self.ring.signing(self.now).unwrap();
        json!({ "typ": "at+jwt", "alg": key.alg(), "kid": key.id })
    }

    fn claims(&self) -> Value {
        let iat = self.now.timestamp();
        json!({
            "iss": "https://auth.example", "aud": "https://api.example", "client_id": "keyward",
            "sub": Uuid::nil(), "exp": iat + 600, "iat": iat, "nbf": iat - 5, "jti": Uuid::nil(),
            "sid": Uuid::nil(), "auth_time": iat, "amr": ["pwd"], "acr": "aal1", "roles": [],
        })
    }

    fn signed(&self, header: &str, claims: &str) -> String {
        let message = [header, claims]
            .map(|part| URL_SAFE_NO_PAD.encode(part))
            .join(".");
        let signature = self.ring.signing(self.now).unwrap().sign(&message).unwrap();
        format!("{message}.{signature}")
    }

    fn verify(&self, header: &Value, claims: &Value) -> Result<Verified, TokenFault> {
        self.verify_text(&header.to_string(), &claims.to_string())
    }

    fn verify_text(&self, header: &str, claims: &str) -> Result<Verified, TokenFault> {
        self.rules
            .verify(&self.ring, &self.signed(header, claims), self.now)
    }

    fn refuses_header(&self, name: &str, value: Value) {
        let mut header = self.header();
        header[name] = value;
        assert_eq!(
            self.verify(&header, &self.claims()),
            Err(TokenFault),
            "{header}"
        );
    }

    fn with_claim(&self, name: &str, value: Value) -> Result<Verified, TokenFault> {
        let mut claims = self.claims();
        claims[name] = value;
        self.verify(&self.header(), &claims)
    }
}

fn es256() -> Signer {
    Signer::new(SigningAlgorithm::Es256)
}

#[test]
fn a_token_as_it_should_be_is_accepted() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa] {
        let signer = Signer::new(algorithm);
        let verified = signer.verify(&signer.header(), &signer.claims()).unwrap();
        assert!(!verified.expired);
    }
}

// JWT-10
#[test]
fn every_claim_is_required_and_typed() {
    let signer = es256();
    let names: Vec<String> = signer
        .claims()
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(names.len(), 13);
    for name in names {
        let mut claims = signer.claims();
        claims.as_object_mut().unwrap().remove(&name);
        assert_eq!(
            signer.verify(&signer.header(), &claims),
            Err(TokenFault),
            "without {name}"
        );
        for wrong in [
            json!(null),
            json!(true),
            json!({}),
            json!([7]),
            json!(1.5),
            json!(""),
            json!("99999999999"),
        ] {
            let fits = matches!(name.as_str(), "client_id" | "acr") && wrong.is_string();
            assert_eq!(
                signer.with_claim(&name, wrong.clone()).is_ok(),
                fits,
                "{name}: {wrong}"
            );
        }
    }
}

// JWT-10, JWT-11
#[test]
fn issuer_and_audience_are_ours() {
    let signer = es256();
    for issuer in [
        json!("https://evil.example"),
        json!(["https://auth.example"]),
        json!("https://auth.example/"),
    ] {
        assert!(signer.with_claim("iss", issuer).is_err());
    }
    for audience in [
        json!("billing"),
        json!([]),
        json!(["billing"]),
        json!(123),
        json!([["https://api.example"]]),
    ] {
        assert!(signer.with_claim("aud", audience).is_err());
    }
    assert!(
        signer
            .with_claim("aud", json!(["billing", "https://api.example"]))
            .is_ok()
    );
}

// JWT-08, JWT-09
#[test]
fn times_are_judged_by_our_clock() {
    let signer = es256();
    let now = signer.now.timestamp();
    for (claim, value) in [
        ("iat", now + 11),
        ("iat", i64::MAX),
        ("iat", i64::MIN),
        ("nbf", now + 6),
        ("nbf", now + 3600),
        ("exp", now),
        ("exp", -1),
        ("exp", i64::MAX),
        ("exp", now + 3601),
    ] {
        assert_eq!(
            signer.with_claim(claim, json!(value)),
            Err(TokenFault),
            "{claim} {value}"
        );
    }
    assert!(signer.with_claim("nbf", json!(now + 5)).is_ok());
    assert!(
        signer
            .verify_text(
                &signer.header().to_string(),
                &signer.claims().to_string().replace("1800000600", "1e400")
            )
            .is_err()
    );
}

#[test]
fn a_token_is_expired_from_the_second_it_says() {
    let signer = es256();
    let token = signer.signed(&signer.header().to_string(), &signer.claims().to_string());
    for (later, expired) in [(599, false), (600, true), (86_400, true)] {
        let now = signer.now + TimeDelta::seconds(later);
        assert_eq!(
            signer
                .rules
                .verify(&signer.ring, &token, now)
                .unwrap()
                .expired,
            expired
        );
    }
}

// JWT-14
#[test]
fn only_access_tokens_are_access_tokens() {
    let signer = es256();
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        let mut header = signer.header();
        header["typ"] = json!(typ);
        assert!(signer.verify(&header, &signer.claims()).is_ok(), "{typ}");
    }
    for typ in [
        json!("JWT"),
        json!("id+jwt"),
        json!("logout+jwt"),
        json!(""),
        json!(null),
        json!(1),
    ] {
        signer.refuses_header("typ", typ);
    }
    let mut header = signer.header();
    header.as_object_mut().unwrap().remove("typ");
    assert!(signer.verify(&header, &signer.claims()).is_err());
}

// JWT-04, JWT-05, JWT-15
#[test]
fn a_header_holds_three_members_and_no_more() {
    let signer = es256();
    let jwk = serde_json::to_value(&signer.ring.published(signer.now)[0]).unwrap();
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!("https://auth.example/.well-known/jwks.json")),
        ("x5u", json!("https://auth.example/chain.pem")),
        ("x5c", json!(["AA=="])),
        ("crit", json!([])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
    ] {
        signer.refuses_header(name, value);
    }
}

// JWT-01, JWT-07
#[test]
fn the_key_has_one_algorithm() {
    let (es256, eddsa) = (es256(), Signer::new(SigningAlgorithm::EdDsa));
    for alg in ["EdDSA", "ES384", "HS256", "none", "es256", ""] {
        es256.refuses_header("alg", json!(alg));
    }
    eddsa.refuses_header("alg", json!("ES256"));
    es256.refuses_header("kid", eddsa.header()["kid"].clone());
}

// JWT-18
#[test]
fn no_member_is_given_twice() {
    let signer = es256();
    let (header, claims) = (signer.header().to_string(), signer.claims().to_string());
    for name in ["sub", "exp", "iss"] {
        let twice = claims.replacen('{', &format!("{{\"{name}\":{},", signer.claims()[name]), 1);
        assert!(signer.verify_text(&header, &twice).is_err(), "{name}");
    }
    for name in ["alg", "kid", "typ"] {
        let twice = header.replacen('{', &format!("{{\"{name}\":{},", signer.header()[name]), 1);
        assert!(signer.verify_text(&twice, &claims).is_err(), "{name}");
    }
}

// JWT-16, JWT-17
#[test]
fn the_form_is_judged_before_anything_is_computed() {
    let signer = es256();
    let (header, claims) = (signer.header().to_string(), signer.claims().to_string());
    let token = signer.signed(&header, &claims);
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for wrong in [
        String::new(),
        "..".to_owned(),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.e30.e30"),
        token.replacen('.', "", 1),
        format!("{token}\n"),
        token.replacen('.', "=.", 1),
        format!("{{\"payload\":\"{token}\"}}"),
        signer.signed(&header, &nested),
        signer.signed(&header, &format!("{} {}", claims, "x".repeat(9000))),
        signer.signed(&format!("{header} {{}}"), &claims),
        signer.signed("[]", &claims),
        signer.signed("\u{feff}{}", &claims),
    ] {
        assert_eq!(
            signer.rules.verify(&signer.ring, &wrong, signer.now),
            Err(TokenFault)
        );
    }
}

// JWT-03
#[test]
fn a_signature_of_zeroes_is_refused() {
    for signer in [es256(), Signer::new(SigningAlgorithm::EdDsa)] {
        let token = signer.signed(&signer.header().to_string(), &signer.claims().to_string());
        let message = token.rsplit_once('.').unwrap().0;
        for signature in [vec![], vec![0; 64], vec![0; 63], vec![0xff; 64]] {
            let forged = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
            assert_eq!(
                signer.rules.verify(&signer.ring, &forged, signer.now),
                Err(TokenFault)
            );
        }
    }
}

#[test]
fn a_second_factor_is_told_in_amr_and_acr() {
    let signer = es256();
    let session = Session {
        id: Uuid::nil().into(),
        user_id: Uuid::nil().into(),
        device_id: Uuid::nil().into(),
        transport: Transport::Body,
        auth_methods: vec![AuthMethod::Password, AuthMethod::Otp],
        created_at: signer.now,
        last_seen_at: signer.now,
        rotated_at: signer.now,
        absolute_expires_at: signer.now + TimeDelta::seconds(90),
        ip: None,
        user_agent: None,
        ended_at: None,
    };
    let issued = signer
        .rules
        .issue(&signer.ring, &session, &[], signer.now, &OsEntropy)
        .unwrap();
    assert_eq!(issued.expires_in, 90, "a token ends with its session");
    let payload = URL_SAFE_NO_PAD
        .decode(issued.token.split('.').nth(1).unwrap())
        .unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(
        (&claims["amr"], &claims["acr"]),
        (&json!(["pwd", "otp", "mfa"]), &json!("aal2"))
    );
}

#[test]
fn a_token_that_was_verified_is_judged_again_each_time() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa] {
        let signer = Signer::new(algorithm);
        let token = signer.signed(&signer.header().to_string(), &signer.claims().to_string());
        let verify = |token: &str, after| {
            let now = signer.now + TimeDelta::seconds(after);
            signer.rules.verify(&signer.ring, token, now)
        };
        for (after, expired) in [
            (0, false),
            (0, false),
            (599, false),
            (600, true),
            (601, true),
        ] {
            assert_eq!(verify(&token, after).unwrap().expired, expired, "{after}");
        }
        // It has been seen; nothing that only resembles it has.
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(verify(&other, 0), Err(TokenFault), "{at}");
        }
        let elsewhere = AccessTokenRules {
            issuer: "https://other.example".into(),
            ..signer.rules.clone()
        };
        let judged = elsewhere.verify(&signer.ring, &token, signer.now);
        assert_eq!(judged, Err(TokenFault));
    }
}
