//! Reloading, in one tab and in many at once. The page takes no care: no lock, no word between the tabs.

use serde_json::json;

use crate::keyward::EMAIL;
use crate::world::World;

const TABS: usize = 5;
/// Opens tabs with the page, from a page of the same origin, which can then reload them all at the same moment.
const OPEN_TABS: &str =
    "window.tabs = Array.from({ length: arguments[0] }, () => window.open('/'))";
/// Where the argument says so, each tab refreshes first, and is cut off so many milliseconds later: what the answer
/// would have given is lost, or the request is. Gives how many answers have arrived nevertheless.
const RELOAD_TABS: &str = r#"
    const [keyward, cutOffAfter] = arguments;
    const body = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' };
    let answered = 0;
    if (cutOffAfter !== null) {
        for (const tab of tabs) {
            tab.fetch(`${keyward}/v1/auth/refresh`, { credentials: 'include', ...body }).then(() => answered++, () => {});
        }
        await new Promise((done) => setTimeout(done, cutOffAfter));
        for (const tab of tabs) tab.stop();
    }
    for (const tab of tabs) { tab.isOld = true; tab.location.reload(); }
    return answered"#;
/// What the tabs show, once each shows something.
const SHOWN: &str = "
    const shown = tabs.map((tab) => {
        const state = tab.isOld ? 'starting' : tab.document.body?.dataset.state;
        return state === 'signed-in' ? tab.document.getElementById('who').textContent : state;
    });
    return shown.every((state) => state && state !== 'starting') && shown";

async fn open_tabs(world: &World) {
    world
        .browser
        .open(&format!("{}/empty.html", world.site.origin()))
        .await;
    world.browser.run(OPEN_TABS, &[json!(TABS)]).await;
    assert_all_signed_in(world).await;
}

/// Tells how many tabs got the answer to what they asked for before.
async fn reload_tabs(world: &World, cut_off_after: Option<u64>) -> usize {
    let arguments = [json!(world.keyward_url()), json!(cut_off_after)];
    let answered = world.browser.run(RELOAD_TABS, &arguments).await;
    assert_all_signed_in(world).await;
    serde_json::from_value(answered).unwrap()
}

async fn assert_all_signed_in(world: &World) {
    assert_eq!(world.browser.until(SHOWN).await, json!(vec![EMAIL; TABS]));
}

// RFT-02
#[actix_web::test]
async fn no_way_of_reloading_logs_anybody_out() {
    let world = World::start().await;
    world.sign_up().await;
    for _ in 0..20 {
        world.browser.reload().await;
        world.sees_signed_in().await;
    }
    open_tabs(&world).await;
    for _ in 0..5 {
        reload_tabs(&world, None).await;
    }
    for cut_off_after in 0..10 {
        reload_tabs(&world, Some(2 * cut_off_after)).await;
    }
    world.assert_one_session_and_no_failure().await;
}

/// Shorter than by default, so that the token is replaced in each round, and longer than any request takes.
const GRACE: &str = "3s";
const GRACE_IS_OVER: &str = "select rotated_at + interval '3 s' < clock_timestamp() from sessions";

// RFT-02: many tabs show the same token when it is replaced, and some of them lose the answer.
#[actix_web::test]
async fn nobody_is_logged_out_when_each_reload_replaces_the_token() {
    let world = World::start_with(|_, command| {
        command.env("KEYWARD_REFRESH_GRACE", GRACE);
    })
    .await;
    world.sign_up().await;
    open_tabs(&world).await;
    let mut lost = 0;
    for cut_off_after in [None, Some(0), Some(5), Some(10), Some(20), None] {
        let generation = "select generation::bigint from sessions";
        let before = world.count(generation).await;
        world.until(GRACE_IS_OVER).await;
        let answered = reload_tabs(&world, cut_off_after).await;
        lost += cut_off_after.map_or(0, |_| TABS - answered);
        assert!(
            world.count(generation).await > before,
            "nothing was replaced"
        );
    }
    assert!(lost > 0, "no answer was lost: the test shows too little");
    world.assert_one_session_and_no_failure().await;
}
