//! Nodes join a real network, are trusted by its members, take part, and are let go. Needs `coco-node` beside `coco`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod newcomers;

use std::fs;

use serde_json::{Value, json};

use newcomers::{Place, ethereum, wait};

#[test]
fn two_nodes_join_and_one_leaves() {
    let Some(place) = Place::new("1") else { return };
    let ledgers = place.json(&["ledger", "list"]);
    let (first, rpc) = (&ledgers["ledgers"][0], place.ready["nodes"][0]["ethereum"].as_str().unwrap());
    assert_eq!(
        (&first["name"], &first["kind"], &first["status"]),
        (&json!("ethereum"), &json!("ethereum"), &json!("Open"))
    );
    assert_eq!(first["doors"], json!([{ "node": 1, "address": rpc.trim_start_matches("http://"), "trouble": null }]));

    let second = place.joins("node2");
    let third = place.joins("node3");
    assert_eq!((&second["nodes"][0]["number"], &third["nodes"][0]["number"]), (&json!(2), &json!(3)));
    assert_eq!(third["chain_id"], 1337);
    for number in 1..=3 {
        wait("all three vote", || place.node(number)["counted"] == "voter");
    }
    assert_eq!(place.node(3)["owner"], place.node(2)["owner"]);

    // What is sent to the third is committed, and seen on all.
    let (from, to) = (&place.ready["accounts"][0]["address"], "0x00000000000000000000000000000000000000c0");
    let sent = ethereum(&place.ready, "eth_sendTransaction", json!([{ "from": from, "to": to, "value": "0x5" }]));
    wait("its receipt on the third", || !ethereum(&third, "eth_getTransactionReceipt", json!([sent])).is_null());
    let keyvalue: Value = serde_json::from_slice(&fs::read(place.file("node3/joined.json")).unwrap()).unwrap();
    let keyvalue = keyvalue["ledgers"].as_array().unwrap().iter().find(|ledger| ledger["kind"] == "keyvalue").unwrap();
    let url = format!("http://{}/kv/a", keyvalue["listen"].as_str().unwrap());
    assert_eq!(ureq::put(&url).send("by the third").unwrap().status(), 200);
    wait("the balance on the second", || ethereum(&second, "eth_getBalance", json!([to, "latest"])) == "0x5");

    // A restart asks nobody.
    place.ok(&["down", "--dir", "node3"]);
    assert!(place.ok(&["node", "join", "--dir", "node3", "--detach"]).contains("3 ("));
    let status: Value = serde_json::from_str(&place.ok(&["status", "--dir", "node3", "--json"])).unwrap();
    assert_eq!((&status["nodes"][0]["number"], &status["serving"]), (&json!(3), &json!(true)));

    // The second leaves.
    let proposed = place.json(&["node", "retire", "2"]);
    assert_eq!(proposed["state"], "Open");
    place.vote();
    assert!(place.ok(&["node", "retire", "2"]).contains("it may be stopped now"));
    place.ok(&["down", "--dir", "node2"]);
    let gone = place.node(2);
    assert!(gone.is_null() || (gone["status"] == "retired" && gone["counted"].is_null()), "{gone}");
    assert_eq!(ureq::put(&url).send("without the second").unwrap().status(), 200);
    let table = place.ok(&["node", "list", "--dir", "node3"]);
    assert!(table.contains("primary") && table.contains("let go"), "{table}");
}

#[test]
fn a_node_that_is_not_wanted_is_told_why() {
    let Some(place) = Place::new("1") else { return };
    let (url, service) = (place.ready["nodes"][0]["governance"].as_str().unwrap(), place.service());
    let args = ["node", "join", "--dir", "node2", "--network", url, "--service-certificate", &service, "--detach"];

    // Another constitution than the one that was read.
    let other = place.fails(&[&args[..], &["--constitution", &"ab".repeat(32)]].concat());
    assert!(other.contains("did not join") && other.contains("insists on abab"), "{other}");
    let changed = place.fails(&[&args[..], &["--constitution", &"cd".repeat(32)]].concat());
    assert!(changed.contains("was made with another --constitution"), "{changed}");

    // A directory with something else in it, and none at all.
    fs::create_dir(place.file("other")).unwrap();
    fs::write(place.file("other/thesis.txt"), "mine").unwrap();
    let full = place.fails(&["node", "join", "--dir", "other", "--network", url, "--service-certificate", &service]);
    assert!(full.contains("holds other files"), "{full}");
    assert!(place.fails(&["node", "join", "--dir", "node3"]).contains("which network shall it join"));
}
