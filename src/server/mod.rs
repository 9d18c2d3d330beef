//! The listener: the application, what surrounds it, and how it stops.

mod connection;
mod door;
mod files;
mod pipeline;
mod places;

use std::io::{Error, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_http::HttpServiceBuilder;
use actix_http::error::DispatchError;
use actix_service::{Service, ServiceFactoryExt, map_config};
use actix_web::App as Application;
use actix_web::body::MessageBody;
use actix_web::dev::{
    AppConfig, Server, ServiceFactory, ServiceRequest, ServiceResponse, fn_service,
};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::{Data, ServiceConfig};
use socket2::SockRef;
use tracing_actix_web::TracingLogger;

use crate::app::App;
use crate::http;
use connection::Connection;
pub use door::Door;
use pipeline::Pipeline;
use places::Places;

/// For the head of a connection's first request.
const HEAD: Duration = Duration::from_secs(5);
/// For a closing connection to go away.
const DISCONNECT: Duration = Duration::from_secs(2);
/// For an idle connection to be used again.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// For the requests under way when the service stops, in seconds: a little more than the longest may take.
const DRAIN: u64 = 20;
/// Bytes of answers that are made before those before them are sent.
const WRITE_BUFFER: usize = 16 * 1024;
/// Bytes of answers that the kernel takes of one connection before they are read; it doubles them.
const SEND_BUFFER: usize = 64 * 1024;
/// For a client to take what it was sent, also on a connection that is closed already.
#[cfg(target_os = "linux")]
const UNREAD: Duration = Duration::from_secs(20);
/// Connections that the kernel keeps until they are accepted, or as many as it may.
const QUEUE: i32 = 1024;
/// Connections of whoever operates the service.
const MANAGEMENT: usize = 100;

/// A server for clients. It runs when awaited, and ends through its handle.
pub fn run(app: &App, listener: TcpListener, workers: usize) -> std::io::Result<Server> {
    let most = files::allow(app.connections.total) / workers;
    let (lender, threads) = (app.clone(), Arc::new(AtomicUsize::new(0)));
    serve(app, listener, (workers, most), move |routes| {
        let nth = threads.fetch_add(1, Ordering::Relaxed);
        lender.lend_connections_here(nth, workers);
        http::configure(routes);
    })
}

/// A server for whoever operates this one.
pub fn run_management(app: &App, listener: TcpListener) -> std::io::Result<Server> {
    serve(app, listener, (1, MANAGEMENT), http::configure_management)
}

/// With so many threads, and so many connections for each. A thread calls `begin` once, before its first request.
fn serve(
    app: &App,
    listener: TcpListener,
    (workers, most): (usize, usize),
    begin: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> std::io::Result<Server> {
    prepare(&SockRef::from(&listener))?;
    let (app, places) = (
        app.clone(),
        Places::new(&app.connections, app.metrics.clone()),
    );
    // More connections wait in the kernel's queue.
    let server = Server::build()
        .workers(workers)
        .max_concurrent_connections(most.max(1))
        .shutdown_timeout(DRAIN)
        .disable_signals();
    let stopping = server.graceful_shutdown_signal();
    let server = server.listen("keyward", listener, move || {
        let application = application(app.clone(), begin.clone());
        let (places, stopping) = (places.clone(), stopping.clone());
        let protocol = HttpServiceBuilder::default()
            .client_request_timeout(HEAD)
            .client_disconnect_timeout(DISCONNECT)
            .keep_alive(KEEP_ALIVE)
            .h1_write_buffer_size(WRITE_BUFFER)
            .on_connect_ext(|connection: &Connection, of_connection| {
                of_connection.insert(connection.pipeline());
            })
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .h1(map_config(application, |()| AppConfig::default()));
        fn_service(move |stream| admit(places.clone(), stream)).and_then(protocol)
    })?;
    Ok(server.run())
}

/// Sets what every connection has from its listener.
fn prepare(listener: &SockRef<'_>) -> std::io::Result<()> {
    // An answer in pieces does not wait for the first to be acknowledged.
    listener.set_tcp_nodelay(true)?;
    listener.set_send_buffer_size(SEND_BUFFER)?;
    #[cfg(target_os = "linux")]
    listener.set_tcp_user_timeout(Some(UNREAD))?;
    listener.listen(QUEUE)
}

/// What serves the requests of one thread.
fn application(
    app: App,
    begin: impl FnOnce(&mut ServiceConfig),
) -> Application<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    Application::new()
        .app_data(Data::new(app.services))
        .app_data(Data::new(app.seams))
        .app_data(Data::new(app.metrics))
        .app_data(Data::new(app.surroundings))
        .configure(begin)
        .wrap(from_fn(http::edge))
        .wrap(TracingLogger::<http::RequestSpan>::new())
        .wrap_fn(|request, service| {
            let serving = request.conn_data::<Pipeline>().map(Pipeline::serve);
            let served = service.call(request);
            async move {
                let answer = served.await;
                drop(serving);
                answer
            }
        })
}

/// A connection that has its place, and whose it is.
async fn admit(
    places: Places,
    stream: TcpStream,
) -> Result<(Connection, Option<SocketAddr>), DispatchError> {
    let peer = stream.peer_addr().ok();
    if let Some(place) = places.take(peer.map(|peer| peer.ip())) {
        return Ok((Connection::new(stream, place), peer));
    }
    connection::turn_away(&stream).await;
    Err(DispatchError::Io(Error::from(ErrorKind::QuotaExceeded)))
}
