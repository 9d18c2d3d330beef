//! `/docs` as somebody reads it who integrates: the contract is shown and tried, and nothing is loaded from elsewhere.

use serde_json::json;

use crate::keyward::EMAIL;
use crate::world::World;

const IS_SHOWN: &str = "return document.querySelectorAll('.opblock').length > 20";
/// An operation, as the page names it in its address.
const ME: &str = "#operations-me-getMe";
const AUTHORIZE: &str = ".modal-ux input";
const STATUS: &str = "
    return document.querySelector('#operations-me-getMe .live-responses-table tr.response .response-col_status')?.innerText";
const BODY: &str = "
    return document.querySelector('#operations-me-getMe .live-responses-table tr.response pre')?.innerText";

impl World {
    async fn open_docs(&self, anchor: &str) {
        // What was loaded before is no concern of this page.
        self.browser.open("about:blank").await;
        self.browser.requested().await;
        self.browser.complaints().await;
        self.browser
            .open(&format!("{}/docs{anchor}", self.keyward_url()))
            .await;
    }

    /// Nothing has left this origin, and nothing has tried to.
    async fn assert_loaded_from_here(&self, at_least: usize) {
        let requested = self.browser.requested().await;
        let own = format!("{}/", self.keyward_url());
        let here = requested.iter().filter(|url| url.starts_with(&own)).count();
        assert!(here >= at_least, "{requested:?}");
        let elsewhere: Vec<_> = requested
            .iter()
            .filter(|url| !url.starts_with(&own) && !url.starts_with("data:"))
            .collect();
        assert!(elsewhere.is_empty(), "{elsewhere:?}");
        assert_eq!(self.browser.complaints().await, [""; 0]);
    }

    /// Gives the token to the page, and sends the request that it is open at.
    async fn try_with(&self, access_token: &str) -> String {
        self.browser.press(".btn.authorize").await;
        self.browser.type_into(AUTHORIZE, access_token).await;
        self.browser.press(".modal-ux .auth.btn[type=submit]").await;
        self.browser.press(".modal-ux .btn-done").await;
        self.browser.press(&format!("{ME} .execute")).await;
        let status = self.browser.until(STATUS).await;
        status.as_str().unwrap().to_owned()
    }
}

// HDR-05
#[actix_web::test]
async fn the_contract_is_read_and_tried_and_nothing_is_loaded_from_elsewhere() {
    let world = World::start().await;
    let access_token = world.access_token().await;
    world.open_docs("#/me/getMe").await;
    world.browser.until(IS_SHOWN).await;
    // The page, two scripts, two style sheets, the contract.
    world.assert_loaded_from_here(6).await;
    let status = world.try_with(&access_token).await;
    assert!(status.starts_with("200"), "{status}");
    let body = world.browser.until(BODY).await;
    assert!(body.as_str().unwrap().contains(EMAIL), "{body}");
    world.assert_loaded_from_here(1).await;
    let answered = world.answered();
    let last = answered.last().unwrap();
    assert_eq!((last.route.as_str(), last.status), ("/v1/me", 200));
    let kept = "return [localStorage.length, sessionStorage.length, document.cookie]";
    assert_eq!(world.browser.run(kept, &[]).await, json!([0, 0, ""]));
}

/// What the address says is no setting: another contract could ask for tokens.
#[actix_web::test]
async fn no_address_makes_the_page_show_another_contract() {
    let world = World::start().await;
    let other = format!("{}/example/", world.site.origin());
    let query = format!("?url={other}&configUrl={other}&urls=[]&validatorUrl={other}");
    world.open_docs(&query).await;
    world.browser.until(IS_SHOWN).await;
    world.assert_loaded_from_here(6).await;
}

#[actix_web::test]
async fn the_type_of_an_error_leads_to_its_section() {
    let world = World::start().await;
    world.open_docs("/errors#email_taken").await;
    let target = "return document.querySelector(':target')?.innerText";
    assert_eq!(world.browser.until(target).await, json!("email_taken"));
    let is_in_sight = "return Math.abs(document.querySelector(':target').getBoundingClientRect().top) < innerHeight";
    assert_eq!(world.browser.run(is_in_sight, &[]).await, json!(true));
    world.assert_loaded_from_here(2).await;
}

/// What shows that a complaint would be heard of: the page's policy stops what a script of its own asks for elsewhere.
#[actix_web::test]
async fn the_policy_of_the_page_stops_what_is_asked_for_elsewhere() {
    let world = World::start().await;
    world.open_docs("").await;
    world.browser.until(IS_SHOWN).await;
    world.assert_loaded_from_here(6).await;
    let ask = "return fetch(arguments[0], { mode: 'no-cors' }).then(() => 'sent', () => 'stopped')";
    let origin = json!(world.site.origin());
    assert_eq!(world.browser.run(ask, &[origin]).await, json!("stopped"));
    let inline = "document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 1' }));
        return window.ran ?? 'stopped'";
    assert_eq!(world.browser.run(inline, &[]).await, json!("stopped"));
    assert!(world.browser.complaints().await.len() >= 2);
}
