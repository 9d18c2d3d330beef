//! Follows the key ring: a key that another replica added is known here long before it signs.

use std::sync::Arc;
use std::time::Duration;

use crate::services::Keys;

const EVERY: Duration = Duration::from_secs(30);

pub(super) async fn run(keys: Arc<Keys>) {
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = keys.reload().await {
            tracing::error!(%error, "the key ring could not be read; the one at hand is kept");
        }
    }
}
