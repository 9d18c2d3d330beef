//! How many connections each source has. What all have together is the listener's to count.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

use crate::app::Connections;
use crate::domain::Network;
use crate::metrics::{Connected, CutOff, Metrics};

/// The places of every source. Clones share them.
#[derive(Clone)]
pub(super) struct Places(Arc<Rules>);

struct Rules {
    most: usize,
    spared: Vec<IpNet>,
    taken: Mutex<HashMap<Network, usize>>,
    metrics: Metrics,
}

impl Places {
    pub(super) fn new(connections: &Connections, metrics: Metrics) -> Self {
        Self(Arc::new(Rules {
            most: connections.per_source,
            spared: connections.spared.clone(),
            taken: Mutex::default(),
            metrics,
        }))
    }

    /// A place for a connection from this address, if there is one.
    pub(super) fn take(&self, ip: Option<IpAddr>) -> Option<Place> {
        let ip = ip.map(|ip| ip.to_canonical());
        let limited = ip
            .filter(|ip| !self.0.spared.iter().any(|net| net.contains(ip)))
            .map(Network::of);
        if let Some(source) = limited
            && !self.count_one(source)
        {
            self.0.metrics.cut_off(CutOff::TooMany);
            return None;
        }
        Some(Place {
            places: self.clone(),
            source: limited,
            _connected: self.0.metrics.connected(),
        })
    }

    /// Counts one more of the source; whether it may have it.
    fn count_one(&self, source: Network) -> bool {
        let mut taken = self.taken();
        let count = taken.get(&source).copied().unwrap_or_default();
        if count < self.0.most {
            taken.insert(source, count + 1);
        }
        count < self.0.most
    }

    fn give_back(&self, source: Network) {
        let mut taken = self.taken();
        match taken.get_mut(&source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&source)),
        }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Network, usize>> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection, given back when it is dropped.
pub(super) struct Place {
    places: Places,
    /// Whose it is, if that is limited.
    source: Option<Network>,
    _connected: Connected,
}

impl Place {
    /// Its connection is ended as too slow.
    pub(super) fn was_too_slow(&self) {
        self.places.0.metrics.cut_off(CutOff::TooSlow);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(source) = self.source {
            self.places.give_back(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(most: usize) -> Places {
        let connections = Connections {
            total: 100,
            per_source: most,
            spared: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
        };
        Places::new(&connections, Metrics::new().unwrap())
    }

    fn take(places: &Places, ip: &str) -> Option<Place> {
        places.take(Some(ip.parse().unwrap()))
    }

    #[test]
    fn a_source_has_so_many_places_and_gets_them_back() {
        let places = places(2);
        let first = take(&places, "192.0.2.1");
        let second = take(&places, "::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(take(&places, "192.0.2.1").is_none());
        assert!(take(&places, "192.0.2.2").is_some());
        drop(first);
        let third = take(&places, "192.0.2.1");
        assert!(third.is_some() && take(&places, "192.0.2.1").is_none());
        drop((second, third));
        assert!(places.taken().is_empty());
    }

    #[test]
    fn one_party_of_ipv6_is_one_source() {
        let places = places(1);
        let _one = take(&places, "2001:db8:1:2::1").unwrap();
        assert!(take(&places, "2001:db8:1:2:ffff::9").is_none());
        assert!(take(&places, "2001:db8:1:3::1").is_some());
    }

    #[test]
    fn who_stands_for_many_is_not_limited() {
        let places = places(1);
        for ip in ["10.1.2.3", "::ffff:10.1.2.3", "::1"] {
            let all: Vec<_> = (0..5).map(|_| take(&places, ip)).collect();
            assert!(all.iter().all(Option::is_some), "{ip}");
        }
        assert!(places.take(None).is_some());
        assert!(places.taken().is_empty());
    }
}
