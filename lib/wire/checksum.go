package wire

import "encoding/binary"

// Sum adds the octets of b to an unfolded Internet checksum (RFC 1071) and
// returns the new sum. Start with zero. Each piece but the last must have an
// even length; an odd last octet counts as if a zero octet followed.
//
// A 64-bit accumulator of 32-bit words cannot overflow for any slice shorter
// than 16 GiB.
func Sum(acc uint64, b []byte) uint64 {
	for len(b) >= 8 {
		v := binary.BigEndian.Uint64(b)
		acc += v>>32 + v&0xffffffff
		b = b[8:]
	}
	if len(b) >= 4 {
		acc += uint64(binary.BigEndian.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		acc += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		acc += uint64(b[0]) << 8
	}
	return acc
}

// Fold reduces an unfolded sum to the 16-bit one's complement sum.
func Fold(acc uint64) uint16 {
	for acc > 0xffff {
		acc = acc>>16 + acc&0xffff
	}
	return uint16(acc)
}

// Checksum returns the Internet checksum of b: the one's complement of the
// one's complement sum (RFC 1071 section 1). The checksum field inside b must
// be zero when the value is computed for sending.
func Checksum(b []byte) uint16 { return ^Fold(Sum(0, b)) }

// ChecksumOK reports whether b, including its checksum field, sums to all ones
// (RFC 1071 section 1).
func ChecksumOK(b []byte) bool { return Fold(Sum(0, b)) == 0xffff }
