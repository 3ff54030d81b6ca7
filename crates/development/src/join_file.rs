//! `[join]` of `node.toml`: whom a node that joins asks, and what it insists on.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use base::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::NodeFile;

/// A URL is never longer.
pub(crate) const URL_BYTES_MAX: usize = 512;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinFile {
    /// Nodes of the network, where they serve members: `https://host:port`. They are asked in turn.
    pub network: Vec<String>,
    /// The certificate of the service (PEM), and the only one that is believed. A path relative to the node's directory.
    pub service_certificate: PathBuf,
    /// SHA-256 of the constitution that the network must have, in hexadecimal; else any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constitution: Option<String>,
    /// What members shall know of the node: JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_data: Option<String>,
    /// The host by which others reach this node, if it is not the address that it listens on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
}

/// A node's door for members, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Door {
    /// A name, or an address without brackets.
    pub host: String,
    pub port: u16,
}

impl Door {
    /// Reads `https://host:port`; without a port it is 443.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let authority = url.strip_prefix("https://")?.trim_end_matches('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        if authority.is_empty() || url.len() > URL_BYTES_MAX || !authority.chars().all(plain) {
            return None;
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (authority, 443),
        };
        let (inner, fits) = match host.strip_prefix('[') {
            Some(rest) => {
                let inner = rest.strip_suffix(']')?;
                (inner, inner.parse::<Ipv6Addr>().is_ok())
            }
            None => (host, !host.is_empty() && !host.contains([':', ']'])),
        };
        fits.then(|| Self { host: inner.to_owned(), port })
    }

    /// `host:port`.
    #[must_use]
    pub fn authority(&self) -> String {
        authority(&self.host, self.port)
    }
}

impl JoinFile {
    /// The host that other nodes and members are told.
    #[must_use]
    pub fn published_host(&self, file: &NodeFile) -> String {
        self.published.clone().unwrap_or_else(|| file.governance.ip().to_string())
    }

    /// Where others reach a door of this node: `host:port`.
    #[must_use]
    pub fn published(&self, listen: SocketAddr) -> String {
        match &self.published {
            Some(host) => authority(host, listen.port()),
            None => listen.to_string(),
        }
    }

    /// The constitution that it insists on.
    #[must_use]
    pub fn constitution(&self) -> Option<Digest> {
        self.constitution.as_deref().and_then(|text| text.to_ascii_lowercase().parse().ok())
    }

    /// What members shall know of the node.
    #[must_use]
    pub fn node_data(&self) -> Option<Value> {
        self.node_data.as_deref().and_then(|text| serde_json::from_str(text).ok())
    }

    pub(crate) fn check(&self, file: &NodeFile) -> Result<(), String> {
        if self.network.is_empty() {
            return Err("`network` names no node to ask: it is like [\"https://node1.example:8443\"]".into());
        }
        if let Some(bad) = self.network.iter().find(|url| Door::parse(url).is_none()) {
            return Err(format!(
                "{bad} in `network` is not where a node serves members: that is like https://node1.example:8443"
            ));
        }
        if self.constitution.is_some() && self.constitution().is_none() {
            return Err("`constitution` is a SHA-256: 64 hexadecimal characters".into());
        }
        if self.node_data.is_some() && self.node_data().is_none() {
            return Err("`node_data` is not JSON".into());
        }
        let everywhere = [file.governance, file.peer].iter().any(|address| address.ip().is_unspecified());
        if everywhere && self.published.is_none() {
            return Err("the node listens on every address, and others must be told one: add `published = \"host\"` to `[join]`".into());
        }
        Ok(())
    }
}

fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_https_a_host_and_a_port() {
        let door = |host: &str, port| Some(Door { host: host.into(), port });
        assert_eq!(Door::parse("https://10.0.0.1:8443"), door("10.0.0.1", 8443));
        assert_eq!(Door::parse("https://node1.example/"), door("node1.example", 443));
        assert_eq!(Door::parse("https://[fd00::1]:9"), door("fd00::1", 9));
        assert_eq!(Door::parse("https://[fd00::1]"), door("fd00::1", 443));
        assert_eq!(Door::parse("https://[fd00::1]:9").map(|door| door.authority()).as_deref(), Some("[fd00::1]:9"));
        for bad in [
            "http://a",
            "https://",
            "https://a/gov",
            "a:1",
            "https://x@y",
            "https://a:99999",
            "https://a:b:c",
            "https://[a",
            "https://[zz]:1",
        ] {
            assert_eq!(Door::parse(bad), None, "{bad}");
        }
    }
}
