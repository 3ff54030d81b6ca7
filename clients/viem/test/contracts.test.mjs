// Contracts through viem: reading, simulating before sending, errors by name, logs, proofs, typed data.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import {
  BaseError, ContractFunctionRevertedError, createPublicClient, encodeFunctionData, getContract, http, keccak256, pad,
  parseEventLogs, recoverMessageAddress, toHex, verifyTypedData, zeroHash,
} from 'viem';
import * as network from '../../network.mjs';
import { chain, deploy, freshWallet, nodeWallet, publicClient, receiptOf } from './setup.mjs';

describe('a contract', () => {
  let wallet;
  let notebook;

  before(async () => {
    wallet = await freshWallet('2');
    notebook = await deploy(wallet, 'Notebook', ['viem']);
  });

  it('is read', async () => {
    assert.equal(await publicClient.readContract({ ...notebook, functionName: 'title' }), 'viem');
    const contract = getContract({ ...notebook, client: { public: publicClient, wallet } });
    assert.equal(await contract.read.owner(), wallet.account.address);
  });

  it('is simulated, then written', async () => {
    const { request, result } = await publicClient.simulateContract({ ...notebook, functionName: 'increment', account: wallet.account });
    assert.equal(result, 1n);
    assert.equal((await receiptOf(await wallet.writeContract(request))).status, 'success');
    assert.equal(await publicClient.readContract({ ...notebook, functionName: 'counter' }), 1n);
    assert.equal(await publicClient.getStorageAt({ address: notebook.address, slot: '0x0' }), pad('0x1'));
  });

  const revert = (error) => {
    assert.ok(error instanceof BaseError);
    const found = error.walk((each) => each instanceof ContractFunctionRevertedError);
    assert.ok(found, `no revert below: ${error.message}`);
    return found;
  };
  const failing = (functionName, args = []) =>
    publicClient.simulateContract({ ...notebook, functionName, args, account: wallet.account }).then(
      () => assert.fail(`${functionName} did not fail`),
      revert,
    );

  it('fails with a custom error', async () => {
    const { data } = await failing('failWithCustomError');
    assert.equal(data.errorName, 'NotOwner');
    assert.deepEqual(data.args, [wallet.account.address, wallet.account.address]);
  });

  it('fails with a reason, and with a panic', async () => {
    assert.equal((await failing('failWithReason')).reason, 'a reason');
    const { data } = await failing('failWithPanic', [0n]);
    assert.equal(data.errorName, 'Panic');
    assert.deepEqual(data.args, [0x12n]);
  });

  it('refuses a write that would fail, while its gas is estimated', async () => {
    const error = await wallet.writeContract({ ...notebook, functionName: 'failWithBareError' }).then(() => assert.fail(), (e) => e);
    assert.equal(revert(error).data.errorName, 'Empty');
  });

  it('logs what happened', async () => {
    const key = keccak256(toHex('viem'));
    const hash = await wallet.writeContract({ ...notebook, functionName: 'write', args: [key, 5n, 'five'] });
    const receipt = await receiptOf(hash);
    const [event] = parseEventLogs({ abi: notebook.abi, logs: receipt.logs });
    assert.equal(event.eventName, 'Written');
    assert.deepEqual(event.args, { author: wallet.account.address, key, value: 5n, note: 'five' });

    const found = await publicClient.getContractEvents({
      ...notebook, eventName: 'Written', args: { key }, fromBlock: receipt.blockNumber, toBlock: 'latest', strict: true,
    });
    assert.deepEqual(found.map((log) => log.transactionHash), [hash]);
    assert.deepEqual(found[0].args, event.args);
    assert.equal(found[0].blockHash, receipt.blockHash);
  });

  it('is called by several calls at once, in one request', async () => {
    const calls = ['counter', 'owner', 'title', 'failWithReason'].map((functionName) => ({ ...notebook, functionName }));
    const results = await publicClient.multicall({ contracts: calls, deployless: true });
    assert.deepEqual(results.map(({ status }) => status), ['success', 'success', 'success', 'failure']);
    assert.equal(results[2].result, 'viem');
  });

  it('is proven', async () => {
    const proof = await publicClient.getProof({ address: notebook.address, storageKeys: [zeroHash, pad('0x63')] });
    assert.equal(proof.storageProof[0].value, await publicClient.readContract({ ...notebook, functionName: 'counter' }));
    assert.equal(proof.storageProof[1].value, 0n);
    assert.equal(proof.codeHash, keccak256(await publicClient.getCode({ address: notebook.address })));
  });

  it('is called with an access list, which names what it touches', async () => {
    const { accessList, gasUsed } = await publicClient.createAccessList({
      account: wallet.account, to: notebook.address, data: encodeFunctionData({ ...notebook, functionName: 'increment' }),
    });
    assert.deepEqual(accessList, [{ address: notebook.address, storageKeys: [zeroHash] }]);
    const hash = await wallet.writeContract({ ...notebook, functionName: 'increment', accessList });
    const receipt = await receiptOf(hash);
    assert.equal(receipt.status, 'success');
    assert.equal(receipt.gasUsed, gasUsed);
  });

  it('is simulated over several calls, each seeing the one before', async () => {
    const counter = await publicClient.readContract({ ...notebook, functionName: 'counter' });
    const { results } = await publicClient.simulateCalls({
      account: wallet.account.address,
      calls: [
        { to: notebook.address, abi: notebook.abi, functionName: 'increment' },
        { to: notebook.address, abi: notebook.abi, functionName: 'increment' },
        { to: notebook.address, abi: notebook.abi, functionName: 'failWithReason' },
      ],
    });
    assert.deepEqual(results.map(({ status }) => status), ['success', 'success', 'failure']);
    assert.equal(results[1].result, counter + 2n);
    assert.equal(await publicClient.readContract({ ...notebook, functionName: 'counter' }), counter);
  });

  it('is called with changed state', async () => {
    const result = await publicClient.readContract({
      ...notebook, functionName: 'counter',
      stateOverride: [{ address: notebook.address, stateDiff: [{ slot: zeroHash, value: pad('0x2a') }] }],
    });
    assert.equal(result, 42n);
  });
});

describe('signatures by the node', () => {
  it('of a message', async () => {
    const signature = await nodeWallet.signMessage({ message: 'for the record' });
    const signer = await recoverMessageAddress({ message: 'for the record', signature });
    assert.equal(signer.toLowerCase(), nodeWallet.account.address.toLowerCase());
  });

  it('of typed data', async () => {
    const typed = {
      domain: { name: 'Coco', version: '1', chainId: network.chainId, verifyingContract: `0x${'c0'.repeat(20)}` },
      types: { Vote: [{ name: 'proposal', type: 'uint256' }, { name: 'support', type: 'bool' }] },
      primaryType: 'Vote',
      message: { proposal: 7n, support: true },
    };
    const signature = await nodeWallet.signTypedData(typed);
    assert.ok(await verifyTypedData({ ...typed, address: nodeWallet.account.address, signature }));
  });
});

describe('batches', () => {
  it('are one HTTP request for many questions', async () => {
    const batching = createPublicClient({ chain, transport: http(network.http, { batch: true, retryCount: 0 }) });
    const answers = await Promise.all(
      network.accounts.map(({ address }) => batching.getBalance({ address })),
    );
    assert.ok(answers.every((balance) => balance > 0n));
  });
});

describe('fees of the past', () => {
  it('have one base fee more than blocks', async () => {
    const history = await publicClient.getFeeHistory({ blockCount: 2, rewardPercentiles: [25, 75] });
    assert.equal(history.baseFeePerGas.length, history.gasUsedRatio.length + 1);
    assert.ok(history.reward.every((rewards) => rewards.length === 2));
  });
});

describe('tags', () => {
  it('safe and finalized are the latest block', network.cocoOnly, async () => {
    const latest = await publicClient.getBlock();
    for (const blockTag of ['safe', 'finalized']) assert.deepEqual(await publicClient.getBlock({ blockTag }), latest);
  });
});
