// Package trontest serves blocks of TRON's mainnet over gRPC on loopback as java-tron does, byte for byte: the methods that a reader of blocks
// needs, at the port of a full node and at that of its solidified blocks. Only tests import it; nothing of it is in the binaries.
//
// Real are genesis and block 79072107 with its 619 transactions. Made are the blocks after it, signed by a test key, empty or with a few transfers
// of TRX, and all transaction infos, which nobody recorded: each names the outcome that the block names and a fee of 345, and a call of USDT's transfer or transferFrom
// that the block calls a success has the log that USDT writes. It knows nothing of the reader: it cuts the bytes by itself.
package trontest
