//! The keys that an issuer of tokens signs with, in the rows of CCF's table.
//!
//! A row is under a key id and lists each issuer that uses it: `[{"public_key": base64 of DER, "issuer", "constraint"?}]`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::{ForeignCertificate, ForeignKey};
use kv::Blob;
use serde::{Deserialize, Serialize};

use super::host::{Host, Refused};
use super::keys::Jwk;
use crate::tables::JWT_KEYS;

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    public_key: String,
    issuer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    constraint: Option<String>,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    #[serde(flatten)]
    jwk: Jwk,
    #[serde(default)]
    x5c: Vec<String>,
    #[serde(default)]
    issuer: Option<String>,
}

impl Key {
    fn public(&self) -> Result<ForeignKey, Refused> {
        let Some(first) = self.x5c.first() else { return self.jwk.key() };
        let der = STANDARD.decode(first).map_err(|_| "x5c is not base64")?;
        Ok(ForeignCertificate::from_der(&der).map_err(|error| error.to_string())?.key().clone())
    }
}

/// Makes these the keys of an issuer; those that it had and has no more are removed.
pub(crate) fn set_keys(host: &mut Host, issuer: &str, keys: &str) -> Result<(), Refused> {
    let keys: Keys = serde_json::from_str(keys).map_err(|error| format!("not a JWK set: {error}"))?;
    let table = host.own(JWT_KEYS)?;
    let mut rows = std::collections::BTreeMap::new();
    for (kid, value) in host.rows(table) {
        let entries: Vec<Entry> = serde_json::from_slice(&value).map_err(|error| error.to_string())?;
        rows.insert(kid, entries);
    }
    let before = rows.clone();
    for entries in rows.values_mut() {
        entries.retain(|entry| entry.issuer != issuer);
    }
    for key in &keys.keys {
        let kid = key.jwk.kid.as_ref().ok_or("a key of an issuer needs a kid")?;
        let public_key = STANDARD.encode(key.public()?.spki_der());
        let entry = Entry { public_key, issuer: issuer.to_owned(), constraint: key.issuer.clone() };
        rows.entry(Blob::from(kid.as_bytes())).or_default().push(entry);
    }
    for (kid, entries) in rows {
        if before.get(&kid) == Some(&entries) {
            continue;
        }
        let value = if entries.is_empty() {
            None
        } else {
            Some(Blob::from(serde_json::to_vec(&entries).map_err(|error| error.to_string())?))
        };
        host.write(table, kid, value)?;
    }
    Ok(())
}
