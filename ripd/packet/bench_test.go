package packet

import (
	"fmt"
	"slices"
	"testing"
)

// full is a Response with as many routes as fit with a.
func full(a Algorithm) (*Message, *Key) {
	m := &Message{Command: Response, Version: 2, Entries: slices.Repeat([]Entry{route("10.1.2.0/24", 3)}, MaxEntriesWith(a))}
	if a == NoAlgorithm {
		return m, nil
	}
	return m, &Key{ID: 1, Algorithm: a, Secret: secret("0123456789abcdef")}
}

func mustAppend(tb testing.TB, m *Message, k *Key) []byte {
	tb.Helper()
	b, err := m.Append(nil, k, 1)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// A receive loop that decodes into one Message and judges its entries does not
// allocate, whatever the order of messages.
func TestReceiveDoesNotAllocate(t *testing.T) {
	var in [][]byte
	for _, g := range goldens() {
		in = append(in, g.bytes(t))
	}
	m, k := full(NoAlgorithm)
	in = append(in, mustAppend(t, m, k))
	var reused Message
	iface := pfx("10.9.0.1/24")
	round := func() {
		for _, b := range in {
			if err := reused.Decode(b); err != nil {
				t.Fatal(err)
			}
			for i := range reused.Entries {
				e := &reused.Entries[i]
				if r := e.Check(); r == 0 {
					_, _ = e.Prefix(iface)
				}
			}
		}
	}
	round()
	if n := testing.AllocsPerRun(200, round); n != 0 {
		t.Fatalf("receiving allocates %v times", n)
	}
}

// Writing into a buffer that is large enough does not allocate without a
// digest, and verifying a password does not either.
func TestAppendDoesNotAllocate(t *testing.T) {
	for _, a := range []Algorithm{NoAlgorithm, SimplePassword} {
		m, k := full(a)
		b := mustAppend(t, m, k)
		got, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 0, MaxDatagram)
		if n := testing.AllocsPerRun(200, func() {
			if _, err := m.Append(buf, k, 1); err != nil {
				t.Fatal(err)
			}
			if k != nil && !got.Verify(b, *k) {
				t.Fatal("not verified")
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations", a, n)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	m, k := full(NoAlgorithm)
	in := mustAppend(b, m, k)
	var reused Message
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if err := reused.Decode(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for a := SimplePassword; a <= HMACSHA512; a++ {
		b.Run(fmt.Sprint(a), func(b *testing.B) {
			m, k := full(a)
			in := mustAppend(b, m, k)
			got, err := Parse(in)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if !got.Verify(in, *k) {
					b.Fatal("not verified")
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for a := NoAlgorithm; a <= HMACSHA512; a++ {
		b.Run(fmt.Sprint(a), func(b *testing.B) {
			m, k := full(a)
			buf := make([]byte, 0, MaxDatagram)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Append(buf, k, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
