package wire

import (
	"encoding/binary"
	"errors"
)

// ErrLength says that a length does not fit its length field.
var ErrLength = errors.New("wire: length does not fit its field")

// AppendU8 appends one octet.
func AppendU8(b []byte, v uint8) []byte { return append(b, v) }

// AppendU16 appends two octets.
func AppendU16(b []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(b, v) }

// AppendU24 appends the low three octets of v.
func AppendU24(b []byte, v uint32) []byte {
	return append(b, byte(v>>16), byte(v>>8), byte(v))
}

// AppendU32 appends four octets.
func AppendU32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }

// AppendU64 appends eight octets.
func AppendU64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }

// AppendZeros appends n octets of zero.
func AppendZeros(b []byte, n int) []byte {
	for range n {
		b = append(b, 0)
	}
	return b
}

// PutU16 overwrites the two octets at offset off. Like an index expression it
// panics if they are not inside b.
func PutU16(b []byte, off int, v uint16) { binary.BigEndian.PutUint16(b[off:], v) }

// PutU32 overwrites the four octets at offset off.
func PutU32(b []byte, off int, v uint32) { binary.BigEndian.PutUint32(b[off:], v) }

// BeginLen16 appends a 16-bit length field of zero and returns a mark for
// EndLen16.
func BeginLen16(b []byte) ([]byte, int) {
	return AppendU16(b, 0), len(b)
}

// EndLen16 fills in the length field reserved by BeginLen16 with the number of
// octets appended after it. It returns ErrLength, and changes nothing, if that
// is more than 65535.
func EndLen16(b []byte, mark int) error {
	n := len(b) - mark - 2
	if n < 0 || n > 0xffff {
		return ErrLength
	}
	PutU16(b, mark, uint16(n))
	return nil
}
