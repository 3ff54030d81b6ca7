// Fees are off as they are in Coco, and blocks may be as large as they want. One account pays for all that the load prepares.

const mine = process.env.PEERS_MINE;

module.exports = {
  solidity: '0.8.28',
  networks: {
    hardhat: {
      chainId: 1337,
      initialBaseFeePerGas: 0,
      gasPrice: 0,
      blockGasLimit: 1_000_000_000_000,
      accounts: [{ privateKey: process.env.PEERS_KEY, balance: `1${'0'.repeat(30)}` }],
      mining: { auto: mine === 'auto', interval: mine === 'auto' ? 0 : Number(mine), mempool: { order: 'fifo' } },
      loggingEnabled: false,
    },
  },
};
