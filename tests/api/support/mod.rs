//! What tests stand on: the service, its database, people who use it, and the contract every answer is held to.

pub(crate) mod answer;
pub(crate) mod app;
pub(crate) mod authenticator;
pub(crate) mod browser;
pub(crate) mod clock;
pub(crate) mod contract;
pub(crate) mod database;
pub(crate) mod every_operation;
mod log;
pub(crate) mod metrics;
pub(crate) mod network;
pub(crate) mod people;
pub(crate) mod wire;

pub(crate) use answer::Answer;
pub(crate) use app::{TestApp, allow_pages};
pub(crate) use authenticator::Authenticator;
pub(crate) use browser::{Browser, DEVICE, PAGE, REFRESH};
pub(crate) use every_operation::Everybody;
pub(crate) use network::Network;
pub(crate) use people::{PASSWORD, Person};
pub(crate) use wire::Wire;
