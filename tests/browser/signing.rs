//! Signing up and out in a page, and where the tokens are meanwhile.

use serde_json::json;

use crate::world::World;

const REFRESH: &str = "__Host-keyward_refresh";
const DEVICE: &str = "__Host-keyward_device";

/// Everything that a script which is not the page's own could look into.
const REACHABLE: &str = "
    const databases = await indexedDB.databases();
    const caches_ = await caches.keys();
    const workers = await navigator.serviceWorker.getRegistrations();
    return {
        cookie: document.cookie,
        kept: [localStorage.length, sessionStorage.length, databases.length, caches_.length, workers.length],
        shown: document.documentElement.outerHTML + JSON.stringify(Object.values(window).filter((it) => typeof it === 'string')),
    }";

// RFT-20, CSR-07
#[actix_web::test]
async fn no_script_reaches_a_token_of_cookie_mode() {
    let world = World::start().await;
    world.sign_up().await;
    let found = world.browser.run(REACHABLE, &[]).await;
    assert_eq!(found["cookie"], json!(""));
    assert_eq!(found["kept"], json!([0, 0, 0, 0, 0]));
    let shown = found["shown"].as_str().unwrap();
    assert!(shown.contains("Signed in as"), "{shown}");
    for beginning in ["eyJ", "kwr_", "kwd_"] {
        assert!(!shown.contains(beginning), "{shown}");
    }
    for (name, beginning) in [(REFRESH, "kwr_"), (DEVICE, "kwd_")] {
        let cookie = world.browser.cookie(name).await.unwrap();
        assert!(cookie.value.starts_with(beginning));
        assert_eq!(cookie.http_only.zip(cookie.secure), Some((true, true)));
        assert_eq!(cookie.same_site, Some(thirtyfour::SameSite::Strict));
        assert_eq!(cookie.domain.as_deref(), Some("localhost"));
    }
}

#[actix_web::test]
async fn logging_out_in_one_tab_is_seen_in_every_tab() {
    let world = World::start().await;
    world.sign_up().await;
    let first = world.browser.tab().await;
    let second = world.browser.new_tab().await;
    world.open_page().await;
    world.sees_signed_in().await;
    world.browser.go_to(&first).await;
    world.log_out().await;
    assert!(world.browser.cookie(REFRESH).await.is_none());
    world.browser.reload().await;
    world.sees_signed_out().await;
    // Its access token is older than the logout, and its page has not been told.
    world.browser.go_to(&second).await;
    world.sees_signed_in().await;
    world
        .browser
        .type_into("#enable [name=password]", crate::keyward::PASSWORD)
        .await;
    world.browser.press("#enable button").await;
    world.sees_signed_out().await;
    world.browser.reload().await;
    world.sees_signed_out().await;
    let living = "select count(*) from sessions where ended_at is null";
    assert_eq!(world.count(living).await, 0);
    world.give_password("login").await;
    world.sees_signed_in().await;
}
