//! What callers may ask for, and what ends when they ask for more.

use std::time::Duration;

use alloy_primitives::{Address, keccak256};
use revm::context::result::EVMError;
use serde_json::{Value, json};

use super::Network;
use crate::rpc::calls::Scratch;
use crate::rpc::deadline::Deadline;
use crate::rpc::dispatch;
use crate::rpc::subscriptions::Subscriptions;
use crate::rpc::types::CallArgs;
use crate::{Account, rows};

const TO: &str = "0x00000000000000000000000000000000000000aa";

/// A call of `code` with overrides.
fn call_of(code: &str) -> Value {
    json!([{"to": TO}, "latest", {TO: {"code": code}}])
}

#[tokio::test]
async fn code_that_does_not_end_is_ended() {
    let network = Network::development();
    let view = network.rpc.latest();
    let mut scratch = Scratch::new(&view, view.next_context(0).unwrap());
    scratch.deadline = Deadline::within(Duration::from_millis(20));
    let (endless, outlives) = (Address::repeat_byte(1), Address::repeat_byte(2));
    let code = |address: Address, code: &[u8], scratch: &mut Scratch<'_>| {
        let account = Account { code_hash: keccak256(code), ..Account::default() };
        rows::put_account(&scratch.ledger.layout, &mut scratch.tx, address, &account);
        rows::put_code(&scratch.ledger.layout, &mut scratch.tx, account.code_hash, code);
    };
    code(endless, &[0x5b, 0x5f, 0x56], &mut scratch);
    // Calls the endless one and then stops as if nothing had happened.
    let call = [&[0x5f; 5][..], &[0x73], endless.as_slice(), &[0x5a, 0xf1, 0x00]].concat();
    code(outlives, &call, &mut scratch);
    for to in [endless, outlives] {
        let args: CallArgs = serde_json::from_value(json!({"to": to})).unwrap();
        let call = scratch.environment(&args, u64::MAX / 2).unwrap();
        let error = scratch.run(call).unwrap_err();
        assert!(matches!(&error, EVMError::Custom(text) if text.starts_with("execution aborted")), "{error}");
    }
}

#[tokio::test]
async fn traces_are_bounded() {
    let network = Network::development();
    // A thousand words on the stack, then a loop: each step is 32 kilobytes.
    let deep = format!("0x{}5b6103e856", "5f".repeat(1_000));
    let mut call = call_of(&deep);
    let overrides = call[2].take();
    call[2] = json!({"stateOverrides": overrides});
    let error = network.ask("debug_traceCall", call.clone()).await.unwrap_err();
    assert_eq!(error, json!({"code": -32000, "message": "the trace is too large: ask for less of it"}));
    call[2]["limit"] = json!(1_500);
    let trace = network.ask("debug_traceCall", call).await.unwrap();
    assert_eq!(trace["structLogs"].as_array().unwrap().len(), 1_500);
    // A megabyte handed to the identity contract, again and again.
    let handing = "0x5b5f5f621000005f60045afa505f56";
    for tracer in [json!({"tracer": "callTracer"}), json!({"tracer": "muxTracer", "tracerConfig": {"callTracer": {}}})]
    {
        let mut call = call_of(handing);
        let overrides = call[2].take();
        call[2] = tracer;
        call[2]["stateOverrides"] = overrides;
        let error = network.ask("debug_traceCall", call).await.unwrap_err();
        assert_eq!(error["message"], "the trace is too large: ask for less of it");
    }
}

#[tokio::test]
async fn the_deepest_trace_is_written() {
    let network = Network::development();
    // Calls itself with all the gas there is.
    let mut call = call_of("0x5f5f5f5f5f305af1");
    let overrides = call[2].take();
    call[2] = json!({"stateOverrides": overrides, "tracer": "callTracer"});
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "debug_traceCall", "params": call});
    // Too deep for a reader of JSON that is careful; a stack that was too small for it would end the process.
    let trace = network.raw(&request.to_string()).await.unwrap();
    let depth = trace.matches(r#""calls":["#).count();
    assert!(depth > 500, "{depth}: {:.300}", trace);
}

#[tokio::test]
async fn a_block_hash_is_that_of_the_block() {
    let network = Network::development();
    for nonce in 0..258 {
        let raw = network.signed(nonce).await;
        network.must("eth_sendRawTransaction", json!([raw])).await;
    }
    let hash = async |number: u64| {
        network.must("eth_getBlockByNumber", json!([format!("{number:#x}"), false])).await["hash"].take()
    };
    let seen = async |number: u64, block: u64| {
        // Returns BLOCKHASH of the number.
        let mut call = call_of(&format!("0x61{number:04x}405f5260205ff3"));
        call.as_array_mut().unwrap().push(json!({"number": format!("{block:#x}")}));
        network.must("eth_call", call).await
    };
    let zero = format!("0x{:064x}", 0);
    assert_eq!(seen(257, 258).await, hash(257).await);
    assert_eq!(seen(3, 258).await, hash(3).await);
    assert_eq!(seen(2, 258).await, hash(2).await, "the oldest that a call in the newest block may ask for");
    assert_eq!(seen(1, 258).await, zero);
    assert_eq!(seen(1, 2).await, hash(1).await);
    assert_eq!(seen(300, 301).await, zero, "a block that is not there");
}

#[tokio::test]
async fn code_that_cannot_be_is_the_callers_fault() {
    let network = Network::development();
    assert_eq!(network.code("eth_call", call_of("0xef010011")).await, -32602);
}

#[tokio::test]
async fn what_a_connection_looks_for_is_bounded() {
    let network = Network::development();
    let mut subscriptions = Subscriptions::new(&network.ethereum);
    let topics = json!(vec![vec![keccak256(b"topic"); 1_000]; 4]);
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["logs", {"topics": topics}]});
    let mut codes = Vec::new();
    for _ in 0..3 {
        let begun = dispatch::begin(&network.rpc, call.to_string().as_bytes(), Some(&mut subscriptions));
        let reply = dispatch::finish(network.rpc.clone(), begun).await.unwrap();
        codes.push(serde_json::from_slice::<Value>(reply.as_ref()).unwrap()["error"]["code"].as_i64());
    }
    assert_eq!(codes, [None, None, Some(-32000)]);
}
