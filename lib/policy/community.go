package policy

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// communityValue is what lists of communities are made of.
type communityValue[C any] interface {
	comparable
	fmt.Stringer
	Compare(C) int
	everything() bool // it stands for all routes
}

// Compare orders communities as lists show them.
func (c Community) Compare(d Community) int { return cmp.Compare(c, d) }

func (c Community) everything() bool { return c == CommunityInternet }

// LargeCommunity is a BGP large community (RFC 8092): the global administrator, which is
// an AS, and two parts of its own.
type LargeCommunity [3]uint32

// String returns the canonical form of RFC 8092 section 4.
func (c LargeCommunity) String() string { return fmt.Sprintf("%d:%d:%d", c[0], c[1], c[2]) }

// Compare orders communities as lists show them.
func (c LargeCommunity) Compare(d LargeCommunity) int { return slices.Compare(c[:], d[:]) }

func (LargeCommunity) everything() bool { return false }

// ParseLargeCommunity reads the form of RFC 8092 section 4.
func ParseLargeCommunity(word string) (c LargeCommunity, ok bool) {
	parts := strings.Split(word, ":")
	if len(parts) != len(c) {
		return c, false
	}
	for i, p := range parts {
		if c[i], ok = parseNumber(p); !ok {
			return c, false
		}
	}
	return c, true
}

// ExtCommunity is a BGP extended community (RFC 4360).
type ExtCommunity [8]byte

// Sub-types of extended communities (RFC 4360 sections 4 and 5); their types are those
// below.
const (
	extRouteTarget = 2
	extSiteOfOrig  = 3
)

// Types of extended communities: what their global administrator is (RFC 4360 section 3,
// RFC 5668 section 2).
const (
	extAS2  = 0
	extIPv4 = 1
	extAS4  = 2
)

// kind returns the sub-type of a route target or site of origin, and 0 of others.
func (c ExtCommunity) kind() byte {
	if c[0] <= extAS4 && (c[1] == extRouteTarget || c[1] == extSiteOfOrig) {
		return c[1]
	}
	return 0
}

// String returns Cisco's form of a route target or site of origin, RT:65000:1 or
// SoO:192.0.2.1:1, and the octets of others.
func (c ExtCommunity) String() string {
	name := map[byte]string{extRouteTarget: "RT", extSiteOfOrig: "SoO"}[c.kind()]
	switch {
	case name == "":
		return fmt.Sprintf("0x%x", c[:])
	case c[0] == extAS2:
		return fmt.Sprintf("%s:%d:%d", name, binary.BigEndian.Uint16(c[2:]), binary.BigEndian.Uint32(c[4:]))
	case c[0] == extIPv4:
		return fmt.Sprintf("%s:%v:%d", name, netip.AddrFrom4([4]byte(c[2:6])), binary.BigEndian.Uint16(c[6:]))
	}
	return fmt.Sprintf("%s:%d:%d", name, binary.BigEndian.Uint32(c[2:]), binary.BigEndian.Uint16(c[6:]))
}

// Compare orders communities as lists show them.
func (c ExtCommunity) Compare(d ExtCommunity) int { return bytes.Compare(c[:], d[:]) }

func (ExtCommunity) everything() bool { return false }

// ParseExtCommunity reads the value of a route target (rt) or site of origin (soo): AS:nn
// or ADDRESS:nn. What an AS of four octets or an address leaves are two octets.
func ParseExtCommunity(kind, word string) (c ExtCommunity, ok bool) {
	c[1] = map[string]byte{"rt": extRouteTarget, "soo": extSiteOfOrig}[strings.ToLower(kind)]
	admin, number, _ := strings.Cut(word, ":")
	n, err := strconv.ParseUint(number, 10, 32)
	if c[1] == 0 || err != nil {
		return ExtCommunity{}, false
	}
	as, isAS := parseNumber(admin)
	if isAS && as <= 0xFFFF {
		binary.BigEndian.PutUint16(c[2:], uint16(as))
		binary.BigEndian.PutUint32(c[4:], uint32(n))
		return c, true
	}
	if n > 0xFFFF {
		return ExtCommunity{}, false
	}
	binary.BigEndian.PutUint16(c[6:], uint16(n))
	if isAS {
		c[0] = extAS4
		binary.BigEndian.PutUint32(c[2:], as)
		return c, true
	}
	a, err := netip.ParseAddr(admin)
	if err != nil || !a.Is4() {
		return ExtCommunity{}, false
	}
	c[0] = extIPv4
	copy(c[2:], a.AsSlice())
	return c, true
}

// CommunityListOf is a list of communities of some kind: its lines in the order of entry.
type CommunityListOf[C communityValue[C]] struct {
	Name     string
	Expanded bool
	Entries  []CommunityEntryOf[C]
}

// CommunityEntryOf is one line. One of a standard list matches what has all of its
// communities, one of an expanded list what its regular expression finds something in.
type CommunityEntryOf[C communityValue[C]] struct {
	Permit      bool
	Communities []C    // of a standard list, sorted; with CommunityInternet it matches everything
	Text        string // of an expanded list: the regular expression

	re *regexp.Regexp
}

// Lists of communities: ip community-list, ip extcommunity-list, ip large-community-list.
type (
	CommunityList      = CommunityListOf[Community]
	ExtCommunityList   = CommunityListOf[ExtCommunity]
	LargeCommunityList = CommunityListOf[LargeCommunity]
)

// Match evaluates the list for the communities of a route. With exact the communities of
// a line must be all that the route has. found is as for ASPathList.Match.
func (l *CommunityListOf[C]) Match(of []C, exact bool) (permit, found bool) {
	if l == nil || len(l.Entries) == 0 {
		return true, false
	}
	for i := range l.Entries {
		if e := &l.Entries[i]; e.matches(of, exact) {
			return e.Permit, true
		}
	}
	return false, false
}

func (e *CommunityEntryOf[C]) matches(of []C, exact bool) bool {
	if e.re != nil {
		return e.re.MatchString(communityText(of))
	}
	for _, c := range e.Communities {
		if c.everything() {
			return true
		}
	}
	for _, c := range e.Communities {
		if !slices.Contains(of, c) {
			return false
		}
	}
	return !exact || len(of) == len(e.Communities)
}

// communityText is the communities of a route as they are shown, in order.
func communityText[C communityValue[C]](of []C) string {
	return strings.Join(texts(inOrder(of)), " ")
}

// inOrder returns communities in order, each once.
func inOrder[C communityValue[C]](list []C) []C {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b C) int { return a.Compare(b) })
	return slices.Compact(sorted)
}

// Without returns the communities that the list does not permit, each looked at by
// itself (set comm-list … delete).
func (l *CommunityListOf[C]) Without(of []C) []C {
	return slices.DeleteFunc(slices.Clone(of), func(c C) bool {
		permit, found := l.Match([]C{c}, false)
		return permit && found
	})
}
