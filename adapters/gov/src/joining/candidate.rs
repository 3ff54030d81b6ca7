//! What a node says of itself: where it is reached, under which names it is to be certified. Anybody can say anything, so all of it
//! has bounds.

use std::collections::BTreeMap;

use crypto::PublicKey;
use governance::Refusal;
use governance::join::Request;
use ledger::genesis::{Interface, NodeInfo, NodeStatus};
use serde_json::{Map, Value};

/// A host name has 253 characters at most, a port five.
const ADDRESS_BYTES_MAX: usize = 253 + 6;
const DOORS_MAX: usize = 16;
const NAME_BYTES_MAX: usize = 64;
/// Of one door, with what CCF's nodes say of it beside its address.
const DOOR_BYTES_MAX: usize = 4 << 10;
const REQUEST_BYTES_MAX: usize = 8 << 10;
const KEY_BYTES_MAX: usize = 4 << 10;
const DATA_BYTES_MAX: usize = 4 << 10;

/// The row of a node that asks to join, but for its number, and for what its evidence says.
pub fn info(key: &PublicKey, request: &Request) -> Result<NodeInfo, Refusal> {
    let doors = &request.node_info_network;
    door("node_to_node_interface", &doors.node_to_node_interface)?;
    if doors.rpc_interfaces.len() > DOORS_MAX {
        return Err(wrong(format!("rpc_interfaces has more than {DOORS_MAX} interfaces.")));
    }
    for (name, interface) in &doors.rpc_interfaces {
        short("the name of an interface", name, NAME_BYTES_MAX)?;
        door(name, interface)?;
    }
    short("certificate_signing_request", &request.certificate_signing_request, REQUEST_BYTES_MAX)?;
    Ok(NodeInfo {
        status: NodeStatus::Pending,
        retired_committed: false,
        number: 0,
        public_key: Some(key.to_pem()),
        code_digest: String::new(),
        evaluation: None,
        quote_info: request.quote_info.clone(),
        node_to_node_interface: Some(doors.node_to_node_interface.clone()),
        rpc_interfaces: doors.rpc_interfaces.clone(),
        certificate_signing_request: Some(request.certificate_signing_request.clone()),
        more: more(request)?,
    })
}

/// What members' tools read and no node does.
fn more(request: &Request) -> Result<Map<String, Value>, Refusal> {
    let mut more = Map::new();
    if let Some(key) = &request.public_encryption_key {
        short("public_encryption_key", key, KEY_BYTES_MAX)?;
        more.insert("encryption_pub_key".to_owned(), Value::String(key.clone()));
    }
    if let Some(data) = &request.node_data {
        short("node_data", &data.to_string(), DATA_BYTES_MAX)?;
        more.insert("node_data".to_owned(), data.clone());
    }
    Ok(more)
}

fn door(name: &str, interface: &Interface) -> Result<(), Refusal> {
    let Interface { bind_address, published_address, more } = interface;
    for address in std::iter::once(bind_address).chain(published_address) {
        self::address(name, address)?;
    }
    let more: BTreeMap<_, _> = more.iter().collect();
    let said = serde_json::to_string(&more).map_err(|error| wrong(format!("{name}: {error}")))?;
    short(name, &said, DOOR_BYTES_MAX)
}

/// `host:port`, as nodes dial it.
fn address(name: &str, text: &str) -> Result<(), Refusal> {
    short(name, text, ADDRESS_BYTES_MAX)?;
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match bracketed {
        Some(host) => host.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)),
    };
    if is_host && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Ok(());
    }
    Err(wrong(format!("{name}: {text:?} is no address: host:port is asked for, with the port that others reach.")))
}

fn short(name: &str, text: &str, bytes: usize) -> Result<(), Refusal> {
    if text.len() <= bytes {
        return Ok(());
    }
    let name: String = name.chars().take(NAME_BYTES_MAX).collect();
    Err(wrong(format!("{name} has {} bytes; {bytes} are allowed.", text.len())))
}

fn wrong(message: String) -> Refusal {
    Refusal::InvalidInput(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for good in ["node1.example.org:8000", "10.0.0.1:1", "[::1]:65535", "n_1:80"] {
            assert_eq!(address("door", good), Ok(()), "{good}");
        }
        let long = format!("{}:80", "a".repeat(ADDRESS_BYTES_MAX));
        for bad in [
            "",
            ":80",
            "host",
            "host:",
            "host:0",
            "host:65536",
            "host:+80",
            "::1:80",
            "[::1:80",
            "[]:80",
            "a b:80",
            "h\n:80",
            "http://h:80",
            &long,
        ] {
            assert!(address("door", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_said_of_a_door_has_a_bound() {
        let mut interface = Interface { bind_address: "h:1".to_owned(), ..Interface::default() };
        assert_eq!(door("rpc", &interface), Ok(()));
        interface.more.insert("app_protocol".to_owned(), Value::String("x".repeat(DOOR_BYTES_MAX)));
        assert!(door("rpc", &interface).is_err());
    }
}
