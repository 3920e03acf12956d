package cli

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/bgpd/core"
	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// familyLine takes a line of an address family; it returns what is wrong with it.
func (r *reader) familyLine(n *conf.Node, v int, fam *core.FamilyConfig, c *speaker.Config) string {
	a := n.Args
	number := func(name string) *uint32 {
		if !a.Has(name) {
			return nil
		}
		v := uint32(a.Uint(name))
		return &v
	}
	switch n.ID {
	case CmdNetwork:
		p, msg := destination(a)
		for _, o := range fam.Networks {
			if msg == "" && o.Prefix == p {
				msg = p.String() + " is there already, in another notation"
			}
		}
		fam.Networks = append(fam.Networks, core.Network{Prefix: p, RouteMap: a.String("map")})
		return msg
	case CmdAggregate:
		p, msg := destination(a)
		g := locrib.Aggregate{Prefix: p, SummaryOnly: a.Has("summary-only"), ASSet: a.Has("as-set")}
		if a.Has("map") {
			g.Map = r.policies.routeMap(a.String("map"))
		}
		c.Aggregates = append(c.Aggregates, g)
		return msg
	case CmdRedistribute:
		p, _ := rib.ParseProtocol(a.String("protocol"))
		if p == rib.RIP && v == 1 {
			return "RIP has no IPv6 routes"
		}
		fam.Redistribute = append(fam.Redistribute, core.Redistribute{Protocol: p, Instance: uint32(a.Uint("number")), Metric: number("value"), RouteMap: a.String("map")})
	case CmdDefaultInformation:
		fam.DefaultInformation = true
	case CmdDefaultMetric:
		fam.DefaultMetric = number("metric")
	case CmdDistance:
		fam.Distance = core.Distance{External: uint8(a.Uint("external")), Internal: uint8(a.Uint("internal")), Local: uint8(a.Uint("local"))}
	case CmdMaximumPaths:
		return paths(&c.Selection.Paths, n)
	case CmdMaximumPathsIBGP:
		return paths(&c.Selection.InternalPaths, n)
	}
	return ""
}

// paths reads maximum-paths, which is the same for both families.
func paths(to *int, n *conf.Node) string {
	count := int(n.Args.Uint("paths"))
	if *to != 0 && *to != count {
		return fmt.Sprintf("the other address family has %d: the number is the same for both", *to)
	}
	*to = count
	return ""
}

// destination reads a network in one of its notations. An address without a mask stands
// for its network of class A, B or C, 0.0.0.0 for the default route.
func destination(a cli.Args) (netip.Prefix, string) {
	p := a.Prefix("prefix")
	if addr := a.Addr("addr"); addr.Is4() {
		p, _ = a.MaskedPrefix("addr", "mask")
		if !a.Has("mask") {
			length, ok := classLength(addr)
			if !ok {
				return p, addr.String() + " is in no network of class A, B or C"
			}
			p = netip.PrefixFrom(addr, length)
		}
	}
	if p != p.Masked() {
		return p, "the address has bits that the mask has not"
	}
	return p, ""
}

// classLength returns the length of the network of class A, B or C that an address is in
// (RFC 791 section 3.2).
func classLength(a netip.Addr) (length int, ok bool) {
	switch first := a.As4()[0]; {
	case a.IsUnspecified():
		return 0, true
	case first >= 224 || first == 0 || first == 127:
		return 0, false
	case first < 128:
		return 8, true
	case first < 192:
		return 16, true
	}
	return 24, true
}
