const { expect } = require('chai');
const { ethers } = require('hardhat');
const { cocoOnly, deploy, done, mined } = require('./setup');

describe('Deeds, an ERC-721', () => {
  let deeds, registrar, holder, buyer;

  before(async () => {
    [registrar, holder, buyer] = await ethers.getSigners();
    deeds = await deploy('Deeds', registrar.address);
  });

  it('are issued by the registrar alone', async () => {
    await expect(mined(deeds.issue(holder, 'deed:one')))
      .to.emit(deeds, 'Transfer').withArgs(ethers.ZeroAddress, holder.address, 1);
    expect(await deeds.ownerOf(1)).to.equal(holder.address);
    expect(await deeds.balanceOf(holder)).to.equal(1);
    expect(await deeds.tokenURI(1)).to.equal('deed:one');
    await expect(deeds.connect(holder).issue(holder, 'mine'))
      .to.be.revertedWithCustomError(deeds, 'OwnableUnauthorizedAccount').withArgs(holder.address);
  });

  cocoOnly('are in a block when the node has answered: a matcher finds the receipt at once', async () => {
    for (let i = 0; i < 10; i++) await expect(deeds.issue(holder, `deed:${i}`)).to.emit(deeds, 'Transfer');
  });

  it('say which interfaces they have', async () => {
    expect(await deeds.supportsInterface('0x80ac58cd')).to.equal(true);
    expect(await deeds.supportsInterface('0xffffffff')).to.equal(false);
  });

  it('pass on with approval', async () => {
    await expect(deeds.connect(buyer).transferFrom(holder, buyer, 1))
      .to.be.revertedWithCustomError(deeds, 'ERC721InsufficientApproval').withArgs(buyer.address, 1);
    await done(deeds.connect(holder).approve(buyer, 1));
    await expect(mined(deeds.connect(buyer)['safeTransferFrom(address,address,uint256)'](holder, buyer, 1)))
      .to.emit(deeds, 'Transfer').withArgs(holder.address, buyer.address, 1);
    expect(await deeds.ownerOf(1)).to.equal(buyer.address);
  });

  it('do not go to a contract that cannot hold them', async () => {
    await expect(deeds.issue(await deeds.getAddress(), 'lost'))
      .to.be.revertedWithCustomError(deeds, 'ERC721InvalidReceiver').withArgs(await deeds.getAddress());
    await expect(deeds.ownerOf(99)).to.be.revertedWithCustomError(deeds, 'ERC721NonexistentToken').withArgs(99);
  });
});
