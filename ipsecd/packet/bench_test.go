package packet

import (
	"runtime"
	"testing"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// filled returns a message with one payload whose contents are a unit again and again.
func filled(t PayloadType, head, unit []byte, n int) []byte {
	var body []byte
	for range n {
		body = append(body, unit...)
	}
	body = append(head, body...)
	b := make([]byte, HeaderLen, HeaderLen+genericLen+len(body))
	b[offNext], b[offVersion] = byte(t), Version
	b = wire.AppendU16(append(b, 0, 0), uint16(genericLen+len(body)))
	return repair(append(b, body...))
}

// The messages that cost most for their length cost no more than a small multiple of it,
// refused or not: smallest attributes, smallest transforms.
func TestMemory(t *testing.T) {
	const limit = 12
	transforms := make([]byte, 0, 8*MaxTransforms)
	for i := range MaxTransforms {
		last := byte(moreTransforms)
		if i == MaxTransforms-1 {
			last = 0
		}
		transforms = append(transforms, last, 0, 0, 8, 1, 0, 0, 12)
	}
	n := 8 + len(transforms)
	proposal := append([]byte{moreProposals, 0, byte(n >> 8), byte(n), 1, 1, 0, MaxTransforms}, transforms...)
	proposals := filled(TypeSA, nil, proposal, 62)
	proposals[len(proposals)-n] = 0
	m := 8 + 16000*4
	for name, b := range map[string][]byte{ // unordered: each by itself
		"configuration": filled(TypeConfig, []byte{1, 0, 0, 0}, make([]byte, 4), 16000),
		"attributes":    filled(TypeSA, []byte{0, 0, byte((m + 8) >> 8), byte((m + 8) & 0xff), 1, 1, 0, 1, 0, 0, byte(m >> 8), byte(m & 0xff), 1, 0, 0, 12}, []byte{0, 99, 0, 0}, 16000),
		"transforms":    proposals,
		"deletions":     filled(TypeDelete, []byte{3, 4, 16000 >> 8, 16000 & 0xff}, make([]byte, 4), 16000),
	} {
		_, err := Parse(b)
		if few := name == "transforms" || name == "deletions"; few != (err == nil) {
			t.Fatalf("%s: %v", name, err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 10 {
			Parse(b)
		}
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) / 10; got > uint64(limit*len(b)) {
			t.Errorf("%s: %d octets for a message of %d", name, got, len(b))
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, g := range goldens(b)[:2] {
		p := octets(b, g.hex)
		b.Run(g.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				if _, err := Parse(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, g := range goldens(b)[:2] {
		b.Run(g.name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 1000)
			for b.Loop() {
				if _, err := g.msg.AppendBinary(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
