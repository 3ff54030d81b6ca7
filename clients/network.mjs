// The network under test, as the JavaScript suites see it.
//
// COCO_NETWORK_FILE names the JSON file that `coco up --ready-file` writes;
// COCO_ETHEREUM_HTTP and COCO_ETHEREUM_WS point the same suite at another node of it.
// COCO_FOREIGN_NODE=1 says that the node is not Coco, and skips the tests of what only Coco promises.

import { readFileSync } from 'node:fs';

const file = process.env.COCO_NETWORK_FILE;
if (!file) throw new Error('COCO_NETWORK_FILE is not set: it must name the ready file of a running network');
const described = JSON.parse(readFileSync(file, 'utf8'));

export const http = process.env.COCO_ETHEREUM_HTTP ?? described.ethereum.http;
export const ws = process.env.COCO_ETHEREUM_WS ?? described.ethereum.ws;
export const chainId = Number(described.chain_id);
/** Ten funded accounts whose keys the node holds too: [{address, private_key}] */
export const accounts = described.accounts;
export const foreign = process.env.COCO_FOREIGN_NODE === '1';
/** The code of a refused transaction: geth's and Coco's is -32000; others follow the execution-apis draft. */
export const refusedCodes = foreign ? [-32000, -32003] : [-32000];
/** Test option for what only Coco promises. */
export const cocoOnly = { skip: foreign ? 'the node is not Coco' : false };

/** The compiled contract of that name: {abi, bytecode}. */
export function artifact(name) {
  return JSON.parse(readFileSync(new URL(`contracts/artifacts/${name}.json`, import.meta.url), 'utf8'));
}

/** The promise, given up after 20 s with a sentence on what was awaited, so that a silent node fails one test and by name. */
export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited 20 s in vain for ${what}`)), 20_000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
