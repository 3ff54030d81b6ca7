//! What anybody may ask about a service: its members, users, nodes, rules, and who may join. Nobody need be authenticated:
//! all of it is public in the ledger.
//!
//! Rows are in CCF's table format (snake case); answers are in that of its API (camel case).

mod join_policy;
mod people;
mod service;
mod tokens;

use kv::{Blob, Tx};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Refusal;

pub use join_policy::{Code, JoinPolicy, Manifests, Root, Tee};
pub use people::{Member, User};
pub use service::{Configuration, Node, Service};
pub use tokens::Tokens;

/// The rows of a table in the order of their keys. A table that this network does not have is an empty one.
fn rows(tx: &Tx<'_>, table: &str) -> Vec<(String, Blob)> {
    let Some(table) = tx.base().tables().find(table) else { return Vec::new() };
    tx.range(table, ..).map(|(key, row)| (text(key), row.clone())).collect()
}

fn row(tx: &Tx<'_>, table: &str, key: &[u8]) -> Result<Option<Blob>, Refusal> {
    match tx.base().tables().find(table) {
        Some(table) => Ok(tx.get(table, key)?),
        None => Ok(None),
    }
}

fn json<T: DeserializeOwned>(table: &str, row: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(row)
        .map_err(|error| Refusal::InternalError(format!("A row of {table} cannot be read: {error}")))
}

/// All rows of a table of JSON.
fn all<T: DeserializeOwned>(tx: &Tx<'_>, table: &str) -> Result<Vec<(String, T)>, Refusal> {
    rows(tx, table).into_iter().map(|(key, row)| Ok((key, json(table, &row)?))).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The names of an object's fields as the API has them.
fn camel_case(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (camel(&name), camel_case(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(camel_case).collect()),
        other => other,
    }
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}
