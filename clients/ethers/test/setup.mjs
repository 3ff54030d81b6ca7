import { after } from 'node:test';
import { ContractFactory, JsonRpcProvider, Wallet, parseEther } from 'ethers';
import { accounts, artifact, chainId, http } from '../../network.mjs';

/** A provider that asks the node each time (no cache), polls fast and is closed when the file's tests end. */
export function connect() {
  const provider = new JsonRpcProvider(http, chainId, { staticNetwork: true, cacheTimeout: -1, polling: true });
  provider.pollingInterval = 50;
  after(() => provider.destroy());
  return provider;
}

/** One of the network's funded accounts, signing here. */
export const funded = (provider, index) => new Wallet(accounts[index].private_key, provider);

/** A new account with some ether, so that a test knows its nonce and balance whatever ran before. */
export async function freshAccount(provider, ether = '1') {
  const wallet = new Wallet(Wallet.createRandom().privateKey, provider);
  const sent = await funded(provider, 0).sendTransaction({ to: wallet.address, value: parseEther(ether) });
  await sent.wait();
  return wallet;
}

/**
 * Asks until the receipt is there. `wait()` looks when there is a new block; of a crowd of transactions whose last block
 * comes while it begins to listen, it may wait for a block that a chain without idle blocks does not make.
 */
export async function pollReceipt(provider, { hash }) {
  for (let i = 0; i < 400; i++) {
    const receipt = await provider.getTransactionReceipt(hash);
    if (receipt) return receipt;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no receipt for ${hash}`);
}

export async function deploy(signer, name, args = [], overrides = {}) {
  const { abi, bytecode } = artifact(name);
  const contract = await new ContractFactory(abi, bytecode, signer).deploy(...args, overrides);
  return contract.waitForDeployment();
}
