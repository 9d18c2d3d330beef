//! What a handler costs that does nothing: as it is, and with an access token verified each time.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::available_parallelism;

use actix_web::http::header::{AUTHORIZATION, ContentType};
use actix_web::web::{self, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use anyhow::{Context, Result};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, Validation, decode};
use serde_json::Value;

/// As long as an answer of `/v1/me`.
const BODY: &str = r#"{"id":"01a1f8b7-fe43-7718-87f4-949a6dd57b6f","email":"ann@example.com","email_verified":false,"username":null,"display_name":null,"locale":null,"two_factor_enabled":false,"roles":[],"created_at":"2026-11-20T11:29:30.179595Z","updated_at":"2026-11-20T11:29:30.179595Z","last_login_at":"2026-11-20T11:29:30.299158Z"}"#;

/// The bare server, as a process of its own. It ends when this does.
pub(crate) struct Bare {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Bare {
    /// Starts this program once more, as the server.
    pub(crate) fn start(key: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--bare", key]).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().context("it has no output")?;
        BufReader::new(out).read_line(&mut line)?;
        let address = line
            .trim()
            .parse()
            .context("the bare server did not start")?;
        Ok(Self { child, address })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until it is killed, with as many threads as there are cores.
pub(crate) fn serve(key: &str) -> Result<()> {
    let key: Jwk = serde_json::from_str(key)?;
    let algorithm = key
        .common
        .key_algorithm
        .context("a key without its algorithm")?;
    let mut rules = Validation::new(algorithm.to_string().parse()?);
    rules.set_audience(&["http://localhost:8080"]);
    let judge = Arc::new((DecodingKey::from_jwk(&key)?, rules));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::from(judge.clone()))
            .route("/static", web::get().to(async || answer()))
            .route("/checked", web::get().to(checked))
    });
    let workers = available_parallelism().map_or(1, usize::from);
    let server = server.workers(workers).bind("127.0.0.1:0")?;
    println!("{}", server.addrs().first().context("it listens nowhere")?);
    std::io::stdout().flush()?;
    actix_web::rt::System::new().block_on(server.run())?;
    Ok(())
}

async fn checked(request: HttpRequest, judge: Data<(DecodingKey, Validation)>) -> HttpResponse {
    let header = request.headers().get(AUTHORIZATION);
    let token = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let claims = token.and_then(|token| decode::<Value>(token, &judge.0, &judge.1).ok());
    match claims {
        Some(_) => answer(),
        None => HttpResponse::Unauthorized().finish(),
    }
}

fn answer() -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::json())
        .body(BODY)
}
