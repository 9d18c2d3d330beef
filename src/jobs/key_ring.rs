//! Follows the key ring, so that a key another replica added is known here before it is used; and keeps it young.

use std::sync::Arc;
use std::time::Duration;

use super::report;
use crate::services::Keys;

/// Between two looks at what is due.
const UPKEEP: Duration = Duration::from_mins(1);

pub(super) async fn follow(keys: Arc<Keys>) {
    loop {
        tokio::time::sleep(Keys::FOLLOW_EVERY).await;
        match keys.reload().await {
            Err(error) if error.is_passing() => {
                tracing::warn!(%error, "the key ring could not be read; the one at hand is kept");
            }
            Err(error) => {
                tracing::error!(%error, "the key ring could not be read; the one at hand is kept");
            }
            Ok(()) => {}
        }
    }
}

pub(super) async fn keep_up(keys: Arc<Keys>) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        let rotated = keys.rotate_when_due().await.map(u64::from);
        report("signing key", "made", rotated);
        report("TOTP secrets", "sealed anew", keys.reseal().await);
        report("keys", "deleted", keys.retire().await);
    }
}
