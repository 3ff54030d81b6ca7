// eth_getProof, verified against the state root of the block's header.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { MerklePatriciaTrie, verifyMPTWithMerkleProof } from '@ethereumjs/mpt';
import { RLP } from '@ethereumjs/rlp';
import { bytesToBigInt, bytesToHex, hexToBytes } from '@ethereumjs/util';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { call, hex, receiptOf } from './chain.mjs';
import { mixedLoad } from './load.mjs';

const emptyRoot = '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421';
const word = (n) => `0x${BigInt(n).toString(16).padStart(64, '0')}`;

/** The value under the key as the proof has it, or null if the proof shows that there is none; throws if it is wrong. */
async function proven(root, key, proof) {
  if (root === emptyRoot) {
    assert.ok(proof.length === 0 || (proof.length === 1 && proof[0] === '0x80'), 'an empty trie has no nodes');
    return null;
  }
  const trie = new MerklePatriciaTrie({ useKeyHashing: true });
  return verifyMPTWithMerkleProof(trie, hexToBytes(root), hexToBytes(key), proof.map(hexToBytes));
}

/** Checks an eth_getProof answer in full against a header. */
async function check(proof, header) {
  const account = await proven(header.stateRoot, proof.address, proof.accountProof);
  if (account === null) {
    assert.deepEqual([proof.balance, proof.nonce], ['0x0', '0x0']);
  } else {
    const [nonce, balance, storageHash, codeHash] = RLP.decode(account);
    assert.equal(bytesToBigInt(nonce), BigInt(proof.nonce));
    assert.equal(bytesToBigInt(balance), BigInt(proof.balance));
    assert.equal(bytesToHex(storageHash), proof.storageHash);
    assert.equal(bytesToHex(codeHash), proof.codeHash);
  }
  for (const slot of proof.storageProof) {
    const value = await proven(proof.storageHash, word(slot.key), slot.proof);
    assert.equal(value === null ? 0n : bytesToBigInt(RLP.decode(value)), BigInt(slot.value));
  }
  return account !== null;
}

describe('proofs', () => {
  let load;
  let header;

  before(async () => {
    load = await mixedLoad();
    header = await call('eth_getBlockByNumber', 'latest', false);
  });

  const prove = (address, slots, number) => call('eth_getProof', address, slots, number);

  it('of an account', async () => {
    const proof = await prove(load.sender, [], header.number);
    assert.ok(await check(proof, header));
    assert.equal(proof.balance, await call('eth_getBalance', load.sender, header.number));
    assert.equal(proof.nonce, await call('eth_getTransactionCount', load.sender, header.number));
  });

  it('of a contract and its storage, slots that are zero too', async () => {
    const slots = [0, 1, 3, 77].map(word);
    const proof = await prove(load.notebook, slots, header.number);
    assert.ok(await check(proof, header));
    assert.equal(proof.codeHash, bytesToHex(keccak_256(hexToBytes(await call('eth_getCode', load.notebook, header.number)))));
    for (const [index, slot] of slots.entries()) {
      assert.equal(word(proof.storageProof[index].value), await call('eth_getStorageAt', load.notebook, slot, header.number));
    }
    assert.equal(proof.storageProof[0].value, '0x1', 'the counter');
    assert.equal(proof.storageProof[3].value, '0x0');
  });

  it('of an account with borrowed code', async () => {
    const proof = await prove(load.authority, [], header.number);
    assert.ok(await check(proof, header));
    assert.equal(proof.nonce, '0x1');
    assert.equal(proof.codeHash, bytesToHex(keccak_256(hexToBytes(`0xef0100${load.notebook.slice(2)}`))));
  });

  it('that an account does not exist', async () => {
    const nobody = bytesToHex(crypto.getRandomValues(new Uint8Array(20)));
    assert.equal(await check(await prove(nobody, [word(0)], header.number), header), false);
  });

  it('of the past, against the past header', async () => {
    const created = await call('eth_getBlockByNumber', load.receipts[0].blockNumber, false);
    const proof = await prove(load.notebook, [word(0)], created.number);
    await check(proof, created);
    const before = await call('eth_getBlockByNumber', hex(Number(created.number) - 1), false);
    assert.equal(await check(await prove(load.notebook, [], before.number), before), false);
  });

  it('follow the state from block to block', async () => {
    for (let i = 0; i < 3; i++) {
      const hash = await call('eth_sendTransaction', { from: load.sender, to: load.notebook, data: '0xd09de08a' });
      const { blockHash, blockNumber } = await receiptOf(hash);
      const block = await call('eth_getBlockByHash', blockHash, false);
      const proof = await prove(load.notebook, [word(0)], blockNumber);
      assert.ok(await check(proof, block));
      assert.equal(Number(proof.storageProof[0].value), i + 2);
    }
  });

  it('that were tampered with are found', async () => {
    const proof = await prove(load.notebook, [word(0)], header.number);
    const changed = { ...proof, balance: '0x7' };
    await assert.rejects(check(changed, header));
    const node = proof.accountProof.at(-1);
    const flipped = node.slice(0, -1) + (node.endsWith('0') ? '1' : '0');
    await assert.rejects(check({ ...proof, accountProof: [...proof.accountProof.slice(0, -1), flipped] }, header));
    await assert.rejects(check(proof, { stateRoot: word(1) }));
  });
});
