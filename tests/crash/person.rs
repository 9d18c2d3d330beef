//! Somebody with one account after another, who uses each for a while, and finds at every step what they were told.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::account::{Account, Device, SecondFactor};
use crate::client::{Client, Request};
use crate::dice::Dice;
use crate::world::{GRACE, World};

/// How long one account is used.
const STEPS: u64 = 25;
const MOST_DEVICES: usize = 4;

pub(crate) struct Person {
    pub(crate) world: Arc<World>,
    pub(crate) dice: Dice,
    number: u64,
}

impl Person {
    pub(crate) fn new(world: Arc<World>, number: u64, seed: u64) -> Self {
        let dice = Dice::new(seed);
        Self {
            world,
            dice,
            number,
        }
    }

    /// Lives until the killing is over. What it knows of its accounts then.
    pub(crate) async fn live(mut self) -> Vec<Account> {
        let mut accounts = Vec::new();
        while !self.world.is_over() {
            accounts.push(self.one_account(accounts.len()).await);
        }
        accounts
    }

    async fn one_account(&mut self, count: usize) -> Account {
        let address = format!("10.{}.{}.{}", self.number, count / 256, count % 256);
        let email = format!("p{}a{count}@example.com", self.number);
        let client = Client::new(self.world.clone(), address);
        let mut account = Account::new(client, email, self.password());
        self.sign_up(&mut account).await;
        for _ in 0..STEPS {
            if self.world.is_over() || account.is_deleted {
                break;
            }
            self.step(&mut account).await;
        }
        account
    }

    async fn step(&mut self, account: &mut Account) {
        if account.alive.is_empty() {
            return self.log_in(account).await;
        }
        let device = self.dice.index(account.alive.len());
        match self.dice.below(40) {
            0..12 => self.refresh(account, device).await,
            12..20 if account.alive.len() < MOST_DEVICES => self.log_in(account).await,
            12..25 => self.look_around(account, device).await,
            25..29 => self.change_password(account, device).await,
            29..32 => self.log_out(account, device).await,
            32 => self.end_another(account, device).await,
            33 => self.end_others(account, device).await,
            34 => self.lose_a_copy(account, device).await,
            35 => self.leave(account, device).await,
            36..38 => self.turn_second_factor_on(account, device).await,
            _ => self.stay_out(account).await,
        }
    }

    /// Long enough for every rule, and of no words.
    pub(crate) fn password(&mut self) -> String {
        format!("{:016x}", self.dice.roll())
    }

    async fn sign_up(&mut self, account: &mut Account) {
        let body = json!({ "email": account.email, "password": account.password });
        let answer = account
            .client
            .ask(Request::post("signup", "/v1/auth/signup", body));
        let answer = answer.await;
        account.expect("account_created", 1, 0);
        account.expect("logged_in", 1, 0);
        match answer.said() {
            (201, _) => account.alive.push(Device::of(&answer)),
            (409, "email_taken") if answer.doubts > 0 => {
                self.world.note("accounts whose answer was lost", 1);
                account.unheld += 1;
                self.log_in(account).await;
            }
            other => panic!("{other:?} after {} doubts", answer.doubts),
        }
        account.id = self.who(account, 0).await;
    }

    async fn who(&self, account: &Account, device: usize) -> String {
        let device = &account.alive[device];
        let me = Request::get("me", "/v1/me").signed(&device.access_token);
        let answer = account.client.ask(me).await;
        assert_eq!(answer.said(), (200, ""));
        assert_eq!(answer.text("/email"), account.email);
        answer.text("/id")
    }

    /// The access token works here, and other services can verify it.
    async fn look_around(&mut self, account: &Account, device: usize) {
        assert_eq!(self.who(account, device).await, account.id);
        let keys = Request::get("jwks", "/.well-known/jwks.json");
        let published = account.client.ask(keys).await;
        self.world.verify(&account.alive[device], &published.body);
    }

    async fn refresh(&mut self, account: &mut Account, device: usize) {
        let patience = self.patience();
        let device = account.alive.swap_remove(device);
        let body = json!({ "refresh_token": device.refresh_token });
        let mut request = Request::post("refresh", "/v1/auth/refresh", body);
        request.patience = patience;
        let answer = account.client.ask(request).await;
        assert_eq!(
            answer.said(),
            (200, ""),
            "{} after {} doubts",
            device.session,
            answer.doubts
        );
        account.expect("refresh_retried_late", 0, answer.doubts);
        let refreshed = Device::of(&answer);
        assert_eq!(refreshed.session, device.session);
        account.alive.push(refreshed);
    }

    /// Some come back within the grace, and some later.
    fn patience(&mut self) -> Duration {
        if self.dice.one_in(3) {
            GRACE + self.dice.moment(300)
        } else {
            self.dice.moment(100)
        }
    }

    /// The answer is taken for lost, and the client asks again after the grace. Of the two successors that were given one
    /// is alive, and whoever shows the other is a thief.
    async fn lose_a_copy(&mut self, account: &mut Account, device: usize) {
        let first = account.alive[device].refresh_token.clone();
        // Within the grace of an earlier refresh it would be the same token again.
        grace_is_over().await;
        self.refresh(account, device).await;
        let last = account.alive.len() - 1;
        let copy = account.alive[last].refresh_token.clone();
        grace_is_over().await;
        account.alive[last].refresh_token = first;
        self.refresh(account, last).await;
        account.expect("refresh_retried_late", 1, 0);
        let kept = account.alive.pop().unwrap();
        assert_ne!(kept.refresh_token, copy);
        let body = json!({ "refresh_token": copy });
        let theft = Request::post("theft", "/v1/auth/refresh", body).by("copy");
        let answer = account.client.ask(theft).await;
        assert_eq!(answer.said(), (401, "refresh_token_invalid"));
        account.expect("refresh_token_reused", 1, 0);
        account.ended.push(kept);
    }

    pub(crate) async fn log_in(&mut self, account: &mut Account) {
        match account.second_factor {
            SecondFactor::Off => {}
            SecondFactor::On(_) => return self.log_in_with_code(account).await,
            SecondFactor::OnWithoutCodes => {
                challenge(account).await;
                return;
            }
        }
        let answer = account.client.ask(log_in(account, &account.password)).await;
        assert_eq!(answer.said(), (200, ""), "{}", account.email);
        account.expect("logged_in", 1, answer.doubts);
        account.unheld += answer.doubts;
        account.alive.push(Device::of(&answer));
    }

    async fn log_in_with_code(&mut self, account: &mut Account) {
        while let SecondFactor::On(codes) = &mut account.second_factor
            && let Some(code) = codes.pop()
        {
            let challenge = challenge(account).await;
            let body = json!({ "challenge_token": challenge, "backup_code": code });
            let request = Request::post("login/2fa", "/v1/auth/login/2fa", body);
            let answer = account.client.ask(request).await;
            account.expect("logged_in", 1, 0);
            account.expect("backup_code_used", 1, 0);
            match answer.said() {
                (200, _) => return account.alive.push(Device::of(&answer)),
                (401, "challenge_expired") if answer.doubts > 0 => account.unheld += 1,
                other => panic!("{other:?} after {} doubts", answer.doubts),
            }
        }
    }

    /// Whatever is over stays over.
    pub(crate) async fn stay_out(&mut self, account: &mut Account) {
        for device in &account.ended {
            let body = json!({ "refresh_token": device.refresh_token });
            let refresh = Request::post("refresh (ended)", "/v1/auth/refresh", body);
            let answer = account.client.ask(refresh).await;
            assert_eq!(answer.said(), (401, "refresh_token_invalid"));
            let me = Request::get("me (ended)", "/v1/me").signed(&device.access_token);
            let answer = account.client.ask(me).await;
            assert_eq!(answer.said(), (401, "session_ended"));
        }
    }

    /// At last, when nobody is killed any more.
    pub(crate) async fn settle(&mut self, account: &mut Account) {
        self.stay_out(account).await;
        if account.is_deleted {
            let gone = log_in(account, &account.password).by("wrong");
            let gone = account.client.ask(gone).await;
            assert_eq!(gone.said(), (401, "invalid_credentials"));
            return;
        }
        for device in 0..account.alive.len() {
            self.look_around(account, device).await;
            // It takes the first, and puts it at the end.
            self.refresh(account, 0).await;
        }
        self.log_in(account).await;
    }
}

async fn grace_is_over() {
    tokio::time::sleep(GRACE + Duration::from_millis(50)).await;
}

/// As its owner, unless the password is another.
pub(crate) fn log_in<'a>(account: &Account, password: &str) -> Request<'a> {
    let body = json!({ "email": account.email, "password": password });
    Request::post("login", "/v1/auth/login", body)
}

/// A right password, where it takes more than that.
async fn challenge(account: &mut Account) -> String {
    let answer = account.client.ask(log_in(account, &account.password)).await;
    assert_eq!(answer.text("/status"), "two_factor_required");
    account.expect("login_challenged", 1, answer.doubts);
    answer.text("/challenge_token")
}
