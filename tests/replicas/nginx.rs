//! nginx with the configuration of `docs/operations.md`, without its TLS.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Of the replicas, in the documentation.
pub(crate) const PORTS: [u16; 2] = [8080, 8090];
const PORT: u16 = 8443;
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct Nginx {
    child: Child,
    address: String,
    _prefix: TempDir,
}

impl Nginx {
    /// In front of the replicas at this address. Returns when it listens.
    pub(crate) fn start(address: &str) -> Self {
        let prefix = TempDir::new().unwrap();
        let documented = documented(&format!("{address}:{PORT}"), address);
        fs::write(prefix.path().join("nginx.conf"), around(&documented)).unwrap();
        let child = Command::new(program())
            .args(["-c", "nginx.conf", "-e", "error.log", "-p"])
            .arg(prefix.path())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn();
        let mut nginx = Self {
            child: child.unwrap(),
            address: format!("{address}:{PORT}"),
            _prefix: prefix,
        };
        while TcpStream::connect(&nginx.address).is_err() {
            let ended = nginx.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "nginx does not take the documented configuration"
            );
            std::thread::sleep(PAUSE);
        }
        nginx
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with it.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// What an operator copies, listening here, for replicas there.
fn documented(listen: &str, replicas: &str) -> String {
    let operations = include_str!("../../docs/operations.md");
    let (_, after) = operations.split_once("```nginx\n").unwrap();
    let (block, _) = after.split_once("```").unwrap();
    let plain = block
        .lines()
        .filter(|line| !line.trim_start().starts_with("ssl_"));
    let mut text = plain.collect::<Vec<_>>().join("\n");
    for port in PORTS {
        let server = format!("server 127.0.0.1:{port} ");
        assert!(text.contains(&server), "{text}");
        text = text.replace(&server, &format!("server {replicas}:{port} "));
    }
    assert!(text.contains("listen 443 ssl;"), "{text}");
    text.replace("listen 443 ssl;", &format!("listen {listen};"))
}

/// What a distribution puts around it, in a directory of its own.
fn around(site: &str) -> String {
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths: String = paths
        .iter()
        .map(|path| format!("{path}_temp_path {path};\n"))
        .collect();
    format!(
        "daemon off;\nuser root;\nworker_processes 2;\npid nginx.pid;\nevents {{ worker_connections 768; }}\n\
         http {{\naccess_log off;\n{paths}{site}\n}}\n"
    )
}

/// Where it is. A machine without it fails the tests, and is told how to get it.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = [PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")];
    let folders = std::env::split_paths(&path).chain(system);
    let found = folders
        .map(|folder| folder.join("nginx"))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("there is no nginx, and these tests need it: apt install nginx-light")
    })
}
