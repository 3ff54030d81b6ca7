const { expect } = require('chai');
const { ethers } = require('hardhat');
const { deploy, done, mined, reachBlock } = require('./setup');

const state = { pending: 0, active: 1, defeated: 3, succeeded: 4, executed: 7 };
const vote = { against: 0, for: 1 };

describe('Board, a governor', () => {
  let shares, board, members, treasurer;

  before(async () => {
    [treasurer, ...members] = (await ethers.getSigners()).slice(0, 4);
    shares = await deploy('Shares', 1_000);
    board = await deploy('Board', await shares.getAddress());
    for (const [index, votes] of [300, 300, 100].entries()) {
      await done(shares.transfer(members[index], votes));
      await done(shares.connect(members[index]).delegate(members[index]));
    }
    await done(shares.transfer(await board.getAddress(), 200));
  });

  /** Proposes to pay shares out of the board's own; the arguments that queue and execute take again. */
  async function propose(to, amount, description) {
    const calldata = shares.interface.encodeFunctionData('transfer', [to.address, amount]);
    const proposal = [[await shares.getAddress()], [0], [calldata]];
    const id = await board.getProposalId(...proposal, ethers.id(description));
    await expect(mined(board.connect(members[0]).propose(...proposal, description))).to.emit(board, 'ProposalCreated');
    expect(await board.state(id)).to.equal(state.pending);
    await reachBlock(Number(await board.proposalSnapshot(id)) + 1);
    expect(await board.state(id)).to.equal(state.active);
    return { id, execution: [...proposal, ethers.id(description)] };
  }

  it('carries out what the majority wants', async () => {
    const { id, execution } = await propose(treasurer, 50, 'Pay the treasurer');
    await expect(mined(board.connect(members[0]).castVote(id, vote.for)))
      .to.emit(board, 'VoteCast').withArgs(members[0].address, id, vote.for, 300, '');
    await expect(board.connect(members[0]).castVote(id, vote.for))
      .to.be.revertedWithCustomError(board, 'GovernorAlreadyCastVote').withArgs(members[0].address);
    await done(board.connect(members[1]).castVoteWithReason(id, vote.for, 'earned'));
    await done(board.connect(members[2]).castVote(id, vote.against));

    await expect(board.execute(...execution)).to.be.revertedWithCustomError(board, 'GovernorUnexpectedProposalState');
    await reachBlock(Number(await board.proposalDeadline(id)) + 1);
    expect(await board.state(id)).to.equal(state.succeeded);
    expect(await board.proposalVotes(id)).to.deep.equal([100n, 600n, 0n]);

    const before = await shares.balanceOf(treasurer);
    await expect(mined(board.execute(...execution))).to.emit(board, 'ProposalExecuted').withArgs(id);
    expect(await shares.balanceOf(treasurer)).to.equal(before + 50n);
    expect(await board.state(id)).to.equal(state.executed);
  });

  it('drops what too few want', async () => {
    const { id, execution } = await propose(members[2], 200, 'Pay member three');
    await done(board.connect(members[2]).castVote(id, vote.for));
    await reachBlock(Number(await board.proposalDeadline(id)) + 1);
    expect(await board.state(id)).to.equal(state.defeated);
    await expect(board.execute(...execution)).to.be.revertedWithCustomError(board, 'GovernorUnexpectedProposalState');
  });
});
