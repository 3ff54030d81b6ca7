// Sending transactions with viem: all types, at once and one by one, and set-code accounts (EIP-7702).

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseEther, parseGwei, parseTransaction, recoverTransactionAddress, zeroHash } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { chainId, cocoOnly } from '../../network.mjs';
import { deploy, freshWallet, nodeWallet, pollReceipt, publicClient, receiptOf } from './setup.mjs';

const newAddress = () => privateKeyToAccount(generatePrivateKey()).address;

describe('transfers', () => {
  const accessList = [{ address: `0x${'ab'.repeat(20)}`, storageKeys: [zeroHash] }];
  for (const [type, typeHex, fields] of [['legacy', '0x0', {}], ['eip2930', '0x1', { accessList }], ['eip1559', '0x2', { accessList }]]) {
    it(type, async () => {
      const wallet = await freshWallet();
      const to = newAddress();
      const hash = await wallet.sendTransaction({ type, to, value: 77n, ...fields });
      const receipt = await receiptOf(hash);
      assert.equal(receipt.status, 'success');
      assert.equal(receipt.type, type);
      assert.equal(await publicClient.getBalance({ address: to }), 77n);
      const transaction = await publicClient.getTransaction({ hash });
      assert.equal(transaction.typeHex, typeHex);
      assert.equal(transaction.chainId, chainId);
      assert.equal(transaction.from, wallet.account.address.toLowerCase());
    });
  }

  it('the node keeps the bytes that were signed', async () => {
    const wallet = await freshWallet();
    const request = await wallet.prepareTransactionRequest({ to: newAddress(), value: 1n });
    const serializedTransaction = await wallet.signTransaction(request);
    const hash = await wallet.sendRawTransaction({ serializedTransaction });
    await receiptOf(hash);
    const kept = await publicClient.request({ method: 'eth_getRawTransactionByHash', params: [hash] });
    assert.equal(kept, serializedTransaction);
    assert.equal(parseTransaction(kept).value, 1n);
    assert.equal(await recoverTransactionAddress({ serializedTransaction: kept }), wallet.account.address);
  });

  it('signed by the node', async () => {
    const to = newAddress();
    const receipt = await receiptOf(await nodeWallet.sendTransaction({ to, value: 5n }));
    assert.equal(receipt.from, nodeWallet.account.address.toLowerCase());
    assert.equal(await publicClient.getBalance({ address: to }), 5n);
  });

  it('fifty at once', async () => {
    const wallet = await freshWallet();
    const to = newAddress();
    const { gasPrice } = await wallet.prepareTransactionRequest({ type: 'legacy', to, value: 1n });
    const hashes = await Promise.all(
      Array.from({ length: 50 }, (_, nonce) => wallet.sendTransaction({ to, value: 1n, nonce, gas: 21_000n, type: 'legacy', gasPrice })),
    );
    const receipts = await Promise.all(hashes.map(pollReceipt));
    assert.ok(receipts.every(({ status }) => status === 'success'));
    assert.equal(await publicClient.getBalance({ address: to }), 50n);
    assert.equal(await publicClient.getTransactionCount({ address: wallet.account.address }), 50);
  });

  it('without a price, since the base fee is zero', cocoOnly, async () => {
    const wallet = await freshWallet();
    const before = await publicClient.getBalance({ address: wallet.account.address });
    const to = newAddress();
    const free = [{ type: 'legacy', gasPrice: 0n }, { type: 'eip1559', maxFeePerGas: 0n, maxPriorityFeePerGas: 0n }];
    for (const fees of free) {
      const receipt = await receiptOf(await wallet.sendTransaction({ to, value: 1n, ...fees }));
      assert.equal(receipt.effectiveGasPrice, 0n);
    }
    assert.equal(await publicClient.getBalance({ address: wallet.account.address }), before - 2n);
  });
});

describe('eth_sendRawTransactionSync', () => {
  it('answers with the receipt', async () => {
    const wallet = await freshWallet();
    const to = newAddress();
    const receipt = await wallet.sendTransactionSync({ to, value: 3n });
    assert.equal(receipt.status, 'success');
    assert.deepEqual(receipt, await publicClient.getTransactionReceipt({ hash: receipt.transactionHash }));
    assert.equal(await publicClient.getBalance({ address: to }), 3n);
  });

  it('answers with the receipt of a revert, too', async () => {
    const wallet = await freshWallet();
    const { address } = await deploy(wallet, 'Notebook', ['sync']);
    const request = await wallet.prepareTransactionRequest({ to: address, gas: 100_000n, data: '0x12345678' });
    const serializedTransaction = await wallet.signTransaction(request);
    const receipt = await wallet.sendRawTransactionSync({ serializedTransaction, throwOnReceiptRevert: false });
    assert.equal(receipt.status, 'reverted');
  });

  it('takes a time limit in milliseconds', cocoOnly, async () => {
    const wallet = await freshWallet();
    const serializedTransaction = await wallet.signTransaction(await wallet.prepareTransactionRequest({ to: newAddress() }));
    const receipt = await wallet.sendRawTransactionSync({ serializedTransaction, timeout: 5_000 });
    assert.equal(receipt.status, 'success');
  });

  it('names the nonce that it expects when there is a gap, and keeps nothing', cocoOnly, async () => {
    const wallet = await freshWallet();
    const request = await wallet.prepareTransactionRequest({ to: newAddress(), value: 1n, nonce: 4, gas: 21_000n });
    const serializedTransaction = await wallet.signTransaction(request);
    await assert.rejects(
      publicClient.request({ method: 'eth_sendRawTransactionSync', params: [serializedTransaction] }),
      (error) => {
        const { code, data } = error.walk((each) => each.code === 6) ?? {};
        assert.equal(code, 6);
        assert.equal(data, '0x0');
        return true;
      },
    );
    const pending = await publicClient.getTransactionCount({ address: wallet.account.address, blockTag: 'pending' });
    assert.equal(pending, 0);
  });

  it('refuses what eth_sendRawTransaction refuses', async () => {
    const wallet = await freshWallet();
    await assert.rejects(
      wallet.sendTransactionSync({ to: newAddress(), value: parseEther('5'), gas: 21_000n }),
      /insufficient funds|exceeds the balance/i,
    );
  });
});

describe('set-code accounts (EIP-7702)', () => {
  it('an account runs several calls in one transaction', async () => {
    const wallet = await freshWallet();
    const { abi, address } = await deploy(wallet, 'Wallet', []);
    const [a, b] = [newAddress(), newAddress()];
    const calls = [
      { to: a, value: 11n, data: '0x' },
      { to: b, value: 22n, data: '0x' },
    ];

    const authorization = await wallet.signAuthorization({ contractAddress: address, executor: 'self' });
    const hash = await wallet.writeContract({
      abi, address: wallet.account.address, functionName: 'execute', args: [calls], authorizationList: [authorization],
    });
    const receipt = await receiptOf(hash);
    assert.equal(receipt.status, 'success');
    assert.equal(receipt.type, 'eip7702');
    assert.equal(await publicClient.getBalance({ address: b }), 22n);
    assert.equal((await publicClient.getDelegation({ address: wallet.account.address })).toLowerCase(), address);
    assert.equal(await publicClient.getCode({ address: wallet.account.address }), `0xef0100${address.slice(2)}`);
  });

  it('a stale authorization is skipped, the transaction goes on', async () => {
    const wallet = await freshWallet();
    const authority = await freshWallet();
    const { address } = await deploy(wallet, 'Wallet', []);
    const stale = await authority.signAuthorization({ contractAddress: address, nonce: 9 });
    const receipt = await receiptOf(await wallet.sendTransaction({ to: newAddress(), authorizationList: [stale] }));
    assert.equal(receipt.status, 'success');
    assert.equal(await publicClient.getCode({ address: authority.account.address }), undefined);
  });
});

describe('fees', () => {
  it('can be estimated in both ways', async () => {
    assert.equal(typeof (await publicClient.estimateFeesPerGas({ type: 'legacy' })).gasPrice, 'bigint');
    const { maxFeePerGas, maxPriorityFeePerGas } = await publicClient.estimateFeesPerGas();
    assert.ok(maxFeePerGas >= maxPriorityFeePerGas);
  });

  it('are what the receipt says', async () => {
    const wallet = await freshWallet();
    const fees = { maxFeePerGas: parseGwei('40'), maxPriorityFeePerGas: parseGwei('2') };
    const receipt = await receiptOf(await wallet.sendTransaction({ to: newAddress(), ...fees }));
    const { baseFeePerGas } = await publicClient.getBlock({ blockHash: receipt.blockHash });
    assert.equal(receipt.effectiveGasPrice, baseFeePerGas + parseGwei('2'));
    const left = await publicClient.getBalance({ address: wallet.account.address });
    assert.equal(left, parseEther('1') - receipt.gasUsed * receipt.effectiveGasPrice);
  });
});
