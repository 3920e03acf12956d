package packet

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// resum writes the checksum of an edited packet without authentication.
func resum(b []byte) []byte {
	n := int(binary.BigEndian.Uint16(b[lengthAt:]))
	wire.PutU16(b, checksumAt, 0)
	wire.PutU16(b, checksumAt, wire.Checksum(b[:min(n, len(b))]))
	return b
}

func TestRefuse(t *testing.T) {
	all := goldens()
	hello, lls, dd, lsr, ack, lsu := 0, 2, 4, 5, 6, 7
	set := func(at int, v ...byte) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[at:], v); return resum(b) }
	}
	cut := func(n int) func([]byte) []byte {
		return func(b []byte) []byte { wire.PutU16(b, lengthAt, uint16(n)); return resum(b[:n]) }
	}
	crypto := func(v ...byte) func([]byte) []byte {
		return func(b []byte) []byte { b[auTypeAt+1] = 2; copy(b[authFieldAt:], v); return b }
	}
	for _, c := range []struct {
		what   string
		golden int
		change func([]byte) []byte
		want   Error
	}{
		{"nothing", hello, func(b []byte) []byte { return nil }, Error{ReasonTruncated, 0}},
		{"half a header", hello, func(b []byte) []byte { return b[:23] }, Error{ReasonTruncated, 23}},
		{"version 3", hello, set(0, 3), Error{ReasonVersion, 0}},
		{"type 0", hello, set(1, 0), Error{ReasonType, 1}},
		{"type 6", hello, set(1, 6), Error{ReasonType, 1}},
		{"length below the header", hello, func(b []byte) []byte { b[3] = 23; return b }, Error{ReasonLength, 2}},
		{"length beyond the packet", hello, func(b []byte) []byte { b[3]++; return b }, Error{ReasonTruncated, 44}},
		{"checksum", hello, func(b []byte) []byte { b[30]++; return b }, Error{ReasonChecksum, 12}},
		{"AuType 4", hello, set(15, 4), Error{ReasonAuthType, 14}},
		{"no digest", hello, crypto(0, 0, 1, 16), Error{ReasonDigest, 44}},
		{"empty digest", hello, crypto(0, 0, 1, 0), Error{ReasonDigest, 19}},
		{"huge digest", hello, crypto(0, 0, 1, 65), Error{ReasonDigest, 19}},
		{"no extended sequence number", hello, func(b []byte) []byte { b[15] = 3; return b }, Error{ReasonDigest, 44}},
		{"short Hello", hello, cut(40), Error{ReasonLength, 2}},
		{"Hello and two octets", 1, cut(46), Error{ReasonLength, 2}},
		{"short Database Description", dd, cut(28), Error{ReasonLength, 2}},
		{"part of a header", dd, cut(44), Error{ReasonLength, 2}},
		{"part of a request", lsr, cut(40), Error{ReasonLength, 2}},
		{"LS type of 32 bits", lsr, set(25, 1), Error{ReasonLSAType, 24}},
		{"part of an acknowledgment", ack, cut(40), Error{ReasonLength, 2}},
		{"update without a count", lsu, cut(26), Error{ReasonLength, 24}},
		{"more LSAs than there is room for", lsu, set(24, 0xff, 0xff, 0xff, 0xff), Error{ReasonLength, 24}},
		{"one LSA less than announced", lsu, set(27, 7), Error{ReasonLSALength, 258}},
		{"one LSA more than announced", lsu, set(27, 5), Error{ReasonLength, 2}},
		{"LSA shorter than its header", lsu, set(28+18, 0, 19), Error{ReasonLSALength, 46}},
		{"LSA beyond the packet", lsu, set(28+18, 1, 0), Error{ReasonLSALength, 46}},
		{"no signalling block", lls, func(b []byte) []byte { return b[:46] }, Error{ReasonLLS, 46}},
		{"signalling block beyond the packet", lls, func(b []byte) []byte { b[47] = 4; return b }, Error{ReasonLLS, 46}},
		{"signalling block of no length", lls, func(b []byte) []byte { b[47] = 0; return b }, Error{ReasonLLS, 46}},
		{"signalling checksum", lls, func(b []byte) []byte { b[55]++; return b }, Error{ReasonLLS, 44}},
		{"signalling TLV beyond the block", lls, func(b []byte) []byte { b[51] = 5; b[45] -= 1; return b }, Error{ReasonLLS, 52}},
	} {
		b := c.change(octets(t, all[c.golden].hex))
		_, err := Parse(b)
		var e *Error
		if !errors.As(err, &e) || *e != c.want {
			t.Errorf("%s: %v, want %v", c.what, err, &c.want)
		}
	}
}

// TestRefuseBodies: lengths that the type of an LSA cannot have.
func TestRefuseBodies(t *testing.T) {
	all := goldens()
	lsas := all[len(all)-1].msg.Updates
	of := []func(LSA) error{
		func(l LSA) error { _, err := l.Router(); return err },
		func(l LSA) error { _, err := l.Network(); return err },
		func(l LSA) error { _, err := l.Summary(); return err },
		func(l LSA) error { _, err := l.Summary(); return err },
		func(l LSA) error { _, err := l.External(); return err },
		func(l LSA) error { _, err := l.Opaque(); return err },
	}
	for i, l := range lsas {
		for n := range len(l.Body()) {
			whole := i == 1 && n%4 == 0 && n > 0 || (i == 2 || i == 3) && n == 8 || i == 5 && n == 0
			short := LSA{l.LSAHeader, l.Octets[:LSAHeaderLen+n]}
			if err := of[i](short); (err == nil) != whole {
				t.Errorf("%v with a body of %d octets: %v", l.Type, n, err)
			}
		}
	}
	if _, err := (LSA{lsas[0].LSAHeader, append(append([]byte(nil), lsas[0].Octets...), 0)}).Router(); err == nil {
		t.Error("a router-LSA with an octet more than its links is taken")
	}
}

func TestRefuseAppend(t *testing.T) {
	six := ip("2001:db8::1")
	for _, c := range []struct {
		what   string
		msg    Message
		key    *Key
		source netip.Addr
		want   Reason
	}{
		{"no type", Message{}, nil, netip.Addr{}, ReasonType},
		{"IPv6", Message{Type: Hello, HelloBody: HelloBody{Designated: six}}, nil, netip.Addr{}, ReasonAddress},
		{"IPv6", Message{Type: Hello, HelloBody: HelloBody{Backup: six}}, nil, netip.Addr{}, ReasonAddress},
		{"no secret", Message{Type: Hello}, &Key{Algorithm: KeyedMD5}, netip.Addr{}, ReasonKey},
		{"no algorithm", Message{Type: Hello}, &Key{Secret: []byte("x")}, netip.Addr{}, ReasonKey},
		{"ID of 9 bits", Message{Type: Hello}, &Key{ID: 256, Algorithm: HMACSHA1, Secret: []byte("x")}, netip.Addr{}, ReasonKey},
		{"extended MD5", Message{Type: Hello}, &Key{Algorithm: KeyedMD5, Secret: []byte("x"), Extended: true}, ip("10.0.0.1"), ReasonKey},
		{"no source", Message{Type: Hello}, &Key{Algorithm: HMACSHA1, Secret: []byte("x"), Extended: true}, netip.Addr{}, ReasonKey},
		{"too many headers", Message{Type: LinkStateAck, Acks: make([]LSAHeader, MaxHeaders+1)}, nil, netip.Addr{}, ReasonTooLong},
		{"empty LSA", Message{Type: LinkStateUpdate, Updates: []LSA{{}}}, nil, netip.Addr{}, ReasonLSALength},
	} {
		b, err := c.msg.Append([]byte{1}, c.key, 1, c.source)
		var e *Error
		if !errors.As(err, &e) || e.Reason != c.want || len(b) != 1 {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
	if _, err := (&Message{Type: LinkStateAck, Acks: make([]LSAHeader, MaxHeaders)}).AppendBinary(nil); err != nil {
		t.Errorf("the largest acknowledgment: %v", err)
	}
	if _, err := NewLSA(LSAHeader{}, make([]byte, MaxPacketSize)); err == nil {
		t.Error("an LSA of more than a packet is made")
	}
}
