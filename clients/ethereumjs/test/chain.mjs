// The network's blocks as an auditor reads them: plain JSON-RPC, and ethereumjs to compute with.

import { Hardfork, Mainnet, createCustomCommon } from '@ethereumjs/common';
import { chainId, http } from '../../network.mjs';

export async function call(method, ...params) {
  const response = await fetch(http, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  const { result, error } = await response.json();
  if (error) throw new Error(`${method}: ${error.code} ${error.message}`);
  return result;
}

/** Rules for reading a block with such a header: each fork added members. */
export function rulesFor(header) {
  const hardfork = header.requestsHash ? Hardfork.Osaka
    : header.parentBeaconBlockRoot ? Hardfork.Cancun
      : header.withdrawalsRoot ? Hardfork.Shanghai
        : header.baseFeePerGas ? Hardfork.London : Hardfork.Berlin;
  return createCustomCommon({ chainId }, Mainnet, { hardfork });
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
