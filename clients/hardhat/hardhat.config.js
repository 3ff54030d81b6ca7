// The network under test is the one that COCO_NETWORK_FILE describes (see ../README.md).
// The compiler is solc from npm, so nothing is downloaded besides packages.

const { readFileSync } = require('node:fs');
const { subtask } = require('hardhat/config');
const { TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD } = require('hardhat/builtin-tasks/task-names');
require('@nomicfoundation/hardhat-ethers');
require('@nomicfoundation/hardhat-chai-matchers');

const solc = require('solc/package.json').version;

subtask(TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD, async () => ({
  compilerPath: require.resolve('solc/soljson.js'),
  isSolcJs: true,
  version: solc,
  longVersion: require('solc').version(),
}));

const file = process.env.COCO_NETWORK_FILE;
const described = file ? JSON.parse(readFileSync(file, 'utf8')) : undefined;

module.exports = {
  solidity: {
    version: solc,
    settings: { evmVersion: 'cancun', optimizer: { enabled: true, runs: 200 } },
  },
  networks: described && {
    coco: {
      url: process.env.COCO_ETHEREUM_HTTP ?? described.ethereum.http,
      chainId: Number(described.chain_id),
      accounts: described.accounts.map((account) => account.private_key),
      timeout: 60_000,
    },
  },
  mocha: { timeout: 60_000 },
};
