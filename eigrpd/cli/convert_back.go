package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Downgrade is the reverse of Upgrade: the lines that turn a virtual instance into
// classic mode. A line that classic mode cannot express is an error that names it.
func Downgrade(tree *conf.Tree, name string) ([]string, error) {
	var block *conf.Node
	for _, n := range tree.All(Owner, CmdNamed) {
		if n.Args.String("name") == name {
			block = n
		}
	}
	if block == nil {
		return nil, fmt.Errorf("there is no router eigrp %s", name)
	}
	d := downgrade{ifaces: map[string][]ifaceLine{}, off: block.Find(Owner, CmdShutdown) != nil}
	for _, n := range block.All(Owner, CmdFamily) {
		if err := d.family(n); err != nil {
			return nil, err
		}
	}
	out := []string{"no router eigrp " + name}
	out = append(out, d.interfaces()...)
	routers, err := d.routers()
	return append(out, routers...), err
}

// downgrade collects classic lines.
type downgrade struct {
	off      bool // the virtual instance is shut down
	families []*family
	ifaces   map[string][]ifaceLine
}

// ifaceLine is a classic line of an interface. Of two lines with one key, one would
// replace the other.
type ifaceLine struct{ key, line string }

// family takes an address family.
func (d *downgrade) family(block *conf.Node) error {
	f := &family{key: core.Key{Family: rib.IPv4, VRF: block.Args.String("vrf"), AS: uint16(block.Args.Uint("as"))}}
	if block.Args.String("family") == "ipv6" {
		if f.key.Family = rib.IPv6; f.key.VRF != "" {
			return noClassic(block, "it has IPv6 in the default VRF only")
		}
	}
	if err := d.standard(f, block.Find(Owner, CmdAFDefault)); err != nil {
		return err
	}
	if d.off {
		f.lines = append(f.lines, "shutdown")
	}
	for _, n := range block.Nodes {
		var err error
		switch n.ID {
		case CmdAFDefault:
		case CmdAFInterface:
			err = d.iface(f, n)
		case CmdTopology:
			for _, line := range n.Nodes {
				f.lines = append(f.lines, line.Line)
			}
		case CmdRIBScale, CmdRemoteNeighbors:
			err = noClassic(n, "it has no such line")
		case CmdWeights:
			line := n.Line
			if n.Args.Uint("k6") != 0 {
				err = noClassic(n, "it has no K6")
			} else if n.Args.Has("k6") {
				line = line[:strings.LastIndexByte(line, ' ')]
			}
			f.lines = append(f.lines, line)
		default:
			f.lines = append(f.lines, n.Line)
		}
		if err != nil {
			return err
		}
	}
	d.families = append(d.families, f)
	return nil
}

// noClassic says why a line has no classic form.
func noClassic(n *conf.Node, why string) error {
	return fmt.Errorf("%q has no form in classic mode: %s", n, why)
}

// standard takes af-interface default; n is nil if there is none.
func (d *downgrade) standard(f *family, n *conf.Node) error {
	down := false
	if n != nil {
		for _, line := range n.Nodes {
			switch {
			case line.ID == CmdIfPassive:
				f.lines = append(f.lines, "passive-interface default")
			case line.ID == CmdIfShutdown && f.key.Family == rib.IPv6:
				down = true
			default:
				return noClassic(line, "of all interfaces it can only say that they are passive")
			}
		}
	}
	if f.key.Family == rib.IPv6 && !down {
		return errors.New("EIGRP of IPv6 that runs on all interfaces has no form in classic mode, which names them: enter shutdown under af-interface default and no shutdown under those it is to run on")
	}
	return nil
}

// iface takes an af-interface.
func (d *downgrade) iface(f *family, block *conf.Node) error {
	name := block.Args.String("ifname")
	for _, n := range block.Nodes {
		line, err := classicLine(f.key, n)
		switch {
		case err != nil:
			return err
		case n.ID == CmdIfPassive:
			f.lines = append(f.lines, n.Line+" "+name)
		case line != "":
			if err := d.add(name, ifaceLine{fmt.Sprintf("%d %d %s", f.key.Family, f.key.AS, n.Key), line}); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds a line of an interface. Families of one autonomous system share them: an
// interface is in one VRF, and what it says means nothing to the others.
func (d *downgrade) add(name string, l ifaceLine) error {
	for _, old := range d.ifaces[name] {
		switch {
		case old == l:
			return nil
		case old.key == l.key:
			return fmt.Errorf("interface %s cannot have both %q and %q", name, old.line, l.line)
		}
	}
	d.ifaces[name] = append(d.ifaces[name], l)
	return nil
}

// classicLine turns a line of af-interface into one of the interface; "" if classic
// mode needs none.
func classicLine(key core.Key, n *conf.Node) (string, error) {
	words := strings.Fields(n.Line)
	if n.No {
		words = words[1:]
	}
	at := 1 // where "eigrp AS" goes
	switch n.ID {
	case CmdIfPassive:
		return "", nil
	case CmdIfShutdown:
		switch {
		case n.No && key.Family == rib.IPv6:
			return fmt.Sprintf("ipv6 eigrp %d", key.AS), nil
		case n.No || key.Family == rib.IPv6: // it is not shut down, or is anyway
			return "", nil
		}
		return "", noClassic(n, "a network line decides on the interface")
	case CmdIfSplit, CmdIfNextHopSelf:
		if !n.No {
			return "", nil // so it is
		}
	case CmdIfAddPaths:
		if n.Args.Uint("paths") > 1 {
			return "", noClassic(n, "it has no such line")
		}
		return "", nil
	case CmdIfAuthMode:
		if n.Args.Has("secret") {
			return "", noClassic(n, "it has MD5 only")
		}
		at = 2
	case CmdIfAuthKeys:
		at = 2
	}
	version := "ip"
	if key.Family == rib.IPv6 {
		version = "ipv6"
	}
	line := strings.Join(slices.Concat([]string{version}, words[:at], []string{"eigrp", fmt.Sprint(key.AS)}, words[at:]), " ")
	if n.No {
		line = "no " + line
	}
	return line, nil
}

// interfaces returns the lines of interfaces.
func (d *downgrade) interfaces() []string {
	var out []string
	for _, name := range sorted(d.ifaces) {
		out = append(out, "interface "+name)
		for _, l := range d.ifaces[name] {
			out = append(out, " "+l.line)
		}
	}
	return out
}

// routers returns the routers. VRFs stand under the first autonomous system of the
// default VRF.
func (d *downgrade) routers() ([]string, error) {
	var out, vrfs []string
	for _, f := range d.families {
		if f.key.VRF == "" {
			continue
		}
		vrfs = append(vrfs, fmt.Sprintf(" address-family ipv4 vrf %s autonomous-system %d", f.key.VRF, f.key.AS))
		for _, line := range f.lines {
			vrfs = append(vrfs, "  "+line)
		}
		vrfs = append(vrfs, " exit-address-family")
	}
	for _, f := range d.families {
		if f.key.VRF != "" {
			continue
		}
		open := "router eigrp"
		if f.key.Family == rib.IPv6 {
			open = "ipv6 router eigrp"
		}
		out = append(out, fmt.Sprintf("%s %d", open, f.key.AS))
		for _, line := range f.lines {
			out = append(out, " "+line)
		}
		if f.key.Family == rib.IPv4 {
			out, vrfs = append(out, vrfs...), nil
		}
	}
	if len(vrfs) > 0 {
		return nil, errors.New("VRFs have no form in classic mode without an autonomous system of IPv4 in the default VRF")
	}
	return out, nil
}
