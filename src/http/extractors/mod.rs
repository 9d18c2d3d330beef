//! What a handler asks for in its signature, and gets checked.

mod body;
mod browser;
mod caller;
mod client;
mod signed;

pub(super) use body::{Body, MaybeBody};
pub(super) use browser::{Browser, Held, origin};
pub(super) use caller::bearer;
pub(super) use client::Client;
pub(super) use signed::Signed;
