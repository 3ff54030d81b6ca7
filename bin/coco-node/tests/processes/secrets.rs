//! What is private inside a node is on no disk in clear: canaries are put in, and then searched for in every file.

use std::path::Path;

use serde_json::json;

use crate::network::Network;

#[test]
fn a_key_and_its_value_are_in_no_file() {
    let mut network = Network::start(3);
    network.primary(1);
    let (key, value) = ("canary-5b1e9a77-in-a-key", b"canary-7d1f0c52-in-a-value");
    network.node(1).put(key, value);
    (1..=3).for_each(|number| network.node(number).shows(key, value));
    assert_nowhere(&mut network, &[b"5b1e9a77", b"7d1f0c52"]);
}

#[test]
fn calldata_and_storage_are_in_no_file() {
    let mut network = Network::start_with_ethereum(3);
    network.primary(1);
    let stored = *b"canary-in-storage-9c41d7e2-31b04";
    let calldata = b"canary-in-calldata-e07b6f18";
    // Stores 32 bytes in slot 0 and becomes an empty contract; what follows is only calldata.
    let creation = [&[0x7f][..], &stored, &[0x5f, 0x55, 0x00], calldata].concat();
    let from = network.node(1).ethereum("eth_accounts", &json!([]))[0].clone();
    let sent = json!([{ "from": from, "data": hex(&creation), "gas": "0x186a0" }]);
    let hash = network.node(1).ethereum("eth_sendTransaction", &sent);
    let receipt = network.node(1).ethereum("eth_getTransactionReceipt", &json!([hash]));
    let slot = json!([receipt["contractAddress"], "0x0", "latest"]);
    assert_eq!(network.node(1).ethereum("eth_getStorageAt", &slot), hex(&stored), "the canary must be there at all");
    // Enough more that the canary's block leaves memory and is read back from the ledger file.
    for _ in 0..150 {
        network.node(1).ethereum("eth_sendTransaction", &json!([{ "from": from, "to": from }]));
    }
    let transaction = network.node(2).ethereum("eth_getTransactionByHash", &json!([hash]));
    assert_eq!(transaction["input"], hex(&creation));
    // A restart reads everything, and might write it.
    (1..=3).for_each(|number| network.stop(number));
    (1..=3).for_each(|number| network.start_node(number));
    network.primary(1);
    assert_eq!(network.node(3).ethereum("eth_getStorageAt", &slot), hex(&stored));
    assert_nowhere(&mut network, &[b"9c41d7e2", b"e07b6f18"]);
}

/// Stops the nodes and searches all that they left, for the words as they are and in hexadecimal.
fn assert_nowhere(network: &mut Network, words: &[&[u8]]) {
    (1..=3).for_each(|number| network.stop(number));
    let words: Vec<Vec<u8>> =
        words.iter().flat_map(|word| [word.to_vec(), hex(word).into_bytes()[2..].to_vec()]).collect();
    let mut files = 0;
    for number in 1..=3 {
        search(network.dir(number), &words, &mut files);
    }
    assert!(files > 15, "the search must have looked at something: {files} files");
}

fn search(dir: &Path, words: &[Vec<u8>], files: &mut usize) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, words, files);
            continue;
        }
        *files += 1;
        let bytes = std::fs::read(&path).unwrap();
        for word in words {
            let shown = bytes.windows(word.len()).any(|window| window == word);
            assert!(!shown, "{} shows {}", path.display(), String::from_utf8_lossy(word));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits}")
}
