//! How a listener closes: whoever has connected gets in, and whoever has not is refused.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::rt::time::sleep;

/// For connections that were begun to be made, accepted, and asked on.
const LAST_ONES: Duration = Duration::from_millis(500);

/// Of one listener, which others accept from.
pub struct Door(TcpListener);

impl Door {
    /// The door of this listener.
    pub fn of(listener: &TcpListener) -> io::Result<Self> {
        listener.try_clone().map(Self)
    }

    /// Begins no more connections, and leaves time for those that were begun. A closed listener resets what it has not
    /// accepted, and a proxy that has sent a request by then cannot know what became of it. One whose connection was
    /// never made can ask elsewhere: it tries again after a second, and is refused.
    pub async fn close(self) {
        if let Err(error) = self.shut() {
            tracing::warn!(%error, "connections that are made while the service stops may be reset");
        }
        sleep(LAST_ONES).await;
    }

    /// Has the kernel ignore whoever knocks.
    #[cfg(target_os = "linux")]
    fn shut(&self) -> io::Result<()> {
        use socket2::{SockFilter, SockRef};

        const LOAD_BYTE: u16 = 0x30;
        const AND: u16 = 0x54;
        const JUMP_IF_EQUAL: u16 = 0x15;
        const RETURN: u16 = 0x06;
        // Bits of a TCP header's byte 13.
        const SYN: u32 = 0x02;
        const ACK: u32 = 0x10;
        // The first packet of a connection has SYN without ACK.
        SockRef::from(&self.0).attach_filter(&[
            SockFilter::new(LOAD_BYTE, 0, 0, 13),
            SockFilter::new(AND, 0, 0, SYN | ACK),
            SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
            SockFilter::new(RETURN, 0, 0, 0),
            SockFilter::new(RETURN, 0, 0, u32::MAX),
        ])
    }

    #[cfg(not(target_os = "linux"))]
    fn shut(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    #[actix_web::test]
    async fn who_has_connected_gets_in_and_nobody_else() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
        let mut early = connect().unwrap();
        Door::of(&listener).unwrap().close().await;
        assert!(connect().is_err());
        early.write_all(b"?").unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        let mut read = [0];
        accepted.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"?");
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err());
    }
}
