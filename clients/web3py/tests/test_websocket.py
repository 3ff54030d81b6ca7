"""An asynchronous client on one WebSocket, with subscriptions."""

from web3.utils.subscriptions import LogsSubscription, NewHeadsSubscription, PendingTxSubscription


async def first(socket, subscriptions, act):
    """The result of the first message to any of the subscriptions, which `act` leads to."""
    results = []

    async def heard(context):
        results.append(context.result)
        await context.subscription.unsubscribe()

    for subscription in subscriptions(heard):
        await socket.subscription_manager.subscribe(subscription)
    await act()
    await socket.subscription_manager.handle_subscriptions()
    return results


async def ping(socket, me):
    txn_hash = await socket.eth.send_transaction({"from": me, "to": me, "value": 1})
    return await socket.eth.wait_for_transaction_receipt(txn_hash, poll_latency=0.02)


async def test_requests(socket, chain_id):
    assert await socket.eth.chain_id == chain_id
    assert (await socket.eth.get_block("latest"))["number"] > 0


async def test_a_transaction(socket, me):
    assert (await ping(socket, me))["status"] == 1


async def test_new_heads(socket, me):
    receipts = []

    async def act():
        receipts.append(await ping(socket, me))

    (head,) = await first(socket, lambda heard: [NewHeadsSubscription(handler=heard)], act)
    assert head["hash"] == receipts[0]["blockHash"]


async def test_pending_transactions(socket, me):
    sent = []

    async def act():
        sent.append(await socket.eth.send_transaction({"from": me, "to": me, "value": 1}))

    (pending,) = await first(socket, lambda heard: [PendingTxSubscription(handler=heard)], act)
    assert pending == sent[0]


async def test_logs(socket, notebook, me):
    contract = socket.eth.contract(address=notebook.address, abi=notebook.abi)
    key = socket.keccak(text="heard")
    topics = [contract.events.Written().topic, None, key]

    async def act():
        for each in (socket.keccak(text="unheard"), key):
            await contract.functions.write(each, 1, "over the wire").transact({"from": me})

    def subscriptions(heard):
        return [LogsSubscription(address=contract.address, topics=topics, handler=heard)]

    (log,) = await first(socket, subscriptions, act)
    assert contract.events.Written().process_log(log)["args"]["key"] == key
