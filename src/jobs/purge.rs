//! Deletes what is over for good.

use std::time::Duration;

use super::report;
use crate::services::Services;

const EVERY: Duration = Duration::from_mins(10);

pub(super) async fn run(services: Services) {
    loop {
        tokio::time::sleep(EVERY).await;
        report("sessions", "purged", services.sessions.purge().await);
        report("login_challenges", "purged", services.login.purge().await);
        report("totp_factors", "purged", services.two_factor.purge().await);
        report("throttles", "purged", services.throttle.purge().await);
        report(
            "security_events",
            "purged",
            services.security_events.purge().await,
        );
    }
}
