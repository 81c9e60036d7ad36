// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

interface IERC20 {
    function balanceOf(address) external view returns (uint256);
    function transfer(address, uint256) external returns (bool);
    function transferFrom(address, address, uint256) external returns (bool);
}

interface IWrapped is IERC20 {
    function deposit() external payable;
    function withdraw(uint256) external;
}

/// A pool of two tokens in the manner of Uniswap V2: constant product, 0.3 % fee.
contract Pool {
    event Swap(address indexed sender, uint256 amount0In, uint256 amount1In, uint256 amount0Out, uint256 amount1Out, address indexed to);

    IERC20 public immutable token0;
    IERC20 public immutable token1;
    uint256 public reserve0;
    uint256 public reserve1;

    constructor(IERC20 a, IERC20 b) { (token0, token1) = (a, b); }

    /// Takes what was sent to it as its reserves.
    function sync() external {
        (reserve0, reserve1) = (token0.balanceOf(address(this)), token1.balanceOf(address(this)));
    }

    /// Pays out for what was sent to it since.
    function swap(address to) external returns (uint256 out) {
        uint256 in0 = token0.balanceOf(address(this)) - reserve0;
        uint256 in1 = token1.balanceOf(address(this)) - reserve1;
        if (in0 > 0) {
            out = (in0 * 997 * reserve1) / (reserve0 * 1000 + in0 * 997);
            token1.transfer(to, out);
            emit Swap(msg.sender, in0, 0, 0, out, to);
        } else {
            out = (in1 * 997 * reserve0) / (reserve1 * 1000 + in1 * 997);
            token0.transfer(to, out);
            emit Swap(msg.sender, 0, in1, out, 0, to);
        }
        (reserve0, reserve1) = (token0.balanceOf(address(this)), token1.balanceOf(address(this)));
    }
}

/// Leads a token, or ether, through pools.
contract Router {
    IWrapped public immutable weth;

    constructor(IWrapped w) { weth = w; }
    receive() external payable {}

    /// Token in, token out, each pool paying the next.
    function swapTokens(IERC20 token, uint256 amount, Pool[] calldata path, address to) external {
        token.transferFrom(msg.sender, address(path[0]), amount);
        through(path, to);
    }

    /// Ether in, token out.
    function swapFromEther(Pool[] calldata path, address to) external payable {
        weth.deposit{value: msg.value}();
        weth.transfer(address(path[0]), msg.value);
        through(path, to);
    }

    /// Token in, ether out.
    function swapToEther(IERC20 token, uint256 amount, Pool[] calldata path, address payable to) external {
        token.transferFrom(msg.sender, address(path[0]), amount);
        uint256 out = through(path, address(this));
        weth.withdraw(out);
        (bool ok,) = to.call{value: out}("");
        require(ok);
    }

    function through(Pool[] calldata path, address to) internal returns (uint256 out) {
        for (uint256 i = 0; i < path.length; i++) out = path[i].swap(i + 1 < path.length ? address(path[i + 1]) : to);
    }

    /// Several calls in one transaction.
    function multicall(bytes[] calldata calls) external payable {
        for (uint256 i = 0; i < calls.length; i++) {
            (bool ok,) = address(this).delegatecall(calls[i]);
            require(ok);
        }
    }
}
