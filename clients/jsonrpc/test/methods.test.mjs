// Methods by their names: what each answers, and what it says of things that are not there.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { accounts, artifact, chainId, cocoOnly } from '../../network.mjs';
import { ask, call, hex, receiptOf } from './wire.mjs';

const from = accounts[2].address.toLowerCase();
const nobody = `0x${'5e'.repeat(20)}`;
const zeroHash = `0x${'00'.repeat(32)}`;

/** The node signs and sends; the receipt. */
const send = async (fields) => receiptOf(await call('eth_sendTransaction', { from, ...fields }));

describe('the node', () => {
  it('holds the keys of the funded accounts', async () => {
    const held = (await call('eth_accounts')).map((address) => address.toLowerCase());
    for (const { address } of accounts) assert.ok(held.includes(address.toLowerCase()));
  });

  it('says what it is', async () => {
    assert.match(await call('web3_clientVersion'), /^[^/]+\/.+/);
    assert.equal(await call('web3_sha3', '0x'), '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470');
    assert.equal(await call('eth_chainId'), hex(chainId));
    assert.equal(await call('eth_syncing'), false);
    assert.equal(await call('net_listening'), true);
  });

  it('counts its peers', cocoOnly, async () => {
    assert.match(await call('net_peerCount'), /^0x[0-9a-f]+$/);
  });

  it('lists its modules', cocoOnly, async () => {
    const modules = await call('rpc_modules');
    for (const name of ['eth', 'net', 'web3', 'rpc']) assert.equal(typeof modules[name], 'string', name);
  });

  it('gives prices', async () => {
    for (const method of ['eth_gasPrice', 'eth_maxPriorityFeePerGas', 'eth_blobBaseFee']) {
      assert.match(await call(method), /^0x(0|[1-9a-f][0-9a-f]*)$/, method);
    }
  });

  it('describes its fork (EIP-7910)', async () => {
    const { current } = await call('eth_config');
    assert.equal(current.chainId, hex(chainId));
    assert.equal(current.precompiles.ECREC, `0x${'00'.repeat(19)}01`);
  });

  it('refuses fees that contradict each other', cocoOnly, async () => {
    const fees = { maxFeePerGas: hex(2e9), maxPriorityFeePerGas: hex(3e9) };
    assert.ok((await ask('eth_sendTransaction', { from, to: nobody, ...fees })).error);
    const mixed = { gasPrice: hex(2e9), maxFeePerGas: hex(2e9) };
    assert.ok((await ask('eth_call', { from, to: nobody, ...mixed }, 'latest')).error);
  });

  it('signs for nobody else', async () => {
    assert.ok((await ask('eth_sendTransaction', { from: nobody, to: from })).error);
    assert.ok((await ask('eth_sign', nobody, '0x1234')).error);
  });
});

describe('accounts that do not exist', () => {
  it('have nothing', async () => {
    assert.equal(await call('eth_getBalance', nobody, 'latest'), '0x0');
    assert.equal(await call('eth_getTransactionCount', nobody, 'latest'), '0x0');
    assert.equal(await call('eth_getCode', nobody, 'latest'), '0x');
    assert.equal(await call('eth_getStorageAt', nobody, '0x0', 'latest'), zeroHash);
  });
});

describe('block parameters', () => {
  let receipt;
  before(async () => {
    receipt = await send({ to: nobody.replace('5e', '6e'), value: '0x1' });
  });

  it('may be left out', cocoOnly, async () => {
    assert.equal(await call('eth_getBalance', nobody), '0x0');
    assert.equal(await call('eth_getCode', nobody), '0x');
    assert.equal(await call('eth_getTransactionCount', nobody), '0x0');
    assert.equal(await call('eth_getStorageAt', nobody, '0x0'), zeroHash);
    assert.equal(await call('eth_call', { to: nobody }), '0x');
    assert.ok(await call('eth_getProof', nobody, []));
  });

  it('may be a number, a tag or an object (EIP-1898)', async () => {
    const to = nobody.replace('5e', '6e');
    const ways = [receipt.blockNumber, 'latest', { blockNumber: receipt.blockNumber }, { blockHash: receipt.blockHash },
      { blockHash: receipt.blockHash, requireCanonical: true }];
    const balances = await Promise.all(ways.map((way) => call('eth_getBalance', to, way)));
    assert.equal(new Set(balances).size, 1);
  });

  it('of the future are an error for state, null for blocks', async () => {
    const future = hex(Number(receipt.blockNumber) + 1_000_000);
    for (const [method, ...params] of [['eth_getBalance', nobody, future], ['eth_call', { to: nobody }, future],
      ['eth_getCode', nobody, future], ['eth_getProof', nobody, [], future]]) {
      const { error } = await ask(method, ...params);
      assert.ok(error, method);
    }
    assert.equal(await call('eth_getBlockByNumber', future, false), null);
    assert.equal(await call('eth_getBlockReceipts', future), null);
  });

  it('of the future: "header not found", -32000', cocoOnly, async () => {
    const { error } = await ask('eth_getBalance', nobody, hex(Number(receipt.blockNumber) + 1_000_000));
    assert.deepEqual([error.code, error.message], [-32000, 'header not found']);
  });

  it('that name an unknown hash are an error', async () => {
    assert.ok((await ask('eth_getBalance', nobody, { blockHash: `0x${'12'.repeat(32)}` })).error);
  });
});

describe('fees of the past', () => {
  it('are told per block, with percentiles', async () => {
    const { blockNumber } = await send({ to: nobody, value: '0x0' });
    const history = await call('eth_feeHistory', '0x2', blockNumber, [10, 50, 90]);
    assert.equal(Number(history.oldestBlock), Number(blockNumber) - 1);
    assert.equal(history.baseFeePerGas.length, 3, 'one more than blocks: the next one');
    assert.equal(history.gasUsedRatio.length, 2);
    assert.equal(history.reward.length, 2);
    assert.ok(history.reward.every((rewards) => rewards.length === 3));
    const block = await call('eth_getBlockByNumber', blockNumber, false);
    assert.equal(history.baseFeePerGas[1], block.baseFeePerGas);
    assert.ok(Math.abs(history.gasUsedRatio[1] - Number(block.gasUsed) / Number(block.gasLimit)) < 1e-6);
  });

  it('refuse percentiles out of order or range', cocoOnly, async () => {
    for (const percentiles of [[90, 10], [101], [-1]]) {
      assert.ok((await ask('eth_feeHistory', '0x1', 'latest', percentiles)).error, String(percentiles));
    }
  });

  it('take a count as a number, as a quantity, and clamp it', cocoOnly, async () => {
    for (const count of [1, '0x1']) assert.equal((await call('eth_feeHistory', count, 'latest', [])).gasUsedRatio.length, 1);
    const head = Number(await call('eth_blockNumber'));
    const all = await call('eth_feeHistory', '0x100000', 'latest', []);
    assert.ok(all.gasUsedRatio.length <= head + 1);
  });
});

describe('filters', () => {
  const { bytecode } = artifact('Notebook');
  const increment = '0xd09de08a';
  let address;
  /** Calldata of write(key, 1, ""). */
  const writing = (key) => `0xe452ffa8${key}${'1'.padStart(64, '0')}${'60'.padStart(64, '0')}${'0'.repeat(64)}`;

  before(async () => {
    const title = `${'20'.padStart(64, '0')}${'0'.repeat(64)}`;
    address = (await send({ data: bytecode + title })).contractAddress;
  });

  it('of blocks tell each new block once', async () => {
    const filter = await call('eth_newBlockFilter');
    assert.deepEqual(await call('eth_getFilterChanges', filter), []);
    const { blockHash } = await send({ to: address, data: increment });
    assert.deepEqual(await call('eth_getFilterChanges', filter), [blockHash]);
    assert.deepEqual(await call('eth_getFilterChanges', filter), []);
    assert.equal(await call('eth_uninstallFilter', filter), true);
    assert.equal(await call('eth_uninstallFilter', filter), false);
  });

  it('of pending transactions tell each hash once', async () => {
    const filter = await call('eth_newPendingTransactionFilter');
    const { transactionHash } = await send({ to: address, data: increment });
    assert.deepEqual(await call('eth_getFilterChanges', filter), [transactionHash]);
    assert.deepEqual(await call('eth_getFilterChanges', filter), []);
  });

  it('that are not there are an error', async () => {
    for (const method of ['eth_getFilterChanges', 'eth_getFilterLogs']) assert.ok((await ask(method, '0x1234567')).error);
  });

  it('of logs: a range that makes no sense is -32602', cocoOnly, async () => {
    const head = Number(await call('eth_blockNumber'));
    for (const filter of [
      { fromBlock: hex(head), toBlock: hex(head - 1) },
      { fromBlock: hex(head + 10), toBlock: hex(head + 20) },
      { blockHash: zeroHash, fromBlock: '0x0' },
      { topics: [null, null, null, null, null] },
      { topics: [Array(1_001).fill(zeroHash)] },
      { address: Array(1_001).fill(nobody) },
    ]) {
      assert.equal((await ask('eth_getLogs', filter)).error?.code, -32602, JSON.stringify(filter).slice(0, 100));
    }
  });

  it('of logs match topics by position, with alternatives', async () => {
    const [a, b] = ['a1'.repeat(32), 'b2'.repeat(32)];
    const first = await send({ to: address, data: writing(a) });
    await send({ to: address, data: writing(b) });
    assert.equal(first.status, '0x1');
    const filter = { address, fromBlock: first.blockNumber, toBlock: 'latest' };
    const keys = async (topics) => (await call('eth_getLogs', { ...filter, topics })).map((log) => log.topics[2].slice(2));
    assert.deepEqual(await keys([]), [a, b]);
    assert.deepEqual(await keys([null, null, `0x${a}`]), [a]);
    assert.deepEqual(await keys([null, null, [`0x${a}`, `0x${b}`]]), [a, b]);
    assert.deepEqual(await keys([[], `0x${from.slice(2).padStart(64, '0')}`, `0x${b}`]), [b]);
    assert.deepEqual(await keys([zeroHash]), []);
  });

  it('of logs with more positions than a log has topics match nothing', cocoOnly, async () => {
    const { blockNumber } = await send({ to: address, data: writing('d4'.repeat(32)) });
    const logs = (topics) => call('eth_getLogs', { address, fromBlock: blockNumber, topics });
    assert.equal((await logs([null, null, null])).length, 1);
    assert.equal((await logs([null, null, null, null])).length, 0);
  });

  it('of logs are kept by the node: changes and all', async () => {
    const key = 'c3'.repeat(32);
    const filter = await call('eth_newFilter', { address, fromBlock: '0x0', topics: [null, null, `0x${key}`] });
    const { transactionHash } = await send({ to: address, data: writing(key) });
    const hashes = (logs) => logs.map((log) => log.transactionHash);
    assert.deepEqual(hashes(await call('eth_getFilterChanges', filter)), [transactionHash]);
    assert.deepEqual(await call('eth_getFilterChanges', filter), []);
    assert.deepEqual(hashes(await call('eth_getFilterLogs', filter)), [transactionHash]);
  });
});

describe('execution', () => {
  it('finds an access list', async () => {
    const { bytecode } = artifact('Notebook');
    const { contractAddress } = await send({ data: `${bytecode}${'20'.padStart(64, '0')}${'0'.repeat(64)}` });
    const { accessList, gasUsed, error } = await call('eth_createAccessList', { from, to: contractAddress, data: '0xd09de08a' }, 'latest');
    assert.equal(error, undefined);
    assert.deepEqual(accessList, [{ address: contractAddress, storageKeys: [zeroHash] }]);
    assert.ok(Number(gasUsed) > 21_000);
  });

  it('estimates gas for the block that comes next, since that is where the transaction will be', async () => {
    const head = Number(await call('eth_blockNumber'));
    // NUMBER, PUSH4 head, EQ, PUSH1 14, JUMPI, PUSH1 1, PUSH0, SSTORE, JUMPDEST, STOP: it only stores after the head.
    const data = `0x4363${head.toString(16).padStart(8, '0')}14600e5760015f555b00`;
    const gas = await call('eth_estimateGas', { from, data });
    const { blockNumber, status } = await send({ data, gas });
    assert.equal(Number(blockNumber), head + 1);
    assert.equal(status, '0x1', `${Number(gas)} gas, as estimated, is not enough`);
  });

  it('simulates blocks that are never made', cocoOnly, async () => {
    const head = await call('eth_blockNumber');
    const [first, second] = await call('eth_simulateV1', {
      blockStateCalls: [
        { calls: [{ from, to: nobody, value: '0x5' }] },
        { calls: [{ from: nobody, to: from, value: '0x2' }] },
      ],
    }, 'latest');
    assert.equal(Number(first.number), Number(head) + 1);
    assert.equal(Number(second.number), Number(head) + 2);
    assert.deepEqual([first.calls[0].status, second.calls[0].status], ['0x1', '0x1']);
    assert.equal(await call('eth_blockNumber'), head);
  });

  it('reads several storage slots at once', cocoOnly, async () => {
    const one = `0x${'1'.padStart(64, '0')}`;
    const values = await call('eth_getStorageValues', { [nobody]: [zeroHash, one] }, 'latest');
    assert.deepEqual(values, { [nobody]: [zeroHash, zeroHash] });
  });
});
