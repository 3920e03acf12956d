package policy

import (
	"regexp"
	"slices"
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

// CommunityList is an ip community-list: its lines in the order of entry.
type CommunityList struct {
	Name     string
	Expanded bool
	Entries  []CommunityEntry
}

// CommunityEntry is one line. One of a standard list matches what has all of its
// communities, one of an expanded list what its regular expression finds something in.
type CommunityEntry struct {
	Permit      bool
	Communities []Community // of a standard list, sorted; with CommunityInternet it matches everything
	Text        string      // of an expanded list: the regular expression

	re *regexp.Regexp
}

// Match evaluates the list for the communities of a route. With exact the communities of
// a line must be all that the route has. found is as for ASPathList.Match.
func (l *CommunityList) Match(of []Community, exact bool) (permit, found bool) {
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

func (e *CommunityEntry) matches(of []Community, exact bool) bool {
	if e.re != nil {
		return e.re.MatchString(communityText(of))
	}
	if slices.Contains(e.Communities, CommunityInternet) {
		return true
	}
	for _, c := range e.Communities {
		if !slices.Contains(of, c) {
			return false
		}
	}
	return !exact || len(of) == len(e.Communities)
}

// communityText is the communities of a route as they are shown, in order.
func communityText(of []Community) string {
	sorted := slices.Clone(of)
	slices.Sort(sorted)
	return strings.Join(texts(sorted), " ")
}

// Without returns the communities that the list does not permit, each looked at by
// itself (set comm-list … delete).
func (l *CommunityList) Without(of []Community) []Community {
	return slices.DeleteFunc(slices.Clone(of), func(c Community) bool {
		permit, found := l.Match([]Community{c}, false)
		return permit && found
	})
}
