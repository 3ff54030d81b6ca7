//! The rows that bring a new ledger secret: the old one sealed under the new, and the new one sealed for each node that may have it.
//! Formats: docs/formats/ledger-secrets.md.
//!
//! ```text
//!   entry k      historical: { old secret, sealed under the new }     for nodes: { node ─▶ new secret, sealed for its key }
//!   entry k+1 …  sealed under the new
//! ```
//!
//! Both are public rows of one entry, so a node that holds the old secret finds the new one where it needs it first, and whoever holds
//! the newest can walk back to the first. Who may have it is for the layers above to say.

use std::collections::BTreeMap;

use base::{NodeId, Seqno};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::shares::{Share, SharedSecret};
use crypto::{KeyPair, PublicKey, Secret, hpke, oaep};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The old secret under the new.
pub const HISTORICAL: &str = "public:ccf.internal.historical_encrypted_ledger_secret";
/// The new one for nodes.
pub const FOR_NODES: &str = "public:ccf.internal.encrypted_ledger_secrets";

/// The newest one for members, in shares.
pub const SHARES: &str = "public:ccf.internal.recovery_shares";

/// Bytes that stand as base64.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Base64(pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// The row of [`HISTORICAL`].
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Historical {
    /// Absent in the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_ledger_secret: Option<Previous>,
    /// From where on the newest is in force, where that is not the next entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_version: Option<u64>,
}

/// The secret that was in force before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Previous {
    pub encrypted_data: Base64,
    /// From where on it was in force.
    pub version: u64,
    /// The entry that wrote this row before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret_stored_version: Option<u64>,
}

/// The row of [`FOR_NODES`], by node.
pub type ForNodes = BTreeMap<String, Vec<ForNode>>;

/// A secret for one node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ForNode {
    /// `None`: in force from the next entry on.
    pub version: Option<u64>,
    pub encrypted_secret: Base64,
}

/// The row of [`SHARES`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shares {
    /// The newest ledger secret, sealed under what is shared.
    pub wrapped_latest_ledger_secret: Base64,
    /// By member.
    pub encrypted_shares: BTreeMap<String, Base64>,
    /// The entry that has the secret before the newest; absent for the first, and where it is the same entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret_stored_version: Option<u64>,
}

/// A member who holds a share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder<'a> {
    pub id: &'a str,
    /// An RSA key, PEM.
    pub key: &'a str,
    /// It needs no others.
    pub alone: bool,
}

/// Why the rows give no secret.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the row of {0} cannot be read")]
    Row(&'static str),
    /// The node that asks is not among those that the secret is for.
    #[error(
        "the ledger secret from the next entry on is not for this node: it was not trusted then, or its lease had run out"
    )]
    NotForThisNode,
    #[error("the new ledger secret does not open the one before it, which begins at entry {0}")]
    Chain(Seqno),
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
}

/// The rows of an entry that brings a secret, as bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rekeyed {
    pub historical: Vec<u8>,
    pub for_nodes: Vec<u8>,
}

/// What a service begins with.
#[must_use]
pub fn first() -> Vec<u8> {
    json(&Historical { previous_ledger_secret: None, next_version: Some(1) })
}

/// The rows that replace a secret by `new`. `old` is the one in force and from where on; `stored` is the entry that wrote [`HISTORICAL`]
/// last.
pub fn rekey(
    new: &Secret,
    (first, old): (Seqno, &Secret),
    stored: Option<Seqno>,
    nodes: &[(NodeId, PublicKey)],
) -> Result<Rekeyed, crypto::Error> {
    let previous = Previous {
        encrypted_data: Base64(crypto::wrap(new, old.expose())?),
        version: first.0,
        previous_secret_stored_version: stored.map(|stored| stored.0),
    };
    let historical = Historical { previous_ledger_secret: Some(previous), next_version: None };
    let mut for_nodes = ForNodes::new();
    for (id, key) in nodes {
        let sealed = hpke::seal_for(key, &purpose(*id, first), new.expose())?;
        for_nodes.insert(id.to_string(), vec![ForNode { version: None, encrypted_secret: Base64(sealed) }]);
    }
    Ok(Rekeyed { historical: json(&historical), for_nodes: json(&for_nodes) })
}

/// The new secret out of these rows, for the node that has `key`. `old` is the one in force before.
pub fn receive(
    historical: &[u8],
    for_nodes: &[u8],
    key: &KeyPair,
    (first, old): (Seqno, &Secret),
) -> Result<Secret, SecretError> {
    let for_nodes: ForNodes = read(FOR_NODES, for_nodes)?;
    let own = key.public().node_id();
    let sealed = for_nodes.get(&own.to_string()).and_then(|secrets| secrets.iter().find(|it| it.version.is_none()));
    let sealed = sealed.ok_or(SecretError::NotForThisNode)?;
    let new = Secret::from_slice(&hpke::open(key, &purpose(own, first), &sealed.encrypted_secret.0)?)?;
    check_follows(historical, &new, (first, old))?;
    Ok(new)
}

/// Whether `new` opens the secret before it, which begins at `first`, out of the row that came with it: so every node has the same one,
/// and whoever has it can go back.
pub fn check_follows(historical: &[u8], new: &Secret, (first, old): (Seqno, &Secret)) -> Result<(), SecretError> {
    match previous(historical, new)? {
        Some(before) if before.first == first && before.secret.expose() == old.expose() => Ok(()),
        _ => Err(SecretError::Chain(first)),
    }
}

/// A secret on the way back to the first.
pub struct Before {
    pub first: Seqno,
    pub secret: Secret,
    /// The entry whose row has the one before this.
    pub stored: Option<Seqno>,
}

/// The secret before `newer`, out of the row that came with `newer`. `None`: that was the first.
pub fn previous(historical: &[u8], newer: &Secret) -> Result<Option<Before>, SecretError> {
    let historical: Historical = read(HISTORICAL, historical)?;
    let Some(Previous { encrypted_data, version, previous_secret_stored_version }) = historical.previous_ledger_secret
    else {
        return Ok(None);
    };
    let first = Seqno(version);
    let secret = crypto::unwrap(newer, &encrypted_data.0).map_err(|_| SecretError::Chain(first))?;
    let secret = Secret::from_slice(&secret)?;
    Ok(Some(Before { first, secret, stored: previous_secret_stored_version.map(Seqno) }))
}

/// The row of [`SHARES`]: `threshold` of those who do not hold it alone are needed. `stored` is the entry that has the secret before.
pub fn deal(
    newest: &Secret,
    stored: Option<Seqno>,
    threshold: usize,
    holders: &[Holder<'_>],
) -> Result<Vec<u8>, crypto::Error> {
    let shared = SharedSecret::random()?;
    let together = holders.iter().filter(|holder| !holder.alone).count();
    let mut shares = if together == 0 { Vec::new() } else { shared.deal(threshold, together)? }.into_iter();
    let mut encrypted_shares = BTreeMap::new();
    for holder in holders {
        let share = if holder.alone { Some(shared.whole()) } else { shares.next() };
        let share: Share = share.ok_or(crypto::Error::Malformed("number of shares"))?;
        encrypted_shares.insert(holder.id.to_owned(), Base64(oaep::encrypt(holder.key, &share.to_bytes())?));
    }
    Ok(json(&Shares {
        wrapped_latest_ledger_secret: Base64(shared.wrap(newest)?),
        encrypted_shares,
        previous_secret_stored_version: stored.map(|stored| stored.0),
    }))
}

/// What a node's part is sealed for: it opens for this node, and in the place of this secret alone.
fn purpose(node: NodeId, old: Seqno) -> Vec<u8> {
    format!("coco ledger secret\n{node}\n{}", old.0).into_bytes()
}

fn read<'a, T: Deserialize<'a>>(table: &'static str, row: &'a [u8]) -> Result<T, SecretError> {
    serde_json::from_slice(row).map_err(|_| SecretError::Row(table))
}

fn json(row: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(row).expect("numbers, texts and maps with text keys always serialise")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> Secret {
        Secret::from_slice(&[byte; 32]).unwrap()
    }

    #[test]
    fn rows_are_as_ccf_has_them() {
        assert_eq!(first(), br#"{"next_version":1}"#);
        let key = KeyPair::generate().unwrap();
        let nodes = [(key.public().node_id(), PublicKey::from_spki_der(key.public().spki_der()).unwrap())];
        let Rekeyed { historical, for_nodes } =
            rekey(&secret(2), (Seqno(1), &secret(1)), Some(Seqno(3)), &nodes).unwrap();
        let historical: serde_json::Value = serde_json::from_slice(&historical).unwrap();
        let previous = &historical["previous_ledger_secret"];
        assert_eq!((&previous["version"], &previous["previous_secret_stored_version"]), (&1.into(), &3.into()));
        assert_eq!(STANDARD.decode(previous["encrypted_data"].as_str().unwrap()).unwrap().len(), 60);
        assert_eq!(historical.as_object().unwrap().len(), 1, "an ordinary rekey says no next_version");
        let for_nodes: serde_json::Value = serde_json::from_slice(&for_nodes).unwrap();
        let own = &for_nodes[key.public().node_id().to_string()][0];
        assert!(own["version"].is_null() && own["encrypted_secret"].is_string());
    }

    #[test]
    fn whoever_is_named_receives_the_secret_and_can_walk_back() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let nodes = [(key.public().node_id(), PublicKey::from_spki_der(key.public().spki_der()).unwrap())];
        let one = rekey(&secret(2), (Seqno(1), &secret(1)), Some(Seqno(1)), &nodes).unwrap();
        let two = rekey(&secret(3), (Seqno(11), &secret(2)), Some(Seqno(10)), &nodes).unwrap();
        let got = receive(&one.historical, &one.for_nodes, &key, (Seqno(1), &secret(1))).unwrap();
        assert_eq!(got.expose(), secret(2).expose());
        let got = receive(&two.historical, &two.for_nodes, &key, (Seqno(11), &got)).unwrap();
        assert_eq!(got.expose(), secret(3).expose());
        let refused = |rows: &Rekeyed, key: &KeyPair, first, old| {
            receive(&rows.historical, &rows.for_nodes, key, (Seqno(first), &old)).err()
        };
        assert_eq!(refused(&one, &other, 1, secret(1)), Some(SecretError::NotForThisNode));
        assert_eq!(refused(&one, &key, 1, secret(9)), Some(SecretError::Chain(Seqno(1))), "another ledger's");
        assert!(refused(&two, &key, 1, secret(2)).is_some(), "in another secret's place");

        let back = previous(&two.historical, &got).unwrap().unwrap();
        assert_eq!((back.first, back.stored), (Seqno(11), Some(Seqno(10))));
        let back = previous(&one.historical, &back.secret).unwrap().unwrap();
        assert_eq!((back.first, back.stored, back.secret.expose()), (Seqno(1), Some(Seqno(1)), secret(1).expose()));
        assert!(previous(&first(), &back.secret).unwrap().is_none());
        assert_eq!(previous(&two.historical, &secret(2)).err(), Some(SecretError::Chain(Seqno(11))), "not a newer one");
    }

    #[test]
    fn rows_that_are_none_give_no_secret() {
        let key = KeyPair::generate().unwrap();
        let rows = rekey(&secret(2), (Seqno(1), &secret(1)), None, &[]).unwrap();
        for nonsense in
            [&b""[..], b"[]", b"{\"a\":1}", b"{\"previous_ledger_secret\":{\"encrypted_data\":\"?\",\"version\":1}}"]
        {
            assert!(receive(&rows.historical, nonsense, &key, (Seqno(1), &secret(1))).is_err());
            assert!(!matches!(previous(nonsense, &secret(2)), Ok(Some(_))));
        }
    }
}
