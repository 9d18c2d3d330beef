//! An authenticator app that is not ours: another TOTP library, told what the QR code or the typed secret says.

use chrono::{DateTime, Utc};
use data_encoding::BASE32_NOPAD;
use totp_lite::{Sha1, totp_custom};

use super::TestApp;

#[derive(Clone)]
pub(crate) struct Authenticator(Vec<u8>);

impl Authenticator {
    /// Told the secret as people type it.
    #[track_caller]
    pub(crate) fn of(secret: &str) -> Self {
        Self(BASE32_NOPAD.decode(secret.as_bytes()).unwrap())
    }

    pub(crate) fn code(&self, app: &TestApp) -> String {
        self.code_at(app.clock.time())
    }

    pub(crate) fn code_at(&self, time: DateTime<Utc>) -> String {
        let seconds = u64::try_from(time.timestamp()).unwrap();
        totp_custom::<Sha1>(30, 6, &self.0, seconds)
    }

    /// Six digits that are wrong now, and about now.
    pub(crate) fn wrong_code(&self, app: &TestApp) -> String {
        let near: Vec<String> = (-2..=2)
            .map(|step| self.code_at(app.clock.time() + chrono::TimeDelta::seconds(30 * step)))
            .collect();
        (0..1000)
            .map(|number| format!("{number:06}"))
            .find(|code| !near.contains(code))
            .unwrap()
    }
}
