//! Keys that sign access tokens: ES256 (ECDSA on P-256) or EdDSA (Ed25519), and their public half as a JWK.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use quick_cache::sync::Cache;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::config::SigningAlgorithm;
use crate::domain::KeyId;

/// How many tokens each key remembers to have signed.
const REMEMBERED: usize = 10_000;

/// A signing key with the one algorithm it is for.
pub(super) struct SigningKey {
    pub(super) id: KeyId,
    algorithm: SigningAlgorithm,
    private: EncodingKey,
    public: DecodingKey,
    raw_public: Vec<u8>,
    /// SHA-256 of tokens whose signature was verified. A token is shown again and again while it lives; everything else
    /// about it is judged each time.
    verified: Cache<[u8; 32], ()>,
}

/// The public half of a signing key (RFC 7517, RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicKey {
    kty: &'static str,
    crv: &'static str,
    x: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    kid: String,
    alg: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
}

/// A new private key: PKCS#8, version 1.
pub(super) fn generate(algorithm: SigningAlgorithm) -> Result<Zeroizing<Vec<u8>>, KeyRejected> {
    let document = match algorithm {
        SigningAlgorithm::Es256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_| KeyRejected)?
        }
        SigningAlgorithm::EdDsa => {
            let pair = Ed25519KeyPair::generate().map_err(|_| KeyRejected)?;
            pair.to_pkcs8v1().map_err(|_| KeyRejected)?
        }
    };
    Ok(Zeroizing::new(document.as_ref().to_vec()))
}

/// Not a private key of the algorithm.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyRejected;

impl SigningKey {
    /// What it signs with.
    pub(super) fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    pub(super) fn new(
        id: KeyId,
        algorithm: SigningAlgorithm,
        pkcs8: &[u8],
    ) -> Result<Self, KeyRejected> {
        let (raw_public, private) = match algorithm {
            SigningAlgorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
                    .map_err(|_| KeyRejected)?;
                (
                    pair.public_key().as_ref().to_vec(),
                    EncodingKey::from_ec_der(pkcs8),
                )
            }
            SigningAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| KeyRejected)?;
                (
                    pair.public_key().as_ref().to_vec(),
                    EncodingKey::from_ed_der(pkcs8),
                )
            }
        };
        let public = match algorithm {
            SigningAlgorithm::Es256 => DecodingKey::from_ec_der(&raw_public),
            SigningAlgorithm::EdDsa => DecodingKey::from_ed_der(&raw_public),
        };
        Ok(Self {
            id,
            algorithm,
            private,
            public,
            raw_public,
            verified: Cache::new(REMEMBERED),
        })
    }

    /// `alg` of the tokens it signs.
    pub(super) fn alg(&self) -> &'static str {
        self.algorithm.as_str()
    }

    /// The signature of `message`, in base64url.
    pub(super) fn sign(&self, message: &str) -> Result<String, jsonwebtoken::errors::Error> {
        jsonwebtoken::crypto::sign(message.as_bytes(), &self.private, self.jwt_algorithm())
    }

    /// Whether this key made `signature` of `message`.
    pub(super) fn has_signed(&self, message: &str, signature: &str) -> bool {
        let digest = digest_of(message, signature);
        if self.verified.get(&digest).is_some() {
            return true;
        }
        let algorithm = self.jwt_algorithm();
        let genuine =
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.public, algorithm)
                .unwrap_or(false);
        if genuine {
            self.verified.insert(digest, ());
        }
        genuine
    }

    pub(super) fn public(&self) -> PublicKey {
        let (kty, crv, x, y) = match self.algorithm {
            // 0x04, then both coordinates.
            SigningAlgorithm::Es256 => {
                let (x, y) = self.raw_public[1..].split_at(32);
                ("EC", "P-256", x, Some(URL_SAFE_NO_PAD.encode(y)))
            }
            SigningAlgorithm::EdDsa => ("OKP", "Ed25519", self.raw_public.as_slice(), None),
        };
        let (x, kid) = (URL_SAFE_NO_PAD.encode(x), self.id.to_string());
        PublicKey {
            kty,
            crv,
            x,
            y,
            kid,
            alg: self.alg(),
            usage: "sig",
        }
    }

    fn jwt_algorithm(&self) -> Algorithm {
        match self.algorithm {
            SigningAlgorithm::Es256 => Algorithm::ES256,
            SigningAlgorithm::EdDsa => Algorithm::EdDSA,
        }
    }
}

fn digest_of(message: &str, signature: &str) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [message, ".", signature] {
        context.update(part.as_bytes());
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}
