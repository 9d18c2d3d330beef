//! `keyward serve`: starts what is needed in the right order, and stops it in the reverse one.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::sleep;
use std::time::{Duration, Instant};

use actix_web::dev::Server;
use anyhow::Context;
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};

use super::configured;
use super::database::{seams, start_postgres};
use crate::app::{App, Database};
use crate::config::{Config, Profile, Source};
use crate::server::{self, Door};
use crate::{jobs, spans};

/// How long a port that is taken is asked for.
const PORT_PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn serve() -> anyhow::Result<()> {
    let config = configured()?;
    // Until the end: what is left of the last requests is sent then.
    let _exporter = spans::start(&config.spans)?;
    // Taken first, so that a second instance fails before it touches anything.
    let listeners = Listeners::bind(&config)?;
    match &config.database.source {
        Source::External(url) => {
            let database = Database {
                url,
                data_dir: None,
            };
            run(&config, &database, listeners)
        }
        Source::Embedded(embedded) => {
            let postgres = start_postgres(embedded)?;
            let url = SecretString::from(postgres.database_url().to_owned());
            let database = Database {
                url: &url,
                data_dir: Some(postgres.data_dir()),
            };
            let served = run(&config, &database, listeners);
            postgres.stop().and(served)
        }
    }
}

/// The sockets, bound.
struct Listeners {
    public: TcpListener,
    management: Option<TcpListener>,
}

impl Listeners {
    fn bind(config: &Config) -> anyhow::Result<Self> {
        let management = config.http.management_listen;
        let management = management.map(|address| listen("KEYWARD_MANAGEMENT_LISTEN", address));
        Ok(Self {
            public: listen("KEYWARD_LISTEN", config.http.listen)?,
            management: management.transpose()?,
        })
    }
}

/// One that was killed while it started a program leaves the port to that program for a moment.
fn listen(name: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let until = Instant::now() + PORT_PATIENCE;
    loop {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < until => {
                sleep(Duration::from_millis(20));
            }
            bound => {
                return bound.with_context(|| format!("{name}: cannot listen on {address}"));
            }
        }
    }
}

/// Serves until a signal.
fn run(config: &Config, database: &Database<'_>, listeners: Listeners) -> anyhow::Result<()> {
    let seams = seams();
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    actix_web::rt::System::new().block_on(async {
        // From here on a signal is an orderly stop, also while the database lets us wait.
        let mut signalled = Box::pin(signals()?);
        let app = tokio::select! {
            app = App::build(config, database, seams) => app?,
            () = &mut signalled => return Ok(()),
        };
        let address = listeners.public.local_addr()?;
        let door = Door::of(&listeners.public)?;
        let mut server = server::run(&app, listeners.public, app.threads(cores))?;
        if let Some(listener) = listeners.management {
            // It ends with the runtime, so that it answers for as long as there is something to ask after.
            actix_web::rt::spawn(server::run_management(&app, listener)?);
        }
        jobs::start(&app.services);
        greet(config, database, address);
        tokio::select! {
            ended = &mut server => return Ok(ended?),
            () = signalled => {}
        }
        tracing::info!(
            "stopping: the requests under way are finished first; once more stops at once"
        );
        app.services.health.stop();
        let again = signals()?;
        // Dropped, it cuts off what is left.
        tokio::select! {
            ended = stop(server, door, config.http.stop_delay) => ended?,
            () = again => tracing::warn!("stopping at once"),
        }
        app.close();
        Ok(())
    })
}

/// Stops in an order that lets proxies follow: for so long they are only told, by readiness and by answers that close
/// their connections; then they are refused; then what is under way is finished.
async fn stop(mut server: Server, door: Door, delay: Duration) -> std::io::Result<()> {
    let told = async {
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
            door.close().await;
        }
    };
    tokio::select! {
        ended = &mut server => return ended,
        () = told => {}
    }
    // The command is given here; the server carries it out when it is awaited.
    let _stopped = server.handle().stop(true);
    server.await
}

/// Completes at the first SIGINT or SIGTERM from now on.
fn signals() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! { _ = interrupt.recv() => {} _ = terminate.recv() => {} }
    })
}

#[expect(
    clippy::print_stdout,
    reason = "what a person sees after the first command"
)]
fn greet(config: &Config, database: &Database<'_>, address: SocketAddr) {
    let issuer = &config.tokens.issuer;
    tracing::info!(%address, issuer, "serving");
    if issuer.contains("://localhost") && !address.ip().is_loopback() {
        tracing::warn!(
            "KEYWARD_PUBLIC_URL is localhost: tokens are issued under a name that only this machine knows"
        );
    }
    let reachable = if address.ip().is_unspecified() {
        Ipv4Addr::LOCALHOST.into()
    } else {
        address.ip()
    };
    let address = SocketAddr::new(reachable, address.port());
    if config.profile == Profile::Production {
        return;
    }
    let data = match database.data_dir {
        Some(dir) => dir.display().to_string(),
        None => "in the database of DATABASE_URL".to_owned(),
    };
    println!(
        "
Keyward is running.

  URL        http://{address}
  Data       {data}
  Contract   http://{address}/openapi.yaml
  Issuer     {issuer}

Sign up the first user:

  curl -s http://{address}/v1/auth/signup -H 'Content-Type: application/json' \\
    -d '{{\"email\": \"ann@example.com\", \"password\": \"tall cliff moth ribbon\"}}'

Ctrl-C stops it.
"
    );
}
