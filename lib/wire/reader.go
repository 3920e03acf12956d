package wire

import (
	"encoding/binary"
	"fmt"
)

// ShortError says that a read wanted more bytes than were left.
type ShortError struct {
	// Offset is the position of the failed read, in octets from the start of
	// the slice given to NewReader.
	Offset int
	// Want is the number of octets that the read needed; negative if the
	// caller asked for a negative count.
	Want int
	// Have is the number of octets that were left.
	Have int
}

// Error describes the failed read.
func (e *ShortError) Error() string {
	return fmt.Sprintf("offset %d: need %d octets, have %d", e.Offset, e.Want, e.Have)
}

// Reader reads big-endian values from a byte slice. The zero Reader is an
// empty one. A Reader is a plain value; copying it copies the position.
type Reader struct {
	b      []byte
	off    int // next octet in b
	base   int // absolute offset of b[0]
	want   int // octets wanted by the read that failed
	failed bool
}

// NewReader returns a Reader over b, which it refers to and never changes.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Len returns the number of octets left; zero after a failure.
func (r *Reader) Len() int {
	if r.failed {
		return 0
	}
	return len(r.b) - r.off
}

// Offset returns the absolute position of the next read, or, after a failure,
// the position of the read that failed.
func (r *Reader) Offset() int { return r.base + r.off }

// Err returns nil, or a *ShortError for the first read that failed.
func (r *Reader) Err() error {
	if !r.failed {
		return nil
	}
	return &ShortError{Offset: r.base + r.off, Want: r.want, Have: len(r.b) - r.off}
}

// Failed reports whether a read failed. It is Err() != nil without building
// the error.
func (r *Reader) Failed() bool { return r.failed }

// take consumes n octets and returns them, or nil on failure.
func (r *Reader) take(n int) []byte {
	if r.failed {
		return nil
	}
	if n < 0 || n > len(r.b)-r.off {
		r.failed, r.want = true, n
		return nil
	}
	p := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return p
}

// U8 reads one octet.
func (r *Reader) U8() uint8 {
	p := r.take(1)
	if p == nil {
		return 0
	}
	return p[0]
}

// U16 reads two octets.
func (r *Reader) U16() uint16 {
	p := r.take(2)
	if p == nil {
		return 0
	}
	return binary.BigEndian.Uint16(p)
}

// U24 reads three octets.
func (r *Reader) U24() uint32 {
	p := r.take(3)
	if p == nil {
		return 0
	}
	return uint32(p[0])<<16 | uint32(p[1])<<8 | uint32(p[2])
}

// U32 reads four octets.
func (r *Reader) U32() uint32 {
	p := r.take(4)
	if p == nil {
		return 0
	}
	return binary.BigEndian.Uint32(p)
}

// U64 reads eight octets.
func (r *Reader) U64() uint64 {
	p := r.take(8)
	if p == nil {
		return 0
	}
	return binary.BigEndian.Uint64(p)
}

// Bytes reads n octets without copying them; the result refers to the slice
// given to NewReader and has no spare capacity. It is nil after a failure.
func (r *Reader) Bytes(n int) []byte { return r.take(n) }

// Rest reads all octets that are left, without copying them.
func (r *Reader) Rest() []byte { return r.take(r.Len()) }

// Skip passes over n octets.
func (r *Reader) Skip(n int) { r.take(n) }

// Sub consumes the next n octets and returns a Reader over exactly these, whose
// offsets continue those of r. If fewer are left, both r and the result fail.
func (r *Reader) Sub(n int) Reader {
	at := r.base + r.off
	p := r.take(n)
	if r.failed {
		return Reader{b: r.b, off: r.off, base: r.base, want: r.want, failed: true}
	}
	return Reader{b: p, base: at}
}
