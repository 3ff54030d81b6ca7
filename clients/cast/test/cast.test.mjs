// The network at the command line.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { accounts, artifact, chainId, cocoOnly } from '../../network.mjs';
import { cast, castFails, castJson } from './cast.mjs';

const { address: me, private_key: key } = accounts[7];
const friend = `0x${randomBytes(20).toString('hex')}`;
const signed = ['--private-key', key];

describe('cast', () => {
  let notebook;
  let deployment;

  before(async () => {
    const { bytecode } = artifact('Notebook');
    deployment = await castJson('send', ...signed, '--create', bytecode, 'constructor(string)', 'from the shell');
    notebook = deployment.contractAddress;
  });

  it('tells about the chain', async () => {
    assert.equal(await cast('chain-id'), String(chainId));
    assert.match(await cast('client'), /\S/);
    assert.match(await cast('gas-price'), /^\d+$/);
    assert.match(await cast('base-fee'), /^\d+$/);
    assert.ok(Number(await cast('block-number')) >= Number(deployment.blockNumber));
  });

  it('tells about accounts', async () => {
    const before = BigInt(await cast('balance', friend));
    const nonce = Number(await cast('nonce', me));
    const receipt = await castJson('send', ...signed, friend, '--value', '5gwei');
    assert.equal(receipt.status, '0x1');
    assert.equal(BigInt(await cast('balance', friend)), before + 5_000_000_000n);
    assert.equal(Number(await cast('nonce', me)), nonce + 1);
    assert.match(await cast('balance', friend, '--ether'), /^\d+\.\d+$/);
  });

  it('sends legacy transactions and transactions with a tip', async () => {
    assert.equal((await castJson('send', ...signed, '--legacy', friend, '--value', '1')).type, '0x0');
    const price = ['--gas-price', '30gwei', '--priority-gas-price', '1gwei'];
    const receipt = await castJson('send', ...signed, ...price, friend, '--value', '1');
    assert.equal(receipt.type, '0x2');
    const baseFee = BigInt(await cast('base-fee', receipt.blockNumber));
    assert.equal(BigInt(receipt.effectiveGasPrice), baseFee + 1_000_000_000n);
  });

  it('sends from an account that the node holds', async () => {
    const receipt = await castJson('send', '--unlocked', '--from', me, friend, '--value', '1');
    assert.equal(receipt.from, me.toLowerCase());
  });

  it('makes a transaction and publishes it', async () => {
    const raw = await cast('mktx', ...signed, friend, '--value', '3');
    const { transactionHash } = await castJson('publish', raw);
    assert.equal((await castJson('receipt', transactionHash)).status, '0x1');
    assert.equal(await cast('tx', transactionHash, 'value'), '3');
    assert.equal(await cast('tx', transactionHash, '--raw'), raw);
  });

  it('borrows code (EIP-7702)', async () => {
    const authority = await castJson('wallet', 'new');
    const { address, private_key: authorityKey } = (authority.wallets ?? authority)[0];
    await cast('send', ...signed, address, '--value', '0.01ether');
    const authorization = await cast('wallet', 'sign-auth', notebook, '--private-key', authorityKey);
    const receipt = await castJson('send', ...signed, friend, '--auth', authorization);
    assert.equal(receipt.type, '0x4');
    assert.equal(await cast('code', address), `0xef0100${notebook.slice(2)}`);
  });

  it('calls contracts', async () => {
    assert.equal(await cast('call', notebook, 'title()(string)'), '"from the shell"');
    assert.equal((await cast('call', notebook, 'owner()(address)')).toLowerCase(), me.toLowerCase());
    assert.ok((await cast('code', notebook)).length > 100);
    assert.match(await cast('codesize', notebook), /^\d+$/);
  });

  it('estimates, sends, reads storage', async () => {
    assert.ok(Number(await cast('estimate', notebook, 'increment()')) > 21_000);
    const { blockNumber } = await castJson('send', ...signed, notebook, 'increment()');
    assert.equal(await cast('call', notebook, 'counter()(uint256)'), '1');
    assert.equal(BigInt(await cast('storage', notebook, '0')), 1n);
    assert.equal(await cast('call', '--block', String(Number(blockNumber) - 1), notebook, 'counter()(uint256)'), '0');
    const list = await castJson('access-list', notebook, 'increment()');
    assert.equal(list.accessList[0].address.toLowerCase(), notebook.toLowerCase());
  });

  it('finds logs', async () => {
    const signature = 'Written(address indexed,bytes32 indexed,uint256,string)';
    const word = `0x${'ab'.repeat(32)}`;
    const { transactionHash, logs } = await castJson('send', ...signed, notebook, 'write(bytes32,uint256,string)', word, '7', 'seven');
    assert.equal(logs.length, 1);
    const found = await castJson('logs', '--from-block', deployment.blockNumber, '--address', notebook, signature, me, word);
    assert.deepEqual(found.map((log) => log.transactionHash), [transactionHash]);
  });

  it('shows blocks, receipts and proofs', async () => {
    const block = await castJson('block', deployment.blockHash);
    assert.equal(block.hash, deployment.blockHash);
    assert.ok(block.transactions.includes(deployment.transactionHash));
    assert.equal(await cast('block', deployment.blockNumber, '--field', 'hash'), deployment.blockHash);
    assert.equal((await castJson('receipt', deployment.transactionHash)).contractAddress, notebook);
    assert.match(await cast('age', deployment.blockNumber), /20\d\d/);
    const proof = await castJson('proof', notebook, '0x0');
    assert.equal(proof.address.toLowerCase(), notebook.toLowerCase());
    assert.equal(proof.storageProof.length, 1);
  });

  it('recomputes a block hash from the header', async () => {
    // `cast block --raw` encodes the header by itself, from the fields that the node gave.
    const raw = await cast('block', deployment.blockNumber, '--raw');
    assert.equal(await cast('keccak', raw), deployment.blockHash);
  });

  it('asks whatever it is told to', async () => {
    assert.equal(JSON.parse(await cast('rpc', 'eth_chainId')), `0x${chainId.toString(16)}`);
    const receipts = JSON.parse(await cast('rpc', 'eth_getBlockReceipts', deployment.blockNumber));
    assert.ok(receipts.some((receipt) => receipt.transactionHash === deployment.transactionHash));
    assert.match(await castFails('rpc', 'eth_noSuchMethod'), /-32601/);
  });

  it('says why a call failed', async () => {
    assert.match(await castFails('call', notebook, 'failWithReason()'), /a reason/);
    assert.match(await castFails('call', notebook, 'failWithPanic(uint256)', '0'), /[Pp]anic|division/);
    const selector = await cast('sig', 'Empty()');
    assert.ok((await castFails('call', notebook, 'failWithBareError()')).includes(selector));
    assert.match(await castFails('send', ...signed, notebook, 'failWithReason()'), /a reason/);
  });

  it('is refused what it may not do', async () => {
    const { private_key: poor } = ((wallet) => (wallet.wallets ?? wallet)[0])(await castJson('wallet', 'new'));
    const complaint = await castFails('send', '--private-key', poor, friend, '--value', '1ether', '--gas-limit', '21000', '--nonce', '0');
    assert.match(complaint, /insufficient funds/i);
    assert.match(await castFails('send', ...signed, friend, '--nonce', '0'), /nonce too low/i);
  });

  it('finds the finalized block at the head', cocoOnly, async () => {
    const { blockHash } = await castJson('send', ...signed, friend, '--value', '1');
    for (const tag of ['latest', 'safe', 'finalized']) assert.equal(await cast('block', tag, '--field', 'hash'), blockHash);
  });
});
