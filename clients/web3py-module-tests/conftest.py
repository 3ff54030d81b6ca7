"""What web3.py's own module tests ask for, made on a running network.

Upstream these fixtures start geth with a prepared chain; here every contract is deployed over RPC, and the account that
upstream calls "keyfile account" is one of the network's funded accounts: the node holds its key, and so do we.
"""

import json
import os
from pathlib import Path

import pytest
import pytest_asyncio
from web3 import AsyncHTTPProvider, AsyncWeb3, HTTPProvider, Web3
from web3._utils.contract_sources.contract_data.emitter_contract import EMITTER_CONTRACT_DATA
from web3._utils.contract_sources.contract_data.math_contract import MATH_CONTRACT_DATA
from web3._utils.contract_sources.contract_data.offchain_lookup import OFFCHAIN_LOOKUP_DATA
from web3._utils.contract_sources.contract_data.panic_errors_contract import PANIC_ERRORS_CONTRACT_DATA
from web3._utils.contract_sources.contract_data.revert_contract import REVERT_CONTRACT_DATA
from web3._utils.contract_sources.contract_data.storage_contract import STORAGE_CONTRACT_DATA
from web3._utils.module_testing.utils import RequestMocker

NETWORK = json.loads(Path(os.environ["COCO_NETWORK_FILE"]).read_text())
HTTP = os.environ.get("COCO_ETHEREUM_HTTP", NETWORK["ethereum"]["http"])
WS = os.environ.get("COCO_ETHEREUM_WS", NETWORK["ethereum"]["ws"])
# One account for each file of tests: a test that fails half-way may leave borrowed code (EIP-7702) on it.
ACCOUNTS = {"test_sync": 9, "test_async": 8, "test_websocket": 7}
LOG_DOUBLE_WITH_INDEX = 9  # of EmitterContract's enum WhichEvent


def module(function):
    return pytest.fixture(scope="module")(function)


def session(function):
    return pytest.fixture(scope="session")(function)


@session
def w3():
    return Web3(HTTPProvider(HTTP, request_kwargs={"timeout": 10}))


@module
def keyfile_account_pkey(request):
    return NETWORK["accounts"][ACCOUNTS[request.module.__name__]]["private_key"]


@module
def keyfile_account_address(w3, keyfile_account_pkey):
    account = w3.eth.account.from_key(keyfile_account_pkey)
    if w3.eth.get_code(account.address) != b"":
        # An earlier run failed half-way: give the borrowed code back.
        nonce = w3.eth.get_transaction_count(account.address)
        nothing = {"chainId": w3.eth.chain_id, "address": "0x" + "00" * 20, "nonce": nonce}
        back = {"from": w3.eth.accounts[6], "to": w3.eth.accounts[5], "authorizationList": [account.sign_authorization(nothing)]}
        mined(w3, w3.eth.send_transaction(back))
    return account.address


@module
def keyfile_account_address_dual_type(keyfile_account_address):
    return keyfile_account_address


@pytest.fixture
def request_mocker():
    return RequestMocker


@pytest.fixture
def skip_if_testrpc():
    return lambda _: None


def mined(w3, txn_hash):
    """The transaction's hash, once it is in a block."""
    assert w3.eth.wait_for_transaction_receipt(txn_hash, timeout=10, poll_latency=0.02)["status"] == 1
    return txn_hash


def deploy(w3, data):
    """(hash of the deployment, contract)"""
    factory = w3.eth.contract(abi=data["abi"], bytecode=data["bytecode"])
    txn_hash = mined(w3, factory.constructor().transact({"from": w3.eth.accounts[6]}))
    return txn_hash, factory(w3.eth.get_transaction_receipt(txn_hash)["contractAddress"])


@session
def math_contract_deployment(w3):
    return deploy(w3, MATH_CONTRACT_DATA)


@session
def math_contract_deploy_txn_hash(math_contract_deployment):
    return math_contract_deployment[0]


@session
def math_contract(math_contract_deployment):
    return math_contract_deployment[1]


@session
def math_contract_address(math_contract):
    return math_contract.address


@session
def emitter_contract(w3):
    return deploy(w3, EMITTER_CONTRACT_DATA)[1]


@session
def emitter_contract_address(emitter_contract):
    return emitter_contract.address


@session
def storage_contract(w3):
    return deploy(w3, STORAGE_CONTRACT_DATA)[1]


@session
def revert_contract(w3):
    return deploy(w3, REVERT_CONTRACT_DATA)[1]


@session
def offchain_lookup_contract(w3):
    return deploy(w3, OFFCHAIN_LOOKUP_DATA)[1]


@session
def panic_errors_contract(w3):
    return deploy(w3, PANIC_ERRORS_CONTRACT_DATA)[1]


@session
def empty_block(w3):
    """The genesis block: the only one without transactions on a chain that makes no empty blocks."""
    return w3.eth.get_block(0)


@session
def mined_txn_hash(w3):
    sender, to = w3.eth.accounts[6], w3.eth.accounts[5]
    fees = {"maxFeePerGas": Web3.to_wei(3, "gwei"), "maxPriorityFeePerGas": Web3.to_wei(1, "gwei")}
    return mined(w3, w3.eth.send_transaction({"from": sender, "to": to, "value": 1, "gas": 21000, **fees})).to_0x_hex()


@session
def block_with_txn(w3, mined_txn_hash):
    return w3.eth.get_block(w3.eth.get_transaction(mined_txn_hash)["blockNumber"])


@pytest.fixture(scope="session", autouse=True)
def txn_hash_with_log(w3, emitter_contract):
    """Made before all tests: some expect that the chain has no log before this one."""
    call = emitter_contract.functions.logDouble(which=LOG_DOUBLE_WITH_INDEX, arg0=12345, arg1=54321)
    return mined(w3, call.transact({"from": w3.eth.accounts[6]})).to_0x_hex()


@session
def block_with_txn_with_log(w3, txn_hash_with_log):
    return w3.eth.get_block(w3.eth.get_transaction(txn_hash_with_log)["blockNumber"])


# The asynchronous tests: the same things under names with async_ before them.


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def async_w3():
    over_http = AsyncWeb3(AsyncHTTPProvider(HTTP))
    yield over_http
    await over_http.provider.disconnect()


@module
def async_keyfile_account_address(keyfile_account_address):
    return keyfile_account_address


@module
def async_keyfile_account_address_dual_type(keyfile_account_address):
    return keyfile_account_address


@session
def async_empty_block(empty_block):
    return empty_block


@session
def async_block_with_txn(block_with_txn):
    return block_with_txn


@session
def async_block_with_txn_with_log(block_with_txn_with_log):
    return block_with_txn_with_log


@session
def async_math_contract_address(math_contract):
    return math_contract.address


@session
def async_emitter_contract_address(emitter_contract):
    return emitter_contract.address


@pytest.fixture
def async_skip_if_testrpc():
    return lambda _: None


def asynchronously(name):
    """The fixture async_NAME: the contract of fixture NAME, asked through async_w3."""

    @pytest.fixture(name=f"async_{name}", scope="module")
    def fixture(request, async_w3):
        contract = request.getfixturevalue(name)
        return async_w3.eth.contract(address=contract.address, abi=contract.abi)

    return fixture


async_math_contract = asynchronously("math_contract")
async_emitter_contract = asynchronously("emitter_contract")
async_storage_contract = asynchronously("storage_contract")
async_revert_contract = asynchronously("revert_contract")
async_offchain_lookup_contract = asynchronously("offchain_lookup_contract")
async_panic_errors_contract = asynchronously("panic_errors_contract")
