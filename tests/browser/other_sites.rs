//! Pages on another site, looked at by somebody who is signed in: what they make the browser send, and what comes of it.

use std::time::Instant;

use serde_json::json;

use crate::chromium::{PATIENCE, PAUSE, Tab};
use crate::keyward::{EMAIL, PASSWORD};
use crate::site::Witnessed;
use crate::world::{Answered, World};

/// How many requests `attack` makes the browser send, and `NAVIGATE` one. Where the browser asks first (preflight) and is
/// refused, the question is all that is sent.
const ATTACK: usize = 18;
/// Leaves the page for the answer.
const NAVIGATE: &str =
    "submit(`${arguments[0]}/v1/auth/logout`, 'application/x-www-form-urlencoded', '_top')";
const REFRESH_COOKIE: &str = "__Host-keyward_refresh=kwr_";

async fn until_equal(expected: usize, what: &str, count: impl Fn() -> usize) {
    let end = Instant::now() + PATIENCE;
    while count() < expected && Instant::now() < end {
        tokio::time::sleep(PAUSE).await;
    }
    assert_eq!(count(), expected, "{what}");
}

async fn send_everything(world: &World, origin: &str, target: &str) {
    let page = format!("{origin}/attack.html");
    world.browser.open(&page).await;
    let login = json!({ "email": EMAIL, "password": PASSWORD });
    let arguments = [json!(target), login];
    world.browser.run("attack(...arguments)", &arguments).await;
}

/// Attacks Keyward, and tells what the page could read, and what Keyward has answered.
async fn attack(world: &World, origin: &str) -> (Vec<String>, Vec<Answered>) {
    let before = world.answered().len();
    let since = || world.answered().split_off(before);
    send_everything(world, origin, &world.keyward_url()).await;
    until_equal(ATTACK, "requests to Keyward", || since().len()).await;
    let loot = world.browser.run("return loot()", &[]).await;
    let loot = serde_json::from_value(loot).unwrap();
    let target = json!(world.keyward_url());
    world.browser.open(&format!("{origin}/attack.html")).await;
    world.browser.run(NAVIGATE, &[target]).await;
    until_equal(ATTACK + 1, "requests to Keyward", || since().len()).await;
    (loot, since())
}

/// The same to the test's own server, of the same name as Keyward: cookies know no ports. What has arrived there?
async fn attack_witness(world: &World, origin: &str) -> Vec<Witnessed> {
    let target = world.site.origin();
    send_everything(world, origin, &target).await;
    until_equal(ATTACK, "requests", || world.site.witnessed()).await;
    world.browser.open(&format!("{origin}/attack.html")).await;
    world.browser.run(NAVIGATE, &[json!(target)]).await;
    until_equal(ATTACK + 1, "requests", || world.site.witnessed()).await;
    world.site.take_witnessed()
}

/// Somebody signed in, in the first tab. The browser is left at another.
async fn signed_in_elsewhere(world: &World) -> Tab {
    world.sign_up().await;
    let tab = world.browser.tab().await;
    world.browser.new_tab().await;
    tab
}

async fn assert_still_signed_in(world: &World, tab: &Tab) {
    world.browser.go_to(tab).await;
    world.browser.reload().await;
    world.sees_signed_in().await;
    world.assert_one_session_and_no_failure().await;
}

#[track_caller]
fn assert_nothing_was_done(answered: &[Answered]) {
    for answer in answered {
        // Logging out is answered so where there was nothing to end.
        let nothing = answer.route == "/v1/auth/logout" && answer.status == 204;
        assert!(nothing || (400..500).contains(&answer.status), "{answer:?}");
    }
}

#[track_caller]
fn assert_no_cookie(witnessed: &[Witnessed]) {
    for request in witnessed {
        assert!(!request.cookies.contains("keyward"), "{}", request.path);
    }
}

// CSR-11, CSR-04, COR-01
#[actix_web::test]
async fn a_page_on_another_site_does_nothing_and_reads_nothing() {
    let world = World::start().await;
    let tab = signed_in_elsewhere(&world).await;
    let (rows, other_site) = (world.rows().await, world.site.other_site());
    let (loot, answered) = attack(&world, &other_site).await;
    assert_eq!(loot, [""; 0]);
    assert_nothing_was_done(&answered);
    assert_no_cookie(&attack_witness(&world, &other_site).await);
    assert_eq!(world.rows().await, rows);
    assert_still_signed_in(&world, &tab).await;
}

// CSR-11, CSR-05: the operator has listed it, and the browser says that it is another site.
#[actix_web::test]
async fn a_listed_page_on_another_site_reads_answers_and_uses_no_cookie() {
    let world = World::start_with(|site, command| {
        let listed = format!("{},{}", site.origin(), site.other_site());
        command.env("KEYWARD_ALLOWED_ORIGINS", listed);
    })
    .await;
    let tab = signed_in_elsewhere(&world).await;
    let (rows, other_site) = (world.rows().await, world.site.other_site());
    let (loot, answered) = attack(&world, &other_site).await;
    let refused = loot.iter().filter(|read| read.starts_with("403 "));
    assert_eq!(
        refused
            .filter(|read| read.contains("origin_not_allowed"))
            .count(),
        2,
        "the login and the signup that ask for a cookie: {loot:?}"
    );
    assert!(
        !loot
            .iter()
            .any(|read| read.starts_with("20") && !read.starts_with("204"))
    );
    assert_nothing_was_done(&answered);
    assert_no_cookie(&attack_witness(&world, &other_site).await);
    assert_eq!(world.rows().await, rows);
    assert_still_signed_in(&world, &tab).await;
}

/// What shows that the attack is one: the page on a listed origin of the same site does all of it.
#[actix_web::test]
async fn the_same_page_on_a_listed_origin_of_the_site_uses_the_cookie() {
    let world = World::start().await;
    signed_in_elsewhere(&world).await;
    let (rows, origin) = (world.rows().await, world.site.origin());
    for request in attack_witness(&world, &origin).await {
        assert!(request.cookies.contains(REFRESH_COOKIE), "{}", request.path);
    }
    assert_eq!(world.rows().await, rows);
    let (loot, _) = attack(&world, &origin).await;
    let read_tokens = |read: &&String| read.starts_with("20") && read.contains("access_token");
    assert!(
        loot.iter().filter(read_tokens).count() >= 2,
        "the login and the signup"
    );
    assert_ne!(world.rows().await, rows);
}
