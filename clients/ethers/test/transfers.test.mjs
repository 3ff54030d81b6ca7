// Moving ether: every transaction type, nonces, and what the node refuses.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Transaction, Wallet, ZeroHash, getBytes, parseEther, parseUnits } from 'ethers';
import { chainId, refusedCodes } from '../../network.mjs';
import { connect, deploy, freshAccount, funded, pollReceipt } from './setup.mjs';

const provider = connect();
const gasPrice = async () => (await provider.getFeeData()).gasPrice ?? 0n;

/** The JSON-RPC error that the node itself gave, below what ethers made of it. */
async function refusal(promise) {
  const error = await promise.then(
    () => assert.fail('the node accepted it'),
    (error) => error,
  );
  return { ethers: error.code, rpc: error.error ?? error.info?.error };
}

describe('the network', () => {
  it('says its chain id in both ways', async () => {
    assert.equal(Number(await provider.send('eth_chainId', [])), chainId);
    assert.equal(await provider.send('net_version', []), String(chainId));
  });

  it('has funded accounts', async () => {
    for (let i = 0; i < 10; i++) {
      assert.ok((await provider.getBalance(funded(provider, i).address)) > parseEther('10'), `account ${i} is poor`);
    }
  });
});

describe('transfers', () => {
  for (const type of [0, 1, 2]) {
    it(`of type ${type}`, async () => {
      const sender = await freshAccount(provider);
      const to = Wallet.createRandom().address;
      const value = parseUnits('12345', 'gwei');
      const before = await provider.getBalance(sender.address);
      const fees = type === 2 ? {} : { gasPrice: await gasPrice() };
      const accessList = type === 0 ? undefined : [{ address: to, storageKeys: [ZeroHash] }];

      const sent = await sender.sendTransaction({ type, to, value, accessList, ...fees });
      const receipt = await sent.wait();

      assert.equal(receipt.status, 1);
      assert.equal(receipt.type, type);
      assert.equal(receipt.hash, sent.hash);
      assert.equal(receipt.from, sender.address);
      assert.equal(receipt.to, to);
      assert.equal(receipt.contractAddress, null);
      // 21,000, and for the access list 2,400 an address and 1,900 a key.
      assert.equal(receipt.gasUsed, type === 0 ? 21_000n : 25_300n);
      assert.equal(await provider.getBalance(to), value);
      assert.equal(await provider.getBalance(sender.address), before - value - receipt.gasUsed * receipt.gasPrice);
      assert.equal(await provider.getTransactionCount(sender.address), 1);

      const found = await provider.getTransaction(sent.hash);
      assert.equal(found.type, type);
      assert.equal(found.value, value);
      assert.equal(found.nonce, 0);
      assert.equal(found.chainId, BigInt(chainId));
      assert.equal(found.blockHash, receipt.blockHash);
      assert.equal(found.index, receipt.index);
      // What the node tells is the very transaction that was signed: its hash and sender can be computed from it.
      assert.equal(Transaction.from(found).hash, sent.hash);
      assert.equal(Transaction.from(found).from, sender.address);
    });
  }

  it('of type 4: an account borrows code and gives it back', async () => {
    const wallet = await deploy(funded(provider, 1), 'Wallet');
    const sender = await freshAccount(provider);
    const authority = await freshAccount(provider);
    const to = Wallet.createRandom().address;

    const authorization = await authority.authorize({ address: await wallet.getAddress(), nonce: 0 });
    const borrowed = await sender.sendTransaction({ type: 4, to: sender.address, authorizationList: [authorization] });
    const receipt = await borrowed.wait();
    assert.equal(receipt.type, 4);
    assert.equal(receipt.status, 1);
    const designator = `0xef0100${(await wallet.getAddress()).slice(2).toLowerCase()}`;
    assert.equal(await provider.getCode(authority.address), designator);
    assert.equal(await provider.getTransactionCount(authority.address), 1, 'the authorization uses a nonce');

    const [listed] = (await provider.getTransaction(borrowed.hash)).authorizationList;
    assert.equal(listed.address, await wallet.getAddress());
    assert.equal(listed.nonce, 0n);

    const account = wallet.attach(authority.address).connect(authority);
    const executed = await (await account.execute([{ to, value: 7, data: '0x' }, { to, value: 8, data: '0x' }])).wait();
    assert.equal(executed.logs[0].address, authority.address);
    assert.equal(await provider.getBalance(to), 15n);

    const none = await authority.authorize({ address: `0x${'00'.repeat(20)}`, nonce: 2 });
    await (await sender.sendTransaction({ type: 4, to: sender.address, authorizationList: [none] })).wait();
    assert.equal(await provider.getCode(authority.address), '0x');
  });

  it('with data to an account without code', async () => {
    const sender = await freshAccount(provider);
    const receipt = await (await sender.sendTransaction({ to: sender.address, data: '0xc0ca' })).wait();
    assert.equal(receipt.status, 1);
    assert.equal((await provider.getTransaction(receipt.hash)).data, '0xc0ca');
  });

  it('many at once from one account, in order', async () => {
    const sender = await freshAccount(provider);
    const to = Wallet.createRandom().address;
    const sent = await Promise.all(
      Array.from({ length: 20 }, (_, nonce) => sender.sendTransaction({ to, value: 1, nonce, gasLimit: 21_000 })),
    );
    const receipts = await Promise.all(sent.map((transaction) => pollReceipt(provider, transaction)));
    const places = receipts.map((receipt) => receipt.blockNumber * 10_000 + receipt.index);
    assert.deepEqual(places, [...places].sort((a, b) => a - b));
    assert.equal(await provider.getBalance(to), 20n);
  });

  it('a nonce gap waits until it is filled', async () => {
    const sender = await freshAccount(provider);
    const to = Wallet.createRandom().address;
    const send = (nonce) => sender.sendTransaction({ to, value: 1, nonce, gasLimit: 21_000 });

    const late = [await send(2), await send(1)];
    assert.equal(await provider.getTransactionCount(sender.address), 0);
    for (const { hash } of late) assert.equal(await provider.getTransactionReceipt(hash), null);

    const first = await send(0);
    const receipts = await Promise.all([first, ...late].map((transaction) => pollReceipt(provider, transaction)));
    assert.ok(receipts.every((receipt) => receipt.status === 1));
    assert.equal(await provider.getTransactionCount(sender.address), 3);
    assert.equal(await provider.getBalance(to), 3n);
  });
});

describe('what the node refuses', () => {
  const to = Wallet.createRandom().address;

  it('a nonce that was used', async () => {
    const sender = await freshAccount(provider);
    await (await sender.sendTransaction({ to, value: 1 })).wait();
    const { ethers, rpc } = await refusal(sender.sendTransaction({ to, value: 2, nonce: 0, gasLimit: 21_000 }));
    assert.equal(ethers, 'NONCE_EXPIRED');
    assert.ok(refusedCodes.includes(rpc.code), `${rpc.code} ${rpc.message}`);
    assert.match(rpc.message, /nonce too low/i);
    assert.equal(await provider.getTransactionCount(sender.address), 1);
  });

  it('more value than the sender has', async () => {
    const sender = await freshAccount(provider);
    const { ethers, rpc } = await refusal(sender.sendTransaction({ to, value: parseEther('2'), gasLimit: 21_000 }));
    assert.equal(ethers, 'INSUFFICIENT_FUNDS');
    assert.ok(refusedCodes.includes(rpc.code), `${rpc.code} ${rpc.message}`);
    assert.match(rpc.message, /insufficient funds/i);
  });

  it('a wrong chain id', async () => {
    const sender = await freshAccount(provider);
    const raw = await sender.signTransaction({
      type: 2, chainId: chainId + 1, to, value: 1, nonce: 0, gasLimit: 21_000,
      maxFeePerGas: parseUnits('10', 'gwei'), maxPriorityFeePerGas: 0,
    });
    const { rpc } = await refusal(provider.broadcastTransaction(raw));
    assert.ok(refusedCodes.includes(rpc.code), `${rpc.code} ${rpc.message}`);
    assert.match(rpc.message, /chain.?id/i);
  });

  it('less gas than a transfer needs', async () => {
    const sender = await freshAccount(provider);
    const { rpc } = await refusal(sender.sendTransaction({ to, value: 1, gasLimit: 20_999 }));
    assert.ok(refusedCodes.includes(rpc.code), `${rpc.code} ${rpc.message}`);
    assert.match(rpc.message, /intrinsic gas/i);
  });

  it('more gas than a block has', async () => {
    const sender = await freshAccount(provider, '20');
    const { gasLimit } = await provider.getBlock('latest');
    const { rpc } = await refusal(sender.sendTransaction({ to, value: 1, gasLimit: gasLimit + 1n }));
    assert.ok(refusedCodes.includes(rpc.code), `${rpc.code} ${rpc.message}`);
  });

  it('bytes that are no transaction', async () => {
    for (const raw of ['0x', '0x00', '0xdeadbeef', `0x02${'ff'.repeat(40)}`]) {
      const { rpc } = await refusal(provider.send('eth_sendRawTransaction', [raw]));
      assert.ok([-32000, -32602].includes(rpc.code), `${raw}: ${rpc.code} ${rpc.message}`);
    }
  });

  it('a signature that no key made', async () => {
    const sender = await freshAccount(provider);
    const { maxFeePerGas } = await provider.getFeeData();
    const sign = async (gasLimit) =>
      Transaction.from(await sender.signTransaction({ type: 2, chainId, to, nonce: 0, gasLimit, maxFeePerGas }));
    let gasLimit = 21_000;
    let signed = await sign(gasLimit);
    // One r in 256 begins with a zero byte, which RLP leaves out: it would not be found below.
    while (signed.signature.r.startsWith('0x00')) signed = await sign(++gasLimit);
    // r = n (the group's order) is out of range, so nobody can have signed this.
    const order = 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141';
    const raw = signed.serialized.replace(signed.signature.r.slice(2), order);
    assert.equal(getBytes(raw).length, getBytes(signed.serialized).length);
    assert.notEqual(raw, signed.serialized);
    const { rpc } = await refusal(provider.send('eth_sendRawTransaction', [raw]));
    assert.ok([-32000, -32602, -32003].includes(rpc.code), rpc.message);
    assert.equal(await provider.getTransactionCount(sender.address), 0);
  });

  it('the same transaction twice', async () => {
    const sender = await freshAccount(provider);
    const raw = await sender.signTransaction(
      await sender.populateTransaction({ to, value: 1, gasLimit: 21_000 }),
    );
    const sent = await provider.broadcastTransaction(raw);
    await sent.wait();
    await refusal(provider.broadcastTransaction(raw));
    assert.equal(await provider.getTransactionCount(sender.address), 1);
  });
});
