//! Every kind of token against every place a token is taken: one kind is never accepted where another is asked for. A kind
//! or a place that is added without its row fails here.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use crate::architecture::sources::sources;
use crate::support::{Answer, Authenticator, Browser, DEVICE, PASSWORD, Person, REFRESH, TestApp};
use crate::support::{allow_pages, contract};

const EMAIL: &str = "ann@example.com";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Access,
    RefreshInBody,
    RefreshInCookie,
    Challenge,
    Device,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Bearer,
    BearerAtLogout,
    RefreshBody,
    RefreshCookie,
    LogoutBody,
    LogoutCookie,
    DeviceBody,
    DeviceCookie,
    ChallengeBody,
}

use Kind::{Access, Challenge, Device, RefreshInBody, RefreshInCookie};

/// Each place, how it is written in the contract, and the kinds that work there.
const TABLE: [(Place, &str, &[Kind]); 9] = [
    (Place::Bearer, "bearer", &[Access]),
    (Place::BearerAtLogout, "bearer", &[Access]),
    (
        Place::RefreshBody,
        "POST /v1/auth/refresh refresh_token",
        &[RefreshInBody],
    ),
    (Place::RefreshCookie, REFRESH, &[RefreshInCookie]),
    (
        Place::LogoutBody,
        "POST /v1/auth/logout refresh_token",
        &[RefreshInBody],
    ),
    (Place::LogoutCookie, REFRESH, &[RefreshInCookie]),
    (
        Place::DeviceBody,
        "POST /v1/auth/login device_token",
        &[Device],
    ),
    (Place::DeviceCookie, DEVICE, &[Device]),
    (
        Place::ChallengeBody,
        "POST /v1/auth/login/2fa challenge_token",
        &[Challenge],
    ),
];

/// Each kind, and what it begins with. Access tokens are JWTs.
const KINDS: [(Kind, &str); 5] = [
    (Access, "eyJ"),
    (RefreshInBody, "kwr_"),
    (RefreshInCookie, "kwr_"),
    (Challenge, "kwc_"),
    (Device, "kwd_"),
];

/// Ann with one good token of each kind, and a stranger who keeps guessing at her account.
struct Holder<'a> {
    app: &'a TestApp,
    authenticator: Authenticator,
    session_id: String,
    token: String,
}

impl<'a> Holder<'a> {
    async fn of(kind: Kind, app: &'a TestApp) -> Self {
        let ann = app.sign_up(EMAIL).await;
        let (authenticator, _) = ann.turn_on_two_factor().await;
        let challenge = ann.challenge().await;
        let answer = app.complete(&challenge, &authenticator.code(app)).await;
        let signed_in = answer.is(200);
        let there = Person::new(app, &signed_in);
        let mut session_id = there.session_id;
        app.advance(chrono::TimeDelta::seconds(31));
        let token = match kind {
            Access => there.access_token,
            RefreshInBody => there.refresh_token,
            Device => signed_in["device_token"].as_str().unwrap().to_owned(),
            Challenge => ann.challenge().await,
            RefreshInCookie => {
                let (browser, id) = in_a_browser(app, &authenticator).await;
                session_id = id;
                browser.refresh_cookie()
            }
        };
        Self {
            app,
            authenticator,
            session_id,
            token,
        }
    }

    /// Whether the token does there what a token does.
    async fn works_at(&self, place: Place) -> bool {
        match place {
            Place::Bearer => opened(&self.bearer(Method::GET, "/v1/me").await, "token_invalid"),
            Place::BearerAtLogout => {
                let answer = self.bearer(Method::POST, "/v1/auth/logout").await;
                self.ended(&answer).await
            }
            Place::RefreshBody => {
                let answer = self.app.refresh(&self.token).await;
                opened(&answer, "refresh_token_invalid")
            }
            Place::RefreshCookie => {
                let answer = self.browser(REFRESH).refresh().await;
                opened(&answer, "refresh_token_invalid")
            }
            Place::LogoutBody => {
                let body = json!({ "refresh_token": self.token });
                let answer = self.app.post("/v1/auth/logout", body).await;
                self.ended(&answer).await
            }
            Place::LogoutCookie => {
                let answer = self.browser(REFRESH).log_out().await;
                self.ended(&answer).await
            }
            Place::DeviceBody | Place::DeviceCookie => self.is_known_device(place).await,
            Place::ChallengeBody => {
                let code = self.authenticator.code(self.app);
                let answer = self.app.complete(&self.token, &code).await;
                opened(&answer, "challenge_expired")
            }
        }
    }

    async fn bearer(&self, method: Method, path: &str) -> Answer {
        let request = self.app.request(method, path).bearer_auth(&self.token);
        self.app.send(request).await
    }

    /// A browser that holds the token under a name.
    fn browser(&self, cookie: &str) -> Browser<'a> {
        let browser = Browser::new(self.app);
        browser.plant(cookie, &self.token);
        browser
    }

    /// Whether the session ended. Logging out says so in any case.
    async fn ended(&self, answer: &Answer) -> bool {
        answer.is(204);
        let ended: bool =
            sqlx::query_scalar("select ended_at is not null from sessions where id = $1::uuid")
                .bind(&self.session_id)
                .fetch_one(&self.app.sql)
                .await
                .unwrap();
        let all = "select count(*) from sessions where end_reason = 'logged_out'";
        assert_eq!(self.app.count(all).await, i64::from(ended));
        ended
    }

    /// Whether the owner gets in while a stranger has used up the account's tries.
    async fn is_known_device(&self, place: Place) -> bool {
        self.under_attack().await;
        let answer = if place == Place::DeviceCookie {
            self.browser(DEVICE).log_in(EMAIL, PASSWORD).await
        } else {
            let body = json!({ "email": EMAIL, "password": PASSWORD, "device_token": self.token });
            self.app.post("/v1/auth/login", body).await
        };
        answer.status == 200
    }

    async fn under_attack(&self) {
        for _ in 0..5 {
            let answer = self.app.log_in(EMAIL, "not the password at all").await;
            answer.refused(401, "invalid_credentials");
        }
    }
}

async fn in_a_browser<'a>(
    app: &'a TestApp,
    authenticator: &Authenticator,
) -> (Browser<'a>, String) {
    let browser = Browser::new(app);
    let asked = browser.log_in(EMAIL, PASSWORD).await.is(200);
    let body = json!({
        "challenge_token": asked["challenge_token"], "code": authenticator.code(app)
    });
    let signed_in = browser.post("/v1/auth/login/2fa", body).await.is(200);
    app.advance(chrono::TimeDelta::seconds(31));
    let id = signed_in["session"]["id"].as_str().unwrap().to_owned();
    (browser, id)
}

fn opened(answer: &Answer, refusal: &str) -> bool {
    if answer.status != 200 {
        answer.refused(401, refusal);
    }
    answer.status == 200
}

async fn works_only_where_asked_for(kind: Kind) {
    let (_, prefix) = KINDS.iter().find(|(row, _)| *row == kind).unwrap();
    for (place, _, kinds) in TABLE {
        let app = TestApp::with(|config| {
            config.throttle.enabled = true;
            allow_pages(config);
        })
        .await;
        let holder = Holder::of(kind, &app).await;
        assert!(holder.token.starts_with(prefix), "{kind:?}");
        let works = holder.works_at(place).await;
        assert_eq!(works, kinds.contains(&kind), "{kind:?} at {place:?}");
    }
}

#[actix_web::test]
async fn an_access_token_at_every_place() {
    works_only_where_asked_for(Access).await;
}

// RFT-12
#[actix_web::test]
async fn a_refresh_token_at_every_place() {
    works_only_where_asked_for(RefreshInBody).await;
}

// RFT-12
#[actix_web::test]
async fn a_refresh_token_from_a_cookie_at_every_place() {
    works_only_where_asked_for(RefreshInCookie).await;
}

// MFA-01
#[actix_web::test]
async fn a_challenge_at_every_place() {
    works_only_where_asked_for(Challenge).await;
}

#[actix_web::test]
async fn a_device_token_at_every_place() {
    works_only_where_asked_for(Device).await;
}

#[test]
fn every_kind_of_token_has_its_row() {
    let crypto: Vec<String> = sources("src/crypto", "rs")
        .into_iter()
        .map(|source| source.text)
        .collect();
    let prefixes = crypto
        .iter()
        .flat_map(|text| text.split("prefix: \"").skip(1));
    let prefixes = prefixes.map(|rest| rest.split('"').next().unwrap().to_owned());
    let rows = KINDS.iter().map(|(_, prefix)| (*prefix).to_owned());
    let rows: BTreeSet<String> = rows.filter(|prefix| prefix != "eyJ").collect();
    assert_eq!(rows, prefixes.collect());
}

#[test]
fn every_place_that_takes_a_token_has_its_row() {
    let rows: BTreeSet<String> = TABLE.iter().map(|(_, at, _)| (*at).to_owned()).collect();
    let mut places: BTreeSet<String> = contract::operations()
        .iter()
        .flat_map(|operation| {
            let name = format!("{} {}", operation.method, operation.path);
            let members = operation.token_members.iter();
            members.map(move |member| format!("{name} {member}"))
        })
        .collect();
    places.extend(["bearer", REFRESH, DEVICE].map(str::to_owned));
    assert_eq!(rows, places);
}
