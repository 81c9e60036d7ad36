package export

import (
	"crypto/sha1" //nolint:gosec // UUIDs of version 5 are made with it
	"fmt"
)

// The namespaces of our UUIDs (version 5, RFC 9562): the one that STIX 2.1
// states for observables, and our own for everything else.
var (
	stixSpace = [16]byte{0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7}
	ownSpace  = [16]byte{0x5b, 0x0e, 0x5c, 0x71, 0x9d, 0x2a, 0x4f, 0x0e, 0x8a, 0x3c, 0x61, 0x77, 0x0d, 0x2e, 0x4f, 0x18}
)

// uuid is the same for the same name.
func uuid(space [16]byte, name string) string {
	sum := sha1.Sum(append(space[:], name...)) //nolint:gosec // see above
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x50, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
