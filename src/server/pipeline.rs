//! How many requests of one connection wait for their turn. A short request that was decoded takes hundreds of times the
//! memory of its bytes, and the protocol above decodes all bytes it is given: so it is given no more than it may decode.

use std::cell::Cell;
use std::rc::Rc;
use std::task::Waker;

/// Requests that may wait.
const MOST: usize = 8;
const VERSION: &[u8] = b"HTTP/1.";

/// The requests of one connection. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Pipeline(Rc<Requests>);

#[derive(Default)]
struct Requests {
    waiting: Cell<usize>,
    served: Cell<usize>,
    reader: Cell<Option<Waker>>,
}

impl Pipeline {
    /// How many more may be read.
    pub(super) fn room(&self) -> usize {
        MOST.saturating_sub(self.0.waiting.get())
    }

    /// So many were read.
    pub(super) fn read(&self, requests: usize) {
        self.0.waiting.set(self.0.waiting.get() + requests);
    }

    /// Whether one is being served.
    pub(super) fn is_serving(&self) -> bool {
        self.0.served.get() > 0
    }

    /// None waits: what looked like some was something else, or is yet to be decoded.
    pub(super) fn clear(&self) {
        self.0.waiting.set(0);
    }

    /// Wakes this one when there may be room.
    pub(super) fn wake_later(&self, reader: &Waker) {
        self.0.reader.set(Some(reader.clone()));
    }

    pub(super) fn wake(&self) {
        if let Some(reader) = self.0.reader.take() {
            reader.wake();
        }
    }

    /// The next one is served, until what is given is dropped.
    pub(super) fn serve(&self) -> Serving {
        let Requests {
            waiting, served, ..
        } = &*self.0;
        waiting.set(waiting.get().saturating_sub(1));
        served.set(served.get() + 1);
        self.wake();
        Serving(self.clone())
    }
}

/// A request that is being served.
pub(super) struct Serving(Pipeline);

impl Drop for Serving {
    fn drop(&mut self) {
        let served = &self.0.0.served;
        served.set(served.get() - 1);
        self.0.wake();
    }
}

/// Finds where request lines end, however their bytes arrive: at the protocol's version. In a header that looks alike
/// it finds one too many; in JSON, where a line can end between values only, it finds none.
#[derive(Default)]
pub(super) struct RequestLines {
    /// Bytes of the end of a line that were there.
    matched: usize,
}

impl RequestLines {
    /// How many of the bytes come before the end of one line more than so many; and how many lines end in them.
    pub(super) fn up_to(&mut self, most: usize, bytes: &[u8]) -> (usize, usize) {
        let (mut at, mut lines) = (0, 0);
        while let Some(byte) = bytes.get(at) {
            let matched = self.matched_with(*byte);
            if matched.is_none() {
                if lines == most {
                    return (at, lines);
                }
                lines += 1;
            }
            self.matched = matched.unwrap_or(0);
            at += 1;
            if self.matched == 0 {
                let rest = bytes[at..].iter();
                at += rest.take_while(|byte| **byte != VERSION[0]).count();
            }
        }
        (at, lines)
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

    fn lines(bytes: &[u8]) -> usize {
        RequestLines::default().up_to(usize::MAX, bytes).1
    }

    #[test]
    fn every_request_has_one_line() {
        assert_eq!(lines(REQUEST), 1);
        assert_eq!(lines(&REQUEST.repeat(50)), 50);
        assert_eq!(lines(b"\r\nPOST / HTTP/1.0\nA: b\n\n"), 1);
        assert_eq!(
            lines(b"{\"a\": \"HTTP/1.1\", \"b\": \"HTTP/1.1\\r\\n\"}\r\n"),
            0
        );
    }

    #[test]
    fn lines_are_found_in_bytes_that_come_one_by_one() {
        let mut found = RequestLines::default();
        let requests = REQUEST.repeat(3);
        let each = requests.chunks(1).map(|byte| found.up_to(9, byte).1);
        assert_eq!(each.sum::<usize>(), 3);
    }

    #[test]
    fn what_is_too_much_is_left_before_its_line_ends() {
        let requests = REQUEST.repeat(3);
        let mut found = RequestLines::default();
        let (given, count) = found.up_to(2, &requests);
        assert_eq!(count, 2);
        assert!(requests[..given].ends_with(b"HTTP/1.1\r"));
        assert_eq!(
            found.up_to(1, &requests[given..]),
            (requests.len() - given, 1)
        );
    }

    #[test]
    fn what_is_served_waits_no_more() {
        let pipeline = Pipeline::default();
        pipeline.read(MOST);
        assert_eq!((pipeline.room(), pipeline.is_serving()), (0, false));
        let serving = pipeline.serve();
        assert_eq!((pipeline.room(), pipeline.is_serving()), (1, true));
        drop(serving);
        assert!(!pipeline.is_serving());
    }
}
