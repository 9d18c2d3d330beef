//! One request of a connection waits while another is served, and no more: the protocol above decodes all bytes that it is
//! given, and a short request that was decoded takes hundreds of times the memory of its bytes.

use std::cell::Cell;
use std::rc::Rc;
use std::task::Waker;

const VERSION: &[u8] = b"HTTP/1.";

/// The requests of one connection. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Pipeline(Rc<Requests>);

#[derive(Default)]
struct Requests {
    waits: Cell<bool>,
    is_served: Cell<bool>,
    reader: Cell<Option<Waker>>,
}

impl Pipeline {
    /// Says whether a request waits.
    pub(super) fn set_waits(&self, waits: bool) {
        self.0.waits.set(waits);
    }

    pub(super) fn waits(&self) -> bool {
        self.0.waits.get()
    }

    /// Whether one is being served.
    pub(super) fn is_served(&self) -> bool {
        self.0.is_served.get()
    }

    /// Wakes this one when none may wait any more.
    pub(super) fn wake_later(&self, reader: &Waker) {
        self.0.reader.set(Some(reader.clone()));
    }

    pub(super) fn wake(&self) {
        if let Some(reader) = self.0.reader.take() {
            reader.wake();
        }
    }

    /// The one that waits is served, until what is given is dropped.
    pub(super) fn serve(&self) -> Serving {
        self.0.waits.set(false);
        self.0.is_served.set(true);
        self.wake();
        Serving(self.clone())
    }
}

/// A request that is being served.
pub(super) struct Serving(Pipeline);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.0.is_served.set(false);
        self.0.wake();
    }
}

/// Finds where request lines end, however their bytes arrive: at the protocol's version. What looks alike, in a header or
/// in a body that is no JSON, is found as well.
#[derive(Default)]
pub(super) struct RequestLines {
    /// Bytes of the end of a line that were there.
    matched: usize,
}

impl RequestLines {
    /// How many of the bytes come before the end of a second line, and whether a first one ends in them.
    pub(super) fn up_to_second(&mut self, bytes: &[u8]) -> (usize, bool) {
        let (mut at, mut has_first) = (0, false);
        while let Some(byte) = bytes.get(at) {
            let matched = self.matched_with(*byte);
            if matched.is_none() {
                if has_first {
                    return (at, true);
                }
                has_first = true;
            }
            self.matched = matched.unwrap_or(0);
            at += 1;
            if self.matched == 0 {
                let rest = bytes[at..].iter();
                at += rest.take_while(|byte| **byte != VERSION[0]).count();
            }
        }
        (at, has_first)
    }

    /// None at the end of a line.
    fn matched_with(&self, byte: u8) -> Option<usize> {
        const DIGIT: usize = VERSION.len();
        match (self.matched, byte) {
            (at, byte) if VERSION.get(at) == Some(&byte) => Some(at + 1),
            (DIGIT, b'0'..=b'9') => Some(DIGIT + 1),
            (at, b'\r') if at == DIGIT + 1 => Some(DIGIT + 2),
            (at, b'\n') if at > DIGIT => None,
            (_, byte) => Some(usize::from(byte == VERSION[0])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"GET /HHTTP/1. HTTP/1.1\r\nHost: a\r\n\r\n";

    /// In pieces of this size; how many lines end in the bytes.
    fn lines(bytes: &[u8], size: usize) -> usize {
        let mut lines = RequestLines::default();
        let mut count = 0;
        for mut piece in bytes.chunks(size) {
            while !piece.is_empty() {
                let (given, has_first) = lines.up_to_second(piece);
                count += usize::from(has_first);
                piece = &piece[given..];
            }
        }
        count
    }

    #[test]
    fn every_request_has_one_line_however_it_arrives() {
        for size in [1, 2, 7, 1000] {
            assert_eq!(lines(&REQUEST.repeat(50), size), 50);
            assert_eq!(lines(b"\r\nPOST / HTTP/1.0\nA: b\n\n", size), 1);
            let body = b"{\"a\": \"HTTP/1.1\", \"b\": \"HTTP/1.1\\r\\n\"}\r\n";
            assert_eq!(lines(body, size), 0);
        }
    }

    #[test]
    fn a_second_line_is_left_before_it_ends() {
        let requests = REQUEST.repeat(2);
        let mut lines = RequestLines::default();
        let (given, has_first) = lines.up_to_second(&requests);
        assert!(has_first && requests[..given].ends_with(b"HTTP/1.1\r"));
        let rest = &requests[given..];
        assert_eq!(lines.up_to_second(rest), (rest.len(), true));
    }

    #[test]
    fn what_is_served_waits_no_more() {
        let pipeline = Pipeline::default();
        pipeline.set_waits(true);
        let serving = pipeline.serve();
        assert!(pipeline.is_served() && !pipeline.waits());
        drop(serving);
        assert!(!pipeline.is_served());
    }
}
