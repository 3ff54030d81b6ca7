// A WebSocket connection: requests, and being told of blocks, logs and pending transactions.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Transaction, WebSocketProvider, id } from 'ethers';
import { chainId, within, ws } from '../../network.mjs';
import { connect, deploy, freshAccount } from './setup.mjs';

describe('over a WebSocket', () => {
  const provider = new WebSocketProvider(ws, chainId, { staticNetwork: true, cacheTimeout: -1 });
  after(() => provider.destroy());
  const http = connect();
  let sender;

  before(async () => {
    sender = (await freshAccount(http)).connect(provider);
  });

  /**
   * The first event of that kind that fits, of those that `act` leads to. `on` returns when the subscription was
   * asked for, not when the node has it: hence the question after it, whose answer comes later.
   */
  function seen(emitter, event, fits, act) {
    const told = new Promise((resolve, reject) => {
      const listener = (...args) => {
        if (!fits(...args)) return;
        emitter.off(event, listener).then(() => resolve(args), reject);
      };
      emitter.on(event, listener).then(() => provider.send('net_version', [])).then(act).catch(reject);
    });
    return within(told, `the event ${typeof event === 'string' ? event : 'of a log'}`);
  }

  it('requests are answered like over HTTP', async () => {
    const latest = await provider.getBlock('latest');
    assert.deepEqual(
      await provider.send('eth_getBlockByHash', [latest.hash, false]),
      await http.send('eth_getBlockByHash', [latest.hash, false]),
    );
  });

  it('a transaction is sent and waited for', async () => {
    const receipt = await (await sender.sendTransaction({ to: sender.address, value: 1 })).wait();
    assert.equal(receipt.status, 1);
  });

  it('new blocks are told', async () => {
    let receipt;
    const start = await provider.getBlockNumber();
    const [number] = await seen(provider, 'block', (number) => number > start, async () => {
      receipt = await (await sender.sendTransaction({ to: sender.address, value: 1 })).wait();
    });
    assert.ok(receipt === undefined || number <= receipt.blockNumber);
  });

  it('events of a contract are told', async () => {
    const notebook = await deploy(sender, 'Notebook', ['heard']);
    const [, key, value, note] = await seen(notebook, 'Written', () => true, () => notebook.write(id('heard'), 5, 'hear'));
    assert.deepEqual([key, value, note], [id('heard'), 5n, 'hear']);
  });

  it('logs by address and topic are told, others not', async () => {
    const [mine, other] = [await deploy(sender, 'Notebook', ['mine']), await deploy(sender, 'Notebook', ['other'])];
    const filter = { address: await mine.getAddress(), topics: [id('Written(address,bytes32,uint256,string)'), null, id('b')] };
    const heard = [];
    await seen(provider, filter, (log) => heard.push(log), async () => {
      await (await other.write(id('b'), 1, '')).wait();
      await (await mine.write(id('a'), 2, '')).wait();
      await (await mine.write(id('b'), 3, '')).wait();
    });
    assert.equal(heard.length, 1);
    assert.equal(mine.interface.parseLog(heard[0]).args.value, 3n);
  });

  it('pending transactions are told', async () => {
    let hash;
    const transaction = await sender.populateTransaction({ to: sender.address, value: 2 });
    const signed = await sender.signTransaction(transaction);
    await seen(provider, 'pending', (told) => told === hash, async () => {
      hash = Transaction.from(signed).hash;
      await provider.broadcastTransaction(signed);
    });
    assert.equal((await provider.waitForTransaction(hash)).status, 1);
  });
});
