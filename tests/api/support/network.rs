//! A network between the service and its database, for it to fail on.

use std::io;
use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::watch::{self, Receiver, Sender};
use url::Url;

/// How it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Works,
    /// Nothing arrives, and nobody is told.
    Hangs,
    /// What was open is cut, and what is tried anew is refused.
    Away,
}

/// The one way from the service to its database.
pub(crate) struct Network {
    state: Sender<State>,
    _directory: TempDir,
}

impl Network {
    /// To the database of this URL; with the URL it has from here.
    pub(crate) fn to(database_url: &str) -> (Self, String) {
        let options: PgConnectOptions = database_url.parse().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (state, watched) = watch::channel(State::Works);
        let mut url: Url = database_url.parse().unwrap();
        let mut query = url.query_pairs().into_owned().collect::<Vec<_>>();
        query.retain(|(name, _)| name != "host");
        query.push(("host".to_owned(), directory.path().display().to_string()));
        url.query_pairs_mut().clear().extend_pairs(query);
        let socket = directory.path().join(socket_name(&options));
        let listener = listen(&socket);
        actix_web::rt::spawn(serve(socket, listener, options, watched));
        let network = Self {
            state,
            _directory: directory,
        };
        (network, url.into())
    }

    pub(crate) fn work(&self) {
        self.state.send_replace(State::Works);
    }

    pub(crate) fn hang(&self) {
        self.state.send_replace(State::Hangs);
    }

    pub(crate) fn fail(&self) {
        self.state.send_replace(State::Away);
    }
}

fn socket_name(options: &PgConnectOptions) -> String {
    format!(".s.PGSQL.{}", options.get_port())
}

/// Takes the place of a listener that is gone in one step, so that there is always a socket.
fn listen(socket: &Path) -> UnixListener {
    let new = socket.with_extension("new");
    let listener = UnixListener::bind(&new).unwrap();
    std::fs::rename(new, socket).unwrap();
    listener
}

/// Listens while it is not away, until the network is dropped.
async fn serve(
    socket: PathBuf,
    mut listener: UnixListener,
    options: PgConnectOptions,
    mut state: Receiver<State>,
) {
    loop {
        let mut watched = state.clone();
        tokio::select! {
            away = watched.wait_for(|state| *state == State::Away) => {
                if away.is_err() {
                    return;
                }
            }
            () = accept(&listener, &options, &state) => return,
        }
        drop(listener);
        if state.wait_for(|state| *state != State::Away).await.is_err() {
            return;
        }
        listener = listen(&socket);
    }
}

async fn accept(listener: &UnixListener, options: &PgConnectOptions, state: &Receiver<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let (options, mut state) = (options.clone(), state.clone());
        actix_web::rt::spawn(async move {
            let through = join(client, &options, state.clone());
            tokio::select! {
                _ = state.wait_for(|state| *state == State::Away) => {}
                _ = through => {}
            }
        });
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

async fn join(
    client: UnixStream,
    options: &PgConnectOptions,
    state: Receiver<State>,
) -> io::Result<()> {
    let server: Box<dyn Stream> = match options.get_socket() {
        Some(directory) => {
            Box::new(UnixStream::connect(directory.join(socket_name(options))).await?)
        }
        None => Box::new(TcpStream::connect((options.get_host(), options.get_port())).await?),
    };
    let ((from_client, to_client), (from_server, to_server)) = (split(client), split(server));
    tokio::select! {
        done = pump(from_client, to_server, state.clone()) => done,
        done = pump(from_server, to_client, state) => done,
    }
}

/// Passes on what comes, when the network works: what is sent while it hangs arrives later.
async fn pump<A: Stream, B: Stream>(
    mut from: ReadHalf<A>,
    mut to: WriteHalf<B>,
    mut state: Receiver<State>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        let works = state.wait_for(|state| *state == State::Works).await;
        if read == 0 || works.is_err() {
            return to.shutdown().await;
        }
        drop(works);
        to.write_all(&buffer[..read]).await?;
    }
}
