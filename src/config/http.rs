//! The listener and what clients see of it. It must not bind or resolve anything.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::env::Env;
use super::names::Name;
use super::{Profile, parse};
use crate::domain::{Origin, is_localhost};

pub(super) const LISTEN: Name = Name::plain(
    "KEYWARD_LISTEN",
    "127.0.0.1:8080",
    "Address and port to listen on: an IP address, not a name",
);
pub(super) const MANAGEMENT_LISTEN: Name = Name::plain(
    "KEYWARD_MANAGEMENT_LISTEN",
    "",
    "Address and port of /metrics, /health/live and /health/ready, and nothing else; unset: nowhere",
);
pub(super) const PUBLIC_URL: Name = Name::plain(
    "KEYWARD_PUBLIC_URL",
    "http://localhost:8080",
    "Where clients reach Keyward: issuer of tokens, base of links; in production https, or localhost",
);
pub(super) const TRUSTED_PROXIES: Name = Name::plain(
    "KEYWARD_TRUSTED_PROXIES",
    "",
    "Proxies believed about a client's address: networks or addresses, comma separated",
);
pub(super) const MAX_CONNECTIONS: Name = Name::plain(
    "KEYWARD_MAX_CONNECTIONS",
    "2000",
    "Connections of clients at most, 100 to 100000; more wait until one ends",
);
pub(super) const MAX_CONNECTIONS_PER_SOURCE: Name = Name::plain(
    "KEYWARD_MAX_CONNECTIONS_PER_SOURCE",
    "100",
    "The same of one IPv4 address or IPv6 /64, 1 to 100000; not of loopback and trusted proxies",
);
pub(super) const STOP_DELAY: Name = Name::plain(
    "KEYWARD_STOP_DELAY",
    "0s",
    "How long it goes on serving when told to stop, not ready any more, 0s to 10m; unset: 5s in production, else 0s",
);

/// Longer than a proxy keeps an idle connection, and leaves a replica alone that has refused one.
const STOP_DELAY_IN_PRODUCTION: Duration = Duration::from_secs(5);

/// The listener and what clients see of it.
#[derive(Debug, Clone)]
pub struct Http {
    /// Where the server listens. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where operators ask after the service's health, apart from the clients.
    pub management_listen: Option<SocketAddr>,
    /// Where clients reach the service, normalised, without a trailing slash:
    /// `https://auth.example.com`.
    pub public_url: String,
    /// The networks whose word about a client's address is believed. Never all addresses.
    pub trusted_proxies: Vec<IpNet>,
    /// How many connections clients may have together.
    pub max_connections: usize,
    /// How many of them may be of one source.
    pub max_connections_per_source: usize,
    /// Between the command to stop and the closing of the listener.
    pub stop_delay: Duration,
}

impl Http {
    pub(super) fn read(
        env: &mut Env,
        profile: Profile,
        Listeners { listen, management }: Listeners,
    ) -> Option<Self> {
        if listen.is_some() && listen == management && listen.is_some_and(|at| at.port() != 0) {
            env.problem(&MANAGEMENT_LISTEN, "must not be that of KEYWARD_LISTEN");
        }
        let public_url = env.parsed(&PUBLIC_URL, |text| public_url(text, profile));
        let trusted_proxies = env.parsed(&TRUSTED_PROXIES, |text| parse::list(text, network));
        let total = env.parsed(&MAX_CONNECTIONS, parse::number(100..=100_000));
        let per_source = env.parsed(&MAX_CONNECTIONS_PER_SOURCE, parse::number(1..=100_000));
        let delay = if profile.is_production() {
            STOP_DELAY_IN_PRODUCTION
        } else {
            Duration::ZERO
        };
        let stop_delay = env.parsed_or(&STOP_DELAY, delay, parse::duration(0..=600));
        Some(Self {
            listen: listen?,
            management_listen: management,
            public_url: public_url?,
            trusted_proxies: trusted_proxies?,
            max_connections: total?,
            max_connections_per_source: per_source?,
            stop_delay: stop_delay?,
        })
    }
}

/// Read apart from the rest, because the profile depends on them.
#[derive(Clone, Copy)]
pub(super) struct Listeners {
    listen: Option<SocketAddr>,
    management: Option<SocketAddr>,
}

impl Listeners {
    pub(super) fn read(env: &mut Env) -> Self {
        let management = env.has(&MANAGEMENT_LISTEN);
        Self {
            listen: env.parsed(&LISTEN, address),
            management: management
                .then(|| env.parsed(&MANAGEMENT_LISTEN, address))
                .flatten(),
        }
    }

    /// The first that others than this machine can reach.
    pub(super) fn exposed(self) -> Option<&'static Name> {
        let named = [
            (&LISTEN, self.listen),
            (&MANAGEMENT_LISTEN, self.management),
        ];
        let is_exposed = |address: SocketAddr| !address.ip().to_canonical().is_loopback();
        named
            .into_iter()
            .find(|(_, address)| address.is_some_and(is_exposed))
            .map(|(name, _)| name)
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "must be an IP address and a port, such as 127.0.0.1:8080 or [::]:8080".to_owned()
    })
}

fn public_url(text: &str, profile: Profile) -> Result<String, String> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && Origin::of_url(url).is_some())
        .ok_or("must be a URL with http or https, such as https://auth.example.com")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must have no user name and no password in it".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end with the host or a path, without ? and #".to_owned());
    }
    if profile.is_production() && url.scheme() == "http" && !is_localhost(&url) {
        return Err("must be https in production, or a localhost address".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// A network such as `10.0.0.0/8`, or a bare address, which is a network of one.
fn network(text: &str) -> Result<IpNet, String> {
    let bare = || text.parse::<IpAddr>().map(IpNet::from).ok();
    let network = text
        .parse::<IpNet>()
        .ok()
        .or_else(bare)
        .ok_or("must be a network such as 10.0.0.0/8 or an address such as 10.0.0.1")?;
    if network.prefix_len() == 0 {
        return Err("must not be every address: any client could then choose its own".to_owned());
    }
    if matches!(network, IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some()) {
        return Err("must be written as a network of IPv4 where it is one".to_owned());
    }
    Ok(network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_public_url_is_normalised() {
        for (given, normal) in [
            ("http://localhost:8080", "http://localhost:8080"),
            ("HTTPS://Auth.Example.COM:443/", "https://auth.example.com"),
            ("https://example.com/auth//", "https://example.com/auth"),
            ("https://[::1]:8443/a/../b/", "https://[::1]:8443/b"),
        ] {
            assert_eq!(
                public_url(given, Profile::Development).as_deref(),
                Ok(normal)
            );
        }
    }

    #[test]
    fn other_public_urls_are_refused() {
        for text in [
            "auth.example.com",
            "/auth",
            "ftp://example.com",
            "https://",
            "https://user@example.com",
            "https://:word@example.com",
            "https://example.com/?",
            "https://example.com/#a",
            "https://example.com.",
        ] {
            assert!(public_url(text, Profile::Development).is_err(), "{text}");
        }
    }

    #[test]
    fn connections_are_limited_within_bounds() {
        for (name, below, least, most, above) in [
            (MAX_CONNECTIONS, "99", "100", "100000", "100001"),
            (MAX_CONNECTIONS_PER_SOURCE, "0", "1", "100000", "100001"),
        ] {
            let read = |value: &str| Config::read([(name.name.to_owned(), value.to_owned())]);
            assert!(read(least).is_ok() && read(most).is_ok(), "{}", name.name);
            assert!(read(below).is_err() && read(above).is_err());
        }
    }

    #[test]
    fn production_wants_https_except_at_home() {
        let read = |text| public_url(text, Profile::Production).is_ok();
        assert!(read("http://localhost:8080") && read("http://127.0.0.1") && read("http://[::1]"));
        assert!(!read("http://example.com") && !read("http://10.0.0.1"));
        assert!(!read("http://localhost.example.com"));
    }

    #[test]
    fn proxies_are_networks_or_addresses() {
        let read = |text| {
            parse::list(text, network).map(|all| {
                all.iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
        };
        assert_eq!(
            read("10.1.2.3/8, 192.0.2.7,fd00::/8 ,::1").as_deref(),
            Ok("10.0.0.0/8 192.0.2.7/32 fd00::/8 ::1/128")
        );
        for text in [
            "10.0.0.0/33",
            "proxy.local",
            "10.0.0.1,",
            ",",
            "0.0.0.0/0",
            "::/0",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read("::1, nonsense").is_err_and(|problem| problem.starts_with("entry 2 ")));
    }
}
