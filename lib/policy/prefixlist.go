package policy

import (
	"cmp"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
)

// PrefixList is an ip prefix-list or ipv6 prefix-list.
type PrefixList struct {
	Name        string
	Description string
	Entries     []PrefixEntry // by sequence number
	// at has the places in Entries by network, each the first for its range of
	// lengths; lengths has a bit for each length of a network.
	at      map[netip.Prefix][]int
	lengths [3]uint64
}

// PrefixEntry is one line: it matches the prefixes inside of Prefix whose length
// is from Min to Max.
type PrefixEntry struct {
	Seq      uint32
	Permit   bool
	Prefix   netip.Prefix // masked
	Min, Max int          // the lengths that match, from ge and le
	GE, LE   int          // as configured; -1: not given
}

// index sorts the entries and makes the index that Match uses.
func (l *PrefixList) index() {
	slices.SortFunc(l.Entries, func(a, b PrefixEntry) int { return cmp.Compare(a.Seq, b.Seq) })
	l.at = make(map[netip.Prefix][]int, len(l.Entries))
	for i, e := range l.Entries {
		same := func(j int) bool { return l.Entries[j].Min <= e.Min && l.Entries[j].Max >= e.Max }
		if slices.ContainsFunc(l.at[e.Prefix], same) {
			continue // an earlier line always decides
		}
		l.at[e.Prefix] = append(l.at[e.Prefix], i)
		n := e.Prefix.Bits()
		l.lengths[n/64] |= 1 << (n % 64)
	}
}

// Match evaluates the list for a prefix. found tells whether a line decided;
// without one a list denies, and a list that has no lines, or nil, permits.
func (l *PrefixList) Match(p netip.Prefix) (permit, found bool) {
	if l == nil || len(l.Entries) == 0 {
		return true, false
	}
	best := -1
	for w, lengths := range l.lengths {
		for ; lengths != 0; lengths &= lengths - 1 {
			n := w*64 + bits.TrailingZeros64(lengths)
			if n > p.Bits() {
				return l.verdict(best)
			}
			network, err := p.Addr().Prefix(n)
			if err != nil {
				return false, false
			}
			for _, i := range l.at[network] {
				if best >= 0 && i > best {
					break
				}
				if e := &l.Entries[i]; e.Min <= p.Bits() && p.Bits() <= e.Max {
					best = i
					break
				}
			}
		}
	}
	return l.verdict(best)
}

// verdict is the answer if the i-th line decides; -1: none does.
func (l *PrefixList) verdict(i int) (permit, found bool) {
	if i < 0 {
		return false, false
	}
	return l.Entries[i].Permit, true
}

// MatchAddr evaluates the list for an address, as a prefix of full length.
func (l *PrefixList) MatchAddr(a netip.Addr) (permit, found bool) {
	return l.Match(netip.PrefixFrom(a, a.BitLen()))
}

// String is the line without its beginning: "seq 5 permit 10.0.0.0/8 le 24".
func (e PrefixEntry) String() string {
	s := "seq " + strconv.FormatUint(uint64(e.Seq), 10) + " " + verb(e.Permit) + " " + e.Prefix.String()
	if e.GE >= 0 {
		s += " ge " + strconv.Itoa(e.GE)
	}
	if e.LE >= 0 {
		s += " le " + strconv.Itoa(e.LE)
	}
	return s
}

// verb is Cisco's word for a verdict.
func verb(permit bool) string {
	if permit {
		return "permit"
	}
	return "deny"
}
