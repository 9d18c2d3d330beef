//! `GET /v1/me/security-events`: what happened to one's account, page by page.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Person, TestApp};

const WRONG: &str = "not the password at all";

async fn page(person: &Person<'_>, query: &str) -> Answer {
    let path = format!("/v1/me/security-events{query}");
    person.call(Method::GET, &path, None).await
}

/// The members of this name, of each event on a page.
fn each(page: &Value, member: &str) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    let text = |item: &Value| item[member].as_str().unwrap_or("null").to_owned();
    items.iter().map(text).collect()
}

/// Wrong passwords, one a second.
async fn guesses(app: &TestApp, count: usize) {
    for _ in 0..count {
        app.advance(TimeDelta::seconds(1));
        app.log_in("ann@example.com", WRONG)
            .await
            .refused(401, "invalid_credentials");
    }
}

#[actix_web::test]
async fn events_are_listed_newest_first() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    guesses(&app, 1).await;
    app.advance(TimeDelta::seconds(1));
    ann.change(json!({ "locale": "de" })).await.is(200);
    let listed = page(&ann, "").await.is(200);
    let events = each(&listed, "event");
    assert_eq!(events[..2], ["profile_changed", "login_failed"]);
    let first: BTreeSet<&str> = events[2..].iter().map(String::as_str).collect();
    assert_eq!(first, ["account_created", "logged_in"].into());
    assert_eq!(
        each(&listed, "outcome")[..2],
        ["success", "failure"].map(str::to_owned)
    );
    assert_eq!(
        each(&listed, "session_id")[..2],
        [&ann.session_id, "null"].map(str::to_owned)
    );
    assert_eq!(listed["items"][0]["ip_address"], "127.0.0.1");
    assert_eq!(listed["next_cursor"], Value::Null);
}

// AUD-05
#[actix_web::test]
async fn one_sees_ones_own_events_and_nobody_elses() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let bob = app.sign_up("bob@example.com").await;
    app.log_in("nobody@example.com", PASSWORD)
        .await
        .refused(401, "invalid_credentials");
    guesses(&app, 1).await;
    let of = |listed: &Value| each(listed, "id").into_iter().collect::<BTreeSet<_>>();
    let (anns, bobs) = (page(&ann, "").await.is(200), page(&bob, "").await.is(200));
    assert_eq!((of(&anns).len(), of(&bobs).len()), (3, 2));
    assert!(of(&anns).is_disjoint(&of(&bobs)));
    assert!(!each(&bobs, "event").contains(&"login_failed".to_owned()));
    // Another's place in their list is a place in one's own.
    let place = page(&ann, "?limit=1").await.is(200);
    let query = format!("?cursor={}", place["next_cursor"].as_str().unwrap());
    let of_bob = of(&page(&bob, &query).await.is(200));
    assert!(of_bob.is_subset(&of(&bobs)), "{of_bob:?}");
}

#[actix_web::test]
async fn pages_follow_one_another_while_events_are_added() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    guesses(&app, 7).await;
    let all = each(&page(&ann, "?limit=100").await.is(200), "id");
    let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let listed = page(&ann, &query).await.is(200);
        assert!(each(&listed, "id").len() <= 2);
        seen.extend(each(&listed, "id"));
        guesses(&app, 1).await;
        match listed["next_cursor"].as_str() {
            Some(cursor) => query = format!("?cursor={cursor}&limit=2"),
            None => break,
        }
    }
    assert_eq!(seen, all, "each once, in order, and none that came later");
}

#[actix_web::test]
async fn a_page_that_is_just_full_is_the_last() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    guesses(&app, 49).await;
    let full = page(&ann, "").await.is(200);
    assert_eq!(
        each(&full, "id").len(),
        50,
        "as many as there are by default"
    );
    let next = format!("?cursor={}", full["next_cursor"].as_str().unwrap());
    let last = page(&ann, &next).await.is(200);
    assert_eq!(each(&last, "id").len(), 1);
    let all = page(&ann, "?limit=51").await.is(200);
    assert_eq!(all["next_cursor"], Value::Null);
}

// LGN-11
#[actix_web::test]
async fn a_query_says_what_it_may_and_nothing_else() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    for limit in [
        "0",
        "101",
        "-1",
        "+1",
        "1.0",
        "1e1",
        " 1",
        "1%00",
        "x",
        "",
        "256",
        "99999999999999999999",
    ] {
        page(&ann, &format!("?limit={limit}"))
            .await
            .invalid(&[("/limit", "invalid_format")]);
    }
    let cursor = page(&ann, "?limit=1").await.is(200)["next_cursor"].clone();
    let cursor = cursor.as_str().unwrap();
    let (cut, padded) = (&cursor[..21], format!("{cursor}=="));
    let longer = format!("{cursor}AA");
    // Not of version 7; not the one way to write what it says.
    let (other, twin) = ("AAAAAAAAAAAAAAAAAAAAAA", format!("{cut}_"));
    for cursor in [
        "", "x", "%00", "'", "null", cut, &padded, &longer, other, &twin,
    ] {
        page(&ann, &format!("?cursor={cursor}"))
            .await
            .invalid(&[("/cursor", "invalid_format")]);
    }
    page(&ann, "?limit=x&cursor=x")
        .await
        .invalid(&[("/limit", "invalid_format"), ("/cursor", "invalid_format")]);
    for (query, pointer) in [
        ("?sort=id", "/sort"),
        ("?limit=1&user_id=1", "/user_id"),
        ("?Limit=1", "/Limit"),
        ("?limit[]=1", "/limit[]"),
        ("?a%2Fb=1", "/a~1b"),
        ("?=1", "/"),
    ] {
        page(&ann, query)
            .await
            .invalid(&[(pointer, "unknown_member")]);
    }
    for twice in [
        "?limit=1&limit=1",
        "?limit=1&limit=2",
        &format!("?cursor={cursor}&cursor={cursor}"),
    ] {
        page(&ann, twice).await.refused(400, "bad_request");
    }
    for fine in [
        "?",
        "?limit=1",
        "?limit=100",
        "?&&",
        &format!("?limit=%31&cursor={cursor}"),
    ] {
        page(&ann, fine).await.is(200);
    }
}

#[actix_web::test]
async fn nobody_is_told_what_is_wrong_with_a_query_before_it_is_known_who_asks() {
    let app = TestApp::start().await;
    app.get("/v1/me/security-events?limit=0")
        .await
        .refused(401, "token_missing");
}
