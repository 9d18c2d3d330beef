//! What somebody does in the page, and sees.

use serde_json::json;

use crate::keyward::{EMAIL, PASSWORD};
use crate::world::World;

impl World {
    pub(crate) async fn open_page(&self) {
        self.browser.open(&self.site.origin()).await;
    }

    pub(crate) async fn sign_up(&self) {
        self.open_page().await;
        self.sees_signed_out().await;
        self.give_password("signup").await;
        self.sees_signed_in().await;
    }

    /// Fills the form of signing in, and presses one of its buttons.
    pub(crate) async fn give_password(&self, way: &str) {
        self.browser.type_into("#sign-in [name=email]", EMAIL).await;
        self.browser
            .type_into("#sign-in [name=password]", PASSWORD)
            .await;
        self.browser.press(&format!("#sign-in [value={way}]")).await;
    }

    pub(crate) async fn log_out(&self) {
        self.browser.press("#log-out button").await;
        self.sees_signed_out().await;
    }

    pub(crate) async fn sees_signed_in(&self) {
        self.sees("signed-in").await;
        let who = "return document.getElementById('who').textContent";
        assert_eq!(self.browser.run(who, &[]).await, json!(EMAIL));
    }

    pub(crate) async fn sees_signed_out(&self) {
        self.sees("signed-out").await;
    }

    pub(crate) async fn sees_second_step(&self) {
        self.sees("second-step").await;
    }

    async fn sees(&self, state: &str) {
        let script = format!("return document.body.dataset.state === '{state}'");
        self.browser.until(&script).await;
    }
}
