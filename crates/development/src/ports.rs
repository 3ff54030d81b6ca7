//! Ports on this machine for a network's listeners.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;

use crate::Error;

/// Where the system's own choice of ports for outgoing connections begins, unless it says otherwise.
const OUTGOING_DEFAULT: u16 = 32_768;
/// Below this are the ports of well-known services.
const LOWEST: u16 = 10_000;
const ATTEMPTS_MAX: usize = 10_000;

/// Gives out ports that are free now and stay apart from the outgoing ones.
///
/// A node keeps its ports for life. Were they from the range that the system uses for outgoing connections, a client's
/// connection could sit on one while the node is down, and keep it from coming back.
pub struct Ports {
    /// Where it is listened.
    address: IpAddr,
    taken: BTreeSet<u16>,
    /// First of the outgoing range.
    end: u16,
}

impl Ports {
    /// Ports on an address of this machine.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let first = range.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(OUTGOING_DEFAULT);
        // A machine may be set up so that nearly all ports are outgoing ones; then there is no better place than the usual one.
        let end = if first > LOWEST + 1_000 { first } else { OUTGOING_DEFAULT };
        Self { address, taken: BTreeSet::new(), end }
    }

    /// Keeps a port that somebody asked for from being given out.
    pub fn reserve(&mut self, port: u16) {
        self.taken.insert(port);
    }

    /// A free port. `dir` is for the error.
    pub fn take(&mut self, dir: &Path) -> Result<SocketAddr, Error> {
        for _ in 0..ATTEMPTS_MAX {
            let random = crypto::random::<2>().map_err(|e| Error::crypto(dir, "a network with free ports", e))?;
            let port = LOWEST + u16::from_le_bytes(random) % (self.end - LOWEST);
            let address = SocketAddr::from((self.address, port));
            if self.taken.insert(port) && !in_use(address) {
                return Ok(address);
            }
        }
        Err(Error::io("find a free port for a node of", dir, io::ErrorKind::AddrInUse.into()))
    }
}

/// Whether something on this machine listens on the address already, or it cannot be listened on.
#[must_use]
pub fn in_use(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_err()
}
