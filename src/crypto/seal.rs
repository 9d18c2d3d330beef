//! Sealing at rest: AES-256-GCM (NIST SP 800-38D), bound to what is sealed.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use zeroize::Zeroizing;

use crate::domain::Entropy;

/// Nonce, ciphertext and tag of `plain`. `bound_to` must be given again to open it.
pub(super) fn seal(
    key: &[u8; 32],
    bound_to: &str,
    plain: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, Unspecified> {
    let nonce = entropy.bytes::<NONCE_LEN>();
    let mut ciphertext = plain.to_vec();
    let aad = Aad::from(bound_to.as_bytes());
    cipher(key)?.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        aad,
        &mut ciphertext,
    )?;
    Ok([nonce.as_slice(), &ciphertext].concat())
}

/// What was sealed, if it was by this key and for this purpose.
pub(super) fn open(
    key: &[u8; 32],
    bound_to: &str,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE_LEN).ok_or(Unspecified)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce)?;
    let mut plain = Zeroizing::new(ciphertext.to_vec());
    let length = cipher(key)?
        .open_in_place(nonce, Aad::from(bound_to.as_bytes()), &mut plain)?
        .len();
    plain.truncate(length);
    Ok(plain)
}

fn cipher(key: &[u8; 32]) -> Result<LessSafeKey, Unspecified> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::OsEntropy;

    #[test]
    fn only_the_same_key_and_purpose_open_what_was_sealed() {
        let sealed = seal(&[1; 32], "row 1", b"a secret", &OsEntropy).unwrap();
        assert_eq!(
            open(&[1; 32], "row 1", &sealed).unwrap().as_slice(),
            b"a secret"
        );
        assert!(open(&[1; 32], "row 2", &sealed).is_err());
        assert!(open(&[2; 32], "row 1", &sealed).is_err());
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(
                open(&[1; 32], "row 1", &changed).is_err(),
                "byte {position}"
            );
        }
        assert!(open(&[1; 32], "row 1", &sealed[..5]).is_err());
    }

    #[test]
    fn what_is_sealed_does_not_show() {
        let sealed = seal(&[1; 32], "row 1", b"a secret", &OsEntropy).unwrap();
        assert!(!sealed.windows(8).any(|window| window == b"a secret"));
    }
}
