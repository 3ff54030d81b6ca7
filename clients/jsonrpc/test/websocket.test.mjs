// The same endpoint over a WebSocket, and the subscriptions that only it has.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import WebSocket from 'ws';
import { accounts, cocoOnly, within, ws } from '../../network.mjs';
import { ask, call, receiptOf, request } from './wire.mjs';

const from = accounts[3].address;
const send = (fields = {}) => call('eth_sendTransaction', { from, to: from, ...fields });

/** A connection: `ask` sends and waits for the answer with that id, `told` waits for a subscription's next message. */
class Connection {
  #socket = new WebSocket(ws);
  #messages = [];
  #waiting = [];
  #id = 0;
  /** Why nothing more comes. */
  #ended = null;

  constructor() {
    this.#socket.on('message', (text) => {
      this.#messages.push(JSON.parse(text));
      this.#wake();
    });
    this.#socket.on('error', (error) => this.#end(`failed: ${error.message}`));
    this.#socket.on('close', (code) => this.#end(`was closed with code ${code}`));
  }

  #wake() {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #end(how) {
    this.#ended ??= how;
    this.#wake();
  }

  async open() {
    await within(new Promise((resolve, reject) => this.#socket.once('open', resolve).once('error', reject)), 'a connection');
    return this;
  }

  /** The first message that fits, removed from those that came. */
  async next(fits) {
    for (;;) {
      const at = this.#messages.findIndex(fits);
      if (at >= 0) return this.#messages.splice(at, 1)[0];
      if (this.#ended) throw new Error(`the connection ${this.#ended}`);
      await within(new Promise((resolve) => this.#waiting.push(resolve)), 'a message');
    }
  }

  async ask(method, ...params) {
    const id = ++this.#id;
    this.sendText(JSON.stringify(request(method, params, id)));
    return this.next((message) => message.id === id);
  }

  async call(method, ...params) {
    const { result, error } = await this.ask(method, ...params);
    assert.equal(error, undefined, error?.message);
    return result;
  }

  async told(subscription) {
    const message = await this.next((each) => each.params?.subscription === subscription);
    assert.equal(message.jsonrpc, '2.0');
    assert.equal(message.method, 'eth_subscription');
    return message.params.result;
  }

  sendText(text) {
    this.#socket.send(text);
  }

  /** How many messages nobody has asked for. */
  get unread() {
    return this.#messages.length;
  }

  close() {
    this.#socket.close();
  }
}

describe('a WebSocket connection', () => {
  let connection;
  before(async () => {
    connection = await new Connection().open();
  });
  after(() => connection.close());

  it('answers requests, batches and nonsense', async () => {
    assert.equal(await connection.call('eth_chainId'), await call('eth_chainId'));
    connection.sendText(JSON.stringify([request('eth_chainId', [], 'x'), request('eth_nonsense', [], 'y')]));
    const batch = await connection.next((message) => Array.isArray(message));
    assert.deepEqual(batch.map((answer) => answer.id), ['x', 'y']);
    assert.deepEqual(batch.map((answer) => 'error' in answer), [false, true]);
  });

  it('survives what is no JSON', cocoOnly, async () => {
    connection.sendText('{"jsonrpc":');
    const refused = await connection.next((message) => message.id === null);
    assert.equal(refused.error.code, -32700);
    assert.ok(await connection.call('eth_chainId'));
  });

  it('tells new heads, as headers', async () => {
    const subscription = await connection.call('eth_subscribe', 'newHeads');
    const { blockHash, blockNumber } = await receiptOf(await send());
    const head = await connection.told(subscription);
    assert.equal(head.hash, blockHash);
    assert.equal(head.number, blockNumber);
    const block = await call('eth_getBlockByHash', blockHash, false);
    for (const member of ['parentHash', 'stateRoot', 'receiptsRoot', 'transactionsRoot', 'logsBloom', 'gasUsed', 'timestamp']) {
      assert.equal(head[member], block[member], member);
    }
    assert.equal(await connection.call('eth_unsubscribe', subscription), true);
  });

  it('tells heads without a gap', async () => {
    const subscription = await connection.call('eth_subscribe', 'newHeads');
    const hashes = [];
    for (let i = 0; i < 30; i++) hashes.push(await send());
    let last = 0;
    for (const hash of hashes) last = Math.max(last, Number((await receiptOf(hash)).blockNumber));
    const heads = [await connection.told(subscription)];
    while (Number(heads.at(-1).number) < last) heads.push(await connection.told(subscription));
    for (let i = 1; i < heads.length; i++) assert.equal(heads[i].parentHash, heads[i - 1].hash);
    assert.equal(await connection.call('eth_unsubscribe', subscription), true);
  });

  it('tells logs', async () => {
    // Init code that emits one log without topics or data: PUSH0 PUSH0 LOG0 STOP.
    const subscription = await connection.call('eth_subscribe', 'logs', {});
    const receipt = await receiptOf(await call('eth_sendTransaction', { from, data: '0x5f5fa000' }));
    assert.deepEqual(await connection.told(subscription), receipt.logs[0]);
    assert.equal(await connection.call('eth_unsubscribe', subscription), true);
  });

  it('tells pending transactions, by hash', async () => {
    const subscription = await connection.call('eth_subscribe', 'newPendingTransactions');
    const hash = await send();
    assert.equal(await connection.told(subscription), hash);
    assert.equal(await connection.call('eth_unsubscribe', subscription), true);
  });

  it('tells pending transactions in full', cocoOnly, async () => {
    const subscription = await connection.call('eth_subscribe', 'newPendingTransactions', true);
    const hash = await send();
    const transaction = await connection.told(subscription);
    assert.equal(transaction.hash, hash);
    assert.equal(transaction.from, from.toLowerCase());
    await connection.call('eth_unsubscribe', subscription);
  });

  it('is silent after an unsubscription', async () => {
    const subscription = await connection.call('eth_subscribe', 'newHeads');
    assert.equal(await connection.call('eth_unsubscribe', subscription), true);
    await receiptOf(await send());
    await connection.call('eth_chainId');
    assert.equal(connection.unread, 0);
    assert.notEqual((await connection.ask('eth_unsubscribe', subscription)).result, true);
  });

  it('refuses a subscription that does not exist', async () => {
    assert.ok((await connection.ask('eth_subscribe', 'weather')).error);
    assert.ok((await connection.ask('eth_subscribe')).error);
  });

  it('is needed for a subscription', async () => {
    assert.ok((await ask('eth_subscribe', 'newHeads')).error);
  });

  it('is needed for a subscription: -32601', cocoOnly, async () => {
    assert.equal((await ask('eth_subscribe', 'newHeads')).error.code, -32601);
  });

  it('keeps its subscriptions apart from those of another', async () => {
    const other = await new Connection().open();
    const subscription = await connection.call('eth_subscribe', 'newHeads');
    await receiptOf(await send());
    await connection.told(subscription);
    await other.call('eth_chainId');
    assert.equal(other.unread, 0);
    assert.notEqual((await other.ask('eth_unsubscribe', subscription)).result, true);
    other.close();
    await connection.call('eth_unsubscribe', subscription);
  });
});
