//! Limits on plain flow, by address or person: kept in memory, a replica for itself, so that a flood writes nothing. Guesses are
//! counted in the database: `throttle`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::Result;
use crate::domain::{ClientInfo, Flow, Network, Refusal, UserId};

/// Sources that are remembered.
const MOST: usize = 100_000;

/// Whose requests of which kind.
type Source = (Flow, Whose);

#[derive(PartialEq, Eq, Hash)]
enum Whose {
    Network(Network),
    Person(UserId),
}

/// When each budget is whole again. One that is whole needs no entry.
#[derive(Default)]
pub(super) struct Flows(Mutex<HashMap<Source, DateTime<Utc>>>);

impl Flows {
    /// Counts a request of this kind from an address, or refuses it. Loopback is not limited: behind a proxy that was not
    /// named, everybody is there.
    pub(super) fn pass(&self, flow: Flow, client: &ClientInfo, now: DateTime<Utc>) -> Result<()> {
        match client.ip.filter(|ip| !ip.is_loopback()) {
            Some(ip) => self.take((flow, Whose::Network(Network::of(ip))), now),
            None => Ok(()),
        }
    }

    /// The same from a person, wherever they are.
    pub(super) fn pass_person(&self, flow: Flow, who: UserId, now: DateTime<Utc>) -> Result<()> {
        self.take((flow, Whose::Person(who)), now)
    }

    fn take(&self, source: Source, now: DateTime<Utc>) -> Result<()> {
        let flow = source.0;
        let mut whole_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut whole_at, now);
        match flow.take(whole_at.get(&source).copied(), now) {
            Ok(next) => {
                whole_at.insert(source, next);
                Ok(())
            }
            Err(wait) => {
                let seconds = u32::try_from((wait.num_milliseconds() + 999) / 1000);
                Err(Refusal::too_many_attempts(seconds.unwrap_or(1).max(1)).into())
            }
        }
    }
}

/// Forgets budgets that are whole; and all of them where that frees little: whoever has so many addresses is not to be
/// held by them, and everybody else starts anew.
fn make_room<K>(whole_at: &mut HashMap<K, DateTime<Utc>>, now: DateTime<Utc>) {
    if whole_at.len() < MOST {
        return;
    }
    whole_at.retain(|_, at| *at > now);
    if whole_at.len() > MOST / 2 {
        whole_at.clear();
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn what_is_remembered_has_an_end() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let of = |count: usize, whole_at: DateTime<Utc>| (0..count).map(move |n| (n, whole_at));
        let later = now + TimeDelta::seconds(1);
        let after = |mut budgets: HashMap<usize, DateTime<Utc>>| {
            make_room(&mut budgets, now);
            budgets.len()
        };
        assert_eq!(after(of(MOST - 1, now).collect()), MOST - 1);
        let some_whole = of(MOST, now).chain(of(MOST / 2, later)).collect();
        assert_eq!(after(some_whole), MOST / 2);
        assert_eq!(after(of(MOST, later).collect()), 0);
    }
}
