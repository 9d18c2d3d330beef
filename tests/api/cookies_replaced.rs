//! Logging in and out of one browser: whose session ends when, and that it ends once.

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Browser, DEVICE, PAGE, PASSWORD, REFRESH, TestApp};

const ANN: &str = "ann@example.com";
const BOB: &str = "bob@example.com";

async fn alive(app: &TestApp) -> i64 {
    app.count("select count(*) from sessions where ended_at is null")
        .await
}

/// Why each ended session ended, in no order.
async fn reasons(app: &TestApp) -> Value {
    app.json("select coalesce(json_agg(end_reason order by end_reason), '[]')::text from sessions where ended_at is not null")
        .await
}

// SES-08
#[actix_web::test]
async fn logging_in_ends_the_session_that_the_browser_held() {
    let app = TestApp::with_pages().await;
    let browser = Browser::new(&app);
    let bob_at_home = app.sign_up(BOB).await;
    let ann = browser.sign_up(ANN).await.is(201);
    let anns = browser.refresh_cookie();
    let bob = browser.log_in(BOB, PASSWORD).await.is(200);
    browser.me(&ann).await.refused(401, "session_ended");
    assert_eq!(browser.me(&bob).await.is(200)["email"], BOB);
    assert_ne!(browser.refresh_cookie(), anns);
    bob_at_home.me().await.is(200);
    assert_eq!(reasons(&app).await, json!(["replaced"]));
    // The event is Ann's, about her session.
    let event = app
        .json("select to_json(e)::text from (select user_id, session_id, outcome from security_events where event = 'session_replaced') e")
        .await;
    let expected = json!({ "user_id": ann["user"]["id"], "session_id": ann["session"]["id"], "outcome": "success" });
    assert_eq!(event, expected);
    // Signing up, and logging in as oneself, are no different.
    browser.sign_up("carl@example.com").await.is(201);
    browser.me(&bob).await.refused(401, "session_ended");
    let carl = browser.log_in("carl@example.com", PASSWORD).await.is(200);
    browser.log_in("carl@example.com", PASSWORD).await.is(200);
    browser.me(&carl).await.refused(401, "session_ended");
    assert_eq!(alive(&app).await, 2, "Bob at home, and Carl");
}

// SES-08
#[actix_web::test]
async fn a_login_that_fails_leaves_the_session_that_the_browser_held() {
    let app = TestApp::with_pages().await;
    let browser = Browser::new(&app);
    let bob = app.sign_up(BOB).await;
    let ann = browser.sign_up(ANN).await.is(201);
    browser
        .log_in(BOB, "not the password at all")
        .await
        .refused(401, "invalid_credentials");
    browser.sign_up(BOB).await.refused(409, "email_taken");
    app.tamper("update users set disabled_at = created_at where email = 'bob@example.com'")
        .await;
    browser
        .log_in(BOB, PASSWORD)
        .await
        .refused(403, "account_disabled");
    browser.me(&ann).await.is(200);
    browser.refresh().await.is(200);
    assert_eq!(app.events_of("session_replaced").await, 0);
    bob.me().await.refused(401, "session_ended");
}

#[actix_web::test]
async fn a_login_in_body_mode_replaces_nothing() {
    let app = TestApp::with_pages().await;
    let browser = Browser::new(&app);
    let ann = browser.sign_up(ANN).await.is(201);
    let answer = browser
        .post(
            "/v1/auth/login",
            json!({ "email": ANN, "password": PASSWORD }),
        )
        .await;
    assert!(answer.is(200)["refresh_token"].is_string());
    assert_eq!(answer.header("set-cookie"), None);
    browser.me(&ann).await.is(200);
}

// SES-07
#[actix_web::test]
async fn a_planted_cookie_is_never_adopted() {
    let app = TestApp::with_pages().await;
    let (attacker, victim) = (Browser::new(&app), Browser::new(&app));
    app.sign_up(ANN).await;
    let attackers = attacker.sign_up(BOB).await.is(201);
    let planted = attacker.refresh_cookie();
    victim.plant(REFRESH, &planted);
    victim.plant(DEVICE, &attacker.cookie(DEVICE).unwrap());
    let ann = victim.log_in(ANN, PASSWORD).await.is(200);
    assert_ne!(ann["session"]["id"], attackers["session"]["id"]);
    assert_ne!(victim.refresh_cookie(), planted);
    attacker.me(&attackers).await.refused(401, "session_ended");
    attacker
        .refresh()
        .await
        .refused(401, "refresh_token_invalid");
    // What ended long ago, what never was and what is no token are passed over.
    for planted in [planted.as_str(), "kwr_x", ""] {
        let browser = Browser::new(&app);
        browser.plant(REFRESH, planted);
        browser.log_in(ANN, PASSWORD).await.is(200);
    }
    assert_eq!(app.events_of("session_replaced").await, 1);
}

#[actix_web::test]
async fn many_logins_over_one_cookie_end_its_session_once() {
    let app = TestApp::with_pages().await;
    let browser = Browser::new(&app);
    browser.sign_up(ANN).await.is(201);
    app.sign_up(BOB).await;
    let tabs: Vec<_> = (0..8).map(|_| browser.at(PAGE)).collect();
    let logins = tabs.iter().zip([ANN, BOB].into_iter().cycle());
    for answer in join_all(logins.map(|(tab, who)| tab.log_in(who, PASSWORD))).await {
        answer.is(200);
    }
    assert_eq!(app.events_of("session_replaced").await, 1);
    assert_eq!(alive(&app).await, 9, "eight logins, and Bob's sign-up");
}

// Each login holds one user and needs the other: they queue up in one order.
#[actix_web::test]
async fn two_browsers_that_change_hands_at_once_are_no_deadlock() {
    let app = TestApp::with_pages().await;
    for round in 0..12 {
        let (ann, bob) = (
            format!("ann{round}@example.com"),
            format!("bob{round}@example.com"),
        );
        let (one, two) = (Browser::new(&app), Browser::new(&app));
        one.sign_up(&ann).await.is(201);
        two.sign_up(&bob).await.is(201);
        let (tabs, others): (Vec<_>, Vec<_>) = (0..3).map(|_| (one.at(PAGE), two.at(PAGE))).unzip();
        let logins = join_all(tabs.iter().map(|tab| tab.log_in(&bob, PASSWORD)));
        let back = join_all(others.iter().map(|tab| tab.log_in(&ann, PASSWORD)));
        let (logins, back) = join(logins, back).await;
        for answer in logins.into_iter().chain(back) {
            answer.is(200);
        }
    }
    assert_eq!(app.events_of("session_replaced").await, 24);
}

#[actix_web::test]
async fn leaving_while_the_cookie_is_replaced_is_no_deadlock() {
    let app = TestApp::with_pages().await;
    let bob = app.sign_up(BOB).await;
    for round in 0..12 {
        let email = format!("ann{round}@example.com");
        let ann = app.sign_up(&email).await;
        let browser = Browser::new(&app);
        browser.log_in(&email, PASSWORD).await.is(200);
        let (left, logged_in) = join(ann.delete(PASSWORD), browser.log_in(BOB, PASSWORD)).await;
        left.is(204);
        logged_in.is(200);
    }
    bob.me().await.is(200);
}

// RFT-08, SES-06
#[actix_web::test]
async fn logging_out_by_cookie_ends_the_session_and_clears_the_cookie() {
    let app = TestApp::with_pages().await;
    let browser = Browser::new(&app);
    let ann = browser.sign_up(ANN).await.is(201);
    let cookie = browser.refresh_cookie();
    let answer = browser.log_out().await;
    answer.is(204);
    let cleared = "__Host-keyward_refresh=; HttpOnly; Secure; SameSite=Strict; Path=/; Max-Age=0";
    assert_eq!(answer.header("set-cookie"), Some(cleared));
    assert_eq!(
        (browser.cookie(REFRESH), browser.cookie(DEVICE).is_some()),
        (None, true)
    );
    browser.me(&ann).await.refused(401, "session_ended");
    // Again, with what is ended, broken, or nothing at all.
    for cookie in [Some(cookie.as_str()), Some("kwr_x"), Some(""), None] {
        if let Some(cookie) = cookie {
            browser.plant(REFRESH, cookie);
        }
        browser.log_out().await.is(204);
        assert_eq!(browser.cookie(REFRESH), None);
    }
    assert_eq!(app.events_of("logged_out").await, 1);
}

#[actix_web::test]
async fn logging_out_ends_all_that_is_proven_by_token_body_and_cookies() {
    let app = TestApp::with_pages().await;
    let browser = Browser::new(&app);
    let (bob, carl) = (
        app.sign_up(BOB).await,
        app.sign_up("carl@example.com").await,
    );
    browser.sign_up(ANN).await.is(201);
    let request = browser
        .request(Method::POST, "/v1/auth/logout")
        .bearer_auth(&bob.access_token);
    browser
        .send(request.json(&json!({ "refresh_token": carl.refresh_token })))
        .await
        .is(204);
    assert_eq!(alive(&app).await, 0);
    // Somebody planted another: whoever logs out means both.
    let other = Browser::new(&app);
    browser.log_in(ANN, PASSWORD).await.is(200);
    other.log_in(BOB, PASSWORD).await.is(200);
    let (one, two) = (browser.refresh_cookie(), other.refresh_cookie());
    let request = Browser::new(&app).request(Method::POST, "/v1/auth/logout");
    let cookies = format!("{REFRESH}={one}; {REFRESH}={two}");
    app.send(request.header("cookie", cookies)).await.is(204);
    assert_eq!(alive(&app).await, 0);
    assert_eq!(app.events_of("logged_out").await, 5);
}

// RFT-01: what is evidence of theft when refreshing is so here as well.
#[actix_web::test]
async fn a_cookie_that_was_replaced_long_ago_is_not_replaced_quietly() {
    let app = TestApp::with_pages().await;
    let browser = Browser::new(&app);
    app.sign_up(BOB).await;
    browser.sign_up(ANN).await.is(201);
    let stolen = browser.at(PAGE);
    for _ in 0..2 {
        app.advance(chrono::TimeDelta::seconds(31));
        browser.refresh().await.is(200);
    }
    stolen.log_in(BOB, PASSWORD).await.is(200);
    assert_eq!(reasons(&app).await, json!(["refresh_token_reused"]));
    assert_eq!(app.events_of("refresh_token_reused").await, 1);
    assert_eq!(app.events_of("session_replaced").await, 0);
}

#[actix_web::test]
async fn one_cookie_many_times_over_is_one() {
    let app = TestApp::with_pages().await;
    let browser = Browser::new(&app);
    browser.sign_up(ANN).await.is(201);
    let cookies = vec![format!("{REFRESH}={}", browser.refresh_cookie()); 100].join("; ");
    let request = app
        .request(Method::POST, "/v1/auth/logout")
        .header("origin", PAGE)
        .header("cookie", cookies);
    app.send(request).await.is(204);
    assert_eq!(reasons(&app).await, json!(["logged_out"]));
    assert_eq!(app.events_of("logged_out").await, 1);
}
