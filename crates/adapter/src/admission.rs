//! From where clients may connect to a ledger's doors: members' decision, on the connections there are and on those that come.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

/// Addresses that begin alike: `10.1.0.0/16`, `fd00::/8`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Prefix {
    network: IpAddr,
    bits: u8,
}

impl Prefix {
    /// Whether an address begins like that. One of IPv4 that comes in the clothes of IPv6 is one of IPv4.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differs = u32::from(network) ^ u32::from(address);
                differs.checked_shr(32 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differs = u128::from(network) ^ u128::from(address);
                differs.checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Why a text is no prefix.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no network: it is like \"10.1.0.0/16\" or \"fd00::/8\", with nothing but zeros behind the prefix")]
pub struct NoPrefix(String);

impl FromStr for Prefix {
    type Err = NoPrefix;

    fn from_str(text: &str) -> Result<Self, NoPrefix> {
        let no = || NoPrefix(text.to_owned());
        let (network, bits) = text.split_once('/').ok_or_else(no)?;
        let network: IpAddr = network.parse().map_err(|_| no())?;
        let width = if network.is_ipv4() { 32 } else { 128 };
        let number = bits.parse::<u8>().ok().filter(|number| *number <= width && number.to_string() == bits);
        let bits = number.ok_or_else(no)?;
        let behind = match network {
            IpAddr::V4(network) => u128::from(u32::from(network).checked_shl(u32::from(bits)).unwrap_or(0)),
            IpAddr::V6(network) => u128::from(network).checked_shl(u32::from(bits)).unwrap_or(0),
        };
        // What would mean another network than it seems to is refused; so are addresses of IPv4 in IPv6, which never come.
        let plain = behind == 0 && network.to_canonical() == network;
        plain.then_some(Self { network, bits }).ok_or_else(no)
    }
}

impl TryFrom<String> for Prefix {
    type Error = NoPrefix;

    fn try_from(text: String) -> Result<Self, NoPrefix> {
        text.parse()
    }
}

/// Who may be connected to the doors of one ledger. A clone is another handle on the same.
#[derive(Clone, Default)]
pub struct Admission(Arc<Mutex<Guests>>);

#[derive(Default)]
struct Guests {
    /// Absent: everybody may.
    from: Option<Vec<Prefix>>,
    next: u64,
    connected: BTreeMap<u64, (IpAddr, CancellationToken)>,
}

impl Guests {
    fn may_come(&self, from: IpAddr) -> bool {
        self.from.as_ref().is_none_or(|prefixes| prefixes.iter().any(|prefix| prefix.has(from)))
    }
}

impl Admission {
    /// From now on only those may be connected. Connections of others are ended.
    pub fn only(&self, from: Option<Vec<Prefix>>) {
        let mut guests = self.lock();
        guests.from = from;
        let ended = guests.connected.values().filter(|(address, _)| !guests.may_come(*address));
        ended.for_each(|(_, leaves)| leaves.cancel());
    }

    /// A new connection, for as long as the guest is kept; `None` if it may not be.
    #[must_use]
    pub fn admit(&self, from: IpAddr) -> Option<Guest> {
        let mut guests = self.lock();
        if !guests.may_come(from) {
            return None;
        }
        let (number, leaves) = (guests.next, CancellationToken::new());
        guests.next += 1;
        guests.connected.insert(number, (from, leaves.clone()));
        Some(Guest { admission: self.clone(), number, leaves })
    }

    fn lock(&self) -> MutexGuard<'_, Guests> {
        // A panic while it was held left nothing half done: every change is a single step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that was let in.
pub struct Guest {
    admission: Admission,
    number: u64,
    leaves: CancellationToken,
}

impl Guest {
    /// Cancelled when members do not want it any more: the connection must end at once.
    #[must_use]
    pub fn leaves(&self) -> &CancellationToken {
        &self.leaves
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.admission.lock().connected.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_prefix_has_what_begins_like_it() {
        let has = |prefix: &str, other: &str| prefix.parse::<Prefix>().unwrap().has(address(other));
        assert!(has("10.1.0.0/16", "10.1.255.3") && !has("10.1.0.0/16", "10.2.0.0"));
        assert!(has("0.0.0.0/0", "255.1.2.3") && !has("0.0.0.0/0", "::1"));
        assert!(has("::/0", "fd00::1") && !has("::/0", "1.2.3.4"));
        assert!(has("1.2.3.4/32", "1.2.3.4") && !has("1.2.3.4/32", "1.2.3.5"));
        assert!(has("::1/128", "::1") && !has("::1/128", "::2"));
        assert!(has("127.0.0.0/8", "::ffff:127.0.0.1"), "as a listener for both kinds sees it");
        assert!(has("fd00::/8", "fdff::9") && !has("fd00::/8", "fe00::9"));
    }

    #[test]
    fn what_means_something_else_than_it_seems_is_no_prefix() {
        for text in [
            "",
            "10.0.0.1",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0.0/8 ",
            "/8",
            "fd00::1/8",
            "::/129",
            "::ffff:10.0.0.0/104",
            "host/8",
            "10.0.0.0/8/8",
        ] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_decision_holds_for_those_who_are_there_and_those_who_come() {
        let admission = Admission::default();
        let (near, far) =
            (admission.admit(address("127.0.0.1")).unwrap(), admission.admit(address("10.0.0.1")).unwrap());
        admission.only(Some(vec!["127.0.0.0/8".parse().unwrap()]));
        assert!(!near.leaves().is_cancelled() && far.leaves().is_cancelled());
        assert!(admission.admit(address("10.0.0.1")).is_none() && admission.admit(address("127.0.0.2")).is_some());
        admission.only(Some(Vec::new()));
        assert!(near.leaves().is_cancelled() && admission.admit(address("127.0.0.1")).is_none());
        admission.only(None);
        assert!(admission.admit(address("10.0.0.1")).is_some());
        drop((near, far));
        assert!(admission.lock().connected.is_empty(), "who is gone is forgotten");
    }
}
