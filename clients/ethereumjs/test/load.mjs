// A mixed load, signed with ethereumjs: every transaction type, a creation, logs and a revert.

import { createTx } from '@ethereumjs/tx';
import { bytesToHex, createAddressFromPrivateKey, eoaCode7702SignAuthorization, hexToBytes } from '@ethereumjs/util';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { accounts, artifact, chainId } from '../../network.mjs';
import { call, hex, receiptOf, rulesFor } from './chain.mjs';

const key = hexToBytes(accounts[6].private_key);
const sender = accounts[6].address;
const other = `0x${'7e'.repeat(20)}`;
const word = (n) => BigInt(n).toString(16).padStart(64, '0');

/** Sends it and gives the receipts, of which some share a block where the node packs them so. */
export async function mixedLoad() {
  const head = await call('eth_getBlockByNumber', 'latest', false);
  const common = rulesFor(head);
  let nonce = Number(await call('eth_getTransactionCount', sender, 'latest'));
  const gasPrice = hex(2n * BigInt(head.baseFeePerGas) + 1_000_000_000n);
  const fees = { maxFeePerGas: gasPrice, maxPriorityFeePerGas: hex(1_000_000_000) };

  const send = async (fields) => {
    const unsigned = { chainId, nonce: nonce++, gasLimit: 1_000_000, value: 0, ...(fields.type < 2 ? { gasPrice } : fees), ...fields };
    const transaction = createTx(unsigned, { common }).sign(key);
    return call('eth_sendRawTransaction', bytesToHex(transaction.serialize()));
  };

  const creation = await send({ type: 2, data: `${artifact('Notebook').bytecode}${word(32)}${word(0)}` });
  const notebook = (await receiptOf(creation)).contractAddress;
  const writing = `0xe452ffa8${word(nonce)}${word(1)}${word(96)}${word(0)}`;
  // writeMany([1, 2, 3], 5)
  const writingMany = `0x${selectorOf('writeMany')}${word(64)}${word(5)}${word(3)}${word(1)}${word(2)}${word(3)}`;

  // The authority is an account of its own, so that its nonce is 0.
  const authority = crypto.getRandomValues(new Uint8Array(32));
  const authorization = eoaCode7702SignAuthorization({ chainId: hex(chainId), address: notebook, nonce: '0x0' }, authority);

  const hashes = [creation, ...await Promise.all([
    send({ type: 0, to: other, value: 1, gasLimit: 21_000 }),
    send({ type: 1, to: notebook, data: '0xd09de08a', accessList: [{ address: notebook, storageKeys: [`0x${word(0)}`] }] }),
    send({ type: 2, to: notebook, data: writing }),
    send({ type: 2, to: notebook, data: writingMany }),
    send({ type: 2, to: notebook, data: `0x${selectorOf('failWithReason')}` }),
    send({ type: 4, to: other, value: 1, authorizationList: [authorization] }),
  ])];
  const receipts = [];
  for (const hash of hashes) receipts.push(await receiptOf(hash));
  return { receipts, notebook, authority: createAddressFromPrivateKey(authority).toString(), sender };
}

/** The first four bytes of a Notebook function's hash, by its signature in the ABI. */
function selectorOf(name) {
  const { inputs } = artifact('Notebook').abi.find((item) => item.name === name);
  return bytesToHex(keccak_256(utf8ToBytes(`${name}(${inputs.map((input) => input.type).join(',')})`))).slice(2, 10);
}
