import { http } from '../../network.mjs';

/** POSTs a body as it is: {status, body} with the body parsed, or null when it is empty. */
export async function post(text, headers = {}) {
  const response = await fetch(http, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: text,
  });
  const answer = await response.text();
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

/** Asks until the answer is there. */
export async function until(question) {
  for (;;) {
    const answer = await question();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export const receiptOf = (hash) => until(() => call('eth_getTransactionReceipt', hash));
export const hex = (number) => `0x${number.toString(16)}`;
