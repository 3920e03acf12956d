package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// family is an instance on its way from one mode to the other.
type family struct {
	key      core.Key
	standard []string            // lines of af-interface default
	ifaces   map[string][]string // lines of af-interface, by interface
	topology []string
	lines    []string // of the address family itself
}

// topologyIDs has the IDs of the lines that named mode has in its topology.
var topologyIDs = func() map[string]bool {
	l, ids := &lines{mode: ModeTopology}, map[string]bool{}
	l.topology()
	for _, c := range l.list {
		ids[c.ID] = true
	}
	return ids
}()

// Upgrade returns the lines that turn an autonomous system in classic mode, with the
// VRFs under it and with IPv6, into the virtual instance NAME in named mode, as
// `eigrp upgrade-cli` does on IOS. Entered in configuration mode they remove the
// classic lines and put the named ones in their place, which mean the same.
func Upgrade(tree *conf.Tree, as uint16, name string) ([]string, error) {
	if msg := badName(name); msg != "" {
		return nil, fmt.Errorf("%s: %s", name, msg)
	}
	var out, remove []string
	var all []*family
	for _, block := range tree.Nodes {
		switch {
		case block.ID == CmdNamed && block.Args.String("name") == name:
			return nil, fmt.Errorf("router eigrp %s is there already", name)
		case (block.ID == CmdClassic || block.ID == CmdClassic6) && block.Args.Uint("as") == uint64(as):
			families, err := classicFamilies(block)
			if err != nil {
				return nil, err
			}
			all, remove = append(all, families...), append(remove, "no "+block.Line)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("autonomous system %d is not configured in classic mode", as)
	}
	for _, block := range tree.Nodes {
		if block.Enters == modeIf {
			out = append(out, upgradeInterface(block, all, kept(tree, as))...)
		}
	}
	out = append(out, remove...)
	out = append(out, "router eigrp "+name)
	for _, f := range all {
		out = append(out, f.named()...)
	}
	return out, nil
}

// classicFamilies returns the instances of a router in classic mode, with its lines.
func classicFamilies(block *conf.Node) ([]*family, error) {
	first := &family{key: core.Key{Family: rib.IPv4, AS: uint16(block.Args.Uint("as"))}, ifaces: map[string][]string{}}
	if block.ID == CmdClassic6 { // it runs where an interface says so
		first.key.Family, first.standard = rib.IPv6, []string{"shutdown"}
	}
	out := []*family{first}
	first.take(block)
	vrfs := map[string]*family{}
	for _, n := range block.All(Owner, CmdClassicAF) {
		vrf := n.Args.String("vrf")
		f := vrfs[vrf]
		if f == nil {
			f = &family{key: core.Key{Family: rib.IPv4, VRF: vrf}, ifaces: map[string][]string{}}
			vrfs[vrf], out = f, append(out, f)
		}
		f.take(n)
		f.key.AS = max(f.key.AS, uint16(n.Args.Uint("as")))
	}
	for _, f := range out {
		if f.key.AS == 0 {
			return nil, fmt.Errorf("VRF %s has no autonomous system", f.key.VRF)
		}
	}
	return out, nil
}

// take sorts the lines of a block of classic mode.
func (f *family) take(block *conf.Node) {
	for _, n := range block.Nodes {
		switch {
		case n.ID == CmdClassicAF:
		case n.ID == CmdAS:
			f.key.AS = uint16(n.Args.Uint("as"))
		case n.ID == CmdPassiveDefault:
			f.standard = append(f.standard, "passive-interface")
		case n.ID == CmdPassive:
			name := n.Args.String("ifname")
			f.ifaces[name] = append(f.ifaces[name], strings.TrimSuffix(n.Line, " "+name))
		case topologyIDs[n.ID]:
			f.topology = append(f.topology, n.Line)
		default:
			f.lines = append(f.lines, n.Line)
		}
	}
}

// kept returns what lines of interfaces are still for when the routers of an
// autonomous system are gone.
func kept(tree *conf.Tree, as uint16) map[core.Key]bool {
	left := map[core.Key]bool{}
	for _, block := range tree.Nodes {
		if (block.ID != CmdClassic && block.ID != CmdClassic6) || block.Args.Uint("as") == uint64(as) {
			continue
		}
		families, _ := classicFamilies(block)
		for _, f := range families {
			left[core.Key{Family: f.key.Family, AS: f.key.AS}] = true
		}
	}
	return left
}

// upgradeInterface takes the lines of an interface into the families that they are
// about, and returns what removes them.
func upgradeInterface(block *conf.Node, all []*family, left map[core.Key]bool) (remove []string) {
	name := block.Args.String("name")
	for _, n := range block.Nodes {
		if n.Owner != Owner {
			continue
		}
		key, used := core.Key{Family: lineFamily(n), AS: uint16(n.Args.Uint("as"))}, false
		for _, f := range all {
			if f.key.Family == key.Family && f.key.AS == key.AS {
				f.ifaces[name], used = append(f.ifaces[name], namedLine(n)), true
			}
		}
		if !used || left[key] {
			continue
		}
		if line, no := strings.CutPrefix(n.Line, "no "); no {
			remove = append(remove, " "+line)
		} else {
			remove = append(remove, " no "+line)
		}
	}
	if len(remove) > 0 {
		remove = append([]string{block.Line}, remove...)
	}
	return remove
}

// namedLine turns a line of an interface into one of af-interface.
func namedLine(n *conf.Node) string {
	if n.ID == CmdIfEnable {
		return "no shutdown"
	}
	words := strings.Fields(n.Line)
	at := slices.Index(words, "eigrp")
	first := 1 // behind ip or ipv6
	if n.No {
		first = 2
	}
	line := strings.Join(slices.Concat(words[first:at], words[at+2:]), " ")
	if n.No {
		line = "no " + line
	}
	return line
}

// named returns the lines of an address family in named mode.
func (f *family) named() []string {
	version, vrf := "ipv4", ""
	if f.key.Family == rib.IPv6 {
		version = "ipv6"
	}
	if f.key.VRF != "" {
		vrf = " vrf " + f.key.VRF
	}
	out := []string{fmt.Sprintf(" address-family %s unicast%s autonomous-system %d", version, vrf, f.key.AS)}
	block := func(open, close string, lines []string) {
		out = append(out, "  "+open)
		for _, line := range lines {
			out = append(out, "   "+line)
		}
		out = append(out, "  "+close)
	}
	if len(f.standard) > 0 {
		block("af-interface default", "exit-af-interface", f.standard)
	}
	for _, name := range sorted(f.ifaces) {
		block("af-interface "+name, "exit-af-interface", f.ifaces[name])
	}
	block("topology base", "exit-af-topology", f.topology)
	for _, line := range f.lines {
		out = append(out, "  "+line)
	}
	return append(out, " exit-address-family")
}

// sorted returns the names of interfaces in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
