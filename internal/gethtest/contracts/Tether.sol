// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// Behaves like TetherToken (USDT on Ethereum) in what it does without a
/// Transfer: issue, redeem, and the destruction of a blocked account's funds.
contract Tether {
    event Transfer(address indexed from, address indexed to, uint256 value);
    event Issue(uint256 amount);
    event Redeem(uint256 amount);
    event AddedBlackList(address _user);
    event RemovedBlackList(address _user);
    event DestroyedBlackFunds(address _blackListedUser, uint256 _balance);

    address public owner = msg.sender;
    mapping(address => uint256) public balanceOf;
    mapping(address => bool) public isBlackListed;

    modifier onlyOwner() { require(msg.sender == owner); _; }

    function transferOwnership(address to) external onlyOwner { owner = to; }

    function transfer(address to, uint256 value) external {
        require(!isBlackListed[msg.sender]);
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
        emit Transfer(msg.sender, to, value);
    }

    function issue(uint256 amount) external onlyOwner {
        balanceOf[owner] += amount;
        emit Issue(amount);
    }

    function redeem(uint256 amount) external onlyOwner {
        balanceOf[owner] -= amount;
        emit Redeem(amount);
    }

    function addBlackList(address user) external onlyOwner {
        isBlackListed[user] = true;
        emit AddedBlackList(user);
    }

    function removeBlackList(address user) external onlyOwner {
        isBlackListed[user] = false;
        emit RemovedBlackList(user);
    }

    function destroyBlackFunds(address user) external onlyOwner {
        require(isBlackListed[user]);
        uint256 dirty = balanceOf[user];
        balanceOf[user] = 0;
        emit DestroyedBlackFunds(user, dirty);
    }
}
