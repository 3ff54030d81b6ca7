const { expect } = require('chai');
const { ethers, network } = require('hardhat');
const { deploy, done, mined } = require('./setup');

describe('Shares, an ERC-20', () => {
  let shares, owner, friend, spender;

  beforeEach(async () => {
    [owner, friend, spender] = await ethers.getSigners();
    shares = await deploy('Shares', 1_000);
  });

  it('starts with all in its owner\'s hands', async () => {
    expect(await shares.totalSupply()).to.equal(1_000);
    expect(await shares.balanceOf(owner)).to.equal(1_000);
    expect(await shares.decimals()).to.equal(18);
    expect(await shares.symbol()).to.equal('SHARE');
  });

  it('moves, and says so', async () => {
    await expect(mined(shares.transfer(friend, 60)))
      .to.emit(shares, 'Transfer').withArgs(owner.address, friend.address, 60);
    await expect(mined(shares.connect(friend).transfer(owner, 10)))
      .to.changeTokenBalances(shares, [friend, owner], [-10, 10]);
  });

  it('refuses to move more than there is', async () => {
    await expect(shares.connect(friend).transfer(owner, 1))
      .to.be.revertedWithCustomError(shares, 'ERC20InsufficientBalance').withArgs(friend.address, 0, 1);
    await expect(shares.transfer(ethers.ZeroAddress, 1))
      .to.be.revertedWithCustomError(shares, 'ERC20InvalidReceiver').withArgs(ethers.ZeroAddress);
  });

  it('is spent by whom the owner allows', async () => {
    await expect(mined(shares.approve(spender, 100))).to.emit(shares, 'Approval').withArgs(owner.address, spender.address, 100);
    await done(shares.connect(spender).transferFrom(owner, friend, 70));
    expect(await shares.allowance(owner, spender)).to.equal(30);
    await expect(shares.connect(spender).transferFrom(owner, friend, 31))
      .to.be.revertedWithCustomError(shares, 'ERC20InsufficientAllowance').withArgs(spender.address, 30, 31);
  });

  it('takes a signed allowance (ERC-2612)', async () => {
    const domain = {
      name: 'Cooperative Shares', version: '1', chainId: network.config.chainId, verifyingContract: await shares.getAddress(),
    };
    const types = {
      Permit: ['owner address', 'spender address', 'value uint256', 'nonce uint256', 'deadline uint256']
        .map((field) => field.split(' ')).map(([name, type]) => ({ name, type })),
    };
    const message = { owner: owner.address, spender: spender.address, value: 5, nonce: 0, deadline: ethers.MaxUint256 };
    const { v, r, s } = ethers.Signature.from(await owner.signTypedData(domain, types, message));
    await done(shares.connect(spender).permit(owner, spender, 5, ethers.MaxUint256, v, r, s));
    expect(await shares.allowance(owner, spender)).to.equal(5);
    await expect(shares.connect(spender).permit(owner, spender, 5, ethers.MaxUint256, v, r, s))
      .to.be.revertedWithCustomError(shares, 'ERC2612InvalidSigner');
  });

  it('counts votes of delegates, in the past too', async () => {
    const { blockNumber } = await done(shares.delegate(owner));
    await done(shares.transfer(friend, 400));
    expect(await shares.getVotes(owner)).to.equal(600);
    expect(await shares.getPastVotes(owner, blockNumber)).to.equal(1_000);
    await expect(mined(shares.connect(friend).delegate(friend)))
      .to.emit(shares, 'DelegateVotesChanged').withArgs(friend.address, 0, 400);
  });

  it('takes no ether', async () => {
    await expect(() => owner.sendTransaction({ to: friend, value: 9 })).to.changeEtherBalances([owner, friend], [-9, 9]);
    await expect(owner.sendTransaction({ to: await shares.getAddress(), value: 1 })).to.be.revertedWithoutReason();
  });
});
