"""Contracts: state, events, and how failures are told apart."""

import pytest
from web3 import Web3
from web3.exceptions import ContractCustomError, ContractLogicError, ContractPanicError

KEY = Web3.keccak(text="web3.py")


def test_state(w3, notebook, me, mined):
    assert notebook.functions.title().call() == "a snake's notes"
    before = notebook.functions.counter().call()
    receipt = mined(notebook.functions.increment().transact({"from": me}))
    assert receipt["status"] == 1
    assert notebook.functions.counter().call() == before + 1
    assert notebook.functions.counter().call(block_identifier=receipt["blockNumber"] - 1) == before
    assert int.from_bytes(w3.eth.get_storage_at(notebook.address, 0)) == before + 1


def test_events(notebook, me, mined):
    receipt = mined(notebook.functions.write(KEY, 9, "hello").transact({"from": me}))
    (event,) = notebook.events.Written().process_receipt(receipt)
    assert dict(event["args"]) == {"author": me, "key": KEY, "value": 9, "note": "hello"}
    found = notebook.events.Written().get_logs(from_block=receipt["blockNumber"], argument_filters={"key": KEY})
    assert [log["transactionHash"] for log in found] == [receipt["transactionHash"]]
    assert notebook.events.Written().get_logs(from_block=0, argument_filters={"key": b"\7" * 32}) == []


def test_gas_estimate_is_enough(notebook, me, mined):
    call = notebook.functions.write(KEY, 10, "a longer note than the one before")
    estimate = call.estimate_gas({"from": me})
    receipt = mined(call.transact({"from": me, "gas": estimate}))
    assert receipt["status"] == 1
    assert receipt["gasUsed"] <= estimate


def test_a_custom_error(notebook, me):
    with pytest.raises(ContractCustomError) as failure:
        notebook.functions.failWithCustomError().call({"from": me})
    assert failure.value.data.startswith(Web3.keccak(text="NotOwner(address,address)")[:4].to_0x_hex())
    assert me[2:].lower() in failure.value.data


def test_a_reason(notebook, me):
    with pytest.raises(ContractLogicError, match="a reason"):
        notebook.functions.failWithReason().call({"from": me})
    with pytest.raises(ContractLogicError, match="a reason"):
        notebook.functions.failWithReason().transact({"from": me})


def test_a_panic(notebook, me):
    with pytest.raises(ContractPanicError, match="[Dd]ivi"):
        notebook.functions.failWithPanic(0).call({"from": me})


def test_a_failed_transaction_is_in_a_block(w3, notebook, me, mined):
    receipt = mined(notebook.functions.failWithReason().transact({"from": me, "gas": 100_000}))
    assert receipt["status"] == 0
    assert receipt["logs"] == []
    assert receipt["transactionHash"] in w3.eth.get_block(receipt["blockNumber"])["transactions"]


def test_an_access_list(w3, notebook, me):
    call = notebook.functions.increment().build_transaction({"from": me, "gas": 200_000})
    answer = w3.eth.create_access_list(call)
    assert answer["accessList"] == [{"address": notebook.address, "storageKeys": ["0x" + "00" * 32]}]


def test_a_token(deploy, w3, me, fresh_account, mined):
    token = deploy("Token", "Cocoa", "COCO", 1_000)
    mined(token.functions.transfer(fresh_account.address, 250).transact({"from": me}))
    assert token.functions.balanceOf(fresh_account.address).call() == 250
    with pytest.raises(ContractCustomError):
        token.functions.transfer(me, 251).call({"from": fresh_account.address})
    assert w3.eth.get_code(token.address) != b""
