//! The two cookies (RFC 6265): how they are named, set, cleared and read. Whether one may be used is not decided here.

use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue};

/// A cookie of ours.
#[derive(Clone, Copy)]
pub(super) enum Cookie {
    /// The refresh token.
    Refresh,
    /// The device token.
    Device,
}

/// How cookies are given.
#[derive(Debug, Clone, Copy)]
pub struct CookieRules {
    /// Over https only; then the name promises that no other host and no page of plain http has set it.
    pub secure: bool,
    /// `Strict` or `Lax`.
    pub same_site: &'static str,
}

impl CookieRules {
    fn name(self, cookie: Cookie) -> &'static str {
        match (cookie, self.secure) {
            (Cookie::Refresh, true) => "__Host-keyward_refresh",
            (Cookie::Refresh, false) => "keyward_refresh",
            (Cookie::Device, true) => "__Host-keyward_device",
            (Cookie::Device, false) => "keyward_device",
        }
    }

    /// The `Set-Cookie` that keeps a token for so many seconds.
    pub(super) fn keep(self, cookie: Cookie, token: &str, seconds: i64) -> String {
        let (name, same_site) = (self.name(cookie), self.same_site);
        let secure = if self.secure { " Secure;" } else { "" };
        format!("{name}={token}; HttpOnly;{secure} SameSite={same_site}; Path=/; Max-Age={seconds}")
    }

    /// The `Set-Cookie` that clears it.
    pub(super) fn clear(self, cookie: Cookie) -> String {
        self.keep(cookie, "", 0)
    }

    /// What a request has under the name: more than one where somebody has planted another.
    pub(super) fn read(self, cookie: Cookie, headers: &HeaderMap) -> Vec<String> {
        let name = self.name(cookie).as_bytes();
        let lines = headers.get_all(COOKIE).map(HeaderValue::as_bytes);
        // What other cookies look like is not ours to judge: a line is not refused for them.
        let pairs = lines.flat_map(|line| line.split(|byte| *byte == b';'));
        let values =
            pairs.filter_map(|pair| without_blanks(pair).strip_prefix(name)?.strip_prefix(b"="));
        values
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect()
    }
}

/// The blanks that part cookies (RFC 6265, section 5.4), and no others: to a browser, a name that begins with a space of
/// Unicode is another name, which has not the promise of the prefix `__Host-`.
fn without_blanks(pair: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let begins = pair.iter().position(|byte| !is_blank(byte));
    let ends = pair.iter().rposition(|byte| !is_blank(byte));
    match (begins, ends) {
        (Some(begins), Some(ends)) => &pair[begins..=ends],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECURE: CookieRules = CookieRules {
        secure: true,
        same_site: "Strict",
    };

    #[test]
    fn a_cookie_is_kept_and_cleared_with_the_same_attributes() {
        assert_eq!(
            SECURE.keep(Cookie::Refresh, "kwr_a", 60),
            "__Host-keyward_refresh=kwr_a; HttpOnly; Secure; SameSite=Strict; Path=/; Max-Age=60"
        );
        assert_eq!(
            SECURE.clear(Cookie::Device),
            "__Host-keyward_device=; HttpOnly; Secure; SameSite=Strict; Path=/; Max-Age=0"
        );
        let plain = CookieRules {
            secure: false,
            same_site: "Lax",
        };
        assert_eq!(
            plain.keep(Cookie::Device, "kwd_a", 60),
            "keyward_device=kwd_a; HttpOnly; SameSite=Lax; Path=/; Max-Age=60"
        );
    }

    // CSR-08
    #[test]
    fn every_cookie_of_the_exact_name_is_found_and_no_other() {
        let mut headers = HeaderMap::new();
        let first =
            "a=b; __Host-keyward_refresh=one; keyward_refresh=x; __host-keyward_refresh=y; broken";
        let second = b"\xff=\xff;__Host-keyward_refresh=two=;  __Host-keyward_device=three";
        headers.append(COOKIE, HeaderValue::from_static(first));
        headers.append(COOKIE, HeaderValue::from_bytes(second).unwrap());
        assert_eq!(SECURE.read(Cookie::Refresh, &headers), ["one", "two="]);
        assert_eq!(SECURE.read(Cookie::Device, &headers), ["three"]);
        assert!(SECURE.read(Cookie::Device, &HeaderMap::new()).is_empty());
    }

    // CSR-08: any subdomain can plant such a name.
    #[test]
    fn a_name_that_begins_with_another_space_is_another_name() {
        for space in ["\u{85}", "\u{a0}", "\u{2003}", "\u{3000}"] {
            let line = format!("{space}__Host-keyward_refresh=planted");
            let mut headers = HeaderMap::new();
            headers.append(COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            assert!(
                SECURE.read(Cookie::Refresh, &headers).is_empty(),
                "{space:?}"
            );
        }
    }
}
