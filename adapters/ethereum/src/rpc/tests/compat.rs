//! The rpc-compat cases of ethereum/execution-apis, on their own chain: same answers, member by member.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Network, vectors};
use crate::{Config, Genesis};

/// Not built: here a block is made by its batch, and by nobody's order.
const NOT_HERE: &str = "testing_buildBlockV1/";
/// These move the chain, since a transaction is committed when it is answered: they get a chain of their own.
const MOVES: &str = "eth_sendRawTransaction/";

#[tokio::test]
async fn recorded_answers_are_given_again() {
    let Some(vectors) = vectors() else { return };
    let folder = vectors.join("rpc-compat");
    let (network, moving) = (imported(&folder).await, imported(&folder).await);
    let mut cases = Vec::new();
    collect(&folder.join("cases"), &mut cases);
    cases.sort();
    let (mut passed, mut failed) = (0, BTreeMap::new());
    for case in &cases {
        let name = case.strip_prefix(folder.join("cases")).unwrap().display().to_string();
        if name.starts_with(NOT_HERE) {
            continue;
        }
        let network = if name.starts_with(MOVES) { &moving } else { &network };
        match check(network, case).await {
            Ok(()) => passed += 1,
            Err(difference) => drop(failed.insert(name, difference)),
        }
    }
    for (name, difference) in &failed {
        println!("FAILED {name}: {difference}");
    }
    println!("{passed} of {} cases pass", cases.len());
    let failed: BTreeSet<&str> = failed.keys().map(String::as_str).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

async fn imported(folder: &Path) -> Network {
    let genesis = std::fs::read_to_string(folder.join("genesis.json")).unwrap();
    let chain = std::fs::read(folder.join("chain.rlp")).unwrap();
    let config = Config { blobs: true, ..Config::new(Genesis::parse(&genesis).unwrap()) };
    let network = Network::new(config);
    let mut rest = &chain[..];
    while !rest.is_empty() {
        let mut after = rest;
        let header = alloy_rlp::Header::decode(&mut after).unwrap();
        let length = rest.len() - after.len() + header.payload_length;
        let work = network.ethereum.admit_block(&rest[..length]).unwrap();
        network.node.submit(work).await.unwrap();
        rest = &rest[length..];
    }
    network
}

fn collect(folder: &Path, cases: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, cases);
        } else if path.extension().is_some_and(|extension| extension == "io") {
            cases.push(path);
        }
    }
}

async fn check(network: &Network, case: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(case).unwrap();
    let schema_only = text.lines().take_while(|line| line.starts_with("//")).any(|line| line.contains("speconly:"));
    let mut answer = None;
    for line in text.lines() {
        if let Some(request) = line.strip_prefix(">> ") {
            answer = Some(network.json(request).await);
        } else if let Some(expected) = line.strip_prefix("<< ") {
            let expected: Value = serde_json::from_str(expected).unwrap();
            let answer = answer.take().ok_or("an answer without a request")?;
            if schema_only && answer.get("error").is_none() {
                shape("result", &answer["result"], &expected["result"])?;
            } else {
                same("", &answer, &expected)?;
            }
        }
    }
    Ok(())
}

/// Deep equality, but for the text of errors.
fn same(path: &str, answer: &Value, expected: &Value) -> Result<(), String> {
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => {
            let in_error = path.ends_with(".error");
            let keys: BTreeSet<&String> = answer.keys().chain(expected.keys()).collect();
            for key in keys {
                if in_error && key == "message" && answer.contains_key(key) && expected.contains_key(key) {
                    continue;
                }
                let missing = Value::String("(missing)".into());
                let get = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(missing.clone());
                same(&format!("{path}.{key}"), &get(answer), &get(expected))?;
            }
            Ok(())
        }
        (Value::Array(answer), Value::Array(expected)) if answer.len() == expected.len() => {
            let mut pairs = answer.iter().zip(expected).enumerate();
            pairs.try_for_each(|(index, (answer, expected))| same(&format!("{path}[{index}]"), answer, expected))
        }
        (Value::Number(answer), Value::Number(expected)) if answer.as_f64() == expected.as_f64() => Ok(()),
        _ if answer == expected => Ok(()),
        _ => Err(format!("{path}: {} instead of {}", short(answer), short(expected))),
    }
}

/// Where only the schema counts: the same kinds of values in the same members.
fn shape(path: &str, answer: &Value, expected: &Value) -> Result<(), String> {
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => {
            for (key, value) in answer {
                if let Some(expected) = expected.get(key) {
                    shape(&format!("{path}.{key}"), value, expected)?;
                }
            }
            Ok(())
        }
        (Value::Array(_), Value::Array(_)) | (Value::Null, _) | (_, Value::Null) => Ok(()),
        _ if std::mem::discriminant(answer) == std::mem::discriminant(expected) => Ok(()),
        _ => Err(format!("{path}: {} has not the form of {}", short(answer), short(expected))),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.len() > 300 { format!("{}…", &text[..300]) } else { text }
}
