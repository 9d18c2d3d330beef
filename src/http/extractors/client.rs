//! Where a request comes from. Headers are believed only from proxies that the operator named.

use std::future::{Ready, ready};
use std::net::{IpAddr, SocketAddr};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, USER_AGENT, X_FORWARDED_FOR};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use ipnet::IpNet;

use crate::domain::{ClientInfo, Code};
use crate::http::Surroundings;
use crate::http::middleware::request_id;
use crate::http::problem::Problem;

/// The caller's address and program.
pub(crate) struct Client(pub(crate) ClientInfo);

impl FromRequest for Client {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(surroundings) = request.app_data::<Data<Surroundings>>() else {
            return ready(Err(Code::InternalError.into()));
        };
        let peer = request.peer_addr().map(|peer| peer.ip());
        let ip = peer.map(|peer| origin(peer, request.headers(), &surroundings.trusted_proxies));
        let user_agent = request.headers().get(USER_AGENT);
        let user_agent = user_agent.map(|value| String::from_utf8_lossy(value.as_bytes()));
        ready(Ok(Self(ClientInfo::new(
            ip,
            user_agent.as_deref(),
            &request_id(),
        ))))
    }
}

/// The nearest address that is not a trusted proxy: `X-Forwarded-For` read from the right, for as long as the one
/// who wrote the entry is trusted.
fn origin(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|net| net.contains(&ip));
    let lines: Vec<_> = headers
        .get_all(X_FORWARDED_FOR)
        .map(|line| String::from_utf8_lossy(line.as_bytes()))
        .collect();
    let mut entries = lines.iter().rev().flat_map(|line| line.rsplit(','));
    let mut origin = peer.to_canonical();
    while is_trusted(origin) {
        match entries.next().and_then(address) {
            Some(next) => origin = next,
            None => break,
        }
    }
    origin
}

/// An address with or without a port.
fn address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let ip = entry
        .parse::<IpAddr>()
        .or_else(|_| entry.parse::<SocketAddr>().map(|with_port| with_port.ip()));
    ip.ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn origin_of(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            // A byte that is no text stands for `?`.
            let line = line
                .bytes()
                .map(|byte| if byte == b'?' { 0xff } else { byte });
            let line = HeaderValue::from_bytes(&line.collect::<Vec<_>>()).unwrap();
            headers.append(X_FORWARDED_FOR, line);
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        origin(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn nobody_is_believed_who_was_not_named() {
        assert_eq!(origin_of("203.0.113.9", &["192.0.2.1"], &[]), "203.0.113.9");
        assert_eq!(
            origin_of("203.0.113.9", &["192.0.2.1"], &["10.0.0.0/8"]),
            "203.0.113.9"
        );
    }

    #[test]
    fn entries_are_read_from_the_right_while_their_writer_is_trusted() {
        let trusted = ["10.0.0.0/8"];
        assert_eq!(origin_of("10.0.0.1", &["192.0.2.1"], &trusted), "192.0.2.1");
        assert_eq!(
            origin_of("10.0.0.1", &["6.6.6.6, 192.0.2.1, 10.0.0.2"], &trusted),
            "192.0.2.1"
        );
        assert_eq!(
            origin_of("10.0.0.1", &["6.6.6.6", "192.0.2.1,10.0.0.2"], &trusted),
            "192.0.2.1"
        );
        assert_eq!(
            origin_of("::ffff:10.0.0.1", &["192.0.2.1:4711"], &trusted),
            "192.0.2.1"
        );
        assert_eq!(
            origin_of("10.0.0.1", &["[2001:db8::1]:443"], &trusted),
            "2001:db8::1"
        );
    }

    #[test]
    fn a_line_that_is_no_text_hides_nothing_before_it() {
        let forwarded = ["6.6.6.6", "?, 198.51.100.9"];
        assert_eq!(
            origin_of("10.0.0.1", &forwarded, &["10.0.0.0/8"]),
            "198.51.100.9"
        );
        assert_eq!(
            origin_of("10.0.0.1", &["6.6.6.6", "?"], &["10.0.0.0/8"]),
            "10.0.0.1"
        );
    }

    #[test]
    fn junk_ends_the_search_at_the_last_address_known() {
        for junk in [
            "a",
            "",
            "unknown",
            "1.2.3.4.5",
            "192.0.2.1, x",
            "?",
            "192.0.2.1, ?",
        ] {
            assert_eq!(
                origin_of("10.0.0.1", &[junk], &["10.0.0.0/8"]),
                "10.0.0.1",
                "{junk}"
            );
        }
    }
}
