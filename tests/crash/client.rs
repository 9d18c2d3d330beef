//! A client as it should be: it asks until it is answered, and counts how often it could not know what became of it.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::world::World;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// What is asked, and for the report by what name.
pub(crate) struct Request<'a> {
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) access_token: Option<&'a str>,
    pub(crate) body: Value,
    pub(crate) agent: &'static str,
    /// Before it is sent again, where it is not known what became of it.
    pub(crate) patience: Duration,
}

impl<'a> Request<'a> {
    pub(crate) fn get(name: &'static str, path: &'a str) -> Self {
        Self {
            name,
            method: Method::GET,
            path,
            access_token: None,
            body: Value::Null,
            agent: "owner",
            patience: PAUSE,
        }
    }

    pub(crate) fn post(name: &'static str, path: &'a str, body: Value) -> Self {
        Self {
            method: Method::POST,
            body,
            ..Self::get(name, path)
        }
    }

    pub(crate) fn delete(name: &'static str, path: &'a str) -> Self {
        Self {
            method: Method::DELETE,
            ..Self::get(name, path)
        }
    }

    pub(crate) fn signed(self, access_token: &'a str) -> Self {
        let access_token = Some(access_token);
        Self {
            access_token,
            ..self
        }
    }

    pub(crate) fn by(self, agent: &'static str) -> Self {
        Self { agent, ..self }
    }
}

/// An answer that says what is the case now.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// How many tries before it may have been carried out or not.
    pub(crate) doubts: u32,
}

impl Answer {
    /// The status, and the code of a refusal.
    pub(crate) fn said(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    pub(crate) fn text(&self, pointer: &str) -> String {
        let text = self.body.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no {pointer} in {:?}", self.said()))
            .to_owned()
    }
}

enum Fate {
    Answered(u16, Value),
    /// Nobody listened: it was not carried out.
    NotSent,
    /// No answer came.
    Lost,
    /// The database was away, before or after.
    Unavailable,
    /// Counted tries that a kill has kept from being given back.
    Later,
}

#[derive(Clone)]
pub(crate) struct Client {
    world: Arc<World>,
    http: reqwest::Client,
    /// The address that it says it has: guesses are counted by it.
    address: String,
}

impl Client {
    pub(crate) fn new(world: Arc<World>, address: String) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30));
        Self {
            world,
            http: http.build().unwrap(),
            address,
        }
    }

    /// Asks until there is an answer.
    pub(crate) async fn ask(&self, request: Request<'_>) -> Answer {
        let mut doubts = 0;
        loop {
            let fate = self.send(&request).await;
            self.world
                .report
                .with(|report| report.asked(request.name, fate.word()));
            match fate {
                Fate::Answered(status, body) => {
                    self.world.count_answer();
                    return Answer {
                        status,
                        body,
                        doubts,
                    };
                }
                Fate::Lost | Fate::Unavailable => {
                    doubts += 1;
                    tokio::time::sleep(request.patience).await;
                }
                Fate::NotSent => tokio::time::sleep(PAUSE).await,
                Fate::Later => tokio::time::sleep(PAUSE * 20).await,
            }
        }
    }

    async fn send(&self, request: &Request<'_>) -> Fate {
        let url = format!("{}{}", self.world.url, request.path);
        let mut sent = self.http.request(request.method.clone(), url);
        sent = sent
            .header("user-agent", request.agent)
            .header("x-forwarded-for", &self.address);
        if let Some(token) = request.access_token {
            sent = sent.bearer_auth(token);
        }
        if !request.body.is_null() {
            sent = sent.json(&request.body);
        }
        match sent.send().await {
            Ok(answer) => read(answer).await,
            Err(error) if error.is_connect() => Fate::NotSent,
            Err(error) if error.is_timeout() => panic!("{}: no answer: {error:?}", request.name),
            Err(_) => Fate::Lost,
        }
    }
}

async fn read(answer: reqwest::Response) -> Fate {
    match answer.status() {
        StatusCode::SERVICE_UNAVAILABLE => return Fate::Unavailable,
        StatusCode::TOO_MANY_REQUESTS => return Fate::Later,
        _ => {}
    }
    let status = answer.status().as_u16();
    match answer.bytes().await {
        Ok(body) => Fate::Answered(status, serde_json::from_slice(&body).unwrap_or_default()),
        Err(_) => Fate::Lost,
    }
}

impl Fate {
    fn word(&self) -> String {
        match self {
            Self::Answered(status, _) => status.to_string(),
            Self::NotSent => "away".to_owned(),
            Self::Lost => "lost".to_owned(),
            Self::Unavailable => "503".to_owned(),
            Self::Later => "429".to_owned(),
        }
    }
}
