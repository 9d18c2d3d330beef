//! Every kind of key, and the master key, replaced while people sign in and go on: nobody notices.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use chrono::TimeDelta;
use futures_util::future::join;
use keyward::crypto::Purpose;
use keyward::services::{Keys, Rotation};

use crate::support::app::masters;
use crate::support::{Authenticator, PASSWORD, Person, TestApp};

/// Two replicas at a time, and people who use them without an end.
struct Load {
    replicas: RefCell<[Rc<TestApp>; 2]>,
    rounds: Cell<usize>,
    is_over: Cell<bool>,
}

impl Load {
    fn on(first: TestApp, second: TestApp) -> Self {
        Self {
            replicas: RefCell::new([first.into(), second.into()]),
            rounds: Cell::new(0),
            is_over: Cell::new(false),
        }
    }

    fn replica(&self, number: usize) -> Rc<TestApp> {
        self.replicas.borrow()[number % 2].clone()
    }

    fn replace(&self, number: usize, by: TestApp) {
        self.replicas.borrow_mut()[number % 2] = by.into();
    }

    /// Logs in on one replica and goes on upon the other, again and again.
    async fn ann(&self) {
        while !self.is_over.get() {
            let number = self.rounds.get();
            let (here, there) = (self.replica(number), self.replica(number + 1));
            let answer = here.log_in("ann@example.com", PASSWORD).await.is(200);
            let mut ann = Person::new(&there, &answer);
            ann.me().await.is(200);
            ann.refresh().await;
            let mut ann = ann.at(&here);
            ann.me().await.is(200);
            // Within the grace: the same one again.
            ann.refresh().await;
            ann.at(&there).log_out().await.is(204);
            self.rounds.set(number + 1);
        }
    }

    /// The same with a second factor: a code where one is left, which is once in 30 seconds.
    async fn bob(&self, authenticator: &Authenticator) -> usize {
        let (mut used, mut logins) = (String::new(), 0);
        while !self.is_over.get() {
            let (here, there) = (self.replica(0), self.replica(1));
            let code = authenticator.code(&here);
            let answer = here.log_in("bob@example.com", PASSWORD).await.is(200);
            if code != used {
                let challenge = answer["challenge_token"].as_str().unwrap();
                let answer = there.complete(challenge, &code).await.is(200);
                Person::new(&there, &answer).at(&here).me().await.is(200);
                (used, logins) = (code, logins + 1);
            }
        }
        logins
    }

    /// Returns when something that began after now is done.
    async fn goes_on(&self) {
        let rounds = self.rounds.get();
        while self.rounds.get() < rounds + 2 {
            tokio::task::yield_now().await;
        }
    }

    /// Both replicas look at the ring, as they do every few seconds.
    async fn follow(&self) {
        for number in 0..2 {
            let keys = self.replica(number).app.services.keys.clone();
            keys.reload().await.unwrap();
        }
    }

    /// Does something while people use the service, and returns when all are done.
    async fn while_doing(&self, authenticator: &Authenticator, work: impl Future<Output = ()>) {
        let work = async {
            self.goes_on().await;
            work.await;
            self.goes_on().await;
            self.is_over.set(true);
        };
        let people = join(self.ann(), self.bob(authenticator));
        let (((), logins), ()) = Box::pin(join(people, work)).await;
        assert!(logins > 1, "{logins}");
    }
}

async fn people(app: &TestApp) -> (Person<'_>, Authenticator) {
    let ann = app.sign_up("ann@example.com").await;
    let bob = app.sign_up("bob@example.com").await;
    let (authenticator, _) = bob.turn_on_two_factor().await;
    (ann, authenticator)
}

// OPS-10
#[actix_web::test]
async fn no_login_refresh_or_token_fails_while_each_key_is_replaced_at_once() {
    let app = TestApp::start().await;
    let (mut ann, authenticator) = people(&app).await;
    let load = Load::on(app.replica().await, app.replica().await);
    let rotate = async {
        for (number, purpose) in Purpose::ALL.iter().enumerate() {
            let keys = load.replica(number).app.services.keys.clone();
            let now = Rotation {
                now: true,
                revoke: false,
            };
            let rotated = keys.rotate(*purpose, now).await.unwrap();
            load.goes_on().await;
            load.follow().await;
            app.advance(Keys::FOLLOWED_WITHIN);
            load.goes_on().await;
            let state = keys.list().await.unwrap().into_iter();
            let state = state.filter(|key| key.id == rotated.key.id);
            assert_eq!(
                state.map(|key| key.state.as_str()).collect::<Vec<_>>(),
                ["active"]
            );
            keys.reseal().await.unwrap();
            keys.retire().await.unwrap();
            app.advance(TimeDelta::seconds(25));
        }
    };
    Box::pin(load.while_doing(&authenticator, rotate)).await;
    // What was given before is good, and here as well, once the ring was looked at.
    app.app.services.keys.reload().await.unwrap();
    ann.me().await.is(200);
    ann.refresh().await;
}

// OPS-10
#[actix_web::test]
async fn no_login_refresh_or_token_fails_while_the_master_key_is_replaced() {
    let app = TestApp::start().await;
    let (ann, authenticator) = people(&app).await;
    let with = async |names: &[&str]| {
        let names = masters(names);
        app.replica_with(|config| config.keys.master = names).await
    };
    let load = Load::on(with(&["a"]).await, with(&["a"]).await);
    let replace = async {
        for names in [["a", "b"], ["b", "a"]] {
            for number in 0..2 {
                load.replace(number, with(&names).await);
                load.follow().await;
                load.goes_on().await;
                app.advance(TimeDelta::seconds(15));
            }
        }
        let keys = load.replica(0).app.services.keys.clone();
        assert_eq!(keys.rewrap().await.unwrap(), 8);
        assert_eq!(keys.rewrap().await.unwrap(), 0);
        for number in 0..2 {
            load.follow().await;
            load.goes_on().await;
            load.replace(number, with(&["b"]).await);
        }
    };
    Box::pin(load.while_doing(&authenticator, replace)).await;
    let sealed_by = "select coalesce(json_agg(distinct master_key_id), '[]')::text from keys";
    assert_eq!(app.json(sealed_by).await, serde_json::json!(["b"]));
    assert_eq!(app.events_of("keys_rewrapped").await, 1);
    let last = load.replica(0);
    let mut ann = ann.at(&last);
    ann.me().await.is(200);
    ann.refresh().await;
}
