package packet

import (
	"net/netip"
	"testing"
)

// benchPackets are the packets of the hot paths of a hub.
func benchPackets(tb testing.TB) map[string][]byte {
	tb.Helper()
	ip := netip.MustParseAddr
	out := map[string][]byte{}
	for _, m := range []*Message{
		{
			NBMA: AFNIPv4, Protocol: ProtocolIPv4, HopCount: 255, Type: RegistrationRequest,
			Flags: FlagRegistrationUnique | FlagNAT, RequestID: 3,
			SrcNBMA: ip("192.0.2.1"), SrcProtocol: ip("10.0.0.2"), DstProtocol: ip("10.0.0.1"),
			CIEs: []CIE{{PrefixLength: 32, MTU: 17916, HoldingTime: 600}},
			Extensions: []Extension{
				{Type: ResponderAddress, Compulsory: true}, {Type: ForwardTransitNHS, Compulsory: true},
				{Type: ReverseTransitNHS, Compulsory: true},
				{Type: Authentication, Compulsory: true, Value: []byte("\x00\x00\x00\x01secret12")},
				{Type: NATAddress, CIEs: []CIE{{PrefixLength: 32, NBMA: ip("203.0.113.1"), Protocol: ip("10.0.0.1")}}},
			},
		},
		{
			NBMA: AFNIPv6, Protocol: ProtocolIPv6, HopCount: 64, Type: ResolutionReply,
			Flags: FlagRouter | FlagAuthoritative | FlagDestStable, RequestID: 77,
			SrcNBMA: ip("2001:db8::1"), SrcProtocol: ip("2001:db8:1::1"), DstProtocol: ip("2001:db8:2::1"),
			CIEs: []CIE{{PrefixLength: 64, MTU: 1400, HoldingTime: 600, NBMA: ip("2001:db8::2"), Protocol: ip("2001:db8:2::1")}},
		},
	} {
		b, err := m.AppendBinary(nil)
		if err != nil {
			tb.Fatal(err)
		}
		out[m.Type.String()] = b
	}
	return out
}

// A receive loop that decodes into one Message does not allocate once the
// Message has grown, whatever the order of packets.
func TestDecodeDoesNotAllocate(t *testing.T) {
	packets := benchPackets(t)
	var m Message
	round := func() {
		for _, b := range packets {
			if err := m.Decode(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	round()
	if n := testing.AllocsPerRun(200, round); n != 0 {
		t.Fatalf("Decode allocates %v times", n)
	}
}

// Building into a buffer that is large enough does not allocate.
func TestAppendDoesNotAllocate(t *testing.T) {
	for name, b := range benchPackets(t) {
		m, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 0, m.Len())
		if n := testing.AllocsPerRun(200, func() {
			if _, err := m.AppendBinary(buf); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Fatalf("%s: AppendBinary allocates %v times", name, n)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, p := range benchPackets(b) {
		b.Run(name, func(b *testing.B) {
			var m Message
			b.ReportAllocs()
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				if err := m.Decode(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for name, p := range benchPackets(b) {
		b.Run(name, func(b *testing.B) {
			m, err := Parse(p)
			if err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, 0, len(p))
			b.ReportAllocs()
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				if _, err := m.AppendBinary(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
