package packet

import (
	"net/netip"
	"testing"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
)

// benchPackets are the packets of the hot paths of a hub, by name.
func benchPackets(tb testing.TB) map[string][]byte {
	tb.Helper()
	out := map[string][]byte{}
	add := func(name string, m *Message) {
		b, err := m.AppendBinary(nil)
		if err != nil {
			tb.Fatal(err)
		}
		out[name] = b
	}
	var nets []netip.Prefix
	for i := range 50 {
		nets = append(nets, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 24))
	}
	add("hello", &goldenNamed(tb, "hello of a spoke").msg)
	add("ack", &goldenNamed(tb, "acknowledgment").msg)
	add("wide external", &goldenNamed(tb, "wide, external, all attributes").msg)
	add("sequence", &goldenNamed(tb, "hello with sequence, before a multicast packet").msg)
	add("communities", &goldenNamed(tb, "communities").msg)
	add("unknown", &goldenNamed(tb, "unknown TLVs").msg)
	update := &Message{Opcode: Update, Sequence: 1, AS: 100}
	for _, p := range nets {
		update.Routes = append(update.Routes, Route{
			Type: TypeInternal, AFI: AFIPv4, Destinations: []netip.Prefix{p},
			Wide: metric.Wide{Delay: 10_000_000, Bandwidth: 100, MTU: 1400, Reliability: 255, Load: 1},
		})
	}
	add("update of 50", update)
	add("update of 50 packed", &Message{Opcode: Update, Sequence: 1, AS: 100, Routes: []Route{{
		Type: TypeIPv4Internal, Destinations: nets,
		Classic: metric.Classic{Delay: 256, Bandwidth: 2560, MTU: 1500, Reliability: 255, Load: 1},
	}}})
	return out
}

// A receive loop that decodes into one Message does not allocate once the Message
// has grown, whatever the order of packets.
func TestDecodeDoesNotAllocate(t *testing.T) {
	packets := benchPackets(t)
	var m Message
	round := func() {
		for _, b := range packets { // unordered: any order will do
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
	for name, b := range benchPackets(t) { // unordered: each by itself
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
	for name, p := range benchPackets(b) { // unordered: each by itself
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
	for name, p := range benchPackets(b) { // unordered: each by itself
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

func BenchmarkVerify(b *testing.B) {
	for _, name := range []string{"hello with MD5, Cisco", "hello with HMAC-SHA-256, Cisco"} {
		b.Run(name, func(b *testing.B) {
			g := goldenNamed(b, name)
			p := g.bytes(b)
			m, err := Parse(p)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if !m.Verify(p, *g.key, g.source) {
					b.Fatal("not authentic")
				}
			}
		})
	}
}
