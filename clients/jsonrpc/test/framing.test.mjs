// The JSON-RPC 2.0 frame and HTTP around it, byte by byte.

import assert from 'node:assert/strict';
import { request as startRequest } from 'node:http';
import { describe, it } from 'node:test';
import { cocoOnly, http, within } from '../../network.mjs';
import { ask, post, request } from './wire.mjs';

const version = JSON.stringify(request('web3_clientVersion'));

describe('a request', () => {
  it('is answered under its own id, of any kind', async () => {
    for (const id of [0, 1, -7, 'seven', '', 9007199254740991, null]) {
      const { body } = await post(JSON.stringify(request('eth_chainId', [], id)));
      assert.equal(body.jsonrpc, '2.0');
      assert.equal(body.id, id);
      assert.match(body.result, /^0x[0-9a-f]+$/);
    }
  });

  it('may leave out parameters, in three ways', async () => {
    const ways = ['', ',"params":null', ',"params":[]'];
    for (const way of ways) {
      const { body } = await post(`{"jsonrpc":"2.0","id":1,"method":"eth_chainId"${way}}`);
      assert.ok(body.result, way);
    }
  });

  it('that is no JSON: -32700', cocoOnly, async () => {
    for (const text of ['{', '{"jsonrpc":"2.0"', 'hello', '[1,', '{"a":}', '\u0000']) {
      const { body } = await post(text);
      assert.equal(body.error.code, -32700, text);
      assert.equal(body.id, null);
    }
  });

  it('that is JSON but no request: -32600', cocoOnly, async () => {
    for (const text of ['1', 'null', '"text"', 'true', '{}', '{"id":1}', '{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}',
      '{"id":1,"method":"eth_chainId"}', '{"jsonrpc":"2.0","id":[],"method":"eth_chainId"}', '{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}',
      '{"jsonrpc":"2.0","id":1,"method":7}']) {
      const { body } = await post(text);
      assert.equal(body.error.code, -32600, text);
    }
    assert.equal((await post('{"id":1}')).body.id, 1);
  });

  it('nested too deep is refused and does no harm', async () => {
    for (const deep of ['['.repeat(100_000), `{"jsonrpc":"2.0","id":1,"method":"eth_call","params":${'['.repeat(10_000)}${']'.repeat(10_000)}}`]) {
      const { body } = await post(deep);
      assert.ok(body.error.code <= -32600);
    }
    assert.ok((await post(version)).body.result);
  });

  it('for an unknown method: -32601', async () => {
    for (const method of ['eth_noSuchMethod', 'nonsense', 'engine_newPayloadV4', 'miner_start']) {
      const { error } = await ask(method);
      assert.equal(error.code, -32601, method);
    }
  });

  it('says which method does not exist', cocoOnly, async () => {
    const { error } = await ask('eth_noSuchMethod');
    assert.equal(error.message, 'the method eth_noSuchMethod does not exist/is not available');
  });

  it('without an id is a notification: no answer', cocoOnly, async () => {
    const { status, body } = await post('{"jsonrpc":"2.0","method":"eth_chainId"}');
    assert.equal(status, 200);
    assert.equal(body, null);
  });
});

describe('parameters', () => {
  const address = `0x${'11'.repeat(20)}`;
  const wrong = [
    ['eth_getBalance'],
    ['eth_getBalance', '0x12', 'latest'],
    ['eth_getBalance', address.slice(2) + 'zz', 'latest'],
    ['eth_getBalance', 17, 'latest'],
    ['eth_getBalance', address, 'newest'],
    ['eth_getBalance', address, '12'],
    ['eth_getBlockByNumber', 'latest', 'yes'],
    ['eth_getBlockByHash', '0x1234', false],
    ['eth_getTransactionByHash', 'hash'],
    ['eth_getStorageAt', address, 'zz', 'latest'],
    ['eth_call', 'none', 'latest'],
    ['eth_call', { to: '0x12' }, 'latest'],
    ['eth_sendRawTransaction'],
    ['eth_sendRawTransaction', 'zz'],
    ['eth_getLogs', { address: 'here' }],
    ['eth_feeHistory', '0x1', 'latest', 'none'],
    ['web3_sha3', 'text'],
  ];
  for (const [method, ...params] of wrong) {
    it(`that are wrong are -32602: ${method} ${JSON.stringify(params)}`.slice(0, 110), async () => {
      const { error } = await ask(method, ...params);
      assert.equal(error?.code, -32602, error?.message);
    });
  }

  it('with a storage key over 32 bytes are -32602', cocoOnly, async () => {
    assert.equal((await ask('eth_getStorageAt', address, `0x${'00'.repeat(33)}`, 'latest')).error?.code, -32602);
  });

  it('by name are -32602', cocoOnly, async () => {
    const { body } = await post(JSON.stringify({ ...request('eth_chainId'), params: { a: 1 } }));
    assert.equal(body.error.code, -32602);
  });

  it('that are too many are -32602', cocoOnly, async () => {
    assert.equal((await ask('eth_chainId', 1)).error.code, -32602);
  });
});

describe('a batch', () => {
  it('is answered in order', async () => {
    const ids = Array.from({ length: 100 }, (_, id) => id);
    const { body } = await post(JSON.stringify(ids.map((id) => request('eth_blockNumber', [], id))));
    assert.deepEqual(body.map((answer) => answer.id), ids);
    assert.ok(body.every((answer) => answer.result));
  });

  it('answers good and bad requests side by side', async () => {
    const { body } = await post(JSON.stringify([
      request('eth_chainId', [], 'a'), request('eth_noSuchMethod', [], 'b'), request('eth_getBalance', ['0x12'], 'c'),
    ]));
    assert.deepEqual(body.map((answer) => answer.id), ['a', 'b', 'c']);
    assert.deepEqual(body.map((answer) => answer.error?.code), [undefined, -32601, -32602]);
  });

  it('that is empty: one error -32600', cocoOnly, async () => {
    const { body } = await post('[]');
    assert.equal(body.error.code, -32600);
    assert.equal(body.id, null);
  });

  it('of junk: an error for each', cocoOnly, async () => {
    const { body } = await post('[1, "x", {"jsonrpc":"2.0","id":5,"method":"eth_chainId"}]');
    assert.deepEqual(body.map((answer) => answer.error?.code), [-32600, -32600, undefined]);
    assert.equal(body[2].id, 5);
  });

  it('of notifications alone has no answer; among requests they are left out', cocoOnly, async () => {
    const silent = { jsonrpc: '2.0', method: 'eth_chainId' };
    assert.equal((await post(JSON.stringify([silent, silent]))).body, null);
    const { body } = await post(JSON.stringify([silent, request('eth_chainId', [], 3), silent]));
    assert.deepEqual(body.map((answer) => answer.id), [3]);
  });

  it('of 1,001 requests is refused', cocoOnly, async () => {
    const { body } = await post(JSON.stringify(Array.from({ length: 1_001 }, (_, id) => request('eth_chainId', [], id))));
    const first = Array.isArray(body) ? body[0] : body;
    assert.equal(first.error.code, -32600);
  });
});

describe('HTTP', () => {
  it('a body above the limit: 413, said before it is sent, and the next request is answered', cocoOnly, async () => {
    const status = await within(
      new Promise((resolve, reject) => {
        const headers = { 'content-type': 'application/json', 'content-length': 6 * 1024 * 1024 };
        const asking = startRequest(http, { method: 'POST', headers }, (response) => {
          resolve(response.statusCode);
          asking.destroy();
        });
        asking.on('error', reject);
        asking.flushHeaders();
      }),
      'the refusal',
    );
    assert.equal(status, 413);
    assert.ok((await post(version)).body.result);
  });

  it('a body of 4 MiB is read', cocoOnly, async () => {
    const { body } = await post(JSON.stringify(request('web3_sha3', [`0x${'00'.repeat(2 * 1024 * 1024)}`])));
    assert.match(body.result, /^0x[0-9a-f]{64}$/);
  });

  it('another content type: 415', cocoOnly, async () => {
    const { status } = await post(version, { 'content-type': 'text/plain' });
    assert.equal(status, 415);
  });

  it('a character set after the content type is no other type', async () => {
    assert.ok((await post(version, { 'content-type': 'application/json; charset=utf-8' })).body.result);
  });

  it('another verb: 405', async () => {
    for (const method of ['PUT', 'DELETE']) assert.equal((await fetch(http, { method })).status, 405);
  });

  it('a plain GET: 200', cocoOnly, async () => {
    assert.equal((await fetch(http)).status, 200);
  });

  it('a page of another origin may ask (CORS)', async () => {
    const headers = { origin: 'http://example.org', 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' };
    const { headers: allowed, status } = await fetch(http, { method: 'OPTIONS', headers });
    assert.ok(status < 300);
    assert.ok(['*', 'http://example.org'].includes(allowed.get('access-control-allow-origin')));
    const answer = await fetch(http, { method: 'POST', body: version, headers: { 'content-type': 'application/json', origin: 'http://example.org' } });
    assert.ok(['*', 'http://example.org'].includes(answer.headers.get('access-control-allow-origin')));
  });
});
