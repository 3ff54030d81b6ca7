// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

interface IToken {
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 value) external returns (bool);
    function transferFrom(address from, address to, uint256 value) external returns (bool);
}

/// Two tokens that are exchanged for each other: the product of both reserves never falls, and 0.3 % of what comes in stays.
/// What is provided stays too: there are no shares, since nobody takes part in a benchmark for profit.
contract Pair {
    IToken public immutable token0;
    IToken public immutable token1;

    // One slot, as in the pairs that people know.
    uint112 private reserve0;
    uint112 private reserve1;
    bool private entered;

    event Sync(uint112 reserve0, uint112 reserve1);
    event Swap(
        address indexed sender,
        uint256 amount0In,
        uint256 amount1In,
        uint256 amount0Out,
        uint256 amount1Out,
        address indexed to
    );

    error Entered();
    error TransferFailed();
    error TooLittle(uint256 amountOut, uint256 amountOutMin);
    error ProductFell();
    error Overflow();

    modifier once() {
        if (entered) revert Entered();
        entered = true;
        _;
        entered = false;
    }

    constructor(IToken token0_, IToken token1_) {
        token0 = token0_;
        token1 = token1_;
    }

    function getReserves() external view returns (uint112, uint112) {
        return (reserve0, reserve1);
    }

    /// Adds to both reserves.
    function provide(uint256 amount0, uint256 amount1) external once {
        pull(token0, amount0);
        pull(token1, amount1);
        update(token0.balanceOf(address(this)), token1.balanceOf(address(this)));
    }

    /// Takes `amountIn` of one token from the caller and gives the other to `to`.
    function swap(bool zeroForOne, uint256 amountIn, uint256 amountOutMin, address to) external once returns (uint256) {
        (uint256 before0, uint256 before1) = (reserve0, reserve1);
        (uint256 reserveIn, uint256 reserveOut) = zeroForOne ? (before0, before1) : (before1, before0);
        uint256 afterFee = amountIn * 997;
        uint256 amountOut = (afterFee * reserveOut) / (reserveIn * 1000 + afterFee);
        if (amountOut < amountOutMin) revert TooLittle(amountOut, amountOutMin);

        pull(zeroForOne ? token0 : token1, amountIn);
        if (!(zeroForOne ? token1 : token0).transfer(to, amountOut)) revert TransferFailed();

        // Believe the tokens and not the arithmetic: some take a fee of their own.
        (uint256 after0, uint256 after1) = (token0.balanceOf(address(this)), token1.balanceOf(address(this)));
        if (after0 * after1 < before0 * before1) revert ProductFell();
        update(after0, after1);
        if (zeroForOne) emit Swap(msg.sender, amountIn, 0, 0, amountOut, to);
        else emit Swap(msg.sender, 0, amountIn, amountOut, 0, to);
        return amountOut;
    }

    function pull(IToken token, uint256 amount) private {
        if (!token.transferFrom(msg.sender, address(this), amount)) revert TransferFailed();
    }

    function update(uint256 balance0, uint256 balance1) private {
        if (balance0 > type(uint112).max || balance1 > type(uint112).max) revert Overflow();
        reserve0 = uint112(balance0);
        reserve1 = uint112(balance1);
        emit Sync(reserve0, reserve1);
    }
}
