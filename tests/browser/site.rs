//! The test's own web server. Pages on it are of two sites, by the name it is called by; and it remembers what browsers
//! have sent, as a witness of what they would send to Keyward.

use std::sync::{Arc, Mutex, OnceLock};

use actix_web::http::header::{CONTENT_TYPE, COOKIE};
use actix_web::web::{Data, to};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};

/// The files, and what is in them. `http://localhost:8080` stands for Keyward.
const FILES: &[(&str, &str, &str)] = &[
    ("/", "text/html", include_str!("page/index.html")),
    ("/app.js", "text/javascript", include_str!("page/app.js")),
    (
        "/attack.html",
        "text/html",
        include_str!("page/attack.html"),
    ),
    (
        "/attack.js",
        "text/javascript",
        include_str!("page/attack.js"),
    ),
    (
        "/example/",
        "text/html",
        include_str!("../../examples/browser/index.html"),
    ),
    (
        "/example/keyward.js",
        "text/javascript",
        include_str!("../../examples/browser/keyward.js"),
    ),
    (
        "/empty.html",
        "text/html",
        "<!doctype html><title>Nothing</title><body></body>",
    ),
];
const KEYWARD: &str = "http://localhost:8080";

/// A request that a browser has sent here, and Keyward's cookies with it.
#[derive(Debug, Clone)]
pub(crate) struct Witnessed {
    pub(crate) path: String,
    pub(crate) cookies: String,
}

#[derive(Clone, Default)]
pub(crate) struct Site {
    port: u16,
    keyward: Arc<OnceLock<String>>,
    witnessed: Arc<Mutex<Vec<Witnessed>>>,
}

impl Site {
    pub(crate) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let site = Self {
            port: listener.local_addr().unwrap().port(),
            ..Self::default()
        };
        let data = Data::new(site.clone());
        let server =
            HttpServer::new(move || App::new().app_data(data.clone()).default_service(to(serve)));
        let server = server
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap();
        actix_web::rt::spawn(server.run());
        site
    }

    /// Of another origin than Keyward, and of the same site.
    pub(crate) fn origin(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Of another site than Keyward.
    pub(crate) fn other_site(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn set_keyward(&self, url: &str) {
        self.keyward.set(url.to_owned()).unwrap();
    }

    /// What was sent to Keyward's paths here, since the last time this was asked for.
    pub(crate) fn take_witnessed(&self) -> Vec<Witnessed> {
        std::mem::take(&mut self.witnessed.lock().unwrap())
    }

    pub(crate) fn witnessed(&self) -> usize {
        self.witnessed.lock().unwrap().len()
    }
}

async fn serve(request: HttpRequest, site: Data<Site>) -> HttpResponse {
    let path = request.path();
    if path.starts_with("/v1/") {
        let cookies = request.headers().get_all(COOKIE);
        let cookies = cookies.map(|line| line.to_str().unwrap()).collect();
        let (path, mut witnessed) = (path.to_owned(), site.witnessed.lock().unwrap());
        witnessed.push(Witnessed { path, cookies });
    }
    let Some((_, kind, text)) = FILES.iter().find(|(name, ..)| *name == path) else {
        return HttpResponse::NotFound().finish();
    };
    let keyward = site.keyward.get().unwrap();
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, format!("{kind}; charset=utf-8")))
        .body(text.replace(KEYWARD, keyward))
}
