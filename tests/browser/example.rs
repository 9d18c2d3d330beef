//! `examples/browser`, in many tabs at once.

use std::time::Duration;

use serde_json::json;

use crate::keyward::{EMAIL, PASSWORD};
use crate::world::World;

const TABS: usize = 5;
/// Of an access token. Longer than what follows a refresh takes.
const LIFE: Duration = Duration::from_secs(6);
const OPEN_TABS: &str =
    "window.tabs = Array.from({ length: arguments[0] }, () => window.open('/example/'))";
/// From now on it is counted how many refreshes there are, in all tabs, and how many at the same time.
const COUNT: &str = "
    window.counted = { refreshes: 0, atOnce: 0, most: 0 };
    for (const tab of tabs) {
        const plain = tab.fetch.bind(tab);
        tab.fetch = async (address, init) => {
            if (!String(address).endsWith('/refresh')) return plain(address, init);
            counted.refreshes++;
            counted.most = Math.max(counted.most, ++counted.atOnce);
            try { return await plain(address, init); } finally { counted.atOnce--; }
        };
    }";
/// Each tab asks three times at the same moment.
const ASK: &str = "
    const asked = tabs.flatMap((tab) => [1, 2, 3].map(() => tab.keyward.fetch(arguments[0])));
    return (await Promise.all(asked)).map((response) => response.status)";

/// Signs up in the page, and opens the others.
async fn signed_in_everywhere() -> World {
    let world = World::start_with(|_, command| {
        command.env("KEYWARD_ACCESS_TOKEN_TTL", format!("{}s", LIFE.as_secs()));
    })
    .await;
    let page = format!("{}/example/", world.site.origin());
    world.browser.open(&page).await;
    shows(&world, "nobody").await;
    world.browser.type_into("[name=email]", EMAIL).await;
    world.browser.type_into("[name=password]", PASSWORD).await;
    world.browser.press("[value=signUp]").await;
    shows(&world, EMAIL).await;
    world.browser.run(OPEN_TABS, &[json!(TABS)]).await;
    all_show(&world, EMAIL).await;
    world
}

async fn shows(world: &World, who: &str) {
    let script = format!("return document.getElementById('who').textContent === '{who}'");
    world.browser.until(&script).await;
}

async fn all_show(world: &World, who: &str) {
    let shows = format!("tab.document.getElementById('who')?.textContent === '{who}'");
    let script = format!("return tabs.every((tab) => {shows})");
    world.browser.until(&script).await;
}

// RFT-02
#[actix_web::test]
async fn tabs_take_turns_to_refresh_and_every_call_goes_through() {
    let world = signed_in_everywhere().await;
    world.browser.run(COUNT, &[]).await;
    let me = json!(format!("{}/v1/me", world.keyward_url()));
    for round in 1..=2 {
        // Nothing else makes a browser's access token expire.
        tokio::time::sleep(LIFE + Duration::from_millis(500)).await;
        let statuses = world.browser.run(ASK, std::slice::from_ref(&me)).await;
        assert_eq!(statuses, json!(vec![200; 3 * TABS]));
        let counted = world.browser.run("return counted", &[]).await;
        let expected = json!({ "refreshes": round * TABS, "atOnce": 0, "most": 1 });
        assert_eq!(counted, expected, "one a tab, one at a time");
    }
    world.assert_one_session_and_no_failure().await;
}

#[actix_web::test]
async fn every_tab_hears_of_a_logout_and_of_a_login() {
    let world = signed_in_everywhere().await;
    world.browser.press("[value=logOut]").await;
    all_show(&world, "nobody").await;
    let living = "select count(*) from sessions where ended_at is null";
    assert_eq!(world.count(living).await, 0);
    world.browser.press("[value=logIn]").await;
    all_show(&world, EMAIL).await;
    assert_eq!(world.count(living).await, 1);
}
