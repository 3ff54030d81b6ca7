//! What single methods do on a development network.

use futures::future::join_all;
use serde_json::{Value, json};

use super::Network;

const ALICE: &str = "0x1a642f0e3c3af545e7acbd38b07251b3990914f1";
const BOB: &str = "0x5050a4f4b3f9338c3472dcc01a87c76a144b3c9c";

impl Network {
    pub(super) async fn must(&self, method: &str, params: Value) -> Value {
        self.ask(method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    pub(super) async fn code(&self, method: &str, params: Value) -> i64 {
        match self.ask(method, params).await {
            Ok(result) => panic!("{method} gave {result}"),
            Err(error) => error["code"].as_i64().unwrap(),
        }
    }

    /// A transfer of one wei from Alice to Bob, signed.
    pub(super) async fn signed(&self, nonce: u64) -> Value {
        let call = json!({"from": ALICE, "to": BOB, "value": "0x1", "gas": "0x5208", "nonce": format!("{nonce:#x}")});
        self.must("eth_signTransaction", json!([call])).await["raw"].take()
    }

    /// A contract whose code is `runtime`.
    async fn deploy(&self, runtime: &str) -> Value {
        let length = runtime.len() / 2;
        let init = format!("0x60{length:02x}80600b6000396000f3{runtime}");
        let hash = self.must("eth_sendTransaction", json!([{"from": ALICE, "data": init}])).await;
        let receipt = self.must("eth_getTransactionReceipt", json!([hash])).await;
        assert_eq!(receipt["status"], "0x1");
        receipt["contractAddress"].clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_sends_of_one_account_get_consecutive_nonces() {
    let network = Network::development();
    let send = || network.must("eth_sendTransaction", json!([{"from": ALICE, "to": BOB, "value": "0x1"}]));
    let hashes = join_all((0..40).map(|_| send())).await;
    let mut nonces = Vec::new();
    for hash in hashes {
        // In a block when it is answered: the receipt is there at once.
        let receipt = network.must("eth_getTransactionReceipt", json!([hash])).await;
        assert_eq!((&receipt["status"], &receipt["gasUsed"]), (&json!("0x1"), &json!("0x5208")));
        let transaction = network.must("eth_getTransactionByHash", json!([hash])).await;
        nonces.push(u64::from_str_radix(&transaction["nonce"].as_str().unwrap()[2..], 16).unwrap());
    }
    nonces.sort_unstable();
    assert!(nonces.into_iter().eq(0..40));
}

#[tokio::test]
async fn a_nonce_that_leaves_a_gap_does_not_pull_the_others_after_it() {
    let network = Network::development();
    let send = async |nonce: Value| {
        let call = json!({"from": ALICE, "to": BOB, "value": "0x1", "gas": "0x5208", "nonce": nonce});
        network.must("eth_sendTransaction", json!([call])).await
    };
    send(json!("0x5")).await;
    let hash = send(Value::Null).await;
    assert_eq!(network.must("eth_getTransactionReceipt", json!([hash])).await["status"], "0x1");
    assert_eq!(network.must("eth_getTransactionByHash", json!([hash])).await["nonce"], "0x0");
}

#[tokio::test]
async fn a_transaction_sent_twice_is_already_known() {
    let network = Network::development();
    let raw = network.signed(0).await;
    let hash = network.must("eth_sendRawTransaction", json!([raw])).await;
    let error = network.ask("eth_sendRawTransaction", json!([raw])).await.unwrap_err();
    assert_eq!(error, json!({"code": -32000, "message": "already known"}));
    assert_eq!(network.must("eth_getRawTransactionByHash", json!([hash])).await, raw);
    assert_eq!(network.must("eth_getTransactionCount", json!([ALICE, "pending"])).await, "0x1");
}

#[tokio::test]
async fn a_batch_is_submitted_in_order_and_answered_in_order() {
    let network = Network::development();
    let mut calls = Vec::new();
    for nonce in 0..100u64 {
        let raw = network.signed(nonce).await;
        calls.push(json!({"jsonrpc": "2.0", "id": nonce, "method": "eth_sendRawTransaction", "params": [raw]}));
    }
    calls.insert(50, json!({"jsonrpc": "2.0", "id": "x", "method": "eth_chainId"}));
    calls.push(json!({"jsonrpc": "2.0", "method": "eth_chainId"}));
    let answers = network.json(&Value::from(calls).to_string()).await;
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 101, "a notification is not answered");
    assert_eq!(answers[50], json!({"jsonrpc": "2.0", "id": "x", "result": "0x539"}));
    for (place, answer) in answers.iter().enumerate().filter(|(place, _)| *place != 50) {
        assert_eq!(answer["id"], place - usize::from(place > 50));
        assert!(answer["result"].is_string(), "{answer}");
    }
    assert_eq!(network.must("eth_getTransactionCount", json!([ALICE])).await, "0x64");
    assert_eq!(network.must("eth_getBalance", json!([BOB])).await, "0xd3c21bcecceda1000064");
}

#[tokio::test]
async fn a_nonce_gap_waits_until_it_is_closed() {
    let network = Network::development();
    let second = network.must("eth_sendRawTransaction", json!([network.signed(1).await])).await;
    assert_eq!(network.must("eth_getTransactionReceipt", json!([second])).await, Value::Null);
    network.must("eth_sendRawTransaction", json!([network.signed(0).await])).await;
    assert_eq!(network.must("eth_getTransactionReceipt", json!([second])).await["status"], "0x1");
}

#[tokio::test]
async fn a_synchronous_send_gives_the_receipt_or_says_what_is_missing() {
    let network = Network::development();
    let receipt = network.must("eth_sendRawTransactionSync", json!([network.signed(0).await, 2_000])).await;
    assert_eq!((&receipt["status"], &receipt["blockNumber"]), (&json!("0x1"), &json!("0x1")));
    for wait in [json!(0), json!(null), json!(1e9), json!("soon")] {
        let error =
            network.ask("eth_sendRawTransactionSync", json!([network.signed(7).await, wait])).await.unwrap_err();
        assert_eq!((&error["code"], &error["data"]), (&json!(6), &json!("0x1")));
    }
}

#[tokio::test]
async fn bad_transactions_get_geths_errors_and_change_nothing() {
    let network = Network::development();
    for raw in ["0x", "0x00", "0x02f8", "0xc0", "0x7f01"] {
        assert_eq!(network.code("eth_sendRawTransaction", json!([raw])).await, -32000, "{raw}");
    }
    network.must("eth_sendRawTransaction", json!([network.signed(0).await])).await;
    let low = json!([{"from": ALICE, "to": BOB, "value": "0x2", "nonce": "0x0", "gas": "0x5208"}]);
    let error = network.ask("eth_sendTransaction", low).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("nonce too low"), "{error}");
    let rich = json!([{"from": ALICE, "to": BOB, "value": format!("0x1{}", "0".repeat(30)), "gas": "0x5208"}]);
    let error = network.ask("eth_sendTransaction", rich).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("insufficient funds"), "{error}");
    let dear = json!([{"from": ALICE, "to": BOB, "gasPrice": "0xde0b6b3a7640000", "gas": "0x5208"}]);
    let error = network.ask("eth_sendTransaction", dear).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("exceeds the configured cap"), "{error}");
    assert_eq!(network.must("eth_blockNumber", json!([])).await, "0x1");
}

#[tokio::test]
async fn requests_that_are_wrong_get_the_right_code() {
    let network = Network::development();
    assert_eq!(network.code("eth_nothing", json!([])).await, -32601);
    assert_eq!(network.code("eth_subscribe", json!(["newHeads"])).await, -32601);
    assert_eq!(network.code("eth_getBalance", json!({"address": ALICE})).await, -32602);
    assert_eq!(network.code("eth_getBalance", json!([])).await, -32602);
    assert_eq!(network.code("eth_getBalance", json!([ALICE, "latest", 1])).await, -32602);
    assert_eq!(network.code("eth_getBalance", json!([ALICE, "0x99"])).await, -32000);
    assert_eq!(network.code("eth_getBalance", json!(["0x1"])).await, -32602);
    let stranger = "0x00000000000000000000000000000000000000aa";
    assert_eq!(network.code("eth_sendTransaction", json!([{"from": stranger}])).await, -32000);
    assert_eq!(network.code("eth_sign", json!([stranger, "0x"])).await, -32000);
    assert_eq!(network.raw(r#"{"jsonrpc":"2.0","method":"eth_chainId"}"#).await, None);
    assert_eq!(network.raw(r#"[{"jsonrpc":"2.0","method":"eth_chainId"}]"#).await, None);
}

#[tokio::test]
async fn calls_run_revert_and_are_estimated() {
    let network = Network::development();
    // Reverts with its calldata if there is any, else returns a word: 0x2a.
    let contract = network.deploy("36600e57602a60005260206000f35b366000600037366000fd").await;
    let call = |data: &str| json!({"from": ALICE, "to": contract, "data": data});
    assert_eq!(network.must("eth_call", json!([call("0x"), "latest"])).await, format!("0x{:064x}", 0x2a));
    let error = network.ask("eth_call", json!([call("0x0102")])).await.unwrap_err();
    assert_eq!(error, json!({"code": 3, "message": "execution reverted", "data": "0x0102"}));
    for method in ["eth_estimateGas", "eth_sendTransaction"] {
        let error = network.ask(method, json!([call("0x0102")])).await.unwrap_err();
        assert_eq!((&error["code"], &error["data"]), (&json!(3), &json!("0x0102")), "{method}");
    }
    let transfer = json!({"from": ALICE, "to": BOB, "value": "0x1"});
    assert_eq!(network.must("eth_estimateGas", json!([transfer])).await, "0x5208");
    let gas = network.must("eth_estimateGas", json!([call("0x")])).await;
    let with_gas = json!({"from": ALICE, "to": contract, "gas": gas});
    let hash = network.must("eth_sendTransaction", json!([with_gas])).await;
    assert_eq!(network.must("eth_getTransactionReceipt", json!([hash])).await["status"], "0x1");
    // Overrides: other code at the same place, and another block around it.
    let overrides = json!({contract.as_str().unwrap(): {"code": "0x4360005260206000f3"}});
    let block = json!({"number": "0x1234"});
    let seen = network.must("eth_call", json!([call("0x"), "latest", overrides, block])).await;
    assert_eq!(seen, format!("0x{:064x}", 0x1234));
    let endless = json!({"to": contract, "gas": "0xffffffffffff"});
    let overrides = json!({contract.as_str().unwrap(): {"code": "0x5b600056"}});
    let error = network.ask("eth_call", json!([endless, "latest", overrides])).await.unwrap_err();
    assert_eq!(error, json!({"code": -32000, "message": "out of gas"}));
}

#[tokio::test]
async fn filters_show_what_is_new_and_once() {
    let network = Network::development();
    // Writes a log without topics.
    let contract = network.deploy("60006000a0").await;
    let blocks = network.must("eth_newBlockFilter", json!([])).await;
    let pending = network.must("eth_newPendingTransactionFilter", json!([])).await;
    let logs = network.must("eth_newFilter", json!([{"address": contract}])).await;
    let hash = network.must("eth_sendTransaction", json!([{"from": ALICE, "to": contract}])).await;
    let head = network.must("eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(network.must("eth_getFilterChanges", json!([blocks])).await, json!([head["hash"]]));
    assert_eq!(network.must("eth_getFilterChanges", json!([pending])).await, json!([hash]));
    let found = network.must("eth_getFilterChanges", json!([logs])).await;
    assert_eq!(
        (&found[0]["transactionHash"], &found[0]["address"], found.as_array().unwrap().len()),
        (&hash, &contract, 1)
    );
    for filter in [&blocks, &pending, &logs] {
        assert_eq!(network.must("eth_getFilterChanges", json!([filter])).await, json!([]));
    }
    assert_eq!(network.must("eth_getFilterLogs", json!([logs])).await, found);
    assert_eq!(network.must("eth_uninstallFilter", json!([logs])).await, json!(true));
    assert_eq!(network.code("eth_getFilterChanges", json!([logs])).await, -32000);
}

#[tokio::test]
async fn messages_are_signed_by_the_account() {
    let network = Network::development();
    let message = "0xdeadbeef";
    let signature = network.must("eth_sign", json!([ALICE, message])).await;
    assert_eq!(network.must("personal_sign", json!([message, ALICE, ""])).await, signature);
    let bytes = const_hex::decode(signature.as_str().unwrap()).unwrap();
    let signature = alloy_primitives::Signature::from_raw(&bytes).unwrap();
    let hash = alloy_primitives::eip191_hash_message([0xde, 0xad, 0xbe, 0xef]);
    let signer = crate::transaction::recover(&signature, hash).unwrap();
    assert_eq!(format!("{signer:?}").to_lowercase(), ALICE);

    let typed = json!({
        "types": {
            "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}],
            "Mail": [{"name": "to", "type": "address"}, {"name": "text", "type": "string"}]
        },
        "primaryType": "Mail",
        "domain": {"name": "Mail", "chainId": "0x539"},
        "message": {"to": BOB, "text": "hello"}
    });
    let signed = network.must("eth_signTypedData_v4", json!([ALICE, typed])).await;
    assert_eq!(network.must("eth_signTypedData", json!([ALICE, typed.to_string()])).await, signed);
    assert_eq!(network.code("eth_signTypedData_v4", json!([ALICE, {"types": {}}])).await, -32602);
}

#[tokio::test]
async fn traces_tell_what_a_transaction_did() {
    let network = Network::development();
    let contract = network.deploy("602a60005560206000f3").await;
    let hash = network.must("eth_sendTransaction", json!([{"from": ALICE, "to": contract}])).await;
    let trace = network.must("debug_traceTransaction", json!([hash])).await;
    assert_eq!(trace["structLogs"][2]["op"], "SSTORE");
    let calls = network.must("debug_traceTransaction", json!([hash, {"tracer": "callTracer"}])).await;
    assert_eq!((&calls["type"], &calls["to"]), (&json!("CALL"), &contract));
    let state = network.must("debug_traceTransaction", json!([hash, {"tracer": "prestateTracer"}])).await;
    assert!(state.get(ALICE).is_some(), "{state}");
    let call = json!({"from": ALICE, "to": contract});
    let traced = network.must("debug_traceCall", json!([call, "latest", {"tracer": "callTracer"}])).await;
    assert_eq!(traced["from"], ALICE);
    assert_eq!(network.code("debug_traceTransaction", json!([hash, {"tracer": "{}"}])).await, -32602);
}

#[tokio::test]
async fn a_pending_block_is_a_header_without_a_name() {
    let network = Network::development();
    let pending = network.must("eth_getBlockByNumber", json!(["pending", true])).await;
    assert_eq!((&pending["number"], &pending["hash"], &pending["nonce"]), (&json!("0x1"), &Value::Null, &Value::Null));
    let head = network.must("eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!((&pending["parentHash"], &pending["transactions"]), (&head["hash"], &json!([])));
}

#[tokio::test]
async fn nothing_is_imported_after_a_block_of_ones_own() {
    let network = Network::development();
    assert_eq!(network.code("coco_importBlock", json!(["0xc0"])).await, -32000);
    network.must("eth_sendRawTransaction", json!([network.signed(0).await])).await;
    let error = network.ask("coco_importBlock", json!(["0xc0"])).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("blocks of its own"), "{error}");
}
