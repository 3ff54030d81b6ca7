//! Frames through a socket: four bytes of length, least significant first, and so many bytes of CBOR.
//!
//! Each side speaks in turn, so there is never more to read than one frame. Whoever waits looks at its clock again and again:
//! the other side cannot keep it by saying little, or nothing.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use minicbor::{Encode, Encoder};

/// Why an exchange does not go on.
#[derive(Debug)]
pub(super) enum Cut {
    /// The time is up. It can be taken up again.
    Late,
    /// The other side ended.
    Ended,
    /// The other side says what nobody understands.
    Nonsense,
}

const LENGTH: usize = 4;
const CHUNK: usize = 64 << 10;

pub(super) struct Wire {
    stream: UnixStream,
    chunk: Box<[u8]>,
    /// What was read of a frame.
    input: Vec<u8>,
    /// What is still to be sent, from `sent` on.
    output: Vec<u8>,
    sent: usize,
}

impl Wire {
    /// `patience` is how long one call of the system may wait before the clock is looked at; without it there is no clock.
    pub(super) fn new(stream: UnixStream, patience: Option<Duration>) -> io::Result<Self> {
        stream.set_read_timeout(patience)?;
        stream.set_write_timeout(patience)?;
        Ok(Self { stream, chunk: vec![0; CHUNK].into(), input: Vec::new(), output: Vec::new(), sent: 0 })
    }

    /// Puts a frame where [`Wire::flush`] finds it.
    pub(super) fn queue(&mut self, value: &impl Encode<()>) -> Result<(), Cut> {
        self.queue_all(value, &[])
    }

    /// The same with texts behind it.
    pub(super) fn queue_all(&mut self, value: &impl Encode<()>, texts: &[String]) -> Result<(), Cut> {
        self.output.clear();
        self.output.extend([0; LENGTH]);
        self.sent = 0;
        let mut e = Encoder::new(&mut self.output);
        e.encode(value).map_err(|_| Cut::Nonsense)?;
        texts.iter().try_for_each(|text| e.str(text).map(drop)).map_err(|_| Cut::Nonsense)?;
        let length = u32::try_from(self.output.len() - LENGTH).map_err(|_| Cut::Nonsense)?;
        self.output[..LENGTH].copy_from_slice(&length.to_le_bytes());
        Ok(())
    }

    pub(super) fn flush(&mut self, late: &mut dyn FnMut() -> bool) -> Result<(), Cut> {
        while self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(0) => return Err(Cut::Ended),
                Ok(bytes) => self.sent += bytes,
                Err(error) => waits(&error)?,
            }
            if self.sent < self.output.len() && late() {
                return Err(Cut::Late);
            }
        }
        shrink(&mut self.output);
        self.sent = 0;
        Ok(())
    }

    /// The next frame, of at most so many bytes.
    pub(super) fn receive(&mut self, bytes_max: usize, late: &mut dyn FnMut() -> bool) -> Result<Vec<u8>, Cut> {
        let mut looked = false;
        loop {
            if let Some(length) = self.input.first_chunk() {
                let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| Cut::Nonsense)?;
                if length > bytes_max || self.input.len() - LENGTH > length {
                    return Err(Cut::Nonsense);
                }
                if self.input.len() - LENGTH == length {
                    let mut frame = std::mem::take(&mut self.input);
                    frame.drain(..LENGTH);
                    return Ok(frame);
                }
            }
            // Not before the first look: what is there already is never late.
            if looked && late() {
                return Err(Cut::Late);
            }
            looked = true;
            match self.stream.read(&mut self.chunk) {
                Ok(0) => return Err(Cut::Ended),
                Ok(bytes) => self.input.extend(&self.chunk[..bytes]),
                Err(error) => waits(&error)?,
            }
        }
    }
}

/// Whether it is only that nothing came, or nothing could be sent, for a while.
fn waits(error: &io::Error) -> Result<(), Cut> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => Ok(()),
        _ => Err(Cut::Ended),
    }
}

/// Once a large frame is sent, its memory is given back.
fn shrink(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(CHUNK);
}
