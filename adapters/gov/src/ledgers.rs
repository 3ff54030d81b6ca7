//! What may be decided about hosted ledgers. Every node follows their rows, so a row that nodes could not follow is refused where the
//! request came in: when it is proposed, as far as it can be seen then, and when the last vote would write it.

use std::collections::BTreeMap;

use adapter::{Host, LEDGERS, LEDGERS_MAX, LedgerPolicy, LedgerRow};
use governance::Refusal;
use governance::tables::PROPOSALS;
use kv::{Blob, Section, State, TableId, WriteSet};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What members may change of a ledger once it is there.
const MAY_CHANGE: [&str; 2] = ["status", "policy"];
const NAME_BYTES_MAX: usize = 64;

/// Looks at what a request would write on top of a version.
pub fn check(writes: &WriteSet, version: &State, host: &dyn Host) -> Result<(), Refusal> {
    let written = |name: &str| version.tables().find(name).and_then(|table| writes.section(table));
    for (_, body) in written(PROPOSALS).iter().flat_map(|section| &section.puts) {
        proposed(body, version, host).map_err(Refusal::ProposalFailedToValidate)?;
    }
    match written(LEDGERS) {
        Some(section) => {
            decided(section, version, host).map_err(|why| Refusal::InvalidInput(format!("Nothing was decided: {why}.")))
        }
        None => Ok(()),
    }
}

/// A proposal, as far as it is about ledgers.
#[derive(Deserialize)]
struct Proposed {
    #[serde(default)]
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct Action {
    #[serde(default)]
    name: Value,
    #[serde(default)]
    args: Value,
}

/// What it would open must be what this node can host; of anything else the constitution judges. Where constitutions mean something
/// else by these names, there is nothing in them that this reads.
fn proposed(body: &[u8], version: &State, host: &dyn Host) -> Result<(), String> {
    let Ok(Proposed { actions }) = serde_json::from_slice(body) else { return Ok(()) };
    for (place, Action { name: action, args }) in actions.into_iter().enumerate() {
        let refused = |why: String| format!("{} at position {place}: {why}", action.as_str().unwrap_or_default());
        match (action.as_str(), args) {
            (Some("open_ledger"), Value::Object(mut row)) => {
                let Some(Value::String(name)) = row.remove("name") else { continue };
                row.insert("number".to_owned(), json!(count(version).saturating_add(1)));
                row.insert("status".to_owned(), json!("Open"));
                let row = Value::Object(row).to_string();
                new(&name, row.as_bytes(), host).map_err(refused)?;
            }
            (Some("set_ledger_policy"), Value::Object(mut args)) => {
                let Some(policy) = args.remove("policy") else { continue };
                serde_json::from_value::<LedgerPolicy>(policy).map_err(|error| refused(error.to_string()))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// How many ledgers there are or were.
fn count(version: &State) -> u16 {
    let rows = version.tables().find(LEDGERS).map_or(0, |table| version.len(table));
    u16::try_from(rows).unwrap_or(u16::MAX)
}

fn decided(section: &Section, version: &State, host: &dyn Host) -> Result<(), String> {
    if let Some(name) = section.removes.first() {
        return Err(format!(
            "a ledger is closed, and its row stays: {} has tables in the ledger",
            String::from_utf8_lossy(name)
        ));
    }
    let mut numbers = Vec::new();
    for (name, row) in &section.puts {
        let name = std::str::from_utf8(name).map_err(|_| "a ledger's name is no text".to_owned())?;
        let of_ledger = |why: String| format!("ledger {name}: {why}");
        match stored(version, section.table, name) {
            Some(before) => changed(&before, row).map_err(of_ledger)?,
            None => numbers.push(new(name, row, host).map_err(of_ledger)?.number),
        }
    }
    numbers.sort_unstable();
    let expected = count(version).saturating_add(1)..=LEDGERS_MAX;
    if numbers.len() > expected.len() {
        return Err(format!("a network has at most {LEDGERS_MAX} ledgers in its life"));
    }
    if !numbers.iter().copied().eq(expected.clone().take(numbers.len())) {
        return Err(format!("ledgers are numbered without a gap, and the next one is {}", expected.start()));
    }
    ports(section, version)
}

/// A row that was there must stay what it is but for what members may change.
fn changed(before: &[u8], row: &[u8]) -> Result<(), String> {
    LedgerRow::read(row)?;
    let parts = |row: &[u8]| {
        let mut row: Map<String, Value> = serde_json::from_slice(row).unwrap_or_default();
        row.retain(|field, _| !MAY_CHANGE.contains(&field.as_str()));
        row
    };
    let (before, after) = (parts(before), parts(row));
    let differs = before.iter().find(|(field, value)| after.get(*field) != Some(value)).map(|(field, _)| field);
    match differs.or_else(|| after.keys().find(|field| !before.contains_key(*field))) {
        Some(field) => Err(format!("{field} cannot be changed once a ledger is open")),
        None => Ok(()),
    }
}

fn new(name: &str, row: &[u8], host: &dyn Host) -> Result<LedgerRow, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
        return Err(format!("its name is not one of letters, digits, dots and dashes, {NAME_BYTES_MAX} at most"));
    }
    if name == "governance" {
        return Err("governance has this name".to_owned());
    }
    let read = LedgerRow::read(row)?;
    host.check(name, row)?;
    Ok(read)
}

/// No two ledgers ask nodes for the same port.
fn ports(section: &Section, version: &State) -> Result<(), String> {
    let before = version.range(section.table, ..).filter(|(name, _)| !section.puts.iter().any(|(put, _)| put == *name));
    let rows = before.chain(section.puts.iter().map(|(name, row)| (name, row)));
    let mut taken = BTreeMap::new();
    for (name, row) in rows {
        let listeners = LedgerRow::read(row).ok().and_then(|row| row.listeners).unwrap_or_default();
        for port in listeners.into_values() {
            if let Some(other) = taken.insert(port, name) {
                let text = |name: &Blob| String::from_utf8_lossy(name).into_owned();
                return Err(format!("ledgers {} and {} ask for the same port, {port}", text(other), text(name)));
            }
        }
    }
    Ok(())
}

fn stored(version: &State, table: TableId, name: &str) -> Option<Blob> {
    version.get(table, name.as_bytes()).ok()?
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use adapter::{Adapter, Fault, LedgerId};
    use base::Seqno;
    use kv::{Kind, NoHistory, Tables, Tx};

    use super::*;

    /// Hosts what is of the kind "shelf" and names a colour.
    struct Shelves;

    impl Host for Shelves {
        fn check(&self, _: &str, row: &[u8]) -> Result<(), String> {
            let row: Value = serde_json::from_slice(row).unwrap();
            let fits = row["kind"] == "shelf" && row["colour"].is_string();
            fits.then_some(()).ok_or_else(|| "only shelves with a colour".to_owned())
        }

        fn make(&self, _: &str, _: LedgerId, _: &[u8], _: &Tables) -> Result<Arc<dyn Adapter>, Fault> {
            Err(Fault::new("nobody makes any here"))
        }
    }

    fn version(rows: &[(&str, Value)]) -> State {
        let tables = Tables::new();
        for name in [LEDGERS, PROPOSALS] {
            tables.add(name, Kind::State).unwrap();
        }
        let mut state = State::new(Arc::new(tables), Arc::new(NoHistory));
        let writes = writes(&state, LEDGERS, rows);
        state.apply(Seqno(1), &writes);
        state
    }

    fn writes(version: &State, table: &str, rows: &[(&str, Value)]) -> WriteSet {
        let mut tx = Tx::new(version);
        let table = version.tables().find(table).unwrap();
        rows.iter().for_each(|(key, row)| tx.put(table, key.as_bytes(), row.to_string().into_bytes()));
        tx.finish().writes
    }

    fn row(number: u32) -> Value {
        json!({ "number": number, "kind": "shelf", "colour": "red", "status": "Open" })
    }

    fn with(mut row: Value, field: &str, value: Value) -> Value {
        row[field] = value;
        row
    }

    #[test]
    fn only_what_nodes_can_follow_is_decided() {
        let version = version(&[("a", row(1)), ("b", with(row(2), "listeners", json!({ "rest": 7 })))]);
        let decide = |rows: &[(&str, Value)]| {
            check(&writes(&version, LEDGERS, rows), &version, &Shelves).map_err(|refusal| refusal.to_string())
        };
        assert_eq!(decide(&[("c", row(3))]), Ok(()));
        assert_eq!(decide(&[("d", row(3)), ("c", row(4))]), Ok(()), "their names are in no order");
        assert_eq!(decide(&[("a", with(row(1), "status", json!("Closed")))]), Ok(()));
        assert_eq!(decide(&[("a", with(row(1), "policy", json!({ "connect": ["::1/128"] })))]), Ok(()));
        let refused = [
            ("a number twice", vec![("c", row(2))], "the next one is 3"),
            ("a gap", vec![("c", row(4))], "the next one is 3"),
            ("one number for two", vec![("c", row(3)), ("d", row(3))], "the next one is 3"),
            ("no number", vec![("c", json!({ "kind": "shelf", "colour": "red", "status": "Open" }))], "number"),
            ("another kind", vec![("c", with(row(3), "kind", json!("box")))], "ledger c: only shelves"),
            ("a bad beginning", vec![("c", with(row(3), "colour", json!(7)))], "only shelves with a colour"),
            ("another beginning later", vec![("a", with(row(1), "colour", json!("blue")))], "colour cannot be changed"),
            ("another number", vec![("a", row(3))], "number cannot be changed"),
            ("more later", vec![("a", with(row(1), "size", json!(1)))], "size cannot be changed"),
            ("a rule that nobody keeps", vec![("a", with(row(1), "policy", json!({ "read": [] })))], "read"),
            ("a status", vec![("a", with(row(1), "status", json!("Ajar")))], "Ajar"),
            ("no name", vec![("", row(3))], "its name"),
            ("a table's name", vec![("public:c", row(3))], "its name"),
            ("governance", vec![("governance", row(3))], "governance"),
            ("a port twice", vec![("c", with(row(3), "listeners", json!({ "rest": 7 })))], "the same port, 7"),
            ("nonsense", vec![("a", json!("nonsense"))], "ledger a"),
        ];
        for (what, rows, reason) in refused {
            let told = decide(&rows).unwrap_err();
            assert!(told.contains(reason), "{what}: {told}");
        }
        let mut tx = Tx::new(&version);
        tx.remove(version.tables().find(LEDGERS).unwrap(), *b"a");
        assert!(check(&tx.finish().writes, &version, &Shelves).unwrap_err().to_string().contains("its row stays"));
    }

    #[test]
    fn what_could_never_be_opened_is_not_even_proposed() {
        let version = version(&[("a", row(1))]);
        let propose = |actions: Value| {
            let body = [("id", json!({ "actions": actions }))];
            check(&writes(&version, PROPOSALS, &body), &version, &Shelves).map_err(|refusal| refusal.to_string())
        };
        let open = |args: Value| propose(json!([{ "name": "other" }, { "name": "open_ledger", "args": args }]));
        assert_eq!(open(json!({ "name": "b", "kind": "shelf", "colour": "red" })), Ok(()));
        let told = open(json!({ "name": "b", "kind": "box" })).unwrap_err();
        assert!(told.contains("open_ledger at position 1: only shelves with a colour"), "{told}");
        let policy = |policy: Value| {
            propose(json!([{ "name": "set_ledger_policy", "args": { "name": "a", "policy": policy } }]))
        };
        assert_eq!(policy(json!({ "connect": ["10.0.0.0/8"] })), Ok(()));
        assert!(policy(json!({ "connect": ["10.0.0.1/8"] })).unwrap_err().contains("10.0.0.1/8"));
        for other in [json!("x"), json!([{ "name": 7 }]), json!([{ "name": "open_ledger" }]), json!([7])] {
            assert_eq!(propose(other), Ok(()), "that is for the constitution to judge");
        }
    }
}
