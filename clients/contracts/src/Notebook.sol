// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// Storage of several shapes, events, and every way to fail.
contract Notebook {
    uint256 public counter; // slot 0
    address public owner; // slot 1
    mapping(bytes32 => uint256) public entries; // slot 2
    string public title; // slot 3

    event Written(address indexed author, bytes32 indexed key, uint256 value, string note);
    event Received(address indexed from, uint256 amount);

    error NotOwner(address caller, address owner);
    error Empty();

    constructor(string memory title_) payable {
        owner = msg.sender;
        title = title_;
    }

    receive() external payable {
        emit Received(msg.sender, msg.value);
    }

    function increment() external returns (uint256) {
        counter += 1;
        return counter;
    }

    function write(bytes32 key, uint256 value, string calldata note) external {
        entries[key] = value;
        emit Written(msg.sender, key, value, note);
    }

    function writeMany(bytes32[] calldata keys, uint256 value) external {
        for (uint256 i = 0; i < keys.length; i++) {
            entries[keys[i]] = value;
            emit Written(msg.sender, keys[i], value, "many");
        }
    }

    function sweep(address payable to) external {
        if (msg.sender != owner) revert NotOwner(msg.sender, owner);
        (bool sent, ) = to.call{value: address(this).balance}("");
        require(sent, "sweep: not accepted");
    }

    function failWithReason() external pure {
        revert("a reason");
    }

    function failWithCustomError() external view {
        revert NotOwner(msg.sender, owner);
    }

    function failWithBareError() external pure {
        revert Empty();
    }

    function failWithPanic(uint256 divisor) external pure returns (uint256) {
        return 1 / divisor;
    }

    function failWithNothing() external pure {
        assembly {
            revert(0, 0)
        }
    }

    function failWithInvalidOpcode() external pure {
        assembly {
            invalid()
        }
    }

    function failWithOutOfGas() external pure {
        uint256 n;
        while (true) {
            unchecked {
                n++;
            }
        }
    }

    /// What the contract sees of the block it runs in.
    function surroundings()
        external
        view
        returns (uint256 chain, uint256 number, uint256 time, uint256 gasLimit, uint256 baseFee, uint256 random)
    {
        return (block.chainid, block.number, block.timestamp, block.gaslimit, block.basefee, block.prevrandao);
    }

    function hashOf(uint256 number) external view returns (bytes32) {
        return blockhash(number);
    }
}
