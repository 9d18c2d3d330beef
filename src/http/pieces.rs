//! A long body that is always there, sent piece by piece: a client that reads slowly costs a few pieces and no copy.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;

/// Bytes of a piece.
const PIECE: usize = 16 * 1024;

/// What is still to be sent.
pub(super) struct Pieces(pub(super) &'static [u8]);

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let (piece, rest) = self.0.split_at(self.0.len().min(PIECE));
        self.0 = rest;
        Poll::Ready((!piece.is_empty()).then(|| Ok(Bytes::from_static(piece))))
    }
}
