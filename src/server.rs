//! The listener: the application, what surrounds it, and how it stops.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App as Application, HttpServer};
use tracing_actix_web::TracingLogger;

use crate::app::App;
use crate::http;

/// For the head of a request.
const HEAD: Duration = Duration::from_secs(5);
/// For a closing connection to go away.
const DISCONNECT: Duration = Duration::from_secs(2);
/// For an idle connection to be used again.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// For the requests under way when the service stops, in seconds: a little more than the longest may take.
const DRAIN: u64 = 20;

/// A server for clients. It runs when awaited, and ends through its handle.
pub fn run(app: &App, listener: TcpListener, workers: usize) -> std::io::Result<Server> {
    let (lender, threads) = (app.clone(), Arc::new(AtomicUsize::new(0)));
    serve(app, listener, workers, move |routes| {
        let nth = threads.fetch_add(1, Ordering::Relaxed);
        lender.lend_connections_here(nth, workers);
        http::configure(routes);
    })
}

/// A server for whoever operates this one.
pub fn run_management(app: &App, listener: TcpListener) -> std::io::Result<Server> {
    serve(app, listener, 1, http::configure_management)
}

/// Each thread that serves calls `begin` once, before its first request.
fn serve(
    app: &App,
    listener: TcpListener,
    workers: usize,
    begin: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> std::io::Result<Server> {
    let services = Data::new(app.services.clone());
    let seams = Data::new(app.seams.clone());
    let metrics = Data::new(app.metrics.clone());
    let surroundings = Data::new(app.surroundings.clone());
    let server = HttpServer::new(move || {
        Application::new()
            .app_data(services.clone())
            .app_data(seams.clone())
            .app_data(metrics.clone())
            .app_data(surroundings.clone())
            .configure(begin.clone())
            .wrap(from_fn(http::edge))
            .wrap(TracingLogger::<http::RequestSpan>::new())
    });
    let server = server
        .workers(workers)
        .client_request_timeout(HEAD)
        .client_disconnect_timeout(DISCONNECT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(DRAIN)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}
