// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// Writes whatever logs it is told to.
contract Liar {
    function write(bytes32[] calldata t, bytes calldata data) external {
        bytes memory d = data;
        uint256 n = t.length;
        bytes32 t0 = n > 0 ? t[0] : bytes32(0);
        bytes32 t1 = n > 1 ? t[1] : bytes32(0);
        bytes32 t2 = n > 2 ? t[2] : bytes32(0);
        bytes32 t3 = n > 3 ? t[3] : bytes32(0);
        assembly {
            let p := add(d, 32)
            let l := mload(d)
            switch n
            case 0 { log0(p, l) }
            case 1 { log1(p, l, t0) }
            case 2 { log2(p, l, t0, t1) }
            case 3 { log3(p, l, t0, t1, t2) }
            default { log4(p, l, t0, t1, t2, t3) }
        }
    }
}
