// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721URIStorage} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721URIStorage.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// An ERC-721 that its owner issues.
contract Deeds is ERC721URIStorage, Ownable {
    uint256 public issued;

    constructor(address registrar) ERC721("Deeds", "DEED") Ownable(registrar) {}

    function issue(address to, string calldata uri) external onlyOwner returns (uint256 id) {
        id = ++issued;
        _safeMint(to, id);
        _setTokenURI(id, uri);
    }
}
