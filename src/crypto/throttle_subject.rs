//! Whose tries are counted, as a keyed hash: the counters name nobody.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use chrono::{DateTime, Utc};

use super::{KeyRing, Purpose, RingError};

/// A hash of what is counted (`kind`) and of whom.
pub fn throttle_subject(
    kind: &str,
    whom: &[u8],
    ring: &KeyRing,
    now: DateTime<Utc>,
) -> Result<[u8; 16], RingError> {
    let key = ring.active(Purpose::ThrottleSubject, now)?;
    let mut context = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, key));
    context.update(kind.as_bytes());
    context.update(&[0]);
    context.update(whom);
    let mut subject = [0; 16];
    subject.copy_from_slice(&context.sign().as_ref()[..16]);
    Ok(subject)
}
