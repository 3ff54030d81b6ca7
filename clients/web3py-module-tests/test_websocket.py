"""web3.py's tests of a provider with a lasting connection: subscriptions of every kind, and requests between."""

import threading

import pytest
import pytest_asyncio
from conftest import WS
from web3 import AsyncWeb3, WebSocketProvider
from web3._utils.module_testing.persistent_connection_provider import PersistentConnectionProviderTest


@pytest_asyncio.fixture(loop_scope="module")
async def async_w3():
    """A connection of its own for each test, since a failed one leaves tasks on it."""
    async with AsyncWeb3(WebSocketProvider(WS)) as connected:
        yield connected


@pytest.fixture
def async_emitter_contract(async_w3, emitter_contract):
    return async_w3.eth.contract(address=emitter_contract.address, abi=emitter_contract.abi)


@pytest.fixture(scope="module", autouse=True)
def heartbeat(w3):
    """Upstream's geth makes a block each second, and some tests wait for one; here a transaction now and then makes it."""
    stopped = threading.Event()
    me = w3.eth.accounts[0]  # the sender that the tests expect of any pending transaction

    def beat():
        while not stopped.wait(1):
            w3.provider.make_request("eth_sendTransaction", [{"from": me, "to": me, "value": "0x1"}])

    thread = threading.Thread(target=beat)
    thread.start()
    yield
    stopped.set()
    thread.join()


class TestWebSocket(PersistentConnectionProviderTest):
    pass
