package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Read turns eigrpd's part of the configuration, policies included, into the core's.
// EIGRP's lines that cannot be, or that contradict others, are returned; policy lines
// that contradict themselves are zebra's to refuse.
func Read(tree *conf.Tree) (core.Config, []plugin.LineError) {
	set, _ := policy.Read(tree)
	r := &reader{set: set}
	for _, block := range tree.Nodes {
		switch block.ID {
		case CmdClassic, CmdClassic6:
			r.classic(block)
		case CmdNamed:
			r.named(block)
		}
	}
	for _, block := range tree.Nodes {
		if block.Enters == modeIf {
			r.classicInterface(block)
		}
	}
	cfg := core.Config{Policy: set}
	for _, in := range r.instances {
		cfg.Instances = append(cfg.Instances, r.finish(in))
	}
	slices.SortStableFunc(cfg.Instances, func(a, b core.InstanceConfig) int { return compareKeys(a.Key, b.Key) })
	return cfg, r.errs
}

func compareKeys(a, b core.Key) int {
	return cmp.Or(cmp.Compare(a.Family, b.Family), strings.Compare(a.VRF, b.VRF), cmp.Compare(a.AS, b.AS))
}

// reader collects instances and what is refused.
type reader struct {
	set       *policy.Set
	instances []*instance
	errs      []plugin.LineError
}

// instance is an instance that is being read.
type instance struct {
	cfg     core.InstanceConfig
	classic bool
	ifaces  map[string]*iface // by name
}

// iface is an interface of an instance, with the lines that a contradiction between
// several lines can be blamed on.
type iface struct {
	cfg   core.InterfaceConfig
	blame map[string][]string // path of the last line with an ID
}

func (r *reader) refuse(msg string, path ...string) {
	if msg != "" {
		r.errs = append(r.errs, plugin.LineError{Path: slices.Clone(path), Msg: msg})
	}
}

// start begins an instance, unless there is one with this key; line is the path of
// the line that names it.
func (r *reader) start(in *instance, line []string) bool {
	for _, old := range r.instances {
		if old.cfg.Key == in.cfg.Key {
			r.refuse(fmt.Sprintf("autonomous system %d is there twice, in %s and in %s", in.cfg.AS, old.where(), in.where()), line...)
			return false
		}
	}
	r.instances = append(r.instances, in)
	return true
}

// where says in which block an instance stands.
func (in *instance) where() string {
	if in.classic {
		return "classic mode"
	}
	return "router eigrp " + in.cfg.Name
}

// iface returns an interface of an instance. One that is new has what holds for all.
func (in *instance) iface(name string) *iface {
	i := in.ifaces[name]
	if i == nil {
		i = &iface{cfg: in.cfg.Default, blame: map[string][]string{}}
		i.cfg.Name = name
		in.ifaces[name] = i
	}
	return i
}

// part is a block with lines of an instance.
type part struct {
	block *conf.Node
	path  []string
}

// classic reads `router eigrp AS` and the VRFs under it, or `ipv6 router eigrp AS`.
// A VRF may have two blocks: one that was entered with its autonomous system, one
// without.
func (r *reader) classic(block *conf.Node) {
	global := newClassic(rib.IPv4, "")
	if block.ID == CmdClassic6 {
		global = newClassic(rib.IPv6, "")
	}
	global.cfg.AS = uint16(block.Args.Uint("as"))
	r.parts(global, part{block, []string{block.Key}})
	r.start(global, []string{block.Key})
	blocks := map[string][]part{}
	var order []string
	for _, n := range block.All(Owner, CmdClassicAF) {
		vrf := n.Args.String("vrf")
		if blocks[vrf] == nil {
			order = append(order, vrf)
		}
		blocks[vrf] = append(blocks[vrf], part{n, []string{block.Key, n.Key}})
	}
	for _, vrf := range order {
		in := newClassic(rib.IPv4, vrf)
		path := r.number(in, blocks[vrf])
		r.parts(in, blocks[vrf]...)
		if in.cfg.AS != 0 { // without a number it does not run yet
			r.start(in, path)
		}
	}
}

func newClassic(family rib.Family, vrf string) *instance {
	in := &instance{classic: true, ifaces: map[string]*iface{}}
	in.cfg.Family, in.cfg.VRF = family, vrf
	return in
}

// number takes the autonomous system of a VRF in classic mode from the line that
// enters it or from one inside. It returns the path of that line.
func (r *reader) number(in *instance, parts []part) (path []string) {
	take := func(n *conf.Node, at []string) {
		as := uint16(n.Args.Uint("as"))
		if in.cfg.AS != 0 && as != 0 && in.cfg.AS != as {
			r.refuse(fmt.Sprintf("the VRF has autonomous system %d already", in.cfg.AS), at...)
		} else if as != 0 {
			in.cfg.AS, path = as, at
		}
	}
	for _, p := range parts {
		take(p.block, p.path)
		for _, line := range p.block.All(Owner, CmdAS) {
			take(line, p.sub(line))
		}
	}
	return path
}

// sub is the path of a line of the block.
func (p part) sub(n *conf.Node) []string { return append(slices.Clone(p.path), n.Key) }

// parts reads the lines of an instance in classic mode. The default for interfaces is
// read first, since interfaces begin with it.
func (r *reader) parts(in *instance, parts ...part) {
	for _, p := range parts {
		if p.block.Find(Owner, CmdPassiveDefault) != nil {
			in.cfg.Default.Passive = true
		}
	}
	for _, p := range parts {
		for _, n := range p.block.Nodes {
			switch n.ID {
			case CmdClassicAF, CmdAS, CmdPassiveDefault:
			case CmdPassive:
				in.iface(n.Args.String("ifname")).cfg.Passive = !n.No
			default:
				r.refuse(in.line(n), p.sub(n)...)
			}
		}
	}
}

// named reads `router eigrp NAME`.
func (r *reader) named(block *conf.Node) {
	name := block.Args.String("name")
	r.refuse(badName(name), block.Key)
	shutdown := block.Find(Owner, CmdShutdown) != nil
	for _, n := range block.Nodes {
		switch n.ID {
		case CmdFamily:
			in := &instance{ifaces: map[string]*iface{}}
			in.cfg.Name, in.cfg.Family, in.cfg.VRF, in.cfg.AS = name, rib.IPv4, n.Args.String("vrf"), uint16(n.Args.Uint("as"))
			if n.Args.String("family") == "ipv6" {
				in.cfg.Family, in.cfg.AllInterfaces = rib.IPv6, true
			}
			in.cfg.Shutdown = shutdown
			if r.start(in, []string{block.Key, n.Key}) {
				r.family(in, n, block.Key, n.Key)
			}
		default:
			r.refuse(whyRefused(n.ID), block.Key, n.Key)
		}
	}
}

// badName says what is wrong with the name of a virtual instance: a number out of
// range must not become one.
func badName(name string) string {
	if name == "" || name[0]|0x20 < 'a' || name[0]|0x20 > 'z' {
		return "a virtual instance has a name that begins with a letter; an autonomous system is a number up to 65535"
	}
	return ""
}

// family reads an address family of named mode.
func (r *reader) family(in *instance, block *conf.Node, path ...string) {
	sub := func(n, line *conf.Node) []string { return append(slices.Clone(path), n.Key, line.Key) }
	if n := block.Find(Owner, CmdAFDefault); n != nil {
		standard := &iface{blame: map[string][]string{}}
		for _, line := range n.Nodes {
			r.refuse(standard.line(line, sub(n, line)), sub(n, line)...)
		}
		in.cfg.Default = standard.cfg
		r.timers(standard)
		r.keys(standard)
	}
	for _, n := range block.Nodes {
		switch n.ID {
		case CmdAFDefault:
		case CmdAFInterface:
			i := in.iface(n.Args.String("ifname"))
			for _, line := range n.Nodes {
				r.refuse(i.line(line, sub(n, line)), sub(n, line)...)
				r.refuse(in.wrongFamily(line), sub(n, line)...)
			}
		case CmdTopology:
			for _, line := range n.Nodes {
				r.refuse(in.line(line), sub(n, line)...)
			}
		default:
			r.refuse(in.line(n), append(slices.Clone(path), n.Key)...)
		}
	}
}

// classicInterface reads the lines of an interface. Each concerns the instances of
// its family and autonomous system, whatever their VRF: the interface is in one.
func (r *reader) classicInterface(block *conf.Node) {
	name := block.Args.String("name")
	for _, n := range block.Nodes {
		if n.Owner != Owner {
			continue
		}
		path := []string{block.Key, n.Key}
		if msg := whyRefused(n.ID); msg != "" {
			r.refuse(msg, path...)
			continue
		}
		key := core.Key{Family: lineFamily(n), AS: uint16(n.Args.Uint("as"))}
		known, msg := (*instance)(nil), ""
		for _, in := range r.instances {
			if in.cfg.Family != key.Family || in.cfg.AS != key.AS {
				continue
			}
			if known == nil || in.classic {
				known = in
			}
			if in.classic {
				msg = in.classicLine(name, n, path)
			}
		}
		if known == nil { // kept until there is a router
			msg = (&iface{blame: map[string][]string{}}).line(n, path)
		} else if !known.classic {
			msg = fmt.Sprintf("autonomous system %d is in named mode: the line goes under af-interface %s of router eigrp %s", key.AS, name, known.cfg.Name)
		}
		r.refuse(msg, path...)
	}
}

// lineFamily returns the family that a line of an interface is about.
func lineFamily(n *conf.Node) rib.Family {
	if strings.HasPrefix(strings.TrimPrefix(n.Line, "no "), "ipv6 ") {
		return rib.IPv6
	}
	return rib.IPv4
}

// classicLine takes a line of an interface that concerns the instance.
func (in *instance) classicLine(name string, n *conf.Node, path []string) string {
	if n.ID == CmdIfEnable {
		in.cfg.Enabled = append(in.cfg.Enabled, name)
		return ""
	}
	return in.iface(name).line(n, path)
}

// finish settles what depends on several lines.
func (r *reader) finish(in *instance) core.InstanceConfig {
	for _, name := range sorted(in.ifaces) {
		i := in.ifaces[name]
		r.timers(i)
		r.keys(i)
		in.cfg.Interfaces = append(in.cfg.Interfaces, i.cfg)
	}
	slices.Sort(in.cfg.Enabled)
	in.cfg.Default.Hold = holdFor(in.cfg.Default)
	return in.cfg
}
