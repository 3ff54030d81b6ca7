//! Where a node serves JSON-RPC.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// An address for JSON-RPC over plain HTTP; WebSocket is served at the same place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// Host and port.
    pub authority: String,
    pub path: String,
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self { authority: address.to_string(), path: "/".into() }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let Some(rest) = url.strip_prefix("http://") else {
            return Err("the address begins with http://".into());
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.is_empty() || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("the address is http://HOST:PORT".into());
        }
        let port = authority.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if port.is_some() { authority.into() } else { format!("{authority}:80") };
        Ok(Self { authority, path: if path.is_empty() { "/".into() } else { path.into() } })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_people_write_it() {
        let read = |text: &str| text.parse::<Endpoint>().map(|endpoint| (endpoint.authority, endpoint.path));
        assert_eq!(read("http://127.0.0.1:8545"), Ok(("127.0.0.1:8545".into(), "/".into())));
        assert_eq!(read("http://node.test/rpc/1"), Ok(("node.test:80".into(), "/rpc/1".into())));
        assert_eq!(read("http://[::1]:8545/"), Ok(("[::1]:8545".into(), "/".into())));
        for wrong in ["https://a:1", "a:1", "http://", "http://a b:1", "http://a:1/\r\nx: y"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
