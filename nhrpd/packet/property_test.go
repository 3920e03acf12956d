package packet

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func drawBytes(t *rapid.T, lo, hi int, label string) []byte {
	return nilIfEmpty(rapid.SliceOfN(rapid.Byte(), lo, hi).Draw(t, label))
}

// drawAddr draws an address of n octets, or none.
func drawAddr(t *rapid.T, n int, label string) netip.Addr {
	if rapid.Bool().Draw(t, label+" absent") {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, label))
	return a
}

func drawCIEs(t *rapid.T, m *Message, hi int) []CIE {
	var cs []CIE
	for range rapid.IntRange(0, hi).Draw(t, "entries") {
		cs = append(cs, CIE{
			Code:           CIECode(rapid.Uint8().Draw(t, "code")),
			PrefixLength:   rapid.Uint8().Draw(t, "prefix length"),
			MTU:            rapid.Uint16().Draw(t, "mtu"),
			HoldingTime:    rapid.Uint16().Draw(t, "holding time"),
			Preference:     rapid.Uint8().Draw(t, "preference"),
			NBMA:           drawAddr(t, m.NBMA.addrLen(), "client nbma"),
			NBMASubaddress: drawBytes(t, 0, 5, "client subaddress"),
			Protocol:       drawAddr(t, m.Protocol.addrLen(), "client protocol"),
		})
	}
	return cs
}

func drawExtension(t *rapid.T, m *Message) Extension {
	e := Extension{
		Type: rapid.OneOf(
			rapid.SampledFrom([]ExtensionType{ResponderAddress, ForwardTransitNHS, ReverseTransitNHS,
				Authentication, VendorPrivate, NATAddress}),
			rapid.Map(rapid.Uint16Range(10, extensionTypeMax), func(v uint16) ExtensionType { return ExtensionType(v) }),
		).Draw(t, "type"),
		Compulsory: rapid.Bool().Draw(t, "compulsory"),
	}
	switch e.Type {
	case ResponderAddress:
		e.CIEs = drawCIEs(t, m, 1)
	case ForwardTransitNHS, ReverseTransitNHS, NATAddress:
		e.CIEs = drawCIEs(t, m, 3)
	case Authentication, VendorPrivate:
		e.Value = drawBytes(t, 4, 12, "value")
	default:
		e.Value = drawBytes(t, 0, 12, "value")
	}
	return e
}

// drawMessage draws any message that can be sent.
func drawMessage(t *rapid.T) *Message {
	m := &Message{
		NBMA:     rapid.SampledFrom([]AddressFamily{AFNIPv4, AFNIPv6}).Draw(t, "family"),
		Protocol: rapid.SampledFrom([]ProtocolType{ProtocolIPv4, ProtocolIPv6}).Draw(t, "protocol"),
		HopCount: rapid.Uint8().Draw(t, "hop count"),
		Type:     Type(rapid.Uint8Range(1, 8).Draw(t, "type")),
	}
	m.SrcNBMA = drawAddr(t, m.NBMA.addrLen(), "nbma")
	m.SrcSubaddress = drawBytes(t, 0, MaxSubaddress, "subaddress")
	m.SrcProtocol = drawAddr(t, m.Protocol.addrLen(), "source")
	m.DstProtocol = drawAddr(t, m.Protocol.addrLen(), "destination")
	if m.Type.IsIndication() {
		m.ErrorCode = ErrorCode(rapid.Uint16().Draw(t, "error code"))
		m.ErrorOffset = rapid.Uint16().Draw(t, "error offset")
		m.Payload = drawBytes(t, 0, 100, "payload")
	} else {
		m.Flags = Flags(rapid.Uint16().Draw(t, "flags"))
		m.RequestID = rapid.Uint32().Draw(t, "request id")
		m.CIEs = drawCIEs(t, m, 4)
	}
	for range rapid.IntRange(0, 6).Draw(t, "extensions") {
		e := drawExtension(t, m)
		if e.Type == VendorPrivate || m.Extension(e.Type) == nil {
			m.Extensions = append(m.Extensions, e)
		}
	}
	m.EndOfExtensions = len(m.Extensions) == 0 && rapid.Bool().Draw(t, "end of extensions")
	return m
}

// What is written is read back, has the announced length, and does not depend
// on what the Message or the buffer held before.
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
		in := append(slices.Clone(b), drawBytes(t, 0, 8, "link padding")...)
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

// Any change of one octet changes the sum and is refused. A change of ar$pktsz
// is left out: it changes what is summed, so that one in 65536 may fit.
func TestOneOctetChanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := drawMessage(t).AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		i := rapid.IntRange(0, len(b)-1).Filter(func(i int) bool { return i != offSize && i != offSize+1 }).Draw(t, "position")
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
		for i := range m.own.b {
			m.own.b[i] ^= 0xff
		}
		clear(m.own.cies)
		clear(m.own.exts)
		if d := cmp.Diff(want, c, sameMessage); d != "" {
			t.Fatalf("clone changed (-want +got):\n%s", d)
		}
	})
}

// FuzzParse: whatever Parse accepts can be written, and what was written reads
// back as the same Message. The checksum is corrected first, so that the fuzzer
// gets past it.
func FuzzParse(f *testing.F) {
	for _, g := range goldens() {
		f.Add(g.bytes(f))
	}
	var reused Message
	f.Fuzz(func(t *testing.T, b []byte) {
		b = slices.Clone(b)
		if n := len(b); n >= FixedLen {
			if size := int(b[offSize])<<8 | int(b[offSize+1]); size >= FixedLen && size < n {
				n = size
			}
			sealSum(b[:n])
		}
		m, err := Parse(b)
		if err != nil {
			e, ok := err.(*Error)
			if !ok || e.Offset < 0 || e.Offset > len(b) || e.Reason == 0 {
				t.Fatalf("error %#v", err)
			}
			return
		}
		out, err := m.AppendBinary(nil)
		if err != nil {
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
