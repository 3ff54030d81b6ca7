//! What a node reads of its peers and of its own log, for tests that give it any bytes (`fuzz/`).

use base::Seqno;
use bytes::Bytes;

use crate::log::replay::Replay;
use crate::peers::Frame;

/// Reads a frame, and writes it again. `None`: it is none.
#[must_use]
pub fn frame(bytes: Bytes) -> Option<Vec<u8>> {
    let (head, bulk) = Frame::decode(bytes).ok()?.encode();
    Some([&head[..], &bulk[..]].concat())
}

/// Reads a segment of the log, number 1, the first one that is left. How many of its bytes are whole records, and whether its end is
/// among them; `None`: it is damaged.
pub fn log_segment(bytes: Vec<u8>, newest: bool, seqno_of: impl Fn(&[u8]) -> Option<Seqno>) -> Option<(u64, bool)> {
    let read = Replay::default().segment(1, bytes, newest, &seqno_of).ok()?;
    Some((read.whole, read.ended))
}
