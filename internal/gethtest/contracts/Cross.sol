// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "./Swap.sol";

/// A pool in the manner of Uniswap V3: it pays, and is then paid through a callback. Two for three, in either direction.
contract EagerPool {
    IERC20 public immutable token0;
    IERC20 public immutable token1;

    constructor(IERC20 a, IERC20 b) { (token0, token1) = (a, b); }

    function swap(address to, bool zeroForOne, uint256 amount, bytes calldata data) external returns (uint256 out) {
        (IERC20 given, IERC20 got) = zeroForOne ? (token0, token1) : (token1, token0);
        out = amount * 2 / 3;
        uint256 before = given.balanceOf(address(this));
        got.transfer(to, out);
        EagerRouter(msg.sender).pay(given, amount, data);
        require(given.balanceOf(address(this)) >= before + amount);
    }
}

/// Swaps with an EagerPool for whoever calls, after a fee of 1/100 that is taken from what goes in.
contract EagerRouter {
    address public immutable taker;

    constructor(address t) { taker = t; }

    function swap(EagerPool pool, IERC20 token, uint256 amount, address to) external {
        uint256 fee = amount / 100;
        if (taker != address(0) && fee > 0) token.transferFrom(msg.sender, taker, fee);
        else fee = 0;
        pool.swap(to, token == pool.token0(), amount - fee, abi.encode(msg.sender));
    }

    function pay(IERC20 token, uint256 amount, bytes calldata data) external {
        token.transferFrom(abi.decode(data, (address)), msg.sender, amount);
    }
}

/// Takes a token here and pays one there. Who keeps it pays out, less a fee, what another's deposit says.
contract Gate {
    event Left(bytes32 id, address sender, address receiver, address token, uint256 amount, uint64 toChain);
    event Arrived(bytes32 id, address receiver, address token, uint256 amount, uint64 fromChain);

    address public immutable keeper = msg.sender;
    uint256 public count;

    function deposit(IERC20 token, uint256 amount, uint64 toChain, address receiver) external {
        token.transferFrom(msg.sender, address(this), amount);
        bytes32 id = keccak256(abi.encode(block.chainid, address(this), count++));
        emit Left(id, msg.sender, receiver, address(token), amount, toChain);
    }

    function payOut(bytes32 id, IERC20 token, uint256 amount, uint64 fromChain, address receiver) external {
        require(msg.sender == keeper);
        token.transfer(receiver, amount);
        emit Arrived(id, receiver, address(token), amount, fromChain);
    }
}
