// Compiles src/*.sol into artifacts/*.json, one file a contract: {contractName, abi, bytecode}.
// The artifacts are committed, so that a suite in any language can deploy without a compiler;
// `node build.mjs --check` says whether they still are what the sources compile to.

import { readFileSync, readdirSync, writeFileSync, existsSync } from 'node:fs';
import solc from 'solc';

const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');

const files = readdirSync(new URL('src', import.meta.url)).filter((name) => name.endsWith('.sol')).sort();
const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: 'Solidity',
      sources: Object.fromEntries(files.map((name) => [name, { content: read(`src/${name}`) }])),
      settings: {
        evmVersion: 'cancun',
        optimizer: { enabled: true, runs: 200 },
        metadata: { bytecodeHash: 'none', appendCBOR: false },
        outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
      },
    }),
  ),
);

const problems = (output.errors ?? []).map((error) => error.formattedMessage);
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}

let stale = 0;
for (const [file, contracts] of Object.entries(output.contracts)) {
  for (const [contractName, { abi, evm }] of Object.entries(contracts)) {
    // An interface: nothing to deploy.
    if (evm.bytecode.object === '') continue;
    const path = `artifacts/${contractName}.json`;
    const text = `${JSON.stringify({ contractName, source: file, abi, bytecode: `0x${evm.bytecode.object}` }, null, 1)}\n`;
    if (!process.argv.includes('--check')) {
      writeFileSync(new URL(path, import.meta.url), text);
      console.log(`wrote ${path}`);
    } else if (!existsSync(new URL(path, import.meta.url)) || read(path) !== text) {
      console.error(`${path} is not what src/${file} compiles to: run "npm run build"`);
      stale += 1;
    }
  }
}
process.exit(stale > 0 ? 1 : 0);
