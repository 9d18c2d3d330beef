//! Deletes what is over for good.

use std::time::Duration;

use crate::services::{Result, Services};

const EVERY: Duration = Duration::from_mins(10);

pub(super) async fn run(services: Services) {
    loop {
        tokio::time::sleep(EVERY).await;
        report("sessions", services.sessions.purge().await);
        report("login_challenges", services.login.purge().await);
        report("totp_factors", services.two_factor.purge().await);
        report("throttles", services.throttle.purge().await);
        report("security_events", services.security_events.purge().await);
    }
}

fn report(what: &str, outcome: Result<u64>) {
    match outcome {
        Ok(0) => {}
        Ok(purged) => tracing::info!(what, purged, "what is over is deleted"),
        Err(error) => {
            tracing::warn!(what, %error, "what is over is not deleted; the next run tries again");
        }
    }
}
