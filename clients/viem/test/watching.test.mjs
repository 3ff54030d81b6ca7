// Being told: over a WebSocket by subscriptions, over HTTP by filters that viem polls.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { keccak256, toHex } from 'viem';
import { within } from '../../network.mjs';
import { deploy, freshWallet, nodeWallet, publicClient, receiptOf, socketClient } from './setup.mjs';

const socket = socketClient();

/** Starts watching, acts, and resolves with the first message that fits. */
async function told(watch, fits, act) {
  let stop;
  const heard = new Promise((resolve, reject) => {
    stop = watch({ onMessage: (message) => fits(message) && resolve(message), onError: reject });
  });
  try {
    // A watch begins with a request of its own; the question after it on the same connection comes back later.
    await socket.getChainId();
    await publicClient.getChainId();
    await act();
    return await within(heard, 'what is watched');
  } finally {
    stop();
  }
}

describe('watching over a WebSocket', () => {
  it('blocks', async () => {
    let hash;
    const seen = [];
    await told(
      ({ onMessage, onError }) => socket.watchBlocks({ onBlock: onMessage, onError, emitMissed: true }),
      (block) => seen.push(block.number),
      async () => {
        hash = await nodeWallet.sendTransaction({ to: nodeWallet.account.address });
        await receiptOf(hash);
      },
    );
    assert.ok(seen.length >= 1);
  });

  it('events of a contract, by argument', async () => {
    const wallet = await freshWallet();
    const notebook = await deploy(wallet, 'Notebook', ['watched']);
    const [wanted, other] = [keccak256(toHex('wanted')), keccak256(toHex('other'))];
    const logs = await told(
      ({ onMessage, onError }) =>
        socket.watchContractEvent({ ...notebook, eventName: 'Written', args: { key: wanted }, onLogs: onMessage, onError, strict: true }),
      () => true,
      async () => {
        for (const key of [other, wanted]) {
          await wallet.writeContract({ ...notebook, functionName: 'write', args: [key, 1n, 'seen'], gas: 200_000n });
        }
      },
    );
    assert.deepEqual(logs.map((log) => log.args.key), [wanted]);
  });

  it('pending transactions', async () => {
    const hashes = [];
    let mine;
    await told(
      ({ onMessage, onError }) => socket.watchPendingTransactions({ onTransactions: onMessage, onError }),
      (batch) => hashes.push(...batch),
      async () => {
        mine = await nodeWallet.sendTransaction({ to: nodeWallet.account.address });
      },
    );
    assert.ok(hashes.includes(mine));
  });
});

describe('watching over HTTP', () => {
  let wallet;
  let notebook;
  before(async () => {
    wallet = await freshWallet();
    notebook = await deploy(wallet, 'Notebook', ['polled']);
  });

  it('block numbers', async () => {
    const start = await publicClient.getBlockNumber();
    const number = await told(
      ({ onMessage, onError }) => publicClient.watchBlockNumber({ onBlockNumber: onMessage, onError }),
      (number) => number > start,
      () => nodeWallet.sendTransaction({ to: nodeWallet.account.address }),
    );
    assert.ok(number > start);
  });

  it('events through a filter of the node', async () => {
    const filter = await publicClient.createContractEventFilter({ ...notebook, eventName: 'Written' });
    const hash = await wallet.writeContract({ ...notebook, functionName: 'write', args: [keccak256('0x'), 2n, 'filtered'] });
    await receiptOf(hash);
    const changes = await publicClient.getFilterChanges({ filter });
    assert.deepEqual(changes.map((log) => [log.transactionHash, log.args.note]), [[hash, 'filtered']]);
    assert.equal(await publicClient.uninstallFilter({ filter }), true);
  });
});
