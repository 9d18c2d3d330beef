//! One Keyward process and the directory it lives in. In the end its log is searched for secrets.

#[path = "../leaks/mod.rs"]
mod leaks;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const EMAIL: &str = "ann@example.com";
pub(crate) const PASSWORD: &str = "tall cliff moth ribbon";

/// A directory that also the user PostgreSQL runs as can enter.
pub(crate) fn home() -> TempDir {
    let home = TempDir::new().unwrap();
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).unwrap();
    home
}

/// The command, with nothing of this process's environment that could reach it.
pub(crate) fn command(home: &Path) -> Command {
    command_by(env!("CARGO_BIN_EXE_keyward"), home)
}

/// The same for a program that becomes it.
pub(crate) fn command_by(program: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars() {
        let ours = ["KEYWARD_", "OTEL_"]
            .iter()
            .any(|ours| name.starts_with(ours));
        if ours || name == "DATABASE_URL" || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
        .current_dir(home)
        .env("KEYWARD_LISTEN", "127.0.0.1:0");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log(home));
    command
}

/// Standard error goes to a file, so that a test can read it while the process runs.
fn log(home: &Path) -> Stdio {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(home.join("keyward.log"));
    file.unwrap().into()
}

pub(crate) struct Keyward {
    child: Child,
    pub(crate) greeting: String,
    pub(crate) url: String,
    home: PathBuf,
    http: Client,
    /// What was sent and what came back.
    secrets: Mutex<Vec<String>>,
}

impl Keyward {
    pub(crate) fn start(home: &Path) -> Self {
        Self::start_with(home, |_| {})
    }

    /// Starts it, and waits for its greeting.
    pub(crate) fn start_with(home: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = command(home);
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let mut greeting = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !greeting.contains("Ctrl-C") {
            let read = lines.read_line(&mut greeting).unwrap();
            assert_ne!(
                read,
                0,
                "it ended before it was ready:\n{greeting}{}",
                read_log(home)
            );
        }
        let url = greeting
            .split_whitespace()
            .find(|word| word.starts_with("http://"))
            .unwrap();
        let (url, http) = (
            url.to_owned(),
            Client::builder().no_proxy().build().unwrap(),
        );
        Self {
            child,
            greeting,
            url,
            home: home.to_owned(),
            http,
            secrets: Mutex::default(),
        }
    }

    pub(crate) fn log(&self) -> String {
        read_log(&self.home)
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + Duration::from_secs(40);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not stop:\n{}", self.log());
    }

    /// Its PostgreSQL.
    pub(crate) fn postgres(&self) -> Pid {
        self.postgres_if_there().unwrap()
    }

    /// The same while it may be away.
    pub(crate) fn postgres_if_there(&self) -> Option<Pid> {
        let file = self.home.join(".keyward/postgres/postmaster.pid");
        let text = std::fs::read_to_string(file).ok()?;
        Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
    }

    /// Where its PostgreSQL can be reached.
    pub(crate) fn database_url(&self) -> String {
        let file = std::fs::read(self.home.join(".keyward/connection.json")).unwrap();
        let connection: Value = serde_json::from_slice(&file).unwrap();
        connection["database_url"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let answer = answer.bytes().await.unwrap();
        let answer = serde_json::from_slice(&answer).unwrap_or_default();
        self.learn(&[body, &answer]);
        (status, answer)
    }

    /// Calls as somebody who is signed in, and is not refused.
    pub(crate) async fn post_as(&self, access_token: &Value, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        let token = access_token.as_str().unwrap();
        let answer = request.bearer_auth(token).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let answer = answer.bytes().await.map_or(Value::Null, |body| {
            serde_json::from_slice(&body).unwrap_or_default()
        });
        self.learn(&[body, &answer]);
        answer
    }

    fn learn(&self, bodies: &[&Value]) {
        let secrets = bodies.iter().flat_map(|body| leaks::secrets_in(body));
        let mut known = self.secrets.lock().unwrap();
        let secrets = secrets.map(|(_, secret)| secret);
        // Shorter ones are in a log by chance.
        known.extend(secrets.filter(|secret| secret.len() >= 8));
    }

    /// Nothing of them is in the log, nor what looks like one.
    fn assert_clean(&self) {
        let (log, secrets) = (self.log(), self.secrets.lock().unwrap());
        assert_eq!(leaks::shape_in(&log), None, "in {}", self.home.display());
        let logged = secrets.iter().any(|secret| log.contains(secret));
        assert!(!logged, "a secret is in the log: {}", self.home.display());
    }

    pub(crate) async fn sign_up(&self) -> Value {
        let body = json!({ "email": EMAIL, "password": PASSWORD });
        let (status, answer) = self.post("/v1/auth/signup", &body).await;
        assert_eq!(status, 201, "{answer}");
        answer
    }

    pub(crate) async fn log_in(&self) -> (u16, Value) {
        self.post(
            "/v1/auth/login",
            &json!({ "email": EMAIL, "password": PASSWORD }),
        )
        .await
    }

    /// What a page of the service's own origin is given in cookies by a login, or by a refresh with those it has.
    pub(crate) async fn cookies(&self, path: &str, body: &Value, held: &[String]) -> Vec<String> {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        let request = request.header("origin", "http://localhost:8080");
        let answer = request.header("cookie", held.join("; ")).send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let lines = answer.headers().get_all("set-cookie").iter();
        let pairs = lines.filter_map(|line| line.to_str().ok()?.split(';').next());
        pairs.map(str::to_owned).collect()
    }

    pub(crate) async fn refresh(&self, refresh_token: &Value) -> (u16, Value) {
        self.post(
            "/v1/auth/refresh",
            &json!({ "refresh_token": refresh_token }),
        )
        .await
    }

    pub(crate) async fn get(&self, path: &str, access_token: &Value) -> u16 {
        let request = self.http.get(format!("{}{path}", self.url));
        let answer = request
            .bearer_auth(access_token.as_str().unwrap())
            .send()
            .await;
        answer.unwrap().status().as_u16()
    }
}

impl Drop for Keyward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            self.assert_clean();
        }
    }
}

fn read_log(home: &Path) -> String {
    std::fs::read_to_string(home.join("keyward.log")).unwrap_or_default()
}

/// Starts it where it cannot start, and gives what it says.
pub(crate) fn refused(home: &Path, change: impl FnOnce(&mut Command)) -> String {
    let mut command = command(home);
    change(&mut command);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    said
}

/// Whether a process is gone, or only waits to be buried.
pub(crate) fn is_gone(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

/// The processes that a process has started.
pub(crate) fn children(parent: Pid) -> Vec<Pid> {
    let of = format!(" {} ", parent.as_raw_nonzero());
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // "pid (name) state parent …"
        let after = &stat[stat.rfind(')')? + 3..];
        after.starts_with(of.as_str()).then(|| Pid::from_raw(pid))?
    });
    pids.collect()
}
