//! A master key and how its text is read. It must not print a key or any part of the text, and must
//! not seal anything.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::parse;

const LENGTH: usize = 32;
/// 32 random bytes have fewer distinct ones in less than one case of 10^15; words and patterns
/// nearly always.
const LEAST_DISTINCT: usize = 16;

/// 32 bytes that seal the key ring. Overwritten when dropped.
#[derive(Clone)]
pub struct MasterKey {
    /// The name that sealed values carry: 1 to 32 letters, digits, `_` or `-`. A key given without
    /// one is named after its fingerprint, so it has the same name everywhere.
    pub id: String,
    secret: Zeroizing<[u8; LENGTH]>,
}

impl MasterKey {
    /// Reads keys between commas, each `id:base64` or `base64` alone. There is at least one, and no
    /// id twice. The error is a predicate ("must …", "entry 2 must …") and quotes nothing.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        let keys = parse::list(text, Self::parse)?;
        if keys.is_empty() {
            return Err("must hold a key".to_owned());
        }
        let twice = (1..)
            .zip(&keys)
            .find(|(at, key)| keys.iter().take(at - 1).any(|k| k.id == key.id));
        twice.map_or(Ok(()), |(at, _)| {
            Err(format!("entry {at} must not have the id of another"))
        })?;
        Ok(keys)
    }

    /// The key itself.
    pub fn expose(&self) -> &[u8; LENGTH] {
        &self.secret
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (id, encoded) = match text.split_once(':') {
            Some((id, encoded)) => (Some(id.trim()), encoded.trim()),
            None => (None, text),
        };
        if id.is_some_and(|id| !is_id(id)) {
            return Err("must have an id of 1 to 32 letters, digits, _ or -".to_owned());
        }
        let secret = decode(encoded)?;
        let id = id.map_or_else(|| fingerprint(&secret), str::to_owned);
        Ok(Self { id, secret })
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("MasterKey")
            .field("id", &self.id)
            .field("secret", &format_args!("[secret]"))
            .finish()
    }
}

fn is_id(id: &str) -> bool {
    (1..=32).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Standard or URL-safe base64, padded or not.
fn decode(text: &str) -> Result<Zeroizing<[u8; LENGTH]>, String> {
    let url_safe = text.contains(['-', '_']);
    let bytes = Zeroizing::new(
        engine(if url_safe { &URL_SAFE } else { &STANDARD })
            .decode(text)
            .map_err(|_| "must be base64 (`openssl rand -base64 32` makes a key)")?,
    );
    let key = <[u8; LENGTH]>::try_from(bytes.as_slice())
        .map(Zeroizing::new)
        .map_err(|_| format!("must be {LENGTH} bytes of base64, and not {}", bytes.len()))?;
    if is_weak(&key) {
        return Err("must be random: it repeats a few bytes over and over \
                    (`openssl rand -base64 32` makes a key)"
            .to_owned());
    }
    Ok(key)
}

fn engine(alphabet: &Alphabet) -> GeneralPurpose {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}

fn is_weak(key: &[u8; LENGTH]) -> bool {
    let distinct = (0..LENGTH)
        .filter(|at| !key[..*at].contains(&key[*at]))
        .count();
    distinct < LEAST_DISTINCT
}

fn fingerprint(key: &[u8; LENGTH]) -> String {
    let hash = digest(&SHA256, key);
    let start = hash.as_ref().iter().take(4);
    start.fold("k".to_owned(), |id, byte| format!("{id}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes 0 to 31.
    const ASCENDING: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    /// Bytes 224 to 255, whose two alphabets differ.
    const HIGH: &str = "4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=";

    fn read(text: &str) -> Result<Vec<MasterKey>, String> {
        MasterKey::parse_list(text)
    }

    fn ids(text: &str) -> Result<Vec<String>, String> {
        Ok(read(text)?.into_iter().map(|key| key.id).collect())
    }

    #[test]
    fn every_kind_of_base64_gives_the_same_key() {
        let expected: Vec<u8> = (224..=255).collect();
        let url_safe = HIGH.replace('+', "-").replace('/', "_");
        for text in [
            HIGH,
            &url_safe,
            HIGH.trim_end_matches('='),
            url_safe.trim_end_matches('='),
        ] {
            assert_eq!(
                read(&format!(" {text}\r\n")).unwrap()[0]
                    .expose()
                    .as_slice(),
                expected
            );
        }
    }

    #[test]
    fn a_bare_key_is_named_after_its_fingerprint() {
        // printf '…' | base64 -d | sha256sum
        assert_eq!(ids(ASCENDING).unwrap(), ["k630dcd29"]);
    }

    #[test]
    fn several_keys_keep_their_order() {
        let text = format!("new:{HIGH}, old_1-A:{ASCENDING},{ASCENDING}\n");
        assert_eq!(ids(&text).unwrap(), ["new", "old_1-A", "k630dcd29"]);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let repeated = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=";
        let same = format!("{}=", "A".repeat(43));
        for text in [
            "", "  ", "changeme", "AAECAwQF", &same, repeated, "a:", ":", "a:b:c", "é",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        for id in ["", "a b", "é", "a.b", &"a".repeat(33)] {
            assert!(read(&format!("{id}:{ASCENDING}")).is_err(), "{id}");
        }
        for list in [
            format!("{HIGH},"),
            format!("a:{HIGH},a:{ASCENDING}"),
            format!("{HIGH},{HIGH}"),
        ] {
            assert!(
                read(&list).is_err_and(|problem| problem.starts_with("entry 2 ")),
                "{list}"
            );
        }
    }

    #[test]
    fn neither_keys_nor_errors_print_the_text() {
        let key = read(&format!("main:{HIGH}")).unwrap();
        assert_eq!(
            format!("{key:?}"),
            r#"[MasterKey { id: "main", secret: [secret] }]"#
        );
        for text in ["marker", "marker:x", "x:marker", "x:y:marker", "mark er:x"] {
            assert!(!read(text).unwrap_err().contains("mark"), "{text}");
        }
    }
}
