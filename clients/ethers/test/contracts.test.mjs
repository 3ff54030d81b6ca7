// Contracts: deploying, calling, events, and how each kind of failure reaches the caller.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { ContractFactory, getCreateAddress, id, parseEther, zeroPadValue, toBeHex } from 'ethers';
import { chainId } from '../../network.mjs';
import { connect, deploy, freshAccount, funded } from './setup.mjs';

const provider = connect();

describe('a contract', () => {
  let sender;
  let notebook;
  let address;

  before(async () => {
    sender = await freshAccount(provider, '5');
    notebook = await deploy(sender, 'Notebook', ['field notes']);
    address = await notebook.getAddress();
  });

  it('is deployed at the address that follows from sender and nonce', async () => {
    assert.equal(address, getCreateAddress({ from: sender.address, nonce: 0 }));
    const receipt = await notebook.deploymentTransaction().wait();
    assert.equal(receipt.contractAddress, address);
    assert.equal(receipt.to, null);
    assert.notEqual(await provider.getCode(address), '0x');
  });

  it('answers calls', async () => {
    assert.equal(await notebook.title(), 'field notes');
    assert.equal(await notebook.owner(), sender.address);
    assert.equal(await notebook.increment.staticCall(), (await notebook.counter()) + 1n);
  });

  it('changes state by transactions, and remembers each version', async () => {
    const first = await (await notebook.increment()).wait();
    const second = await (await notebook.increment()).wait();
    assert.equal(await notebook.counter(), 2n);
    assert.equal(await notebook.counter({ blockTag: first.blockNumber }), 1n);
    assert.equal(await notebook.counter({ blockTag: second.blockNumber }), 2n);
    assert.equal(await notebook.counter({ blockTag: first.blockNumber - 1 }), 0n);
    assert.equal(await provider.getStorage(address, 0), zeroPadValue('0x02', 32));
    assert.equal(await provider.getStorage(address, 0, first.blockNumber), zeroPadValue('0x01', 32));
    assert.equal(BigInt(await provider.getStorage(address, 1)), BigInt(sender.address));
  });

  it('receives ether and gives it back', async () => {
    const sent = await sender.sendTransaction({ to: address, value: parseEther('0.5') });
    const receipt = await sent.wait();
    assert.deepEqual([...notebook.interface.parseLog(receipt.logs[0]).args], [sender.address, parseEther('0.5')]);
    assert.equal(await provider.getBalance(address), parseEther('0.5'));
    await (await notebook.sweep(sender.address)).wait();
    assert.equal(await provider.getBalance(address), 0n);
  });

  it('estimates gas that is enough and little more than what is used', async () => {
    const estimate = await notebook.write.estimateGas(id('estimate'), 1, 'a note');
    const { gasUsed, status } = await (await notebook.write(id('estimate'), 1, 'a note', { gasLimit: estimate })).wait();
    assert.equal(status, 1);
    assert.ok(gasUsed <= estimate && estimate < gasUsed * 2n, `used ${gasUsed}, estimated ${estimate}`);
    assert.equal(await provider.estimateGas({ from: sender.address, to: sender.address, value: 1 }), 21_000n);
  });

  it('sees the block that it runs in', async () => {
    const latest = await provider.getBlock('latest');
    const seen = await notebook.surroundings({ blockTag: latest.number });
    assert.equal(seen.chain, BigInt(chainId));
    assert.equal(seen.number, BigInt(latest.number));
    assert.equal(seen.time, BigInt(latest.timestamp));
    assert.equal(seen.gasLimit, latest.gasLimit);
    assert.equal(await notebook.hashOf(latest.number - 1), latest.parentHash);
  });

  describe('emits events', () => {
    const key = id('events');
    let receipts;

    before(async () => {
      receipts = [];
      for (const value of [1, 2]) receipts.push(await (await notebook.write(key, value, `note ${value}`)).wait());
    });

    it('that are in the receipt, decoded', () => {
      const [event] = receipts[0].logs;
      assert.equal(event.fragment.name, 'Written');
      assert.equal(event.args.author, sender.address);
      assert.equal(event.args.value, 1n);
      assert.equal(event.args.note, 'note 1');
    });

    it('that can be queried by topic and by range', async () => {
      const all = await notebook.queryFilter(notebook.filters.Written(null, key), receipts[0].blockNumber, 'latest');
      assert.deepEqual(all.map((event) => event.args.value), [1n, 2n]);
      assert.deepEqual(all.map((event) => event.transactionHash), receipts.map((receipt) => receipt.hash));
      const one = await notebook.queryFilter('Written', receipts[1].blockNumber, receipts[1].blockNumber);
      assert.deepEqual(one.map((event) => event.args.note), ['note 2']);
      assert.deepEqual(await notebook.queryFilter(notebook.filters.Written(null, id('never')), 0), []);
    });

    it('that can be queried by block hash', async () => {
      const { blockHash } = receipts[1];
      const logs = await provider.getLogs({ address, blockHash });
      assert.equal(logs.length, 1);
      assert.equal(logs[0].blockHash, blockHash);
    });

    it('many in one transaction, numbered through the block', async () => {
      const keys = [1, 2, 3].map((n) => zeroPadValue(toBeHex(n), 32));
      const { logs } = await (await notebook.writeMany(keys, 9)).wait();
      assert.deepEqual(logs.map((log) => log.args.key), keys);
      assert.deepEqual(logs.map((log) => log.index - logs[0].index), [0, 1, 2]);
    });
  });

  describe('fails', () => {
    const failure = (promise) => promise.then(() => assert.fail('it did not fail'), (error) => error);

    for (const how of ['staticCall', 'estimateGas']) {
      describe(`in ${how}`, () => {
        // ethers decodes a failed call by itself, a failed estimate only when asked.
        const failed = async (name, ...args) => {
          const error = await failure(notebook[name][how](...args));
          assert.equal(error.code, 'CALL_EXCEPTION');
          const data = error.data ?? '0x';
          return { error, decoded: data === '0x' ? null : notebook.interface.parseError(data) };
        };

        it('with a custom error', async () => {
          const { decoded } = await failed('failWithCustomError');
          assert.equal(decoded.name, 'NotOwner');
          assert.deepEqual([...decoded.args], [sender.address, sender.address]);
        });

        it('with a custom error without arguments', async () => {
          const { error } = await failed('failWithBareError');
          assert.equal(error.data, id('Empty()').slice(0, 10));
        });

        it('with a reason', async () => {
          const { error } = await failed('failWithReason');
          assert.equal(error.reason, 'a reason');
        });

        it('with a panic', async () => {
          const { decoded } = await failed('failWithPanic', 0);
          assert.equal(decoded.name, 'Panic');
          assert.equal(decoded.args[0], 0x12n);
        });

        it('without a word', async () => {
          const { error } = await failed('failWithNothing');
          assert.equal(error.data ?? '0x', '0x');
        });
      });
    }

    /** The JSON-RPC error below what ethers made of it. */
    const refusal = async (name, fields) => {
      const data = notebook.interface.encodeFunctionData(name);
      const error = await failure(provider.send('eth_call', [{ to: address, data, ...fields }, 'latest']));
      return error.info?.error ?? error.error;
    };

    it('with code 3 and the bytes that the contract gave, when it reverts', async () => {
      const { code, message, data } = await refusal('failWithReason');
      assert.equal(code, 3);
      assert.match(message, /execution reverted: a reason/);
      assert.equal(notebook.interface.parseError(data).args[0], 'a reason');
    });

    for (const name of ['failWithInvalidOpcode', 'failWithOutOfGas']) {
      it(`with another code than a revert's: ${name}`, async () => {
        assert.notEqual((await refusal(name, { gas: '0x186a0' })).code, 3);
      });
    }

    it('in a transaction: the receipt says so, and nothing but the fee is gone', async () => {
      const before = await provider.getBalance(sender.address);
      const sent = await notebook.failWithReason.send({ gasLimit: 100_000 });
      const error = await failure(sent.wait());
      assert.equal(error.code, 'CALL_EXCEPTION');
      assert.equal(error.receipt.status, 0);
      assert.deepEqual(error.receipt.logs, []);
      const fee = error.receipt.gasUsed * error.receipt.gasPrice;
      assert.equal(await provider.getBalance(sender.address), before - fee);
      assert.equal((await provider.getTransactionReceipt(sent.hash)).status, 0);
    });

    it('while it is created', async () => {
      // Init code that is one INVALID instruction.
      const factory = new ContractFactory([], '0xfe', sender);
      const sent = await factory.deploy({ gasLimit: 100_000 });
      const error = await failure(sent.deploymentTransaction().wait());
      assert.equal(error.receipt.status, 0);
      assert.equal(error.receipt.gasUsed, 100_000n);
      assert.equal(await provider.getCode(await sent.getAddress()), '0x');
    });
  });
});

describe('a token', () => {
  it('moves between accounts, and refuses what is not there', async () => {
    const [owner, friend] = [await freshAccount(provider), await freshAccount(provider)];
    const token = await deploy(owner, 'Token', ['Cocoa', 'COCO', 1_000]);
    const theirs = token.connect(friend);

    await (await token.transfer(friend.address, 400)).wait();
    await (await theirs.approve(owner.address, 50)).wait();
    await (await token.transferFrom(friend.address, owner.address, 30)).wait();
    assert.equal(await token.balanceOf(owner.address), 630n);
    assert.equal(await token.balanceOf(friend.address), 370n);
    assert.equal(await token.allowance(friend.address, owner.address), 20n);

    await assert.rejects(theirs.transfer(owner.address, 371), (error) => {
      assert.equal(error.code, 'CALL_EXCEPTION');
      const { name, args } = token.interface.parseError(error.data);
      assert.equal(name, 'InsufficientBalance');
      assert.deepEqual([...args], [friend.address, 370n, 371n]);
      return true;
    });
    await assert.rejects(token.transferFrom(friend.address, owner.address, 21), { code: 'CALL_EXCEPTION' });

    const events = await token.queryFilter(token.filters.Transfer(null, owner.address));
    assert.deepEqual(events.map((event) => event.args.value), [1_000n, 30n]);
  });

  it('is deployed with code of 24,576 bytes, and not with more', async () => {
    const sender = await freshAccount(provider, '20');
    // Init code that returns as many zero bytes (STOP instructions) as wanted: PUSH2 size, PUSH0, RETURN.
    const init = (size) => `0x61${size.toString(16).padStart(4, '0')}5ff3`;
    const largest = await new ContractFactory([], init(24_576), sender).deploy({ gasLimit: 6_000_000 });
    await largest.waitForDeployment();
    assert.equal((await provider.getCode(await largest.getAddress())).length, 2 + 2 * 24_576);
    const larger = await new ContractFactory([], init(24_577), sender).deploy({ gasLimit: 6_000_000 });
    await assert.rejects(larger.deploymentTransaction().wait(), (error) => error.receipt.status === 0);
  });
});

describe('calls that need no contract', () => {
  it('run the code that they bring', async () => {
    const owner = funded(provider, 1);
    // NUMBER, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN
    assert.equal(BigInt(await provider.call({ from: owner.address, data: '0x435f5260205ff3' })) > 0n, true);
  });

  it('take overridden state', async () => {
    const token = await deploy(await freshAccount(provider), 'Token', ['Cocoa', 'COCO', 1_000]);
    const call = { to: await token.getAddress(), data: token.interface.encodeFunctionData('totalSupply') };
    const slot = zeroPadValue('0x02', 32);
    const overrides = { [call.to]: { stateDiff: { [slot]: zeroPadValue('0x2a', 32) } } };
    assert.equal(BigInt(await provider.send('eth_call', [call, 'latest', overrides])), 42n);
    assert.equal(BigInt(await provider.call(call)), 1_000n);
  });
});
