package cli

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Kind is the type of an argument.
type Kind string

// The kinds of arguments; doc.go explains them.
const (
	KindAddr4   Kind = "A.B.C.D"
	KindAddr6   Kind = "X:X::X:X"
	KindIfAddr4 Kind = "A.B.C.D/M"
	KindIfAddr6 Kind = "X:X::X:X/M"
	KindAddr    Kind = "ADDR"
	KindPrefix4 Kind = "PREFIX4"
	KindPrefix6 Kind = "PREFIX6"
	KindPrefix  Kind = "PREFIX"
	KindMask    Kind = "MASK"
	KindWild    Kind = "WILDCARD"
	KindIfname  Kind = "IFNAME"
	KindHost    Kind = "HOST"
	KindNumber  Kind = "NUMBER"
	KindWord    Kind = "WORD"
	KindLine    Kind = "LINE"
	KindSecret  Kind = "SECRET"
	// KindFlag is the kind of a keyword that is recorded as an argument, and
	// of a named group.
	KindFlag Kind = "KEYWORD"
)

// Limits of what a line may hold.
const (
	MaxLine     = 4096 // bytes of a line
	maxWords    = 256  // words of a line
	defaultWord = 128  // bytes of WORD and SECRET
	defaultLine = 1024 // bytes of LINE
	maxIfname   = 64   // bytes of IFNAME
)

// kindSizes has the kinds that a pattern may name, with their size limit in
// bytes where "(n)" may follow.
var kindSizes = map[Kind]int{
	KindAddr4: 0, KindAddr6: 0, KindIfAddr4: 0, KindIfAddr6: 0, KindAddr: 0,
	KindPrefix4: 0, KindPrefix6: 0, KindPrefix: 0, KindMask: 0, KindWild: 0,
	KindIfname: 0, KindHost: 0,
	KindWord: defaultWord, KindLine: defaultLine, KindSecret: defaultWord,
}

// Ranks of a reading of one word, best first.
const (
	rankExact byte = iota
	rankTyped
	rankAbbrev
	rankWord
	rankLine
)

// argRank is the rank of a word that was read as the kind.
func (k Kind) rank() byte {
	switch k {
	case KindWord, KindSecret, KindHost, KindIfname:
		return rankWord
	case KindLine:
		return rankLine
	}
	return rankTyped
}

// display is what help shows for the argument.
func (t *token) display() string {
	if t.kind == KindNumber {
		return fmt.Sprintf("<%d-%d>", t.lo, t.hi)
	}
	switch t.kind {
	case KindMask, KindWild:
		return string(KindAddr4)
	case KindPrefix4:
		return string(KindIfAddr4)
	case KindPrefix6:
		return string(KindIfAddr6)
	case KindAddr:
		return "A.B.C.D|X:X::X:X"
	case KindPrefix:
		return "A.B.C.D/M|X:X::X:X/M"
	case KindSecret:
		return string(KindWord)
	}
	return string(t.kind)
}

// read returns the canonical text of word as the argument. If it is not one, ok
// is false and why is empty, or tells what is wrong with a word that has the
// right shape.
func (t *token) read(word string) (text string, ok bool, why string) {
	switch t.kind {
	case KindNumber:
		return t.readNumber(word)
	case KindAddr4, KindAddr6, KindAddr, KindMask, KindWild:
		return readAddr(t.kind, word)
	case KindIfAddr4, KindIfAddr6, KindPrefix4, KindPrefix6, KindPrefix:
		return readPrefix(t.kind, word)
	case KindIfname:
		return readIfname(word)
	case KindHost:
		if a, err := netip.ParseAddr(word); err == nil && a.Zone() == "" {
			return a.String(), true, ""
		}
		return readHostname(word)
	}
	if len(word) > t.max {
		return "", false, fmt.Sprintf("longer than %d characters", t.max)
	}
	return word, true, ""
}

func (t *token) readNumber(word string) (string, bool, string) {
	for i := 0; i < len(word); i++ {
		if word[i] < '0' || word[i] > '9' {
			return "", false, ""
		}
	}
	n, err := strconv.ParseUint(word, 10, 64)
	if err != nil || n < t.lo || n > t.hi {
		return "", false, fmt.Sprintf("%s is not in %s", word, t.display())
	}
	return strconv.FormatUint(n, 10), true, ""
}

func readAddr(k Kind, word string) (string, bool, string) {
	a, err := netip.ParseAddr(word)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return "", false, ""
	}
	if k != KindAddr && a.Is6() != (k == KindAddr6) {
		return "", false, ""
	}
	if k == KindMask {
		if _, ok := maskBits(a); !ok {
			return "", false, fmt.Sprintf("%s is not a netmask", word)
		}
	}
	return a.String(), true, ""
}

// maskBits returns the length of a contiguous IPv4 netmask.
func maskBits(a netip.Addr) (int, bool) {
	if !a.Is4() {
		return 0, false
	}
	b := a.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n := 0
	for n < 32 && v&(1<<(31-n)) != 0 {
		n++
	}
	return n, n == 32 || v<<n == 0
}

func readPrefix(k Kind, word string) (string, bool, string) {
	p, err := netip.ParsePrefix(word)
	if err != nil || p.Addr().Is4In6() {
		return "", false, ""
	}
	switch k {
	case KindIfAddr4, KindPrefix4:
		if !p.Addr().Is4() {
			return "", false, ""
		}
	case KindIfAddr6, KindPrefix6:
		if p.Addr().Is4() {
			return "", false, ""
		}
	}
	if (k == KindPrefix || k == KindPrefix4 || k == KindPrefix6) && p != p.Masked() {
		return "", false, fmt.Sprintf("%s has host bits set: the network is %s", word, p.Masked())
	}
	return p.String(), true, ""
}

func readHostname(word string) (string, bool, string) {
	if len(word) > 253 {
		return "", false, "a host name has at most 253 characters"
	}
	digits := true // a name whose last label is a number would be a broken address
	for i := 0; i < len(word); i++ {
		c := word[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '_':
			digits = false
		case c >= '0' && c <= '9', c == '.':
		default:
			return "", false, ""
		}
	}
	if digits || strings.HasPrefix(word, ".") || strings.Contains(word, "..") {
		return "", false, ""
	}
	return word, true, ""
}
