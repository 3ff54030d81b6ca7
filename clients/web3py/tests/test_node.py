"""What a node does besides: filters, batches, signatures, fees, tags, proofs."""

import pytest
import rlp
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from hexbytes import HexBytes
from trie import HexaryTrie
from web3 import Web3

TYPED = {
    "types": {
        "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}],
        "Vote": [{"name": "proposal", "type": "uint256"}, {"name": "support", "type": "bool"}],
    },
    "primaryType": "Vote",
    "domain": {"name": "Coco", "chainId": 0},
    "message": {"proposal": 7, "support": True},
}


def ping(w3, me, mined):
    return mined(w3.eth.send_transaction({"from": me, "to": me, "value": 0}))


def test_a_filter_of_blocks(w3, me, mined):
    blocks = w3.eth.filter("latest")
    assert blocks.get_new_entries() == []
    receipts = [ping(w3, me, mined) for _ in range(3)]
    assert blocks.get_new_entries() == [receipt["blockHash"] for receipt in receipts]
    assert blocks.get_new_entries() == []
    assert w3.eth.uninstall_filter(blocks.filter_id)


def test_a_filter_of_pending_transactions(w3, me, mined):
    pending = w3.eth.filter("pending")
    receipt = ping(w3, me, mined)
    assert pending.get_new_entries() == [receipt["transactionHash"]]


def test_a_filter_of_events(w3, notebook, me, mined):
    key = Web3.keccak(text="filtered")
    events = notebook.events.Written.create_filter(from_block="latest", argument_filters={"key": key})
    mined(notebook.functions.write(Web3.keccak(text="not filtered"), 1, "no").transact({"from": me}))
    receipt = mined(notebook.functions.write(key, 2, "yes").transact({"from": me}))
    (event,) = events.get_new_entries()
    assert event["args"]["note"] == "yes"
    assert event["transactionHash"] == receipt["transactionHash"]
    assert events.get_new_entries() == []


def test_a_batch(w3, me, notebook):
    with w3.batch_requests() as batch:
        batch.add(w3.eth.get_block("latest"))
        batch.add(w3.eth.get_balance(me))
        batch.add(notebook.functions.title())
        block, balance, title = batch.execute()
    assert block["number"] <= w3.eth.block_number
    assert balance > 0
    assert title == "a snake's notes"


def test_the_node_signs_a_message(w3, me):
    signature = w3.eth.sign(me, text="for the record")
    assert Account.recover_message(encode_defunct(text="for the record"), signature=signature) == me


def test_the_node_signs_typed_data(w3, me, chain_id):
    typed = TYPED | {"domain": {"name": "Coco", "chainId": chain_id}}
    answer = w3.provider.make_request("eth_signTypedData_v4", [me, typed])
    recovered = Account.recover_message(encode_typed_data(full_message=typed), signature=HexBytes(answer["result"]))
    assert recovered == me


@pytest.mark.coco
def test_the_node_signs_typed_data_by_the_older_name(w3, me, chain_id):
    typed = TYPED | {"domain": {"name": "Coco", "chainId": chain_id}}
    signature = w3.eth.sign_typed_data(me, typed)
    assert Account.recover_message(encode_typed_data(full_message=typed), signature=signature) == me


@pytest.mark.coco
def test_the_node_signs_a_transaction_without_sending_it(w3, me):
    nonce = w3.eth.get_transaction_count(me)
    fields = {"from": me, "to": me, "value": 1, "gas": 21_000, "gasPrice": w3.eth.gas_price, "nonce": nonce}
    signed = w3.eth.sign_transaction(fields)
    assert Account.recover_transaction(signed["raw"]) == me
    assert signed["tx"]["nonce"] == nonce
    assert w3.eth.get_transaction_count(me, "pending") == nonce


def test_fees(w3):
    history = w3.eth.fee_history(2, "latest", [25, 75])
    assert len(history["baseFeePerGas"]) == len(history["gasUsedRatio"]) + 1
    assert w3.eth.max_priority_fee >= 0


@pytest.mark.coco
def test_latest_is_final(w3, me, mined):
    receipt = ping(w3, me, mined)
    hashes = {w3.eth.get_block(tag)["hash"] for tag in ("latest", "safe", "finalized")}
    assert hashes == {receipt["blockHash"]}


def test_block_receipts(w3, me, mined):
    receipt = ping(w3, me, mined)
    assert receipt in w3.eth.get_block_receipts(receipt["blockNumber"])


def test_a_proof(w3, notebook, me, mined):
    """As in web3.py's documentation: the account in the state trie, the counter in the account's storage trie."""
    receipt = mined(notebook.functions.increment().transact({"from": me}))
    block = w3.eth.get_block(receipt["blockNumber"])
    slots = ["0x" + slot.to_bytes(32).hex() for slot in (0, 99)]
    proof = w3.eth.get_proof(notebook.address, slots, block["number"])

    def proven(root, key, nodes):
        return HexaryTrie.get_from_proof(root, Web3.keccak(key), [rlp.decode(bytes(node)) for node in nodes])

    account = rlp.decode(proven(block["stateRoot"], bytes.fromhex(notebook.address[2:]), proof["accountProof"]))
    assert int.from_bytes(account[0]) == proof["nonce"]
    assert int.from_bytes(account[1]) == proof["balance"] == w3.eth.get_balance(notebook.address)
    assert account[2] == proof["storageHash"]
    assert account[3] == proof["codeHash"] == Web3.keccak(w3.eth.get_code(notebook.address))

    counter, nothing = proof["storageProof"]
    stored = proven(proof["storageHash"], (0).to_bytes(32), counter["proof"])
    assert int.from_bytes(rlp.decode(stored)) == notebook.functions.counter().call()
    assert proven(proof["storageHash"], (99).to_bytes(32), nothing["proof"]) == b""
