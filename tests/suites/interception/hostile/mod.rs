//! Bad input: every piece of it gets a bounded answer or an end, in bounded memory, and nobody else notices.

mod floods;
mod hello;
mod responses;
mod smuggling;
mod strict;
mod upstream;

use std::io::{ErrorKind, Read};
use std::time::Duration;

use outrigger_tests::app::Pod;

/// What a neighbour's call may take beside an attack: far more than it does, on a machine that has other things to do.
const CALM: Duration = Duration::from_secs(10);
/// What an attack may leave resident, KiB. The shared copy buffer and warmed pools are a few MiB.
const GROWTH: u64 = 24 * 1024;

/// Reads until the peer ends the connection, in whichever way. How much came.
fn until_closed(stream: &mut impl Read) -> usize {
    let mut buffer = [0; 16 * 1024];
    let mut all = 0;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return all,
            Ok(more) => all += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                let waiting = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                assert!(!waiting, "the connection was not closed");
                // A reset, or an end without TLS's own good-bye.
                return all;
            }
        }
    }
}
