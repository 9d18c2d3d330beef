//! Who is calling, as far as the network tells.

use std::net::IpAddr;

/// Characters of a user agent that are kept.
const USER_AGENT_MAX: usize = 512;

/// The caller's address and program, for sessions and security events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientInfo {
    /// The peer, or what a trusted proxy says of it. IPv4-mapped IPv6 addresses are IPv4.
    pub ip: Option<IpAddr>,
    /// `User-Agent`, without control characters, cut to 512 characters.
    pub user_agent: Option<String>,
    /// The request this came with.
    pub request_id: String,
}

/// What one party holds of the address space: an IPv4 address, or the /64 of an IPv6 one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// The whole address.
    V4([u8; 4]),
    /// Its first half.
    V6([u8; 8]),
}

impl Network {
    /// The one that an address is of.
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let mut prefix = [0; 8];
                prefix.copy_from_slice(&ip.octets()[..8]);
                Self::V6(prefix)
            }
        }
    }

    /// Its octets.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::V4(octets) => octets,
            Self::V6(octets) => octets,
        }
    }
}

impl ClientInfo {
    /// Where it is in the network.
    pub fn network(&self) -> Option<Network> {
        self.ip.map(Network::of)
    }

    /// Cleans what a stranger sent.
    pub fn new(ip: Option<IpAddr>, user_agent: Option<&str>, request_id: &str) -> Self {
        Self {
            ip: ip.map(|ip| ip.to_canonical()),
            user_agent: user_agent.map(clean).filter(|text| !text.is_empty()),
            request_id: request_id.to_owned(),
        }
    }
}

fn clean(user_agent: &str) -> String {
    user_agent
        .chars()
        .filter(|c| !c.is_control())
        .take(USER_AGENT_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_is_cut_and_loses_control_characters() {
        let client = ClientInfo::new(None, Some(&format!("\u{1b}[31m{}", "é".repeat(600))), "r");
        assert_eq!(client.user_agent.unwrap().chars().count(), 512);
        assert_eq!(ClientInfo::new(None, Some("\r\n"), "r").user_agent, None);
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        let ip = Some("::ffff:192.0.2.1".parse().unwrap());
        assert_eq!(
            ClientInfo::new(ip, None, "r").ip,
            Some("192.0.2.1".parse().unwrap())
        );
    }

    // LGN-20
    #[test]
    fn one_party_is_one_network() {
        let of = |text: &str| Network::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
