import { after } from 'node:test';
import { createPublicClient, createWalletClient, defineChain, http, parseEther, webSocket } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import * as network from '../../network.mjs';

export const chain = defineChain({
  id: network.chainId,
  name: 'network under test',
  nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
  rpcUrls: { default: { http: [network.http], webSocket: [network.ws] } },
});

const overHttp = http(network.http, { retryCount: 0 });
export const publicClient = createPublicClient({ chain, transport: overHttp, pollingInterval: 50, cacheTime: 0 });
/** Signs with the keys that the node holds. */
export const nodeWallet = createWalletClient({ chain, transport: overHttp, account: network.accounts[4].address });

/** Waits for one transaction as viem does, but not for its usual three minutes. */
export const receiptOf = (hash) => publicClient.waitForTransactionReceipt({ hash, timeout: 20_000 });

/**
 * Asks until the receipt is there. viem's own wait looks again only when there is a new block and may miss the last one
 * while it looks (as of 2.57), so that a crowd of transactions on a chain without idle blocks needs this.
 */
export async function pollReceipt(hash) {
  for (let i = 0; i < 400; i++) {
    const receipt = await publicClient.request({ method: 'eth_getTransactionReceipt', params: [hash] });
    if (receipt) return publicClient.getTransactionReceipt({ hash });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no receipt for ${hash}`);
}

/** A client over its own WebSocket, closed when the file's tests end. */
export function socketClient() {
  const client = createPublicClient({ chain, transport: webSocket(network.ws, { reconnect: false, keepAlive: false }), cacheTime: 0 });
  after(async () => (await client.transport.getRpcClient()).close());
  return client;
}

/** A wallet that signs here, with a new account and some ether. */
export async function freshWallet(ether = '1') {
  const account = privateKeyToAccount(generatePrivateKey());
  const funder = privateKeyToAccount(network.accounts[5].private_key);
  const hash = await createWalletClient({ chain, transport: overHttp, account: funder }).sendTransaction({
    to: account.address,
    value: parseEther(ether),
  });
  await receiptOf(hash);
  return createWalletClient({ chain, transport: overHttp, account });
}

export async function deploy(wallet, name, args) {
  const { abi, bytecode } = network.artifact(name);
  const hash = await wallet.deployContract({ abi, bytecode, args });
  const { contractAddress } = await receiptOf(hash);
  return { abi, address: contractAddress };
}
