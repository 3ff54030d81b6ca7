"""The network under test, and what the tests make on it."""

import json
import os
from pathlib import Path

import pytest
from eth_account import Account
from web3 import AsyncWeb3, HTTPProvider, Web3, WebSocketProvider
from web3.middleware import SignAndSendRawMiddlewareBuilder

NETWORK = json.loads(Path(os.environ["COCO_NETWORK_FILE"]).read_text())
HTTP = os.environ.get("COCO_ETHEREUM_HTTP", NETWORK["ethereum"]["http"])
WS = os.environ.get("COCO_ETHEREUM_WS", NETWORK["ethereum"]["ws"])
ARTIFACTS = Path(__file__).parents[2] / "contracts" / "artifacts"


def pytest_collection_modifyitems(items):
    if os.environ.get("COCO_FOREIGN_NODE") == "1":
        for item in items:
            if item.get_closest_marker("coco"):
                item.add_marker(pytest.mark.skip(reason="the node is not Coco"))


@pytest.fixture(scope="session")
def chain_id():
    return int(NETWORK["chain_id"])


@pytest.fixture(scope="session")
def w3():
    return Web3(HTTPProvider(HTTP, request_kwargs={"timeout": 10}))


@pytest.fixture
async def socket():
    async with AsyncWeb3(WebSocketProvider(WS)) as connected:
        yield connected


@pytest.fixture(scope="session")
def me(w3):
    """An account whose key the node holds."""
    return Web3.to_checksum_address(NETWORK["accounts"][1]["address"])


@pytest.fixture(scope="session")
def mined(w3):
    """Waits for a transaction's receipt."""
    return lambda txn_hash: w3.eth.wait_for_transaction_receipt(txn_hash, timeout=20, poll_latency=0.02)


@pytest.fixture
def fresh_account(w3, me, mined):
    """A new account with an ether."""
    account = Account.create()
    mined(w3.eth.send_transaction({"from": me, "to": account.address, "value": Web3.to_wei(1, "ether")}))
    return account


@pytest.fixture
def signing_w3(fresh_account):
    """A connection that signs for the new account by itself: what most programs do."""
    connected = Web3(HTTPProvider(HTTP, request_kwargs={"timeout": 10}))
    connected.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(fresh_account), layer=0)
    connected.eth.default_account = fresh_account.address
    return connected


@pytest.fixture(scope="session")
def deploy(w3, me, mined):
    def deployed(name, *arguments):
        artifact = json.loads((ARTIFACTS / f"{name}.json").read_text())
        factory = w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        receipt = mined(factory.constructor(*arguments).transact({"from": me}))
        return factory(receipt["contractAddress"])

    return deployed


@pytest.fixture(scope="module")
def notebook(deploy):
    return deploy("Notebook", "a snake's notes")
