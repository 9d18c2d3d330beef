//! A proxy in front of replicas, with what `docs/operations.md` says about connections.

use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// One nginx. It ends when this does.
pub(crate) struct Nginx {
    child: Child,
    _prefix: TempDir,
}

impl Nginx {
    /// In front of these sets of replicas; where each set is reached. None where nginx is not installed.
    pub(crate) async fn start(sets: &[Vec<SocketAddr>]) -> Result<Option<(Self, Vec<SocketAddr>)>> {
        let prefix = TempDir::new()?;
        let addresses = sets.iter().map(|_| free_address());
        let addresses: Vec<SocketAddr> = addresses.collect::<Result<_>>()?;
        let sites = sets.iter().zip(&addresses).enumerate();
        let sites = sites.map(|(nth, (set, address))| site(nth, set, *address));
        let sites: String = sites.collect::<Result<_, _>>()?;
        fs::write(prefix.path().join("nginx.conf"), around(&sites))?;
        let mut command = Command::new("nginx");
        command
            .args(["-c", "nginx.conf", "-e", "error.log", "-p"])
            .arg(prefix.path())
            .stdin(Stdio::null());
        let child = match command.spawn() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            spawned => spawned?,
        };
        let mut nginx = Self {
            child,
            _prefix: prefix,
        };
        for address in &addresses {
            while TcpStream::connect(address).await.is_err() {
                ensure!(nginx.child.try_wait()?.is_none(), "nginx did not start");
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(Some((nginx, addresses)))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with it, when it is asked.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// An address that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn site(
    nth: usize,
    replicas: &[SocketAddr],
    listen: SocketAddr,
) -> Result<String, std::fmt::Error> {
    let mut servers = String::new();
    for replica in replicas {
        write!(servers, "server {replica} fail_timeout=2s; ")?;
    }
    Ok(format!(
        "upstream set{nth} {{ zone set{nth} 64k; {servers} keepalive 32; keepalive_timeout 4s; }}\n\
         server {{ listen {listen}; location / {{ proxy_pass http://set{nth}; proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\"; proxy_set_header Host $host;\n\
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }} }}\n"
    ))
}

/// A connection of whoever asks is kept for as long as a run takes.
fn around(sites: &str) -> String {
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths = paths
        .map(|path| format!("{path}_temp_path {path};\n"))
        .concat();
    format!(
        "daemon off;\nworker_processes auto;\npid nginx.pid;\nevents {{ worker_connections 768; }}\n\
         http {{\naccess_log off;\nkeepalive_requests 1000000000;\n{paths}{sites}}}\n"
    )
}
