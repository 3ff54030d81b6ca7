const { ethers } = require('hardhat');

/** A transaction that was sent, waited for until it is in a block. */
const done = async (sending) => (await sending).wait();

/** The same for a matcher that looks at the transaction: by then its receipt is there, on any node. */
async function mined(sending) {
  const transaction = await sending;
  await transaction.wait();
  return transaction;
}

async function deploy(name, ...args) {
  const contract = await ethers.deployContract(name, args);
  return contract.waitForDeployment();
}

/** Makes blocks until one has that number: each transaction of its own makes at least the next. */
async function reachBlock(number) {
  const [signer] = await ethers.getSigners();
  while ((await ethers.provider.getBlockNumber()) < number) {
    await done(signer.sendTransaction({ to: signer.address }));
  }
}

/** Says that a test is about what only Coco promises. */
const cocoOnly = process.env.COCO_FOREIGN_NODE === '1' ? it.skip : it;

module.exports = { cocoOnly, deploy, done, mined, reachBlock };
