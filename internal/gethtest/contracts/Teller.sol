// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// Moves ether in every way in which a contract can, and writes logs between.
contract Teller {
    event Note(uint256 n);

    constructor() payable {}
    receive() external payable {}

    /// Sends on what it was given, one part to each, with a log after each.
    function split(address payable[] calldata to) external payable {
        for (uint256 i = 0; i < to.length; i++) {
            (bool ok,) = to[i].call{value: msg.value / to.length}("");
            require(ok);
            emit Note(i);
        }
    }

    /// Its inner call pays and then fails; the transaction succeeds.
    function failing(address payable to) external payable {
        try this.payAndRevert{value: msg.value}(to) {} catch { emit Note(404); }
    }

    function payAndRevert(address payable to) external payable {
        emit Note(1);
        to.transfer(msg.value);
        revert("no");
    }

    function send(address payable to, uint256 value) external { to.transfer(value); }

    function revertAll() external payable { revert("all"); }

    /// A call of a library's kind: the caller's ether, another's code.
    function delegated(Teller code, address payable to, uint256 value) external {
        (bool ok,) = address(code).delegatecall(abi.encodeCall(this.send, (to, value)));
        require(ok);
    }

    /// Makes a contract that holds ether.
    function make() external payable returns (Mortal) { return new Mortal{value: msg.value}(); }

    function kill(Mortal m, address payable heir) external { m.kill(heir); }

    /// Makes a contract, lets it self-destruct and pays it again: what came last vanishes.
    function flash(address payable heir) external payable {
        Mortal m = new Mortal{value: msg.value / 2}();
        m.kill(heir);
        payable(address(m)).transfer(msg.value / 4);
    }
}

contract Mortal {
    constructor() payable {}
    receive() external payable {}
    function kill(address payable heir) external { selfdestruct(heir); }
}
