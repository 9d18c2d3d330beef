//! A browser with a page of one origin in it: keeps cookies as browsers do, and sends what browsers send.

use std::cell::RefCell;
use std::collections::BTreeMap;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Answer, PASSWORD, TestApp};

/// The origin that `TestApp::with_pages` lists.
pub(crate) const PAGE: &str = "https://app.example.com";
pub(crate) const REFRESH: &str = "__Host-keyward_refresh";
pub(crate) const DEVICE: &str = "__Host-keyward_device";

pub(crate) struct Browser<'a> {
    app: &'a TestApp,
    origin: &'static str,
    jar: RefCell<BTreeMap<String, String>>,
}

impl<'a> Browser<'a> {
    /// With a page of the listed origin.
    pub(crate) fn new(app: &'a TestApp) -> Self {
        Self {
            app,
            origin: PAGE,
            jar: RefCell::default(),
        }
    }

    /// The same cookies at a page of another origin.
    pub(crate) fn at(&self, origin: &'static str) -> Self {
        Self {
            app: self.app,
            origin,
            jar: self.jar.clone(),
        }
    }

    /// The same cookies and page, for another replica.
    pub(crate) fn on<'b>(&self, app: &'b TestApp) -> Browser<'b> {
        Browser {
            app,
            origin: self.origin,
            jar: self.jar.clone(),
        }
    }

    /// What it holds under a name.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.jar.borrow().get(name).cloned()
    }

    pub(crate) fn refresh_cookie(&self) -> String {
        self.cookie(REFRESH).expect("a refresh cookie")
    }

    pub(crate) fn plant(&self, name: &str, value: &str) {
        self.jar
            .borrow_mut()
            .insert(name.to_owned(), value.to_owned());
    }

    /// A request as the page makes it, with cookies.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.bare(method, path).header("origin", self.origin);
        request.header("sec-fetch-site", "same-site")
    }

    /// A request with cookies, of which the browser says nothing else.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.app.request(method, path);
        let pairs = self.jar.borrow();
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if pairs.is_empty() {
            request
        } else {
            request.header("cookie", pairs.join("; "))
        }
    }

    /// Sends a request, and keeps the cookies of the answer.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let answer = self.app.send(request).await;
        for line in answer.headers.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap().to_owned();
            let mut jar = self.jar.borrow_mut();
            if line.ends_with("Max-Age=0") {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value);
            }
        }
        answer
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body))
            .await
    }

    pub(crate) async fn sign_up(&self, email: &str) -> Answer {
        let body = json!({ "email": email, "password": PASSWORD, "token_transport": "cookie" });
        self.post("/v1/auth/signup", body).await
    }

    pub(crate) async fn log_in(&self, email: &str, password: &str) -> Answer {
        let body = json!({ "email": email, "password": password, "token_transport": "cookie" });
        self.post("/v1/auth/login", body).await
    }

    pub(crate) async fn refresh(&self) -> Answer {
        self.post("/v1/auth/refresh", json!({})).await
    }

    pub(crate) async fn log_out(&self) -> Answer {
        self.send(self.request(Method::POST, "/v1/auth/logout"))
            .await
    }

    /// Asks who is signed in, with the access token of an answer.
    pub(crate) async fn me(&self, signed_in: &Value) -> Answer {
        let token = signed_in["access_token"].as_str().unwrap();
        self.app
            .send(self.app.request(Method::GET, "/v1/me").bearer_auth(token))
            .await
    }
}
