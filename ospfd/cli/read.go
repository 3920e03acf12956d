package cli

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Read turns ospfd's part of the configuration, policies included, into the core's.
// OSPF's lines that cannot be, or that contradict others, are returned; policy lines that
// contradict themselves are zebra's to refuse.
func Read(tree *conf.Tree) (core.Config, []plugin.LineError) {
	set, _ := policy.Read(tree)
	r := &reader{}
	for _, block := range tree.Nodes {
		if block.Owner == Owner && block.ID == CmdRouter {
			r.router(block)
		} else if block.Owner == Owner {
			r.refuse(whyRefused(block.ID), block.Key)
		}
	}
	cfg := core.Config{Policy: set}
	for _, block := range tree.Nodes {
		if block.Enters == modeIf {
			if i, ok := r.iface(block); ok {
				cfg.Interfaces = append(cfg.Interfaces, i)
			}
		}
	}
	for _, in := range r.instances {
		cfg.Instances = append(cfg.Instances, in.finish())
	}
	slices.SortStableFunc(cfg.Instances, func(a, b core.InstanceConfig) int { return cmp.Compare(a.Process, b.Process) })
	slices.SortStableFunc(cfg.Interfaces, func(a, b core.InterfaceConfig) int { return strings.Compare(a.Name, b.Name) })
	return cfg, r.errs
}

// reader collects instances and what is refused.
type reader struct {
	instances []*instance
	errs      []plugin.LineError
}

func (r *reader) refuse(msg string, path ...string) {
	if msg != "" {
		r.errs = append(r.errs, plugin.LineError{Path: slices.Clone(path), Msg: msg})
	}
}

// instance is a process that is being read.
type instance struct {
	cfg    core.InstanceConfig
	areas  map[packet.ID]*core.AreaConfig
	dotted map[packet.ID]bool // whether the first line that names an area writes it like an address
	said   map[string]bool    // lines that are there, without the notation of areas and networks
}

// router reads `router ospf PROCESS`.
func (r *reader) router(block *conf.Node) {
	in := &instance{areas: map[packet.ID]*core.AreaConfig{}, dotted: map[packet.ID]bool{}, said: map[string]bool{}}
	in.cfg.Process, in.cfg.VRF = uint16(block.Args.Uint("process")), block.Args.String("vrf")
	in.cfg.RFC1583, in.cfg.LogAdjacency = true, true
	if i := slices.IndexFunc(r.instances, func(o *instance) bool { return o.cfg.Process == in.cfg.Process }); i >= 0 {
		r.refuse(fmt.Sprintf("process %d is there already, %s", in.cfg.Process, place(r.instances[i].cfg.VRF)), block.Key)
		return
	}
	in.cfg.PassiveDefault = block.Find(Owner, CmdPassiveDefault) != nil
	for _, n := range block.Nodes {
		r.refuse(in.line(n), block.Key, n.Key)
	}
	r.contradictions(in, block)
	r.instances = append(r.instances, in)
}

// place names a VRF.
func place(vrf string) string {
	if vrf == "" {
		return "in no VRF"
	}
	return "in VRF " + vrf
}

// contradictions refuses what several lines of a process, or of several processes, say
// against each other.
func (r *reader) contradictions(in *instance, block *conf.Node) {
	for _, other := range r.instances {
		if n := block.Find(Owner, CmdRouterID); n != nil && other.cfg.RouterID == in.cfg.RouterID && other.cfg.VRF == in.cfg.VRF {
			r.refuse(fmt.Sprintf("process %d has this router ID", other.cfg.Process), block.Key, n.Key)
		}
	}
	for _, n := range block.Nodes {
		if !slices.Contains(virtualLines, n.ID) {
			continue
		}
		if a := in.areas[areaID(n.Args, "area")]; a.Kind != core.AreaNormal {
			r.refuse("a virtual link goes through an area that is neither stub nor NSSA", block.Key, n.Key)
		}
	}
}

// finish settles the order of what is in no order.
func (in *instance) finish() core.InstanceConfig {
	c := in.cfg
	for _, id := range sortedIDs(in.areas) {
		c.Areas = append(c.Areas, *in.areas[id])
	}
	for _, id := range sortedIDs(in.dotted) {
		if in.dotted[id] {
			c.Dotted = append(c.Dotted, id)
		}
	}
	// As on IOS the network that leaves the fewest addresses open comes first.
	slices.SortStableFunc(c.Networks, func(a, b core.Network) int {
		return cmp.Or(cmp.Compare(a.Addresses.Bits, b.Addresses.Bits), cmp.Compare(a.Addresses.Addr, b.Addresses.Addr))
	})
	return c
}

func sortedIDs[V any](m map[packet.ID]V) []packet.ID {
	ids := make([]packet.ID, 0, len(m))
	for id := range m { // unordered: sorted below
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// areaID reads an argument that is an ID, as a number or like an address.
func areaID(a cli.Args, name string) packet.ID {
	if v := a.Addr(name); v.IsValid() {
		return packet.IDOf(v)
	}
	return packet.ID(a.Uint(name))
}

// note remembers how an area is written.
func (in *instance) note(a cli.Args) packet.ID {
	id := areaID(a, "area")
	if _, ok := in.dotted[id]; !ok {
		in.dotted[id] = a.Addr("area").IsValid()
	}
	return id
}

// area returns an area that a line is about.
func (in *instance) area(a cli.Args) *core.AreaConfig {
	id := in.note(a)
	if in.areas[id] == nil {
		in.areas[id] = &core.AreaConfig{ID: id}
	}
	return in.areas[id]
}

// twice reports whether something was said before; only in another notation can it be.
func (in *instance) twice(what ...any) bool {
	key := fmt.Sprint(what...)
	was := in.said[key]
	in.said[key] = true
	return was
}

// otherNotation is what is wrong with a line that says what another one says.
const otherNotation = "it is there already, in another notation"

// network reads the network of a line, by mask or by length.
func network(a cli.Args) (p netip.Prefix, wrong string) {
	return networkOf(a, "prefix", "addr", "mask")
}

// networkOf reads the network of three arguments.
func networkOf(a cli.Args, prefix, addr, mask string) (p netip.Prefix, wrong string) {
	p = a.Prefix(prefix)
	if !a.Has(prefix) {
		p, _ = a.MaskedPrefix(addr, mask)
	}
	switch {
	case p != p.Masked():
		return p, fmt.Sprintf("%v has host bits set: the network is %v", p.Addr(), p.Masked())
	case p.Bits() > 0 && !routable(p.Addr()):
		return p, p.String() + " is not a network of routers"
	}
	return p, ""
}

// routable reports whether an address can be that of a router, or of a network behind it.
func routable(a netip.Addr) bool {
	if !a.Is4() {
		return false
	}
	first := a.As4()[0]
	return first != 0 && first != 127 && first < 224
}

// wildcard is a set of addresses: bits that are one do not matter.
func wildcard(addr, wild netip.Addr) policy.Wildcard {
	bits := uint32(packet.IDOf(wild))
	return policy.Wildcard{Addr: uint32(packet.IDOf(addr)) &^ bits, Bits: bits}
}

// badRouter says what is wrong with the number of a router.
func badRouter(a netip.Addr) string {
	if id := packet.IDOf(a); id == 0 || id == ^packet.ID(0) {
		return a.String() + " is no number of a router"
	}
	return ""
}
