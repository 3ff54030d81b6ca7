"""Moving ether, signed here or by the node."""

import pytest
from eth_account import Account
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import TransactionNotFound, Web3RPCError


def test_chain(w3, chain_id):
    assert w3.is_connected()
    assert w3.eth.chain_id == chain_id
    assert w3.net.version == str(chain_id)
    assert w3.eth.syncing is False


def test_signed_by_the_node(w3, me, mined):
    to = Account.create().address
    receipt = mined(w3.eth.send_transaction({"from": me, "to": to, "value": 12345}))
    assert receipt["status"] == 1
    assert receipt["from"] == me
    assert w3.eth.get_balance(to) == 12345


def test_signed_by_a_middleware(signing_w3, mined):
    to = Account.create().address
    receipt = mined(signing_w3.eth.send_transaction({"to": to, "value": 7}))
    assert receipt["from"] == signing_w3.eth.default_account
    assert signing_w3.eth.get_balance(to) == 7


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_types(w3, fresh_account, mined, chain_id, kind):
    to = Account.create().address
    fees = {"gasPrice": w3.eth.gas_price}
    if kind == 1:
        fees["accessList"] = [{"address": to, "storageKeys": [HexBytes(b"\1" * 32).to_0x_hex()]}]
    if kind == 2:
        base_fee = w3.eth.get_block("latest")["baseFeePerGas"]
        fees = {"maxPriorityFeePerGas": 10**9, "maxFeePerGas": 2 * base_fee + 10**9}
    fields = {"chainId": chain_id, "nonce": 0, "to": to, "value": 3, "gas": 30_000, **fees}
    signed = fresh_account.sign_transaction(fields)
    txn_hash = w3.eth.send_raw_transaction(signed.raw_transaction)
    assert txn_hash == signed.hash
    assert mined(txn_hash)["type"] == kind
    assert w3.eth.get_transaction(txn_hash)["from"] == fresh_account.address
    assert w3.eth.get_raw_transaction(txn_hash) == signed.raw_transaction


def test_set_code(w3, me, fresh_account, notebook, mined, chain_id):
    authorization = fresh_account.sign_authorization({"chainId": chain_id, "address": notebook.address, "nonce": 0})
    receipt = mined(w3.eth.send_transaction({"from": me, "to": me, "authorizationList": [authorization]}))
    assert receipt["type"] == 4
    assert w3.eth.get_code(fresh_account.address) == HexBytes("0xef0100" + notebook.address[2:])
    as_notebook = w3.eth.contract(address=fresh_account.address, abi=notebook.abi)
    mined(as_notebook.functions.increment().transact({"from": me}))
    assert as_notebook.functions.counter().call() == 1


def test_a_gap_of_nonces_is_filled(w3, fresh_account, mined, chain_id):
    fees = {"gas": 21_000, "gasPrice": w3.eth.gas_price}
    to = Account.create().address

    def send(nonce):
        signed = fresh_account.sign_transaction({"chainId": chain_id, "nonce": nonce, "to": to, "value": 1, **fees})
        return w3.eth.send_raw_transaction(signed.raw_transaction)

    late = send(1)
    with pytest.raises(TransactionNotFound):
        w3.eth.get_transaction_receipt(late)
    first = send(0)
    assert [mined(each)["status"] for each in (first, late)] == [1, 1]
    assert w3.eth.get_transaction_count(fresh_account.address) == 2


def refused(w3, account, **fields):
    fees = {"maxFeePerGas": 2 * w3.eth.gas_price, "maxPriorityFeePerGas": 0}
    fields = {"nonce": 0, "to": account.address, "value": 1, "gas": 21_000} | fees | fields
    with pytest.raises(Web3RPCError) as refusal:
        w3.eth.send_raw_transaction(account.sign_transaction(fields).raw_transaction)
    return refusal.value.rpc_response["error"]


def test_refusals(w3, fresh_account, chain_id):
    rich = Web3.to_wei(2, "ether")
    assert "insufficient funds" in refused(w3, fresh_account, chainId=chain_id, value=rich)["message"].lower()
    assert "chain" in refused(w3, fresh_account, chainId=chain_id + 1)["message"].lower()
    assert "intrinsic gas" in refused(w3, fresh_account, chainId=chain_id, gas=20_000)["message"].lower()
    assert w3.eth.get_transaction_count(fresh_account.address) == 0


@pytest.mark.coco
def test_a_legacy_transaction_of_another_chain_is_refused(w3, fresh_account, chain_id):
    fields = {"nonce": 0, "to": fresh_account.address, "value": 1, "gas": 21_000, "gasPrice": w3.eth.gas_price}
    signed = fresh_account.sign_transaction(fields | {"chainId": chain_id + 1})
    with pytest.raises(Web3RPCError):
        w3.eth.send_raw_transaction(signed.raw_transaction)


@pytest.mark.coco
def test_refusals_have_geths_code(w3, fresh_account, chain_id):
    for wrong in ({"chainId": chain_id, "value": Web3.to_wei(2, "ether")}, {"chainId": chain_id + 1}):
        assert refused(w3, fresh_account, **wrong)["code"] == -32000
