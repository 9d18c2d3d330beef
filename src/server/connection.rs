//! One connection, and how long it may go without an answer or without reading it: what the protocol above has no
//! deadline for.

use std::io::{self, ErrorKind};
use std::mem::take;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use actix_web::web::BytesMut;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::pipeline::{Pipeline, RequestLines};
use super::places::Place;

/// Without an answer, used or not: longer than a connection may be idle and a request may then take.
const SILENCE: Duration = Duration::from_secs(55);
/// From the first bytes after an answer to the next answer: longer than a head and its request may take.
const REQUEST: Duration = Duration::from_secs(25);
/// For a client to read what waits for it. It is never much: answers are made piece by piece.
const READER: Duration = Duration::from_secs(20);
/// What a connection is told that is one too many. It has not asked for anything yet, so this has no request's id.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\nretry-after: 5\r\n\r\n";
/// For telling that, while it has a place all the same; and how many KiB of its request are taken meanwhile.
const TURNED_AWAY: Duration = Duration::from_millis(100);
const TURNED_AWAY_READS: usize = 64;

/// A connection with its place.
pub(super) struct Connection {
    stream: TcpStream,
    pipeline: Pipeline,
    lines: RequestLines,
    /// Whether bytes were given that are yet to be decoded.
    is_undecoded: bool,
    /// What was read and is kept back.
    ahead: BytesMut,
    timer: Pin<Box<Sleep>>,
    until: Instant,
    /// Whether something was read since the last answer.
    has_asked: bool,
    /// Whether an answer waits to be read.
    has_stalled: bool,
    place: Place,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, place: Place) -> Self {
        let until = Instant::now() + SILENCE;
        Self {
            stream,
            pipeline: Pipeline::default(),
            lines: RequestLines::default(),
            is_undecoded: false,
            ahead: BytesMut::new(),
            timer: Box::pin(sleep_until(until)),
            until,
            has_asked: false,
            has_stalled: false,
            place,
        }
    }

    /// Its requests.
    pub(super) fn pipeline(&self) -> Pipeline {
        self.pipeline.clone()
    }

    fn asked(&mut self) {
        if !self.has_asked {
            self.has_asked = true;
            self.hasten(REQUEST);
        }
    }

    fn stalled(&mut self) {
        if !self.has_stalled {
            self.has_stalled = true;
            self.hasten(READER);
        }
    }

    /// All that there was to write is written.
    fn answered(&mut self) {
        (self.has_asked, self.has_stalled) = (false, false);
        // Later than the timer, which is set anew when it fires.
        self.until = Instant::now() + SILENCE;
        self.pipeline.wake();
    }

    fn hasten(&mut self, patience: Duration) {
        self.until = self.until.min(Instant::now() + patience);
        if self.until < self.timer.deadline() {
            self.timer.as_mut().reset(self.until);
        }
    }

    /// Pending until the time is up.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        while self.timer.as_mut().poll(context).is_ready() {
            if self.until <= Instant::now() {
                // Nor does the kernel keep what nobody reads.
                drop(self.stream.set_zero_linger());
                self.place.was_too_slow();
                return Poll::Ready(ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(self.until);
        }
        Poll::Pending
    }
}

impl Connection {
    /// Whether nothing more is read for now, as a request waits.
    fn is_held_up(&mut self, context: &mut Context<'_>) -> bool {
        if !self.pipeline.waits() {
            return false;
        }
        if self.pipeline.is_served() || self.has_stalled {
            self.pipeline.wake_later(context.waker());
            return true;
        }
        if take(&mut self.is_undecoded) {
            if !self.ahead.is_empty() || self.stream.poll_read_ready(context).is_ready() {
                context.waker().wake_by_ref();
            }
            return true;
        }
        // It was decoded, and is not whole, or none.
        self.pipeline.set_waits(false);
        false
    }

    /// Reads what has arrived, or was kept back before, and keeps back what comes after one more request line.
    fn poll_bytes(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let has_line = if self.ahead.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
            let read = &buffer.filled()[before..];
            let (given, has_line) = self.lines.up_to_second(read);
            self.ahead.extend_from_slice(&read[given..]);
            buffer.set_filled(before + given);
            has_line
        } else {
            let most = self.ahead.len().min(buffer.remaining());
            let (given, has_line) = self.lines.up_to_second(&self.ahead[..most]);
            buffer.put_slice(&self.ahead.split_to(given));
            has_line
        };
        if has_line {
            self.pipeline.set_waits(true);
        }
        self.is_undecoded = true;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.is_held_up(context) {
            return self.poll_patience(context).map(Err);
        }
        let read = self.poll_bytes(context, buffer);
        if read.is_pending() {
            return self.poll_patience(context).map(Err);
        }
        // Clients of old send an empty line after a body.
        let mut bytes = buffer.filled()[before..].iter();
        if bytes.any(|byte| !matches!(byte, b'\r' | b'\n')) {
            self.asked();
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Pending => {
                self.stalled();
                self.poll_patience(context).map(Err)
            }
            Poll::Ready(Ok(written)) => {
                if written == bytes.len() {
                    self.answered();
                }
                Poll::Ready(Ok(written))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }

    /// The protocol calls this whenever it has done something, also while it reads what it throws away.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(error) = self.poll_patience(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Says that there are too many, as far as that can be said at once.
pub(super) async fn turn_away(stream: &TcpStream) {
    let told = async {
        stream.writable().await?;
        stream.try_write(TOO_MANY)?;
        SockRef::from(stream).shutdown(Shutdown::Write)?;
        // Closed while something arrives, it would take the answer back.
        for _ in 0..TURNED_AWAY_READS {
            stream.readable().await?;
            match stream.try_read(&mut [0; 1024]) {
                Ok(0) => break,
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
        Ok::<(), io::Error>(())
    };
    drop(timeout(TURNED_AWAY, told).await);
}
