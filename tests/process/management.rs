//! The management listener: health and metrics, apart from the clients, and nothing else.

use crate::keyward::{Keyward, home, refused};

/// A port that was free a moment ago.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn only_health_and_metrics_are_answered_there() {
    let (home, address) = (home(), free_address());
    let keyward = Keyward::start_with(home.path(), |command| {
        command.env("KEYWARD_MANAGEMENT_LISTEN", &address);
    });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (path, status) in [
        ("/health/live", 200),
        ("/health/ready", 200),
        ("/metrics", 200),
        ("/v1/me", 404),
        ("/.well-known/jwks.json", 404),
    ] {
        let answer = http
            .get(format!("http://{address}{path}"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}");
    }
    assert!(keyward.stop().success());
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let home = home();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refused(home.path(), |command| {
        command.env("KEYWARD_MANAGEMENT_LISTEN", &address);
    });
    assert!(
        said.contains(&format!(
            "KEYWARD_MANAGEMENT_LISTEN: cannot listen on {address}"
        )),
        "{said}"
    );
}
