package main

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
)

// feed is what the neighbour says, encoded.
type feed struct {
	announce, withdraw []byte
	routes, updates    int // updates: that announce
}

// Types of messages (RFC 4271 section 4.1).
const (
	typeOpen      = 1
	typeUpdate    = 2
	typeKeepalive = 4
)

const (
	headerSize = 19
	maxMessage = 4096
)

// lengths are how many of a thousand prefixes have which length, about as in the
// Internet's table.
var lengths = []struct{ bits, of int }{
	{24, 610}, {23, 100}, {22, 110}, {21, 50}, {20, 45}, {19, 27}, {18, 15}, {17, 9}, {16, 14}, {15, 8}, {14, 6}, {13, 6},
}

// newFeed makes n routes, the same ones each time.
func newFeed(n int) *feed {
	f, r := &feed{routes: n}, rand.New(rand.NewPCG(1, 2))
	prefixes := drawPrefixes(r, n)
	for rest := prefixes; len(rest) > 0; f.updates++ {
		k := min(4+r.IntN(7), len(rest))
		var nlri []byte
		for _, p := range rest[:k] {
			nlri = appendPrefix(nlri, p)
		}
		f.announce = appendUpdate(f.announce, nil, drawAttributes(r), nlri)
		rest = rest[k:]
	}
	var gone []byte
	for i, p := range prefixes {
		gone = appendPrefix(gone, p)
		if i == n-1 || len(gone) > maxMessage-headerSize-4-5 {
			f.withdraw = appendUpdate(f.withdraw, gone, nil, nil)
			gone = gone[:0]
		}
	}
	return f
}

// drawPrefixes draws different unicast prefixes that lie outside of 10.0.0.0/8, where
// the link is.
func drawPrefixes(r *rand.Rand, n int) []netip.Prefix {
	seen, out := make(map[netip.Prefix]bool, n), make([]netip.Prefix, 0, n)
	for len(out) < n {
		bits, at := 0, r.IntN(1000)
		for _, l := range lengths {
			if bits, at = l.bits, at-l.of; at < 0 {
				break
			}
		}
		first := 1 + r.IntN(223)
		if first == 10 || first == 127 {
			continue
		}
		addr := netip.AddrFrom4([4]byte{byte(first), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))})
		if p := netip.PrefixFrom(addr, bits).Masked(); !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

// drawAttributes draws a set of path attributes (RFC 4271 section 4.3): a path of 2 to
// 6 autonomous systems, with communities (RFC 1997) or a MULTI_EXIT_DISC for some.
func drawAttributes(r *rand.Rand) []byte {
	b := []byte{0x40, 1, 1, 0} // ORIGIN IGP
	hops := 2 + r.IntN(5)
	b = append(b, 0x40, 2, byte(2+4*hops), 2, byte(hops))
	b = binary.BigEndian.AppendUint32(b, feederAS)
	for range hops - 1 {
		b = binary.BigEndian.AppendUint32(b, uint32(1+r.IntN(60000)))
	}
	hop := netip.MustParseAddr(feederAddress).As4()
	b = append(append(b, 0x40, 3, 4), hop[:]...)
	if r.IntN(4) == 0 {
		b = binary.BigEndian.AppendUint32(append(b, 0x80, 4, 4), uint32(r.IntN(200)))
	}
	if communities := r.IntN(8) - 3; communities > 0 {
		b = append(b, 0xc0, 8, byte(4*communities))
		for range communities {
			b = binary.BigEndian.AppendUint32(b, uint32(feederAS<<16|r.IntN(1000)))
		}
	}
	return b
}

func appendPrefix(b []byte, p netip.Prefix) []byte {
	a := p.Addr().As4()
	return append(append(b, byte(p.Bits())), a[:(p.Bits()+7)/8]...)
}

func appendUpdate(b, withdrawn, attributes, nlri []byte) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(withdrawn)))
	body = append(body, withdrawn...)
	body = binary.BigEndian.AppendUint16(body, uint16(len(attributes)))
	return appendMessage(b, typeUpdate, append(append(body, attributes...), nlri...))
}

func appendMessage(b []byte, typ byte, body []byte) []byte {
	for range 16 {
		b = append(b, 0xff)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(headerSize+len(body)))
	return append(append(b, typ), body...)
}
