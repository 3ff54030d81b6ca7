// Blocks as ethers sees them: by number, hash and tag, with transactions and receipts.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { ZeroHash } from 'ethers';
import { cocoOnly } from '../../network.mjs';
import { connect, freshAccount } from './setup.mjs';

const provider = connect();

describe('a block', () => {
  let receipt;
  let block;

  before(async () => {
    const sender = await freshAccount(provider);
    receipt = await (await sender.sendTransaction({ to: sender.address, value: 1 })).wait();
    block = await provider.getBlock(receipt.blockNumber, true);
  });

  it('is the same by number and by hash', async () => {
    const read = (method, key) => provider.send(method, [key, true]);
    const byNumber = await read('eth_getBlockByNumber', `0x${receipt.blockNumber.toString(16)}`);
    assert.deepEqual(byNumber, await read('eth_getBlockByHash', receipt.blockHash));
    assert.equal(byNumber.hash, receipt.blockHash);
  });

  it('holds the transaction, in full or by hash', async () => {
    assert.equal(block.transactions[receipt.index], receipt.hash);
    assert.equal(block.getPrefetchedTransaction(receipt.index).hash, receipt.hash);
    assert.equal((await block.getTransaction(receipt.index)).hash, receipt.hash);
  });

  it('follows its parent', async () => {
    const parent = await provider.getBlock(block.parentHash);
    assert.equal(parent.number, block.number - 1);
    assert.ok(parent.timestamp <= block.timestamp);
  });

  it('adds up its receipts', async () => {
    const receipts = await provider.send('eth_getBlockReceipts', [`0x${block.number.toString(16)}`]);
    assert.equal(receipts.length, block.transactions.length);
    let total = 0n;
    for (const [index, each] of receipts.entries()) {
      total += BigInt(each.gasUsed);
      assert.equal(BigInt(each.cumulativeGasUsed), total);
      assert.equal(each.transactionHash, block.transactions[index]);
      assert.deepEqual(each, await provider.send('eth_getTransactionReceipt', [each.transactionHash]));
    }
    assert.equal(total, block.gasUsed);
  });

  it('counts its transactions and has no uncles', async () => {
    const count = `0x${block.transactions.length.toString(16)}`;
    assert.equal(await provider.send('eth_getBlockTransactionCountByHash', [block.hash]), count);
    assert.equal(await provider.send('eth_getUncleCountByBlockHash', [block.hash]), '0x0');
    assert.equal(await provider.send('eth_getUncleByBlockHashAndIndex', [block.hash, '0x0']), null);
  });

  it('that does not exist is null', async () => {
    assert.equal(await provider.getBlock(block.number + 1_000_000), null);
    assert.equal(await provider.getBlock(ZeroHash), null);
    assert.equal(await provider.getTransaction(ZeroHash), null);
    assert.equal(await provider.getTransactionReceipt(ZeroHash), null);
  });

  it('zero is the genesis, "earliest"', async () => {
    const genesis = await provider.getBlock(0);
    assert.equal(genesis.parentHash, ZeroHash);
    assert.equal((await provider.getBlock('earliest')).hash, genesis.hash);
    assert.deepEqual(await provider.send('eth_getBlockReceipts', ['0x0']), []);
  });

  it('is final at once: latest, safe and finalized are one', cocoOnly, async () => {
    const sender = await freshAccount(provider);
    const { blockHash, blockNumber } = await (await sender.sendTransaction({ to: sender.address })).wait();
    for (const tag of ['latest', 'safe', 'finalized']) {
      const tagged = await provider.getBlock(tag);
      assert.equal(tagged.hash, blockHash, tag);
      assert.equal(tagged.number, blockNumber, tag);
    }
    assert.equal(await provider.getBalance(sender.address, 'finalized'), await provider.getBalance(sender.address));
  });

  it('that is pending comes next, and has no hash yet', cocoOnly, async () => {
    const sender = await freshAccount(provider);
    const { blockHash, blockNumber } = await (await sender.sendTransaction({ to: sender.address })).wait();
    const pending = await provider.getBlock('pending');
    assert.equal(pending.hash, null);
    assert.equal(pending.number, blockNumber + 1);
    assert.equal(pending.parentHash, blockHash);
  });

  it('is not made when there is nothing to put into it', cocoOnly, async () => {
    const sender = await freshAccount(provider);
    const { blockNumber } = await (await sender.sendTransaction({ to: sender.address })).wait();
    // Reads and refused transactions are no work for a block.
    for (let i = 0; i < 20; i++) await provider.getBalance(sender.address);
    await assert.rejects(sender.sendTransaction({ to: sender.address, nonce: 0, gasLimit: 21_000 }));
    assert.equal(await provider.getBlockNumber(), blockNumber);
  });
});
