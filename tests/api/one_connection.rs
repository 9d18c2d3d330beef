//! No request needs two connections to the database at once, nor does what runs beside the requests: each thread has only
//! one here, many ask at once, and everything is answered. Whoever waited for a second one while holding the first would
//! wait for ever, and be refused.

use std::cell::Cell;

use chrono::TimeDelta;
use futures_util::future::{join, join_all, try_join_all};
use keyward::crypto::Purpose;
use keyward::services::{Result, Rotation};
use reqwest::Method;
use serde_json::json;

use crate::support::{Authenticator, Browser, PASSWORD, Person, TestApp, allow_pages, contract};

const PEOPLE: usize = 20;
/// Of those, who also guess wrong: their address has only so many guesses.
const CARELESS: usize = 3;
const NEW_PASSWORD: &str = "amber kettle window 31";
/// A code works once: until the next one.
const STEP: TimeDelta = TimeDelta::seconds(30);

async fn start() -> TestApp {
    let app = TestApp::with(|config| {
        allow_pages(config);
        config.database.pool = 1;
        config.throttle.enabled = true;
    })
    .await;
    // What runs beside the requests runs on this thread.
    app.app.lend_connections_here(0, 1);
    app
}

/// Somebody with a second factor.
struct Careful<'a> {
    person: Person<'a>,
    authenticator: Authenticator,
    backup_code: String,
}

async fn all<'a, T, F: Future<Output = T>>(
    people: &'a [Person<'a>],
    does: impl Fn(&'a Person<'a>) -> F,
) -> Vec<T> {
    join_all(people.iter().map(does)).await
}

async fn ask_what_is_public(app: &TestApp) {
    let page = app.get("/docs").await.text();
    let asset = page
        .split('"')
        .find(|part| part.starts_with("docs/assets/"));
    let asset = format!("/{}", asset.unwrap());
    for path in [
        "/health/live",
        "/health/ready",
        "/.well-known/jwks.json",
        "/openapi.yaml",
        "/docs",
        "/docs/errors",
        &asset,
    ] {
        for answer in join_all((0..PEOPLE).map(|_| app.get(path))).await {
            assert_eq!(answer.status, 200, "{path}");
        }
    }
}

async fn sign_up(app: &TestApp) -> Vec<Person<'_>> {
    let email = |n| format!("p{n}@example.com");
    let people = join_all((0..PEOPLE).map(|n| async move { app.sign_up(&email(n)).await })).await;
    let again = join_all((0..PEOPLE).map(|n| {
        let body = json!({ "email": email(n), "password": PASSWORD });
        app.post("/v1/auth/signup", body)
    }));
    for answer in again.await {
        answer.refused(409, "email_taken");
    }
    people
}

async fn guess_wrong(people: &[Person<'_>]) {
    join_all(people.iter().take(CARELESS).map(async |person| {
        let (app, email) = (person.app, person.user["email"].as_str().unwrap());
        let wrong = "wrong password, alas";
        app.log_in(email, wrong).await.is(401);
        app.log_in(&format!("no.{email}"), wrong).await.is(401);
        let change = json!({ "current_password": wrong, "new_password": NEW_PASSWORD });
        person.post("/v1/me/password", change).await.is(403);
        let reused = json!({ "current_password": PASSWORD, "new_password": PASSWORD });
        person.post("/v1/me/password", reused).await.is(422);
    }))
    .await;
}

async fn look_around(people: &[Person<'_>]) {
    for path in ["", "/sessions", "/security-events", "/2fa"] {
        let path = format!("/v1/me{path}");
        for answer in all(people, |person| person.call(Method::GET, &path, None)).await {
            answer.is(200);
        }
    }
    for answer in all(people, |person| person.change(json!({ "locale": "de" }))).await {
        answer.is(200);
    }
}

/// Rotates, is answered again, recovers what was lost, and shows what was stolen.
async fn refresh(app: &TestApp, people: &[Person<'_>]) {
    let mut devices = all(people, Person::log_in_again).await;
    let first: Vec<_> = devices
        .iter()
        .map(|one| one.refresh_token.clone())
        .collect();
    let shown = || join_all(first.iter().map(|token| app.refresh(token)));
    let (one, two) = join(shown(), shown()).await;
    for (one, two) in one.iter().zip(&two) {
        assert_eq!(one.is(200)["refresh_token"], two.is(200)["refresh_token"]);
    }
    app.advance(TimeDelta::seconds(31));
    // Nobody has shown the successor: its answer was lost.
    for (device, answer) in devices.iter_mut().zip(shown().await) {
        *device = Person::new(app, &answer.is(200));
    }
    app.advance(TimeDelta::seconds(31));
    join_all(devices.iter_mut().map(Person::refresh)).await;
    for answer in shown().await {
        answer.refused(401, "refresh_token_invalid");
    }
    for answer in all(&devices, Person::me).await {
        answer.refused(401, "session_ended");
    }
}

async fn end_sessions(people: &[Person<'_>]) {
    let others = all(people, Person::log_in_again).await;
    let one = people.iter().zip(&others).map(async |(person, other)| {
        let path = format!("/v1/me/sessions/{}", other.session_id);
        person.call(Method::DELETE, &path, None).await.is(204)
    });
    join_all(one).await;
    let others = all(people, Person::log_in_again).await;
    let path = "/v1/me/sessions/others";
    for answer in all(people, |person| person.call(Method::DELETE, path, None)).await {
        answer.is(200);
    }
    for answer in all(&others, Person::me).await {
        answer.refused(401, "session_ended");
    }
    let devices = all(people, Person::log_in_again).await;
    for answer in all(&devices, Person::log_out).await {
        answer.is(204);
    }
    let devices = all(people, Person::log_in_again).await;
    let with_refresh_tokens = all(&devices, |device| {
        let body = json!({ "refresh_token": device.refresh_token });
        device.app.post("/v1/auth/logout", body)
    });
    for answer in with_refresh_tokens.await {
        answer.is(204);
    }
}

async fn turn_on_two_factor<'a>(app: &'a TestApp, people: &'a [Person<'a>]) -> Vec<Careful<'a>> {
    let authenticators = all(people, Person::enable_two_factor).await;
    let verified = people
        .iter()
        .zip(&authenticators)
        .map(|(person, authenticator)| {
            person.post(
                "/v1/me/2fa/verify",
                json!({ "code": authenticator.code(app) }),
            )
        });
    for answer in join_all(verified).await {
        answer.is(200);
    }
    app.advance(STEP);
    let replaced = people
        .iter()
        .zip(authenticators)
        .map(async |(person, authenticator)| {
            let both = json!({ "password": PASSWORD, "code": authenticator.code(app) });
            let answer = person.post("/v1/me/2fa/backup-codes", both).await.is(200);
            Careful {
                person: person.clone(),
                authenticator,
                backup_code: answer["backup_codes"][0].as_str().unwrap().to_owned(),
            }
        });
    let careful = join_all(replaced).await;
    app.advance(STEP);
    careful
}

async fn log_in_with_both(app: &TestApp, careful: &[Careful<'_>]) {
    let challenges = join_all(careful.iter().map(|one| one.person.challenge())).await;
    let both = || careful.iter().zip(&challenges);
    let wrong = both().take(CARELESS).map(|(one, challenge)| {
        let code = one.authenticator.wrong_code(app);
        async move { app.complete(challenge, &code).await }
    });
    for answer in join_all(wrong).await {
        answer.is(401);
    }
    let completed = both().map(|(one, challenge)| {
        let code = one.authenticator.code(app);
        async move { app.complete(challenge, &code).await }
    });
    for answer in join_all(completed).await {
        answer.is(200);
    }
    let challenges = join_all(careful.iter().map(|one| one.person.challenge())).await;
    let completed = careful.iter().zip(&challenges);
    let completed =
        completed.map(|(one, challenge)| app.complete_with_backup(challenge, &one.backup_code));
    for answer in join_all(completed).await {
        answer.is(200);
    }
    app.advance(STEP);
}

/// What takes a password, and ends in leaving.
async fn leave(app: &TestApp, careful: &[Careful<'_>]) {
    let both = |one: &Careful<'_>, password: &str| json!({ "password": password, "code": one.authenticator.code(app) });
    let disabled = careful.iter().map(|one| {
        let body = both(one, PASSWORD);
        one.person.post("/v1/me/2fa/disable", body)
    });
    for answer in join_all(disabled).await {
        answer.is(204);
    }
    let change = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
    let changed = careful
        .iter()
        .map(|one| one.person.post("/v1/me/password", change.clone()));
    for answer in join_all(changed).await {
        answer.is(204);
    }
    for answer in join_all(careful.iter().map(|one| one.person.delete(NEW_PASSWORD))).await {
        answer.is(204);
    }
}

/// A page signs up, refreshes, signs up over it, ends all it has, and logs out.
async fn in_browsers(app: &TestApp) {
    let pages = (0..PEOPLE).map(async |n| {
        let browser = Browser::new(app);
        browser.sign_up(&format!("b{n}@example.com")).await.is(201);
        browser.refresh().await.is(200);
        let again = browser.sign_up(&format!("c{n}@example.com")).await.is(201);
        let token = again["access_token"].as_str().unwrap();
        let end_all = browser.request(Method::DELETE, "/v1/me/sessions");
        browser.send(end_all.bearer_auth(token)).await.is(200);
        browser
            .log_in(&format!("c{n}@example.com"), PASSWORD)
            .await
            .is(200);
        browser.log_out().await.is(204);
    });
    join_all(pages).await;
}

/// What runs beside the requests, all of it at once.
async fn jobs(app: &TestApp) -> Result<Vec<u64>> {
    let services = &app.app.services;
    let (keys, count) = (&services.keys, |done: bool| u64::from(done));
    let key_ring = async {
        keys.reload().await?;
        keys.rotate_when_due().await.map(count)
    };
    let done: [std::pin::Pin<Box<dyn Future<Output = Result<u64>> + '_>>; 8] = [
        Box::pin(key_ring),
        Box::pin(keys.reseal()),
        Box::pin(keys.retire()),
        Box::pin(services.sessions.purge()),
        Box::pin(services.login.purge()),
        Box::pin(services.two_factor.purge()),
        Box::pin(services.throttle.purge()),
        Box::pin(services.security_events.purge()),
    ];
    try_join_all(done).await
}

/// How often each operation of the contract was answered as it should be. None was refused by a fault of ours.
async fn answered(app: &TestApp) -> Vec<(String, u64)> {
    let counted = app.scrape().await.counted("keyward_http_requests_total");
    let faults: Vec<_> = counted
        .keys()
        .filter(|labels| labels.contains("status=5"))
        .collect();
    assert!(faults.is_empty(), "{faults:?}");
    let operations = contract::operations().into_iter().map(|operation| {
        let labels = format!(
            "method={},route={},status=2",
            operation.method, operation.path
        );
        let answered = counted
            .iter()
            .filter(|(found, _)| found.starts_with(&labels));
        let answered = answered.map(|(_, count)| count).sum();
        (labels, answered)
    });
    operations.collect()
}

#[actix_web::test]
async fn with_one_connection_everything_is_answered_however_many_ask() {
    let app = start().await;
    let over = Cell::new(false);
    let requests = async {
        ask_what_is_public(&app).await;
        let people = sign_up(&app).await;
        guess_wrong(&people).await;
        look_around(&people).await;
        refresh(&app, &people).await;
        end_sessions(&people).await;
        let careful = turn_on_two_factor(&app, &people).await;
        log_in_with_both(&app, &careful).await;
        leave(&app, &careful).await;
        in_browsers(&app).await;
        over.set(true);
    };
    let beside = async {
        while !over.get() {
            jobs(&app).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    join(requests, beside).await;
    for (operation, times) in answered(&app).await {
        assert!(times >= PEOPLE as u64, "{operation}: {times}");
    }
}

/// The same of what runs beside the requests, where there is something to do.
#[actix_web::test]
async fn with_one_connection_the_jobs_do_their_work() {
    let app = start().await;
    let people = sign_up(&app).await;
    guess_wrong(&people).await;
    turn_on_two_factor(&app, &people).await;
    join_all(people.iter().map(Person::challenge)).await;
    let late = app.sign_up("late@example.com").await;
    late.enable_two_factor().await;
    let revoke = Rotation {
        now: true,
        revoke: true,
    };
    for purpose in [Purpose::TotpSecret, Purpose::BackupCode] {
        app.app.services.keys.rotate(purpose, revoke).await.unwrap();
    }
    app.advance(TimeDelta::days(400));
    let done = jobs(&app).await.unwrap();
    let nothing = done.iter().position(|count| *count == 0);
    // Events are as old as the database says, not as a clock of ours.
    assert_eq!(nothing, Some(done.len() - 1), "{done:?}");
}
