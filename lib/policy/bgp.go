package policy

import (
	"regexp"
	"strings"
)

// ASPathList is an ip as-path access-list: its lines in the order of entry.
type ASPathList struct {
	Name    string
	Entries []ASPathEntry
}

// ASPathEntry is one line. It matches the AS paths that its regular expression finds
// something in.
type ASPathEntry struct {
	Permit bool
	Text   string // as configured

	re *regexp.Regexp
}

// Match evaluates the list for an AS path as it is shown, such as "65001 {65002,65003}".
// found tells whether a line decided; without one a list denies, and a list that has no
// lines, or nil, permits.
func (l *ASPathList) Match(path string) (permit, found bool) {
	if l == nil || len(l.Entries) == 0 {
		return true, false
	}
	for _, e := range l.Entries {
		if e.re.MatchString(path) {
			return e.Permit, true
		}
	}
	return false, false
}

// border is what _ stands for in Cisco's regular expressions: the beginning or end, or
// what stands between numbers.
const border = `(?:^|$|[ ,{}()])`

// compile reads a regular expression of Cisco's.
func compile(text string) (*regexp.Regexp, error) {
	return regexp.Compile(strings.ReplaceAll(text, "_", border))
}
