// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

interface ITransferable {
    function transferFrom(address from, address to, uint256 value) external returns (bool);
}

/// Gives many accounts the same in one transaction.
contract Distributor {
    error PaymentFailed(address to);

    /// Splits the transaction's value evenly.
    function pay(address[] calldata to) external payable {
        uint256 share = msg.value / to.length;
        for (uint256 i = 0; i < to.length; i++) {
            (bool paid, ) = to[i].call{value: share}("");
            if (!paid) revert PaymentFailed(to[i]);
        }
    }

    /// Gives each some of a token, out of what the caller allowed.
    function give(ITransferable token, address[] calldata to, uint256 amount) external {
        for (uint256 i = 0; i < to.length; i++) {
            if (!token.transferFrom(msg.sender, to[i], amount)) revert PaymentFailed(to[i]);
        }
    }
}
