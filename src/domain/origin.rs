//! Web origins (RFC 6454): which pages may read answers, and which may use the cookies.

use url::{Host, Url};

/// An origin, in the one spelling that browsers give it: `https://app.example.com`, `capacitor://localhost`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Reads an origin and nothing more: no path, not even `/`, no wildcard, not `null`. Case, a default port and an
    /// international domain are brought into the spelling that browsers use.
    pub fn parse(text: &str) -> Option<Self> {
        let (_, authority) = text.split_once("://")?;
        let foreign = |c: char| c.is_control() || c.is_whitespace() || r"/\?#@*%".contains(c);
        if authority.contains(foreign) {
            return None;
        }
        Self::of_url(&Url::parse(text).ok()?)
    }

    /// The origin that pages at this URL have.
    pub fn of_url(url: &Url) -> Option<Self> {
        let (scheme, host) = (url.scheme(), url.host_str()?);
        let is_own_scheme = !matches!(scheme, "http" | "https");
        let is_name = |host: &str| {
            host.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
        };
        // Pages of these have the origin `null`, or there are none.
        let has_none = matches!(scheme, "file" | "ftp" | "ws" | "wss" | "data" | "blob");
        if has_none || host.is_empty() || host.ends_with('.') || (is_own_scheme && !is_name(host)) {
            return None;
        }
        let port = url.port().map(|port| format!(":{port}"));
        Some(Self(format!(
            "{scheme}://{host}{}",
            port.unwrap_or_default()
        )))
    }

    /// As an `Origin` header says it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether somebody on the way could put words into its pages: plain HTTP from another machine.
    pub fn is_exposed(&self) -> bool {
        let url = Url::parse(&self.0)
            .ok()
            .filter(|url| url.scheme() == "http");
        url.is_some_and(|url| !is_localhost(&url))
    }
}

/// Whether a URL leads to this machine.
pub fn is_localhost(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The origins that are trusted.
#[derive(Debug, Clone)]
pub struct Origins {
    /// The service's own.
    pub own: Origin,
    /// Those that the operator has listed.
    pub allowed: Vec<Origin>,
}

impl Origins {
    /// Whether pages of another origin may read answers.
    pub fn may_read(&self, origin: &str) -> bool {
        self.allowed
            .iter()
            .any(|allowed| allowed.as_str() == origin)
    }

    /// Whether a request may use the cookies that came with it. What has no origin may not; and the word of a browser
    /// that it comes from another site (Fetch metadata) goes before the list.
    pub fn may_use_cookies(&self, origin: Option<&str>, is_cross_site: bool) -> bool {
        let is_trusted = |origin| self.own.as_str() == origin || self.may_read(origin);
        !is_cross_site && origin.is_some_and(is_trusted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<String> {
        Origin::parse(text).map(|origin| origin.as_str().to_owned())
    }

    #[test]
    fn an_origin_gets_the_spelling_of_browsers() {
        for (given, normal) in [
            ("https://app.example.com", "https://app.example.com"),
            ("HTTPS://App.Example.COM:443", "https://app.example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://localhost:80", "http://localhost"),
            ("https://[2001:DB8::0:1]:8443", "https://[2001:db8::1]:8443"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("Ionic://localhost", "ionic://localhost"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ] {
            assert_eq!(parsed(given).as_deref(), Some(normal), "{given}");
        }
    }

    // COR-03, COR-04
    #[test]
    fn what_is_more_or_less_than_an_origin_is_none() {
        for text in [
            "",
            "*",
            "null",
            "app.example.com",
            "https:",
            "https://",
            "https://*",
            "https://*.example.com",
            "https://app.example.com/",
            "https://app.example.com/a",
            "https://app.example.com?a",
            "https://app.example.com#a",
            "https://user@app.example.com",
            "https://app.example.com.",
            "https://app.example.com\\a",
            "https://%61pp.example.com",
            "https://app .example.com",
            "https://app\t.example.com",
            "https://app.example.com:99999",
            "file://localhost",
            "file:///",
            "data://a",
            "wss://app.example.com",
            "capacitor://LOCALHOST",
            "capacitor://",
            "https:app.example.com",
            "https:///app.example.com",
            "//app.example.com",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn plain_http_is_safe_only_at_home() {
        let exposed = |text| Origin::parse(text).map(|origin| origin.is_exposed());
        assert_eq!(exposed("http://app.example.com"), Some(true));
        for text in [
            "https://app.example.com",
            "http://localhost:3000",
            "http://[::1]",
            "capacitor://localhost",
        ] {
            assert_eq!(exposed(text), Some(false), "{text}");
        }
    }

    #[test]
    fn cookies_are_for_trusted_pages_of_the_same_site() {
        let origin = |text| Origin::parse(text).ok_or(());
        let origins = |own, allowed| {
            Ok::<_, ()>(Origins {
                own: origin(own)?,
                allowed: vec![origin(allowed)?],
            })
        };
        let origins = origins("https://auth.example.com", "https://app.example.com").ok();
        let may = |origin, cross| {
            origins
                .as_ref()
                .is_some_and(|all| all.may_use_cookies(origin, cross))
        };
        assert!(
            may(Some("https://auth.example.com"), false)
                && may(Some("https://app.example.com"), false)
        );
        assert!(!may(Some("https://app.example.com"), true) && !may(None, false));
        assert!(!may(Some("https://blog.example.com"), false) && !may(Some("null"), false));
        let reads = |origin| origins.as_ref().is_some_and(|all| all.may_read(origin));
        assert!(reads("https://app.example.com") && !reads("https://auth.example.com"));
    }
}
