// Every commitment of a block, recomputed from its content: hash, roots, bloom, gas, size.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { createBlockFromRPC, createBlockHeaderFromRPC } from '@ethereumjs/block';
import { createMPT } from '@ethereumjs/mpt';
import { RLP } from '@ethereumjs/rlp';
import { bytesToHex, concatBytes, equalsBytes, hexToBytes } from '@ethereumjs/util';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { cocoOnly } from '../../network.mjs';
import { call, hex, rulesFor } from './chain.mjs';
import { mixedLoad } from './load.mjs';

const emptyRoot = '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421';
const sha256OfNothing = '0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const sha3OfNoUncles = '0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347';

/** The root of a trie that maps RLP(0), RLP(1), … to the items. */
async function rootOf(items) {
  const trie = await createMPT();
  for (const [index, item] of items.entries()) await trie.put(RLP.encode(index), item);
  return bytesToHex(trie.root());
}

/** A 2,048-bit Bloom filter: three bits for each log's address and each of its topics. */
function bloomOf(logs) {
  const bloom = new Uint8Array(256);
  for (const { address, topics } of logs) {
    for (const item of [address, ...topics]) {
      const hash = keccak_256(hexToBytes(item));
      for (const at of [0, 2, 4]) {
        const bit = ((hash[at] << 8) | hash[at + 1]) & 2047;
        bloom[255 - (bit >> 3)] |= 1 << (bit & 7);
      }
    }
  }
  return bytesToHex(bloom);
}

/** The consensus form of a receipt: [status, cumulative gas, bloom, logs], after the type's byte. */
function encodeReceipt({ type, status, cumulativeGasUsed, logs }) {
  const bytes = RLP.encode([
    status === '0x1' ? Uint8Array.of(1) : new Uint8Array(),
    BigInt(cumulativeGasUsed),
    hexToBytes(bloomOf(logs)),
    logs.map(({ address, topics, data }) => [hexToBytes(address), topics.map(hexToBytes), hexToBytes(data)]),
  ]);
  return type === '0x0' ? bytes : concatBytes(hexToBytes(hex(Number(type)).replace(/^0x(.)$/, '0x0$1')), bytes);
}

describe('blocks', () => {
  /** number → block with full transactions, the newest 40 and those of a mixed load among them */
  const blocks = new Map();
  const receipts = new Map();
  let load;

  before(async () => {
    load = await mixedLoad();
    const head = Number(await call('eth_blockNumber'));
    for (let number = Math.max(1, head - 40); number <= head; number++) {
      blocks.set(number, await call('eth_getBlockByNumber', hex(number), true));
      receipts.set(number, await call('eth_getBlockReceipts', hex(number)));
    }
  });

  it('hold the mixed load, with types 0, 1, 2 and 4', () => {
    const types = new Set();
    for (const { blockNumber, transactionHash, type } of load.receipts) {
      types.add(type);
      assert.ok(blocks.get(Number(blockNumber)).transactions.some(({ hash }) => hash === transactionHash));
    }
    assert.deepEqual([...types].sort(), ['0x0', '0x1', '0x2', '0x4']);
    assert.deepEqual(load.receipts.map(({ status }) => Number(status)), [1, 1, 1, 1, 1, 0, 1]);
  });

  it('have the hash of their header', async () => {
    blocks.set(0, await call('eth_getBlockByNumber', '0x0', true));
    for (const [number, block] of blocks) {
      const header = createBlockHeaderFromRPC(block, { common: rulesFor(block) });
      assert.equal(bytesToHex(header.hash()), block.hash, `block ${number}`);
    }
    blocks.delete(0);
  });

  it('name their parent', async () => {
    for (const [number, { parentHash }] of blocks) {
      const parent = blocks.get(number - 1) ?? (await call('eth_getBlockByNumber', hex(number - 1), false));
      assert.equal(parentHash, parent.hash);
    }
  });

  it('have the root of their transactions', async () => {
    for (const [number, rpc] of blocks) {
      const block = createBlockFromRPC(rpc, [], { common: rulesFor(rpc) });
      assert.equal(await rootOf(block.transactions.map((each) => each.serialize())), rpc.transactionsRoot, `block ${number}`);
      for (const [index, transaction] of block.transactions.entries()) {
        assert.equal(bytesToHex(transaction.hash()), rpc.transactions[index].hash);
        assert.equal(transaction.getSenderAddress().toString(), rpc.transactions[index].from);
      }
    }
  });

  it('have the root of their receipts', async () => {
    for (const [number, { receiptsRoot }] of blocks) {
      assert.equal(await rootOf(receipts.get(number).map(encodeReceipt)), receiptsRoot, `block ${number}`);
    }
  });

  it('have the bloom of their logs', () => {
    let logs = 0;
    for (const [number, { logsBloom }] of blocks) {
      const all = receipts.get(number).flatMap((receipt) => receipt.logs);
      assert.equal(bloomOf(all), logsBloom, `block ${number}`);
      for (const receipt of receipts.get(number)) assert.equal(bloomOf(receipt.logs), receipt.logsBloom);
      logs += all.length;
    }
    assert.ok(logs >= 4);
  });

  it('number their logs and transactions through', () => {
    for (const [number, block] of blocks) {
      const all = receipts.get(number);
      assert.deepEqual(all.map((each) => Number(each.transactionIndex)), all.map((_, index) => index));
      const logs = all.flatMap((receipt) => receipt.logs);
      assert.deepEqual(logs.map((log) => Number(log.logIndex)), logs.map((_, index) => index));
      for (const log of logs) assert.equal(log.blockHash, block.hash);
    }
  });

  it('add up their gas', () => {
    for (const [number, block] of blocks) {
      const used = receipts.get(number).map((each) => BigInt(each.gasUsed));
      assert.equal(used.reduce((a, b) => a + b, 0n), BigInt(block.gasUsed), `block ${number}`);
      assert.ok(BigInt(block.gasUsed) <= BigInt(block.gasLimit));
    }
  });

  it('have no uncles, withdrawals or requests', () => {
    for (const [, block] of blocks) {
      assert.equal(block.sha3Uncles, sha3OfNoUncles);
      if (block.withdrawalsRoot) assert.equal(block.withdrawalsRoot, emptyRoot);
      if (block.requestsHash) assert.equal(block.requestsHash, sha256OfNothing);
    }
  });

  it('have the size that they say, and the same raw bytes', cocoOnly, async () => {
    for (const [number, rpc] of blocks) {
      const encoded = createBlockFromRPC(rpc, [], { common: rulesFor(rpc) }).serialize();
      assert.equal(Number(rpc.size), encoded.length, `block ${number}`);
      assert.ok(equalsBytes(hexToBytes(await call('debug_getRawBlock', hex(number))), encoded));
    }
  });
});
