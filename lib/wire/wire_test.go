package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestReaderReadsBigEndian(t *testing.T) {
	b := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22}
	r := NewReader(b)
	if v := r.U8(); v != 0x01 {
		t.Errorf("U8 = %#x", v)
	}
	if v := r.U16(); v != 0x0203 {
		t.Errorf("U16 = %#x", v)
	}
	if v := r.U24(); v != 0x040506 {
		t.Errorf("U24 = %#x", v)
	}
	if v := r.U32(); v != 0x0708090a {
		t.Errorf("U32 = %#x", v)
	}
	if v := r.U64(); v != 0x0b0c0d0e0f101112 {
		t.Errorf("U64 = %#x", v)
	}
	r.Skip(1)
	if r.Offset() != 19 || r.Len() != 3 {
		t.Errorf("Offset %d, Len %d, want 19, 3", r.Offset(), r.Len())
	}
	p := r.Bytes(2)
	if !bytes.Equal(p, []byte{20, 21}) || &p[0] != &b[19] || cap(p) != 2 {
		t.Errorf("Bytes = %v, cap %d, want [20 21] of the same memory", p, cap(p))
	}
	if p := r.Rest(); !bytes.Equal(p, []byte{22}) {
		t.Errorf("Rest = %v", p)
	}
	if p := r.Rest(); len(p) != 0 || r.Err() != nil {
		t.Errorf("Rest at the end = %v, %v", p, r.Err())
	}
}

func TestReaderErrorSticks(t *testing.T) {
	r := NewReader([]byte{1, 2, 3})
	r.U8()
	if v := r.U32(); v != 0 {
		t.Errorf("U32 past the end = %#x", v)
	}
	if v := r.U8(); v != 0 || r.Len() != 0 || r.Bytes(0) != nil || r.Rest() != nil {
		t.Error("reads go on after a failure")
	}
	if v := r.U16() | uint16(r.U24()) | uint16(r.U64()); v != 0 {
		t.Error("reads answer something after a failure")
	}
	var e *ShortError
	if !errors.As(r.Err(), &e) || *e != (ShortError{Offset: 1, Want: 4, Have: 2}) {
		t.Errorf("Err = %v", r.Err())
	}
	if !r.Failed() || r.Offset() != 1 {
		t.Errorf("Failed %v, Offset %d", r.Failed(), r.Offset())
	}
	if got, want := e.Error(), "offset 1: need 4 octets, have 2"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func TestReaderNegativeCount(t *testing.T) {
	r := NewReader([]byte{1, 2})
	if r.Bytes(-1) != nil || !r.Failed() {
		t.Error("Bytes(-1) did not fail")
	}
}

func TestReaderSub(t *testing.T) {
	r := NewReader([]byte{0, 1, 2, 3, 4, 5})
	r.Skip(1)
	s := r.Sub(3)
	s.Skip(1)
	ss := s.Sub(2)
	if v := ss.U8(); v != 2 || ss.Offset() != 3 {
		t.Errorf("nested: %d at %d", v, ss.Offset())
	}
	if ss.U16(); !ss.Failed() {
		t.Error("a Sub reads past its end")
	}
	var e *ShortError
	if !errors.As(ss.Err(), &e) || *e != (ShortError{Offset: 3, Want: 2, Have: 1}) {
		t.Errorf("Err = %v", ss.Err())
	}
	if s.Failed() || r.Failed() || s.Len() != 0 || r.U8() != 4 {
		t.Error("a failure of a Sub reaches its parent")
	}
	bad := r.Sub(2)
	if !r.Failed() || !bad.Failed() || bad.Offset() != 5 || bad.Len() != 0 {
		t.Errorf("short Sub: parent %v, child %v at %d", r.Failed(), bad.Failed(), bad.Offset())
	}
	if errors.As(bad.Err(), &e); *e != (ShortError{Offset: 5, Want: 2, Have: 1}) {
		t.Errorf("Err of short Sub = %v", bad.Err())
	}
}

func TestZeroReader(t *testing.T) {
	var r Reader
	if r.Len() != 0 || r.Err() != nil || r.U8() != 0 || !r.Failed() {
		t.Error("zero Reader is not an empty one")
	}
}

// Whatever is appended is read back, and a cut anywhere is noticed.
func TestAppendThenRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint8().Draw(t, "8"), rapid.Uint16().Draw(t, "16")
		c, d := rapid.Uint32Range(0, 1<<24-1).Draw(t, "24"), rapid.Uint32().Draw(t, "32")
		e, z := rapid.Uint64().Draw(t, "64"), rapid.IntRange(0, 9).Draw(t, "zeros")
		p := AppendU64(AppendU32(AppendU24(AppendU16(AppendU8(nil, a), b), c), d), e)
		p = AppendZeros(p, z)
		read := func(r *Reader) bool {
			ok := r.U8() == a && r.U16() == b && r.U24() == c && r.U32() == d && r.U64() == e
			return ok && bytes.Equal(r.Bytes(z), make([]byte, z)) && r.Len() == 0
		}
		if r := NewReader(p); !read(&r) || r.Failed() {
			t.Fatalf("not read back: %x", p)
		}
		cut := rapid.IntRange(0, len(p)-1).Draw(t, "cut")
		r := NewReader(p[:cut])
		if read(&r); z == 0 && !r.Failed() {
			r.U8()
		}
		r.Skip(len(p))
		if !r.Failed() || r.Offset() > cut {
			t.Fatalf("cut at %d not noticed, offset %d", cut, r.Offset())
		}
	})
}

func TestLen16(t *testing.T) {
	b, mark := BeginLen16([]byte{9})
	b = append(b, 1, 2, 3)
	b, inner := BeginLen16(b)
	b = append(b, 4)
	if err := errors.Join(EndLen16(b, inner), EndLen16(b, mark)); err != nil {
		t.Fatal(err)
	}
	if want := []byte{9, 0, 6, 1, 2, 3, 0, 1, 4}; !bytes.Equal(b, want) {
		t.Errorf("got % x, want % x", b, want)
	}
	b, mark = BeginLen16(nil)
	b = append(b, make([]byte, 0xffff)...)
	if err := EndLen16(b, mark); err != nil || b[0] != 0xff || b[1] != 0xff {
		t.Errorf("65535 octets: %v, % x", err, b[:2])
	}
	b[0], b[1] = 0, 0
	if err := EndLen16(append(b, 0), mark); !errors.Is(err, ErrLength) || b[0] != 0 {
		t.Errorf("65536 octets: %v", err)
	}
	if err := EndLen16(b[:1], 0); !errors.Is(err, ErrLength) {
		t.Errorf("slice shorter than the mark: %v", err)
	}
}

func TestPut(t *testing.T) {
	b := make([]byte, 8)
	PutU16(b, 1, 0x0102)
	PutU32(b, 4, 0x03040506)
	if want := []byte{0, 1, 2, 0, 3, 4, 5, 6}; !bytes.Equal(b, want) {
		t.Errorf("got % x, want % x", b, want)
	}
}

// RFC 1071 section 3: the worked example 00 01 f2 03 f4 f5 f6 f7 sums to ddf2.
func TestChecksumRFC1071(t *testing.T) {
	b := []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}
	if v := Fold(Sum(0, b)); v != 0xddf2 {
		t.Errorf("sum = %04x, want ddf2", v)
	}
	if v := Checksum(b); v != ^uint16(0xddf2) {
		t.Errorf("checksum = %04x", v)
	}
}

// The definition of RFC 1071 section 1, sixteen bits at a time.
func slowSum(b []byte) uint16 {
	if len(b)%2 == 1 {
		b = append(b[:len(b):len(b)], 0)
	}
	var sum uint32
	for ; len(b) > 0; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

func TestChecksumAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.Just(byte(0xff))), 0, 70).Draw(t, "b")
		want := slowSum(b)
		if got := Fold(Sum(0, b)); got != want {
			t.Fatalf("sum of %x = %04x, want %04x", b, got, want)
		}
		at := rapid.IntRange(0, len(b)/2).Draw(t, "split") * 2
		if got := Fold(Sum(Sum(0, b[:at]), b[at:])); got != want {
			t.Fatalf("in two pieces %04x, want %04x", got, want)
		}
		withField := append(append([]byte(nil), b[:at]...), 0, 0)
		withField = append(withField, b[at:]...)
		PutU16(withField, at, Checksum(withField))
		if !ChecksumOK(withField) {
			t.Fatalf("%x does not verify", withField)
		}
	})
}

func TestChecksumNoOverflow(t *testing.T) {
	b := bytes.Repeat([]byte{0xff}, 1<<20+1)
	if got, want := Fold(Sum(0, b)), slowSum(b); got != want {
		t.Errorf("sum = %04x, want %04x", got, want)
	}
	if ChecksumOK([]byte{0, 0}) || ChecksumOK([]byte{0, 1}) || !ChecksumOK([]byte{0xff, 0xff}) {
		t.Error("only a sum of all ones verifies")
	}
}

func TestNoAllocations(t *testing.T) {
	b := make([]byte, 64)
	buf := make([]byte, 0, 64)
	n := testing.AllocsPerRun(100, func() {
		r := NewReader(b)
		s := r.Sub(32)
		s.U8()
		s.U16()
		s.U24()
		s.U32()
		s.U64()
		s.Bytes(4)
		s.Rest()
		r.Rest()
		out, mark := BeginLen16(buf)
		out = AppendZeros(AppendU64(AppendU32(AppendU24(AppendU16(AppendU8(out, 1), 2), 3), 4), 5), 6)
		if EndLen16(out, mark) != nil || r.Failed() || Checksum(out) == 1 {
			t.Fatal("unexpected")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkChecksum(b *testing.B) {
	p := bytes.Repeat([]byte{0xa5}, 100)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		Checksum(p)
	}
}
