package cli

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// Read turns ripd's part of the configuration, policies included, into the
// core's. RIP's lines that cannot be, or that contradict others, are returned;
// policy lines that contradict themselves are zebra's to refuse.
func Read(tree *conf.Tree) (core.Config, []plugin.LineError) {
	set, _ := policy.Read(tree)
	cfg := core.Config{Policy: set}
	var errs []plugin.LineError
	for _, block := range tree.Nodes {
		switch {
		case block.ID == CmdRouter:
			routers, refused := readRouters(block)
			cfg.Routers = append(cfg.Routers, routers...)
			errs = append(errs, refused...)
		case block.Enters == "interface":
			if c, refused, any := readInterface(block, set); any {
				cfg.Interfaces = append(cfg.Interfaces, c)
				errs = append(errs, refused...)
			}
		}
	}
	return cfg, errs
}

// readRouters reads `router rip` and the VRFs under it.
func readRouters(block *conf.Node) (out []core.RouterConfig, errs []plugin.LineError) {
	global := router{path: []string{block.Key}}
	for _, n := range block.Nodes {
		if n.ID != CmdFamily {
			global.read(n)
			continue
		}
		vrf := router{path: []string{block.Key, n.Key}}
		vrf.cfg.VRF = n.Args.String("vrf")
		for _, line := range n.Nodes {
			vrf.read(line)
		}
		out, errs = append(out, vrf.finish()), append(errs, vrf.errs...)
	}
	return append([]core.RouterConfig{global.finish()}, out...), append(global.errs, errs...)
}

// router reads the lines of one block.
type router struct {
	path              []string
	cfg               core.RouterConfig
	passive, unpassed []string // interfaces of `passive-interface` and of its "no" form
	errs              []plugin.LineError
}

func (r *router) read(n *conf.Node) {
	if msg := r.line(n); msg != "" {
		r.errs = append(r.errs, plugin.LineError{Path: append(slices.Clone(r.path), n.Key), Msg: msg})
	}
}

// finish settles what depends on more than one line.
func (r *router) finish() core.RouterConfig {
	r.cfg.Passive = r.passive
	if r.cfg.PassiveDefault {
		r.cfg.Passive = r.unpassed
	}
	return r.cfg
}

// line takes one line; it returns what is wrong with it.
func (r *router) line(n *conf.Node) string {
	a, c := n.Args, &r.cfg
	switch n.ID {
	case CmdVersion:
		c.Version = uint8(a.Uint("number"))
	case CmdNetwork:
		return r.network(n)
	case CmdNeighbor:
		addr := a.Addr("addr")
		if !unicast(addr) {
			return addr.String() + " is not the address of a router"
		}
		c.Neighbors = append(c.Neighbors, addr)
	case CmdPassiveDefault:
		c.PassiveDefault = true
	case CmdPassive:
		list := &r.passive
		if n.No {
			list = &r.unpassed
		}
		*list = append(*list, a.String("ifname"))
	case CmdTimers:
		return r.timers(n)
	case CmdOutputDelay:
		c.OutputDelay = time.Duration(a.Uint("ms")) * time.Millisecond
	case CmdMaximumPaths:
		c.MaximumPaths = int(a.Uint("paths"))
	case CmdRoute:
		p := a.Prefix("prefix")
		if !announceable(p) {
			return p.String() + " cannot be announced"
		}
		c.Static = append(c.Static, p)
	case CmdValidateSource:
		c.NoValidateSource = n.No
	case CmdLogNeighbors:
		c.LogNeighbors = true
	case CmdRedistribute, CmdDefaultMetric, CmdDefault:
		r.origins(n)
	default:
		return r.policies(n)
	}
	return ""
}

// network reads a `network`: an address stands for its network of class A, B or
// C, as on IOS.
func (r *router) network(n *conf.Node) string {
	a, c := n.Args, &r.cfg
	var p netip.Prefix
	switch {
	case a.Has("ifname"):
		c.NetworkInterfaces = append(c.NetworkInterfaces, a.String("ifname"))
		return ""
	case a.Has("prefix"):
		p = a.Prefix("prefix")
	default:
		addr := a.Addr("addr")
		var ok bool
		if p, ok = classful(addr); !ok {
			return addr.String() + " is in no network of class A, B or C"
		}
	}
	if !slices.Contains(c.Networks, p) {
		c.Networks = append(c.Networks, p)
	}
	return ""
}

func (r *router) timers(n *conf.Node) string {
	seconds := func(name string) time.Duration { return time.Duration(n.Args.Uint(name)) * time.Second }
	t := core.Timers{Update: seconds("update"), Invalid: seconds("invalid"), Holddown: seconds("holddown"), Flush: seconds("flush")}
	switch {
	case t.Invalid < t.Update:
		return "routes would become invalid between two updates: the second time must not be below the first"
	case t.Flush <= t.Invalid:
		return "routes would be flushed before they are invalid: the fourth time must be above the second"
	}
	r.cfg.Timers = t
	return ""
}

// origins reads what is announced besides networks and learnt routes.
func (r *router) origins(n *conf.Node) {
	a, c := n.Args, &r.cfg
	switch n.ID {
	case CmdRedistribute:
		p, _ := rib.ParseProtocol(a.String("protocol"))
		c.Redistribute = append(c.Redistribute, core.Redistribute{Protocol: p, Instance: uint32(a.Uint("number")),
			Metric: uint8(a.Uint("hops")), Transparent: a.Has("transparent"), RouteMap: a.String("map")})
	case CmdDefaultMetric:
		c.DefaultMetric = uint8(a.Uint("hops"))
	case CmdDefault:
		c.DefaultOriginate, c.DefaultRouteMap = true, a.String("map")
	}
}

// policies reads the lines that filter and judge routes.
func (r *router) policies(n *conf.Node) string {
	a, c := n.Args, &r.cfg
	out, ifname := a.String("direction") == "out", a.String("ifname")
	if p, ok := rib.ParseProtocol(ifname); ok && n.ID == CmdDistributeList {
		return fmt.Sprintf("the last word is an interface; what comes from %v is filtered by the route-map of redistribute", p)
	}
	switch n.ID {
	case CmdDistributeList:
		c.Filters = append(c.Filters, core.Filter{Prefix: a.Has("prefix"), List: a.String("list"), Out: out, Interface: ifname})
	case CmdOffsetList:
		list := a.String("list")
		if list == "0" {
			list = ""
		}
		c.Offsets = append(c.Offsets, core.OffsetList{List: list, Out: out, Offset: uint8(a.Uint("offset")), Interface: ifname})
	case CmdDistance:
		c.Distance = uint8(a.Uint("value"))
	case CmdDistanceSource:
		bits := number(a.Addr("wild"))
		c.Distances = append(c.Distances, core.SourceDistance{Distance: uint8(a.Uint("value")), List: a.String("list"),
			Source: policy.Wildcard{Addr: number(a.Addr("addr")) &^ bits, Bits: bits}})
	}
	return ""
}

// classful returns the network of class A, B or C that the address is in (RFC
// 791 section 3.2). 0.0.0.0 stands for all addresses.
func classful(a netip.Addr) (netip.Prefix, bool) {
	if !a.Is4() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, packet.NaturalBits(a)).Masked(), a.IsUnspecified() || unicast(a)
}

// announceable reports whether updates can tell of a network (RFC 2453 section
// 3.9.2): unicast, and not of this machine alone.
func announceable(p netip.Prefix) bool {
	return p.Bits() == 0 || unicast(p.Addr())
}

// unicast reports whether the address can be that of a router.
func unicast(a netip.Addr) bool {
	if !a.Is4() {
		return false
	}
	first := a.As4()[0]
	return first != 0 && first != 127 && first < 224
}

// number is an IPv4 address as a number.
func number(a netip.Addr) uint32 {
	if !a.Is4() {
		return 0
	}
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
