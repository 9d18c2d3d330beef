//! What a person knows of their account: what was answered, and of what was not, how much there can be.

use std::collections::BTreeMap;

use crate::client::{Answer, Client};

/// A session as its device holds it.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) session: String,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

impl Device {
    pub(crate) fn of(answer: &Answer) -> Self {
        Self {
            session: answer.text("/session/id"),
            access_token: answer.text("/access_token"),
            refresh_token: answer.text("/refresh_token"),
        }
    }
}

/// What is asked for besides the password.
pub(crate) enum SecondFactor {
    Off,
    /// The backup codes that were not shown yet.
    On(Vec<String>),
    /// The answer with the codes was lost.
    OnWithoutCodes,
}

pub(crate) struct Account {
    pub(crate) client: Client,
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) second_factor: SecondFactor,
    pub(crate) alive: Vec<Device>,
    pub(crate) ended: Vec<Device>,
    /// Sessions at most that nobody holds, because the answer to a login was lost.
    pub(crate) unheld: u32,
    pub(crate) is_deleted: bool,
    events: BTreeMap<&'static str, (u32, u32)>,
}

impl Account {
    pub(crate) fn new(client: Client, email: String, password: String) -> Self {
        Self {
            client,
            id: String::new(),
            email,
            password,
            second_factor: SecondFactor::Off,
            alive: Vec::new(),
            ended: Vec::new(),
            unheld: 0,
            is_deleted: false,
            events: BTreeMap::new(),
        }
    }

    /// So many events there must be, and so many more there may be.
    pub(crate) fn expect(&mut self, event: &'static str, sure: u32, doubts: u32) {
        let (least, most) = self.events.entry(event).or_default();
        *least += sure;
        *most += sure + doubts;
    }

    /// Where the events that there are do not fit.
    pub(crate) fn judge(&self, found: &BTreeMap<String, u32>) -> Vec<String> {
        let misfits = self.events.iter().filter_map(|(event, (least, most))| {
            let count = found.get(*event).copied().unwrap_or(0);
            (count < *least || count > *most)
                .then(|| format!("{}: {count} {event}, and not {least} to {most}", self.email))
        });
        let unasked = found
            .keys()
            .filter(|event| !self.events.contains_key(event.as_str()))
            .map(|event| format!("{}: {event}, which nobody asked for", self.email));
        misfits.chain(unasked).collect()
    }

    /// The other sessions are over.
    pub(crate) fn keep_only(&mut self, device: usize) {
        let kept = self.alive.swap_remove(device);
        let others = std::mem::replace(&mut self.alive, vec![kept]);
        let count = u32::try_from(others.len()).unwrap();
        self.ended.extend(others);
        self.expect("session_revoked", count, self.unheld);
    }

    pub(crate) fn end(&mut self, device: usize) {
        let device = self.alive.swap_remove(device);
        self.ended.push(device);
    }
}
