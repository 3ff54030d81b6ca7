import { http, within } from '../../network.mjs';

/** POSTs a body as it is: {status, body} with the body parsed, or null when it is empty. */
export async function post(text, headers = {}) {
  const asked = fetch(http, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: text,
  });
  const response = await within(asked, 'an answer');
  const answer = await within(response.text(), 'the rest of an answer');
  let body = null;
  try {
    body = answer === '' ? null : JSON.parse(answer);
  } catch {
    body = answer;
  }
  return { status: response.status, body };
}

export const request = (method, params = [], id = 1) => ({ jsonrpc: '2.0', id, method, params });

/** One call; the whole answer. */
export const ask = async (method, ...params) => (await post(JSON.stringify(request(method, params)))).body;

/** One call that must succeed; its result. */
export async function call(method, ...params) {
  const { result, error } = await ask(method, ...params);
  if (error) throw new Error(`${method}: ${error.code} ${error.message}`);
  return result;
}

export async function receiptOf(hash) {
  for (let i = 0; i < 1_000; i++) {
    const receipt = await call('eth_getTransactionReceipt', hash);
    if (receipt) return receipt;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`no receipt for ${hash}`);
}

export const hex = (number) => `0x${number.toString(16)}`;
