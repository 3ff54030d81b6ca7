//! Members open ledgers, and say who may connect, from the command line. Needs `coco-node` beside `coco`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod place;

use std::fs;
use std::time::{Duration, Instant};

use place::{Place, text};
use serde_json::{Value, json};

/// Long enough for a loaded machine; what is waited for usually takes some milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until it is so.
fn wait(what: &str, mut ask: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ask() {
        assert!(begun.elapsed() < PATIENCE, "still waiting: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The result of a call of JSON-RPC without parameters, if there is an answer.
fn call(url: &str, method: &str) -> Option<Value> {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": [] });
    let mut answer = ureq::post(url).content_type("application/json").send(call.to_string()).ok()?;
    let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()?;
    answer.get("result").cloned()
}

fn free_port() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

/// A genesis in which one account owns two ether.
fn genesis(place: &Place, chain_id: u64) -> String {
    let path = place.file(&format!("genesis{chain_id}.json"));
    let genesis = fs::read_to_string(place.network().join("genesis.json")).unwrap();
    let mut genesis: Value = serde_json::from_str(&genesis).unwrap();
    genesis["config"]["chainId"] = json!(chain_id);
    genesis["alloc"] = json!({ "0x00000000000000000000000000000000000000c0": { "balance": "0x1bc16d674ec80000" } });
    fs::write(&path, genesis.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The ledger as `coco ledger list` shows it.
fn listed(place: &Place, name: &str) -> Value {
    let all = place.json(&["ledger", "list"]);
    all["ledgers"].as_array().unwrap().iter().find(|ledger| ledger["name"] == name).cloned().unwrap_or_default()
}

/// A majority of the members agrees.
fn agreed(place: &Place, proposed: &Value) {
    assert_eq!(proposed["state"], "Open");
    let id = proposed["id"].as_str().unwrap();
    place.ok(&["proposal", "vote", id, "--yes", "--as", "member0"]);
    let decided = place.json(&["proposal", "vote", id, "--yes", "--as", "member1"]);
    assert_eq!(decided["state"], "Accepted", "{decided}");
}

#[test]
fn a_ledger_is_opened_by_vote_and_its_policy_set() {
    let Some(place) = Place::new("1") else { return };
    let (genesis, port) = (genesis(&place, 4242), free_port());
    let open =
        ["ledger", "open", "shop", "--kind", "ethereum", "--genesis", &genesis, "--base-fee", "7", "--port", &port];
    let proposed = place.json(&open);
    let id = proposed["id"].as_str().unwrap();
    let twice = place.fails(&open);
    assert!(twice.contains("proposed already") && twice.contains("coco proposal vote"), "{twice}");
    let shown = place.ok(&["proposal", "show", id]);
    for said in [
        "open a ledger called shop, of kind ethereum",
        "chain id 4242",
        "one account with 2 ETH",
        "in wei: 7",
        &format!("serve it at port {port}"),
        "clients from anywhere may connect",
        "2 more are enough",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    agreed(&place, &proposed);
    let url = format!("http://127.0.0.1:{port}");
    wait("the ledger is served", || call(&url, "eth_chainId") == Some(json!("0x1092")));
    let shop = listed(&place, "shop");
    assert_eq!((&shop["status"], &shop["policy"]), (&json!("Open"), &json!(null)));
    assert_eq!(shop["doors"], json!([{ "node": 1, "address": format!("127.0.0.1:{port}"), "trouble": null }]));
    assert!(place.fails(&open).contains("hosts a ledger shop already"));

    // Who may connect.
    let shut = place.json(&["ledger", "policy", "shop", "--connect", "10.1.0.0/16", "--as", "member2"]);
    assert_eq!(shut["proposer"]["name"], "member2");
    let shown = place.ok(&["proposal", "show", shut["id"].as_str().unwrap()]);
    assert!(shown.contains("let only clients from 10.1.0.0/16 connect to the ledger shop"), "{shown}");
    agreed(&place, &shut);
    wait("clients here are shut out", || call(&url, "eth_chainId").is_none());
    let table = place.ok(&["ledger", "list"]);
    assert!(table.contains("CLIENTS FROM") && table.contains("10.1.0.0/16"), "{table}");
    let same = place.fails(&["ledger", "policy", "shop", "--connect", "10.1.0.0/16"]);
    assert!(same.contains("is the policy of the ledger shop already"), "{same}");
    agreed(&place, &place.json(&["ledger", "policy", "shop", "--connect", "any"]));
    wait("clients here are let in", || call(&url, "eth_chainId").is_some());

    // A name is used once.
    agreed(&place, &place.json(&["ledger", "close", "shop"]));
    let closed = place.fails(&["ledger", "resume", "shop"]);
    assert!(closed.contains("for good"), "{closed}");
    assert!(place.fails(&open).contains("it is closed"));
}

#[test]
fn what_makes_no_sense_is_not_proposed() {
    let Some(place) = Place::new("1") else { return };
    let unknown = place.fails(&["ledger", "pause", "shop"]);
    assert!(unknown.contains("hosts no ledger shop") && unknown.contains("there is ethereum, keyvalue"), "{unknown}");
    let idle = place.fails(&["ledger", "resume", "ethereum"]);
    assert!(idle.contains("is open already"), "{idle}");
    let start = place.fails(&["ledger", "open", "notes", "--kind", "keyvalue", "--blobs"]);
    assert!(start.contains("starts empty") && start.contains("--genesis"), "{start}");
    let no_genesis = place.file("g.json");
    fs::write(&no_genesis, "{}").unwrap();
    let file = no_genesis.to_str().unwrap();
    let refused = place.fails(&["ledger", "open", "shop", "--kind", "ethereum", "--genesis", file]);
    assert!(refused.contains("not a genesis in geth's format"), "{refused}");
    // What the node alone knows, it says before anybody votes.
    fs::write(&no_genesis, r#"{"config": {"chainId": 5}, "alloc": {"0x1": {"balance": "much"}}}"#).unwrap();
    let refused = place.fails(&["ledger", "open", "shop", "--kind", "ethereum", "--genesis", file]);
    assert!(refused.contains("the proposal is at fault") && refused.contains("open_ledger at position 0"), "{refused}");
    assert!(listed(&place, "shop").is_null());
}

#[test]
fn a_ledger_is_prepared_where_no_key_is() {
    let Some(place) = Place::new("1") else { return };
    let genesis = genesis(&place, 77);
    let file = place.file("open.json");
    let certificate = place.ready["members"][2]["certificate"].as_str().unwrap();
    let key = place.ready["members"][2]["key"].as_str().unwrap();
    let said = place.ok(&[
        "ledger",
        "open",
        "shop",
        "--kind",
        "ethereum",
        "--genesis",
        &genesis,
        "--connect",
        "127.0.0.0/8,::1",
        "--certificate",
        certificate,
        "--prepare",
        file.to_str().unwrap(),
    ]);
    for words in ["member2 is to sign", "chain id 77", "only clients from 127.0.0.0/8 and ::1/128 may connect"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let signature = place.file("open.sig");
    let coco = |args: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_coco")).args(args).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        output.stdout
    };
    fs::write(&signature, coco(&["request", "sign", file.to_str().unwrap(), "--key", key])).unwrap();
    let sent = ["request", "send", file.to_str().unwrap(), "--signature", signature.to_str().unwrap()];
    let proposed = place.json(&sent);
    assert_eq!((&proposed["state"], &proposed["proposer"]["name"]), (&json!("Open"), &json!("member2")));
}

#[test]
fn up_opens_its_ledgers_by_vote_and_once() {
    let Some(mut place) = Place::new("3") else { return };
    for member in ["member0", "member1", "member2"] {
        assert_eq!(place.member(member)["status"], "Active");
    }
    let list = place.json(&["proposal", "list"]);
    let proposals = list["proposals"].as_array().unwrap();
    assert_eq!((proposals.len(), &proposals[0]["state"]), (1, &json!("Accepted")));
    assert!(proposals[0]["summary"].as_str().unwrap().contains("open a ledger called ethereum"), "{list}");
    for node in place.ready["nodes"].as_array().unwrap() {
        assert_eq!(call(node["ethereum"].as_str().unwrap(), "eth_chainId"), Some(json!("0x539")));
        let notes = format!("{}/kv/none", node["ledgers"]["keyvalue"].as_str().unwrap());
        assert!(matches!(ureq::get(&notes).call(), Err(ureq::Error::StatusCode(404))));
    }
    place.ok(&["down"]);
    place.up(&[]);
    assert_eq!(call(place.ready["ethereum"]["http"].as_str().unwrap(), "eth_chainId"), Some(json!("0x539")));
    assert_eq!(place.json(&["proposal", "list"]), list);

    // All of it follows from the rules, and stands in the ledger.
    place.ok(&["down"]);
    let dir = place.ready["ledger_dirs"][0].as_str().unwrap();
    let log = ["governance", "log", dir, "--json"];
    let log = std::process::Command::new(env!("CARGO_BIN_EXE_coco")).args(log).output().unwrap();
    assert!(log.status.success(), "{}", text(&log.stdout));
    let lines: Vec<Value> = text(&log.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["follows"] == true), "{}", text(&log.stdout));
    let decided = |what: &str| lines.iter().filter(|line| line["what"] == what).count();
    assert_eq!((decided("founded"), decided("proposal"), decided("ballot"), decided("ack")), (1, 1, 2, 3));
    // It tells what was proposed, and what those who voted said.
    let of = |what: &str| lines.iter().filter(|line| line["what"] == what).collect::<Vec<_>>();
    assert_eq!(of("proposal")[0]["actions"][0]["name"], "open_ledger");
    assert!(of("ballot").iter().all(|line| line["ballot"].as_str().unwrap().contains("return true")), "{lines:?}");
}

#[test]
fn what_an_interrupted_up_proposed_is_voted_for() {
    let Some(mut place) = Place::bare("1") else { return };
    assert!(place.ready["ethereum"].is_null() && place.ready["chain_id"].is_null());
    assert_eq!(place.json(&["ledger", "list"])["ledgers"], json!([]));
    assert_eq!(place.member("member0")["status"], "Accepted");
    let none = place.fails(&["ledger", "pause", "ethereum"]);
    assert!(none.contains("hosts none yet"), "{none}");

    // As if it had been made with ledgers, and `coco` had ended after its first proposal.
    let file = place.network().join("network.json");
    let mut network: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    network["ledgers"] = json!([{ "kind": "ethereum", "name": "ethereum", "chain_id": 1337 }, { "kind": "keyvalue", "name": "keyvalue" }]);
    fs::write(&file, network.to_string()).unwrap();
    for name in ["member0", "member1", "member2"] {
        place.ok(&["member", "ack", "--as", name]);
    }
    let keyvalue = json!([{ "name": "open_ledger", "args": { "name": "keyvalue", "kind": "keyvalue" } }]);
    let id = place.propose(&keyvalue, "member2");
    place.ok(&["proposal", "vote", &id, "--yes", "--as", "member2"]);
    place.up(&[]);
    assert_eq!(place.ready["chain_id"], 1337);
    let http = place.ready["ethereum"]["http"].as_str().unwrap();
    assert_eq!(call(http, "eth_chainId"), Some(json!("0x539")));
    assert_eq!(listed(&place, "keyvalue")["status"], "Open");
}
