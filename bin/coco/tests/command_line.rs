//! What the command line accepts, refuses and explains.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::{Command, Output};

fn coco(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_coco")).args(args).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn every_command_explains_itself_with_defaults_and_examples() {
    let governing = [
        &["member", "list"][..],
        &["member", "new"],
        &["member", "ack"],
        &["member", "rotate"],
        &["request", "show"],
        &["request", "sign"],
        &["request", "send"],
        &["proposal", "new"],
        &["proposal", "list"],
        &["proposal", "show"],
        &["proposal", "vote"],
        &["proposal", "withdraw"],
        &["constitution", "show"],
        &["constitution", "check"],
        &["constitution", "diff"],
    ];
    let others = [
        &["up"][..],
        &["down"],
        &["status"],
        &["node", "list"],
        &["node", "join"],
        &["node", "trust"],
        &["node", "retire"],
        &["ledger", "list"],
        &["ledger", "open"],
        &["ledger", "policy"],
        &["ledger", "pause"],
        &["ledger", "resume"],
        &["ledger", "close"],
        &["ledger", "verify"],
        &["ledger", "show"],
        &["governance", "log"],
        &["attest", "show"],
        &["attest", "verify"],
    ];
    for command in others.into_iter().chain(governing) {
        let output = coco(&[command, &["--help"]].concat());
        assert!(output.status.success());
        assert!(said(&output).contains("Example"), "{command:?}");
    }
    let up = said(&coco(&["up", "--help"]));
    assert!(up.contains("[default of a new network: 8545]") && up.contains("NO TLS YET"), "{up}");
    assert!(!said(&coco(&["--help"])).contains("launch-node"));
}

/// What is named by its place and who signs do not get in each other's way: each command is understood, and finds no network.
#[test]
fn whoever_signs_is_named_beside_what_is_meant() {
    let commands = [
        &["ledger", "pause", "ethereum"][..],
        &["ledger", "resume", "ethereum"],
        &["ledger", "close", "ethereum"],
        &["node", "trust", "4"],
        &["node", "retire", "4"],
        &["member", "ack"],
        &["proposal", "new", "--action", "pause_ledger"],
        &["proposal", "vote", "3f", "--yes"],
        &["proposal", "withdraw", "3f"],
    ];
    for command in commands {
        for signer in [&["--as", "ann"][..], &["--certificate", "ann_cert.pem", "--key", "ann_privk.pem"]] {
            let output = coco(&[command, signer, &["--dir", "/none/such"]].concat());
            assert_eq!(output.status.code(), Some(1), "{command:?} {signer:?}: {}", said(&output));
        }
    }
}

#[test]
fn a_wrong_command_line_is_told_apart_from_a_failure() {
    let wrong = coco(&["up", "--nodes", "4"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(said(&wrong).contains("the number of nodes is odd"), "{}", said(&wrong));
    assert_eq!(coco(&["dance"]).status.code(), Some(2));
    for wrong in [
        &["proposal", "vote", "3f"][..],
        &["proposal", "vote", "3f", "--yes", "--no"],
        &["proposal", "new"],
        &["proposal", "new", "f", "--action", "a"],
        &["member", "list", "--url", "https://a"],
        &["member", "ack", "--all", "--as", "ann"],
        &["member", "ack", "--certificate", "c"],
        &["member", "new", "../x"],
        &["constitution", "diff"],
        &["up", "--listen", "0.0.0.0"],
        &["node", "join", "--listen", "here"],
        &["node", "join", "--constitution", "abc"],
        &["node", "join", "--data", "{"],
        &["node", "retire"],
        &["ledger", "open"],
        &["ledger", "open", "shop"],
        &["ledger", "open", "shop", "--kind", "bitcoin"],
        &["ledger", "open", "shop", "--kind", "ethereum"],
        &["ledger", "open", "../x", "--kind", "keyvalue"],
        &["ledger", "open", "shop", "--kind", "keyvalue", "--port", "0"],
        &["ledger", "open", "shop", "--kind", "keyvalue", "--connect", "10.1.2.3/16"],
        &["ledger", "policy", "shop"],
        &["ledger", "policy", "shop", "--connect", "here"],
        &["up", "--bare", "--blobs"],
    ] {
        assert_eq!(coco(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let near = said(&coco(&["ledger", "policy", "shop", "--connect", "10.1.2.3/16"]));
    assert!(near.contains("10.1.0.0/16"), "{near}");
    let dir = tempfile::tempdir().unwrap();
    let none = coco(&["status", "--dir", dir.path().to_str().unwrap()]);
    assert_eq!(none.status.code(), Some(1));
    assert!(said(&none).contains("there is no network in") && said(&none).contains("hint:"), "{}", said(&none));
}

#[test]
fn a_directory_without_a_ledger_is_not_called_valid() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    let verified = coco(&["ledger", "verify", dir]);
    assert_eq!(verified.status.code(), Some(1));
    assert!(said(&verified).contains("no ledger file"), "{}", said(&verified));
    let json = coco(&["ledger", "verify", dir, "--json"]);
    assert_eq!(json.status.code(), Some(1));
    assert!(said(&json).contains("\"valid\":false"), "{}", said(&json));
    assert_eq!(coco(&["ledger", "show", dir]).status.code(), Some(1));
    let nothing = coco(&["ledger", "open", "notes", "--kind", "keyvalue", "--dir", dir]);
    assert!(said(&nothing).contains("there is no network in"), "{}", said(&nothing));
    std::fs::write(format!("{dir}/network.json"), "{}").unwrap();
    for command in [&["ledger", "verify"][..], &["ledger", "show"], &["governance", "log"]] {
        let said = said(&coco(&[command, &[dir]].concat()));
        assert!(said.contains("directory of a network") && said.contains("node1/ledger"), "{said}");
    }
}
