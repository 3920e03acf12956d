package packet

import "testing"

// TestCompare is RFC 2328 section 13.1, rule by rule.
func TestCompare(t *testing.T) {
	base := LSAHeader{Age: 100, Sequence: 5, Checksum: 0x1000}
	with := func(change func(*LSAHeader)) LSAHeader { h := base; change(&h); return h }
	for _, c := range []struct {
		what string
		h    LSAHeader
		want int // of h against base
	}{
		{"the same", base, 0},
		{"newer sequence number", with(func(h *LSAHeader) { h.Sequence = 6; h.Checksum = 0 }), 1},
		{"sequence numbers are signed", with(func(h *LSAHeader) { h.Sequence = InitialSequence; h.Checksum = 0xffff }), -1},
		{"larger checksum", with(func(h *LSAHeader) { h.Checksum++ }), 1},
		{"MaxAge", with(func(h *LSAHeader) { h.Age = MaxAge }), 1},
		{"MaxAge that does not age", with(func(h *LSAHeader) { h.Age = MaxAge | DoNotAge }), 1},
		{"older by MaxAgeDiff", with(func(h *LSAHeader) { h.Age = 100 + MaxAgeDiff }), 0},
		{"older by more", with(func(h *LSAHeader) { h.Age = 100 + MaxAgeDiff + 1 }), -1},
		{"does not age", with(func(h *LSAHeader) { h.Age = 100 | DoNotAge }), 0},
	} {
		sign := func(n int) int { return min(max(n, -1), 1) }
		if got := c.h.Compare(base); sign(got) != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
		if got := c.h.Compare(c.h); got != 0 {
			t.Errorf("%s, and itself: %d", c.what, got)
		}
		if got := base.Compare(c.h); sign(got) != -c.want {
			t.Errorf("%s, the other way: %d, want %d", c.what, got, -c.want)
		}
	}
}

// TestChecksum: every change of an octet but for the age is seen, and long LSAs do not
// overflow the sums.
func TestChecksum(t *testing.T) {
	body := make([]byte, 65000)
	for i := range body {
		body[i] = 255 - byte(i%3)
	}
	for _, n := range []int{0, 1, 4, 36, 4101, 65000} {
		l := mustLSA(header(RouterLSA, "10.0.0.1", 7), body[:n])
		if !l.ChecksumOK() {
			t.Fatalf("%d octets: wrong checksum", n)
		}
		for i := 0; i < len(l.Octets); i += 1 + len(l.Octets)/40 {
			l.Octets[i] ^= 0x40
			if ok := l.ChecksumOK(); ok != (i < 2) {
				t.Errorf("%d octets: changed octet %d: %v", n, i, ok)
			}
			l.Octets[i] ^= 0x40
		}
	}
	if (LSA{}).ChecksumOK() || (LSA{LSAHeader{}, make([]byte, LSAHeaderLen)}).ChecksumOK() {
		t.Error("a checksum of zero is taken (section 12.1.7)")
	}
}
