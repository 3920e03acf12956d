package linuxkernel

import (
	"encoding/binary"
	"iter"
	"net/netip"

	"golang.org/x/sys/unix"
)

var native = binary.NativeEndian

const (
	headerLen  = unix.SizeofNlMsghdr
	attrHdrLen = unix.SizeofRtAttr
	nested     = unix.NLA_F_NESTED
)

func align(n int) int { return (n + 3) &^ 3 }

// encoder appends netlink messages to a buffer.
type encoder struct{ b []byte }

// begin appends a message header; end completes it.
func (e *encoder) begin(typ, flags uint16, seq uint32) (start int) {
	start = len(e.b)
	e.b = append(e.b, 0, 0, 0, 0)
	e.b = native.AppendUint16(e.b, typ)
	e.b = native.AppendUint16(e.b, flags|unix.NLM_F_REQUEST)
	e.b = native.AppendUint32(e.b, seq)
	e.b = append(e.b, 0, 0, 0, 0)
	return start
}

func (e *encoder) end(start int) { native.PutUint32(e.b[start:], uint32(len(e.b)-start)) }

// raw appends fixed bytes of a family header.
func (e *encoder) raw(b ...byte) { e.b = append(e.b, b...) }

func (e *encoder) raw32(v uint32) { e.b = native.AppendUint32(e.b, v) }

func (e *encoder) attrHeader(typ uint16, size int) {
	e.b = native.AppendUint16(e.b, uint16(attrHdrLen+size))
	e.b = native.AppendUint16(e.b, typ)
}

func (e *encoder) pad() {
	for len(e.b)%4 != 0 {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) bytes(typ uint16, v []byte) {
	e.attrHeader(typ, len(v))
	e.b = append(e.b, v...)
	e.pad()
}

func (e *encoder) text(typ uint16, s string) {
	e.attrHeader(typ, len(s)+1)
	e.b = append(e.b, s...)
	e.b = append(e.b, 0)
	e.pad()
}

func (e *encoder) u8(typ uint16, v uint8) {
	e.attrHeader(typ, 1)
	e.b = append(e.b, v, 0, 0, 0)
}

func (e *encoder) u32(typ uint16, v uint32) {
	e.attrHeader(typ, 4)
	e.b = native.AppendUint32(e.b, v)
}

// be16 appends a number in network byte order (GRE flags).
func (e *encoder) be16(typ uint16, v uint16) {
	e.attrHeader(typ, 2)
	e.b = binary.BigEndian.AppendUint16(e.b, v)
	e.pad()
}

// be32 appends a number in network byte order (GRE keys).
func (e *encoder) be32(typ uint16, v uint32) {
	e.attrHeader(typ, 4)
	e.b = binary.BigEndian.AppendUint32(e.b, v)
}

func (e *encoder) addr(typ uint16, a netip.Addr) {
	e.attrHeader(typ, a.BitLen()/8)
	e.address(a)
}

// address appends the bytes of an address, without a header.
func (e *encoder) address(a netip.Addr) {
	if a.Is4() {
		v := a.As4()
		e.b = append(e.b, v[:]...)
		return
	}
	v := a.As16()
	e.b = append(e.b, v[:]...)
}

// open begins a nested attribute; shut completes it.
func (e *encoder) open(typ uint16) (start int) {
	start = len(e.b)
	e.attrHeader(typ, 0)
	return start
}

func (e *encoder) shut(start int) { native.PutUint16(e.b[start:], uint16(len(e.b)-start)) }

// message is a received netlink message; data aliases the receive buffer.
type message struct {
	typ, flags uint16
	seq, port  uint32
	data       []byte
}

// messages yields the messages of a datagram, and stops at one that lies about
// its length.
func messages(b []byte) iter.Seq[message] {
	return func(yield func(message) bool) {
		for len(b) >= headerLen {
			n := int(native.Uint32(b))
			if n < headerLen || n > len(b) {
				return
			}
			m := message{
				typ: native.Uint16(b[4:]), flags: native.Uint16(b[6:]),
				seq: native.Uint32(b[8:]), port: native.Uint32(b[12:]), data: b[headerLen:n],
			}
			if !yield(m) {
				return
			}
			b = b[min(align(n), len(b)):]
		}
	}
}

// attrs yields the attributes in b, without the flags in their types.
func attrs(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= attrHdrLen {
			n := int(native.Uint16(b))
			if n < attrHdrLen || n > len(b) {
				return
			}
			if !yield(native.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[attrHdrLen:n]) {
				return
			}
			b = b[min(align(n), len(b)):]
		}
	}
}

// body returns what follows a family header of n bytes, nil if there is none.
func (m message) body(n int) []byte {
	if len(m.data) < align(n) {
		return nil
	}
	return m.data[align(n):]
}

func getU8(v []byte) uint8 {
	if len(v) < 1 {
		return 0
	}
	return v[0]
}

func getU16(v []byte) uint16 {
	if len(v) < 2 {
		return 0
	}
	return native.Uint16(v)
}

func getU32(v []byte) uint32 {
	if len(v) < 4 {
		return 0
	}
	return native.Uint32(v)
}

func getBE16(v []byte) uint16 {
	if len(v) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(v)
}

func getBE32(v []byte) uint32 {
	if len(v) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(v)
}

func getText(v []byte) string {
	for i, c := range v {
		if c == 0 {
			return string(v[:i])
		}
	}
	return string(v)
}

// getAddr returns the address in v, the zero Addr if v is not one.
func getAddr(v []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(v)
	return a
}

// someAddr is getAddr with the unspecified address taken as none.
func someAddr(v []byte) netip.Addr {
	a := getAddr(v)
	if a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}
