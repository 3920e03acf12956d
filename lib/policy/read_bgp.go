package policy

import (
	"regexp"
	"strings"

	"github.com/godmvpn/godmvpn/lib/conf"
)

// pathList reads a line of an as-path access-list.
func (r *reader) pathList(n *conf.Node) {
	re, ok := r.regex(n)
	if !ok {
		return
	}
	name := n.Args.String("name")
	l := r.set.paths[name]
	if l == nil {
		l = &ASPathList{Name: name}
		r.set.paths[name] = l
	}
	l.Entries = append(l.Entries, ASPathEntry{Permit: n.Args.String("action") == "permit", Text: n.Args.String("regex"), re: re})
}

// regex reads the regular expression of a line.
func (r *reader) regex(n *conf.Node) (*regexp.Regexp, bool) {
	text := n.Args.String("regex")
	re, err := compile(text)
	if err != nil {
		r.refuse(n, "%q is no regular expression", text)
	}
	return re, err == nil
}

// communityLine reads a line of a list of communities, which read reads.
func communityLine[C communityValue[C]](r *reader, lists map[string]*CommunityListOf[C], n *conf.Node, expanded string, read func(*conf.Node) []C) {
	name := n.Args.String("name")
	l := lists[name]
	if l == nil {
		l = &CommunityListOf[C]{Name: name, Expanded: n.ID == expanded}
		lists[name] = l
	}
	if l.Expanded != (n.ID == expanded) {
		r.refuse(n, "list %s is there already, of the other kind", name)
		return
	}
	e := CommunityEntryOf[C]{Permit: n.Args.String("action") == "permit"}
	if l.Expanded {
		re, ok := r.regex(n)
		if !ok {
			return
		}
		e.Text, e.re = n.Args.String("regex"), re
	} else if e.Communities = inOrder(read(n)); len(e.Communities) == 0 {
		return
	}
	l.Entries = append(l.Entries, e)
}

// communities reads a list of communities; nil if one is none, which is refused.
func (r *reader) communities(n *conf.Node) []Community {
	return values(r, n, ParseCommunity, "community: aa:nn with numbers up to 65535, a number up to 4294967295, or a name")
}

// large is communities for large ones.
func (r *reader) large(n *conf.Node) []LargeCommunity {
	return values(r, n, ParseLargeCommunity, "large community: three numbers up to 4294967295, as in 65000:1:2")
}

// extended is communities for extended ones: words rt or soo, with values behind them.
func (r *reader) extended(n *conf.Node) (out []ExtCommunity) {
	kind := n.Args.String("kind") // of a set clause
	bare := false                 // nothing is behind kind yet
	for _, word := range n.Args.Strings("communities") {
		if word == "rt" || word == "soo" {
			kind, bare = word, true
			continue
		}
		bare = false
		v, ok := ParseExtCommunity(kind, word)
		if !ok {
			r.refuse(n, "%q is no extended community: rt or soo and AS:nn or A.B.C.D:nn, with nn up to 65535 behind an AS above 65535 or an address", strings.TrimSpace(kind+" "+word))
			return nil
		}
		out = append(out, v)
	}
	if bare {
		r.refuse(n, "no value is behind %s", kind)
		return nil
	}
	return out
}

// values reads a list of communities; nil if one is none, which is refused.
func values[C any](r *reader, n *conf.Node, parse func(string) (C, bool), what string) (out []C) {
	for _, word := range n.Args.Strings("communities") {
		v, ok := parse(word)
		if !ok {
			r.refuse(n, "%q is no %s", word, what)
			return nil
		}
		out = append(out, v)
	}
	return out
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
	case cmdSetExt:
		if list := r.extended(n); n.Args.String("kind") == "rt" {
			c.targets, c.moreTargets = list, n.Args.Has("additive")
		} else {
			c.origins = list
		}
	case cmdSetExtList:
		c.withoutExt = &ref[*ExtCommunityList]{name: n.Args.String("list")}
	case cmdSetLarge:
		c.setLarge, c.large, c.moreLarge = true, r.large(n), n.Args.Has("additive")
	case cmdSetLargeList:
		c.withoutLarge = &ref[*LargeCommunityList]{name: n.Args.String("list")}
	}
}

// maxPrepend is how many AS numbers a route-map puts before a path.
const maxPrepend = 32
