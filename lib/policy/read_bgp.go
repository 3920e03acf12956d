package policy

import (
	"slices"

	"github.com/godmvpn/godmvpn/lib/conf"
)

// pathList reads a line of an as-path access-list or community-list.
func (r *reader) pathList(n *conf.Node) {
	name, permit, text := n.Args.String("name"), n.Args.String("action") == "permit", n.Args.String("regex")
	re, err := compile(text)
	if err != nil {
		r.refuse(n, "%q is no regular expression", text)
		return
	}
	if n.ID == CmdASPathList {
		l := r.set.paths[name]
		if l == nil {
			l = &ASPathList{Name: name}
			r.set.paths[name] = l
		}
		l.Entries = append(l.Entries, ASPathEntry{Permit: permit, Text: text, re: re})
		return
	}
	l := r.set.communities[name]
	if l == nil {
		l = &CommunityList{Name: name, Expanded: n.ID == CmdExpandedList}
		r.set.communities[name] = l
	}
	if l.Expanded != (n.ID == CmdExpandedList) {
		r.refuse(n, "list %s is there already, of the other kind", name)
		return
	}
	e := CommunityEntry{Permit: permit, Text: text}
	if l.Expanded {
		e.re = re
	} else if e.Communities = r.communities(n); e.Communities == nil {
		return
	}
	l.Entries = append(l.Entries, e)
}

// communities reads a list of communities; nil if one is none, which is refused.
func (r *reader) communities(n *conf.Node) []Community {
	var out []Community
	for _, word := range n.Args.Strings("communities") {
		v, ok := ParseCommunity(word)
		if !ok {
			r.refuse(n, "%q is no community: aa:nn with numbers up to 65535, a number up to 4294967295, or a name", word)
			return nil
		}
		out = append(out, v)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// bgpSet notes a set clause that is about BGP.
func (r *reader) bgpSet(c *changes, n *conf.Node) {
	switch n.ID {
	case cmdSetPrepend:
		c.prepend = nil
		for _, word := range n.Args.Strings("as") {
			as, _ := parseNumber(word)
			c.prepend = append(c.prepend, as)
		}
		if len(c.prepend) > maxPrepend {
			r.refuse(n, "more than %d numbers", maxPrepend)
			c.prepend = nil
		}
	case cmdSetWeight:
		v := uint32(n.Args.Uint("weightvalue"))
		c.weight = &v
	case cmdSetOrigin:
		c.origin = n.Args.String("origin")
	case cmdSetCommList:
		c.without = &ref[*CommunityList]{name: n.Args.String("list")}
	}
}

// maxPrepend is how many AS numbers a route-map puts before a path.
const maxPrepend = 32
