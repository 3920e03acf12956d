package packet

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
)

func drawBytes(t *rapid.T, lo, hi int, label string) []byte {
	return nilIfEmpty(rapid.SliceOfN(rapid.Byte(), lo, hi).Draw(t, label))
}

func drawFamily(t *rapid.T) AddressFamily {
	return rapid.SampledFrom([]AddressFamily{AFIPv4, AFIPv6}).Draw(t, "family")
}

func drawAddr(t *rapid.T, f AddressFamily) netip.Addr {
	a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), f.addrLen(), f.addrLen()).Draw(t, "address"))
	return a
}

// drawNextHop draws an address, or none.
func drawNextHop(t *rapid.T, f AddressFamily) netip.Addr {
	if a := drawAddr(t, f); rapid.Bool().Draw(t, "next hop") && !a.IsUnspecified() {
		return a
	}
	return netip.Addr{}
}

func drawAddrs(t *rapid.T) []netip.Addr {
	var out []netip.Addr
	for range rapid.IntRange(0, 3).Draw(t, "addresses") {
		out = append(out, drawAddr(t, drawFamily(t)))
	}
	return out
}

// drawPrefixes draws at least one. A default route is drawn often.
func drawPrefixes(t *rapid.T, f AddressFamily) []netip.Prefix {
	var out []netip.Prefix
	for range rapid.IntRange(1, 5).Draw(t, "prefixes") {
		n := rapid.OneOf(rapid.Just(0), rapid.IntRange(0, 8*f.addrLen())).Draw(t, "length")
		out = append(out, netip.PrefixFrom(drawAddr(t, f), n).Masked())
	}
	return out
}

func drawCommunities(t *rapid.T, lo int) []Community {
	var out []Community
	for range rapid.IntRange(lo, 3).Draw(t, "communities") {
		out = append(out, Community(rapid.SliceOfN(rapid.Byte(), communityLen, communityLen).Draw(t, "community")))
	}
	return out
}

func drawExternal(t *rapid.T) External {
	return External{
		RouterID: RouterID(rapid.Uint32().Draw(t, "origin")), AS: rapid.Uint32().Draw(t, "external as"),
		Tag: rapid.Uint32().Draw(t, "external tag"), Metric: rapid.Uint32().Draw(t, "external metric"),
		Protocol: ExternalProtocol(rapid.Uint8().Draw(t, "protocol")), Flags: rapid.Uint8().Draw(t, "external flags"),
	}
}

func drawWideRoute(t *rapid.T, r *Route) {
	r.AFI = drawFamily(t)
	r.TID, r.RouterID = rapid.Uint16().Draw(t, "tid"), RouterID(rapid.Uint32().Draw(t, "rid"))
	r.Tag, r.Priority = rapid.Uint32().Draw(t, "tag"), rapid.Uint8().Draw(t, "priority")
	r.Flags = RouteFlags(rapid.Uint16().Draw(t, "route flags"))
	u48 := rapid.Uint64Range(0, metric.Unreachable)
	r.Wide = metric.Wide{
		Delay: u48.Draw(t, "delay"), Bandwidth: u48.Draw(t, "bandwidth"), MTU: rapid.Uint32Range(0, maxMTU).Draw(t, "mtu"),
		Hops: rapid.Uint8().Draw(t, "hops"), Reliability: rapid.Uint8().Draw(t, "rel"), Load: rapid.Uint8().Draw(t, "load"),
		Jitter: u48.Draw(t, "jitter"), QuiescentEnergy: rapid.Uint32().Draw(t, "qe"), Energy: rapid.Uint32().Draw(t, "energy"),
	}
	r.Communities = drawCommunities(t, 0)
	for range rapid.IntRange(0, MaxPaths).Draw(t, "paths") {
		p := Path{NextHop: drawNextHop(t, r.AFI), RouterID: RouterID(rapid.Uint32().Draw(t, "rid")), Tag: rapid.Uint32().Draw(t, "tag")}
		if r.Type.External() {
			p.Protocol, p.Flags = ExternalProtocol(rapid.Uint8().Draw(t, "protocol")), rapid.Uint8().Draw(t, "flags")
		}
		r.Paths = append(r.Paths, p)
	}
	for range rapid.IntRange(0, 3).Draw(t, "attributes") {
		typ := rapid.OneOf(rapid.Just(AttributeScaled), rapid.Map(rapid.Uint8Range(8, 255), func(v uint8) AttributeType { return AttributeType(v) }))
		data := drawBytes(t, 0, 12, "data")
		r.Attributes = append(r.Attributes, Attribute{typ.Draw(t, "attribute"), nilIfEmpty(data[:len(data)&^1])})
	}
}

func drawRoute(t *rapid.T) Route {
	r := Route{Type: rapid.SampledFrom([]TLVType{TypeIPv4Internal, TypeIPv4External, TypeIPv6Internal,
		TypeIPv6External, TypeInternal, TypeExternal}).Draw(t, "type")}
	if r.Type.Wide() {
		drawWideRoute(t, &r)
	} else {
		r.InternalTag, r.Flags = rapid.Uint8().Draw(t, "internal tag"), RouteFlags(rapid.Uint8().Draw(t, "route flags"))
		r.Classic = metric.Classic{
			Delay: rapid.Uint32().Draw(t, "delay"), Bandwidth: rapid.Uint32().Draw(t, "bandwidth"),
			MTU: rapid.Uint32Range(0, maxMTU).Draw(t, "mtu"), Hops: rapid.Uint8().Draw(t, "hops"),
			Reliability: rapid.Uint8().Draw(t, "rel"), Load: rapid.Uint8().Draw(t, "load"),
		}
	}
	if r.Type.External() {
		r.External = drawExternal(t)
	}
	r.NextHop = drawNextHop(t, r.family())
	r.Destinations = drawPrefixes(t, r.family())
	return r
}

// drawMessage draws any message that can be sent.
func drawMessage(t *rapid.T) *Message {
	m := &Message{
		Opcode:   rapid.SampledFrom([]Opcode{Update, Request, Query, Reply, Hello, SIAQuery, SIAReply}).Draw(t, "opcode"),
		Flags:    Flags(rapid.Uint32().Draw(t, "flags")),
		Sequence: rapid.Uint32().Draw(t, "sequence"), Ack: rapid.Uint32().Draw(t, "ack"),
		VRID:              rapid.SampledFrom([]uint16{VRIDUnicast, VRIDMulticast, VRIDService}).Draw(t, "vrid"),
		AS:                rapid.Uint16Range(1, 0xffff).Draw(t, "as"),
		SequenceAddrs:     drawAddrs(t),
		MulticastSequence: rapid.Uint32().Draw(t, "multicast sequence"),
		Stub:              StubFlags(rapid.Uint16().Draw(t, "stub")),
		Terminated:        drawAddrs(t),
		TIDs:              nilIfEmpty(rapid.SliceOfN(rapid.Uint16(), 0, 3).Draw(t, "tids")),
	}
	if rapid.Bool().Draw(t, "parameters") {
		k := rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "k")
		m.Parameters = &Parameters{metric.Weights{K1: k[0], K2: k[1], K3: k[2], K4: k[3], K5: k[4], K6: k[5]}, rapid.Uint16().Draw(t, "hold")}
	}
	if rapid.Bool().Draw(t, "software") {
		m.Software = &Software{1, 2, rapid.Uint8().Draw(t, "version"), 4}
	}
	for range rapid.IntRange(0, 3).Draw(t, "routes") {
		m.Routes = append(m.Routes, drawRoute(t))
	}
	for range rapid.IntRange(0, 2).Draw(t, "lists") {
		m.Communities = append(m.Communities, Communities{drawAddr(t, drawFamily(t)), drawCommunities(t, 1)})
	}
	for range rapid.IntRange(0, 2).Draw(t, "unknown") {
		m.Unknown = append(m.Unknown, TLV{TLVType(rapid.Uint16Range(9, 0x100).Draw(t, "tlv")), drawBytes(t, 0, 9, "value")})
	}
	return m
}

// What is written is read back, has the announced length, and does not depend on
// what the Message or the buffer held before.
func TestRoundTrip(t *testing.T) {
	var reused Message
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		b, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) != m.Len() {
			t.Fatalf("Len = %d, wrote %d", m.Len(), len(b))
		}
		in := slices.Clone(b)
		if err := reused.Decode(in); err != nil {
			t.Fatal(err)
		}
		for i := range in {
			in[i] ^= 0xff // Decode keeps no reference
		}
		if d := cmp.Diff(m, &reused, sameMessage); d != "" {
			t.Fatalf("Decode (-want +got):\n%s", d)
		}
		again, err := reused.AppendBinary(make([]byte, 0, 3))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, again) {
			t.Fatalf("second writing differs:\n%x\n%x", b, again)
		}
	})
}

// Any change of one octet changes the sum and is refused.
func TestOneOctetChanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := drawMessage(t).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		i := rapid.IntRange(0, len(b)-1).Draw(t, "position")
		b[i] ^= rapid.ByteRange(1, 255).Draw(t, "change")
		if m, err := Parse(b); err == nil {
			t.Fatalf("octet %d changed and accepted: %+v", i, m)
		}
	})
}

// A clone shares nothing with a message that is decoded into again.
func TestClone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := drawMessage(t).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		c := m.Clone()
		o := &m.own
		clear(o.b)
		clear(o.addrs)
		clear(o.tids)
		clear(o.prefixes)
		clear(o.communities)
		clear(o.paths)
		clear(o.attributes)
		clear(o.routes)
		clear(o.lists)
		clear(o.tlvs)
		o.parameters, o.software = Parameters{}, Software{}
		if d := cmp.Diff(want, c, sameMessage); d != "" {
			t.Fatalf("clone changed (-want +got):\n%s", d)
		}
	})
}

// FuzzParse: whatever Parse accepts can be written, and what was written reads back
// as the same Message. The checksum is corrected first, so that the fuzzer gets past
// it.
func FuzzParse(f *testing.F) {
	for _, g := range goldens() {
		f.Add(g.bytes(f))
	}
	var reused Message
	f.Fuzz(func(t *testing.T, b []byte) {
		b = repair(slices.Clone(b))
		m, err := Parse(b)
		if err != nil {
			e, ok := err.(*Error)
			if !ok || e.Offset < 0 || e.Offset > len(b) || e.Reason == 0 {
				t.Fatalf("error %#v", err)
			}
			return
		}
		for _, key := range []Key{{m.Auth.KeyID, KeyedMD5, []byte("secret")}, {m.Auth.KeyID, HMACSHA256, []byte("secret")}} {
			m.Verify(b, key, GroupIPv4) // may fail, not panic
		}
		m.Auth = Auth{} // AppendBinary does not write it
		out, err := m.AppendBinary(nil)
		if err != nil {
			// a default route without its octet grows, and so may a packet of the largest size
			if len(b) > MaxPacketSize/2 && err.(*Error).Reason == ReasonTooLong {
				return
			}
			t.Fatalf("accepted but cannot be written: %v\n%+v", err, m)
		}
		if err := reused.Decode(out); err != nil {
			t.Fatalf("written but cannot be read: %v\n%x", err, out)
		}
		if d := cmp.Diff(m, &reused, sameMessage); d != "" {
			t.Fatalf("changed (-first +second):\n%s", d)
		}
	})
}
