package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/conf"
)

// reader collects what the lines mean and which are refused.
type reader struct {
	set  *Set
	errs []conf.Refusal
	path []string // of the block that is being read
	// calls has the line of each call, to refuse it.
	calls map[*MapEntry]call
	// lists has the names of the access-lists, by the command that makes them.
	lists map[string]map[string]bool
}

// call is where a call line stands.
type call struct {
	block, line *conf.Node
}

// refuse notes that a line is refused.
func (r *reader) refuse(n *conf.Node, format string, args ...any) {
	path := append(slices.Clone(r.path), n.Key)
	r.errs = append(r.errs, conf.Refusal{Path: path, Msg: fmt.Sprintf(format, args...)})
}

// inside reads the lines of a block.
func (r *reader) inside(block *conf.Node, read func(*conf.Node)) {
	r.path = append(r.path, block.Key)
	for _, n := range block.Nodes {
		read(n)
	}
	r.path = r.path[:len(r.path)-1]
}

// Read turns the policy lines of a configuration into values; other lines it
// passes over. Lines that contradict themselves or others are returned, and the
// Set is then without what they say. No error holds a secret.
func Read(tree *conf.Tree) (*Set, []conf.Refusal) {
	r := reader{calls: map[*MapEntry]call{}, lists: listNames(tree), set: &Set{prefix4: map[string]*PrefixList{}, prefix6: map[string]*PrefixList{},
		access: map[string]*AccessList{}, maps: map[string]*RouteMap{}, chains: map[string]*KeyChain{},
		paths: map[string]*ASPathList{}, communities: map[string]*CommunityList{},
		extended: map[string]*ExtCommunityList{}, large: map[string]*LargeCommunityList{}}}
	for _, n := range tree.Nodes {
		switch n.ID {
		case CmdPrefixList, CmdPrefixListText:
			r.prefixLine(r.set.prefix4, n)
		case CmdPrefixList6, CmdPrefixList6Text:
			r.prefixLine(r.set.prefix6, n)
		case CmdAccessList:
			r.numbered(n)
		case CmdStandard, CmdExtended:
			r.named(n)
		case CmdRouteMap:
			r.mapEntry(n)
		case CmdASPathList:
			r.pathList(n)
		case CmdCommunityList, CmdExpandedList:
			communityLine(&r, r.set.communities, n, CmdExpandedList, r.communities)
		case CmdExtList, CmdExtExpanded:
			communityLine(&r, r.set.extended, n, CmdExtExpanded, r.extended)
		case CmdLargeList, CmdLargeExpanded:
			communityLine(&r, r.set.large, n, CmdLargeExpanded, r.large)
		case CmdKeyChain:
			r.keyChain(n)
		}
	}
	for _, lists := range []map[string]*PrefixList{r.set.prefix4, r.set.prefix6} {
		for _, l := range lists { // unordered: each is on its own
			l.index()
		}
	}
	for _, l := range r.set.access { // unordered: each is on its own
		slices.SortFunc(l.Entries, func(a, b AccessEntry) int { return cmp.Compare(a.Seq, b.Seq) })
	}
	r.link()
	return r.set, r.errs
}

func (r *reader) prefixLine(lists map[string]*PrefixList, n *conf.Node) {
	name := n.Args.String("name")
	l := lists[name]
	if l == nil {
		l = &PrefixList{Name: name}
		lists[name] = l
	}
	if n.ID == CmdPrefixListText || n.ID == CmdPrefixList6Text {
		l.Description = n.Args.String("text")
		return
	}
	p := n.Args.Prefix("prefix")
	e := PrefixEntry{Seq: uint32(n.Args.Uint("seq")), Permit: n.Args.String("action") == "permit", Prefix: p, GE: -1, LE: -1, Min: p.Bits(), Max: p.Bits()}
	if n.Args.Has("min") {
		e.GE = int(n.Args.Uint("min"))
		e.Min, e.Max = e.GE, p.Addr().BitLen()
	}
	if n.Args.Has("max") {
		e.LE = int(n.Args.Uint("max"))
		e.Max = e.LE
	}
	if !p.IsValid() || p != p.Masked() || (n.ID == CmdPrefixList) != p.Addr().Is4() {
		r.refuse(n, "not a network of this list's family")
		return
	}
	if e.Min < p.Bits() || e.Max < e.Min || e.Max > p.Addr().BitLen() {
		r.refuse(n, "no prefix can match: the lengths must be %d <= ge <= le <= %d", p.Bits(), p.Addr().BitLen())
		return
	}
	l.Entries = append(l.Entries, e)
}

// numeric tells whether a name is a number.
func numeric(name string) bool { return name != "" && strings.Trim(name, "0123456789") == "" }
