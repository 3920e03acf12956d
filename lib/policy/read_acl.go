package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
)

// numbered reads a line of an access-list that is written in global lines. Such
// lines have no numbers of their own: they get 10, 20, … in their order.
func (r *reader) numbered(n *conf.Node) {
	name := n.Args.String("n")
	l := r.set.access[name]
	if l == nil {
		l = &AccessList{Name: name, Extended: extendedNumber(name)}
		r.set.access[name] = l
	}
	if n.Args.Has("text") {
		return
	}
	e, err := readEntry(n.Args)
	if err != nil {
		r.refuse(n, "%v", err)
		return
	}
	e.Seq = uint32(len(l.Entries)+1) * 10
	l.Entries = append(l.Entries, e)
}

// named reads an access-list that is a block.
func (r *reader) named(n *conf.Node) {
	l := &AccessList{Name: n.Args.String("name"), Extended: n.ID == CmdExtended}
	if why := r.misnamed(l); why != "" {
		r.refuse(n, "%s", why)
		return
	}
	r.set.access[l.Name] = l
	r.inside(n, func(line *conf.Node) {
		if line.Args.Has("text") {
			return
		}
		e, err := readEntry(line.Args)
		if err != nil {
			r.refuse(line, "%v", err)
			return
		}
		e.Seq = uint32(line.Args.Uint("seq"))
		l.Entries = append(l.Entries, e)
	})
}

// listNames collects the names of all access-lists.
func listNames(tree *conf.Tree) map[string]map[string]bool {
	names := map[string]map[string]bool{CmdAccessList: {}, CmdStandard: {}, CmdExtended: {}}
	for _, n := range tree.Nodes {
		if of, ok := names[n.ID]; ok {
			of[n.Args.String("name")+n.Args.String("n")] = true
		}
	}
	return names
}

// misnamed says why a list cannot have its name.
func (r *reader) misnamed(l *AccessList) string {
	if numeric(l.Name) {
		switch {
		case !listNumber(l.Name):
			return "numbers of access-lists are 1-199 and 1300-2699"
		case extendedNumber(l.Name) && !l.Extended:
			return "the numbers of standard access-lists are 1-99 and 1300-1999"
		case !extendedNumber(l.Name) && l.Extended:
			return "the numbers of extended access-lists are 100-199 and 2000-2699"
		}
	}
	switch {
	case r.lists[CmdAccessList][l.Name]:
		return fmt.Sprintf("access-list %s is written with access-list lines; remove them first (no access-list %s)", l.Name, l.Name)
	case !l.Extended && r.lists[CmdExtended][l.Name]:
		return fmt.Sprintf("there is an extended access-list %s", l.Name)
	case l.Extended && r.lists[CmdStandard][l.Name]:
		return fmt.Sprintf("there is a standard access-list %s", l.Name)
	}
	return ""
}

// listNumber tells whether access-lists have such a number.
func listNumber(name string) bool {
	n, err := strconv.Atoi(name)
	return err == nil && strconv.Itoa(n) == name && (n >= 1 && n <= 199 || n >= 1300 && n <= 2699)
}

// extendedNumber tells whether it is an extended list's number.
func extendedNumber(name string) bool {
	n, _ := strconv.Atoi(name)
	return n >= 100 && n <= 199 || n >= 2000
}

// readEntry reads a permit or deny line.
func readEntry(a cli.Args) (AccessEntry, error) {
	e := AccessEntry{Permit: a.String("action") == "permit", Protocol: AnyProtocol, Destination: anyAddr}
	var err error
	if e.Source, err = readWildcard(a.String("src")); err != nil {
		return e, err
	}
	if !a.Has("proto") {
		return e, nil
	}
	if e.Destination, err = readWildcard(a.String("dst")); err != nil {
		return e, err
	}
	name := a.String("proto")
	n, known := protocolNumbers[name]
	if !known {
		if n, err = strconv.Atoi(name); err != nil || n < 0 || n > 255 {
			return e, fmt.Errorf("%q is no IP protocol", name)
		}
	}
	e.Protocol, e.Established = n, a.Has("established")
	if e.SourcePort, err = readPorts(n, a.String("sport")); err != nil {
		return e, err
	}
	e.DestPort, err = readPorts(n, a.String("dport"))
	return e, err
}

// readWildcard reads "any", "host A", "A" or "A WILDCARD".
func readWildcard(text string) (Wildcard, error) {
	words := strings.Fields(text)
	if text == "any" {
		return anyAddr, nil
	}
	if len(words) == 2 && words[0] == "host" {
		words = words[1:]
	}
	if len(words) < 1 || len(words) > 2 {
		return Wildcard{}, fmt.Errorf("%q is no address with wildcard bits", text)
	}
	var parts [2]uint32
	for i, w := range words {
		a, err := netip.ParseAddr(w)
		if err != nil || !a.Is4() {
			return Wildcard{}, fmt.Errorf("%q is no IPv4 address", w)
		}
		parts[i] = number4(a)
	}
	return Wildcard{Addr: parts[0] &^ parts[1], Bits: parts[1]}, nil
}

// readPorts reads "eq P", "range P Q" and the like; "" is all ports.
func readPorts(protocol int, text string) (Ports, error) {
	if text == "" {
		return Ports{}, nil
	}
	op, rest, _ := strings.Cut(text, " ")
	p := Ports{Op: op}
	var err error
	for i, w := range strings.Fields(rest) {
		var n uint16
		if n, err = readPort(protocol, w); err != nil {
			return Ports{}, err
		}
		if i == 0 {
			p.Lo = n
		} else {
			p.Hi = n
		}
	}
	switch {
	case op == "range" && p.Hi < p.Lo:
		err = fmt.Errorf("the range of ports ends before it begins")
	case op == "gt" && p.Lo == 65535, op == "lt" && p.Lo == 0:
		err = fmt.Errorf("there is no port %s %d", op, p.Lo)
	}
	return p, err
}

func readPort(protocol int, word string) (uint16, error) {
	if n, ok := portNumbers[protocol][strings.ToLower(word)]; ok {
		return n, nil
	}
	n, err := strconv.ParseUint(word, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is no port: a number up to 65535, or a name such as domain", word)
	}
	return uint16(n), nil
}
