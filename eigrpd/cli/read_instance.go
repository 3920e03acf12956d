package cli

import (
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// line takes one line of an instance; it returns what is wrong with it.
func (in *instance) line(n *conf.Node) string {
	a, c := n.Args, &in.cfg
	switch n.ID {
	case CmdShutdown:
		c.Shutdown = true
	case CmdNetwork:
		return in.network(n)
	case CmdNeighbor:
		return in.neighbor(n)
	case CmdRemoteNeighbors:
		c.Listen = &core.RemoteListen{Interface: a.String("ifname"), AllowList: a.String("list"), Maximum: int(a.Uint("count"))}
	case CmdRouterID:
		if c.RouterID = a.Addr("id"); c.RouterID.IsUnspecified() || c.RouterID == broadcast {
			return c.RouterID.String() + " is no number of a router"
		}
	case CmdStub:
		return in.stub(n)
	case CmdLogChanges:
		c.NoLogNeighborChanges = n.No
	case CmdLogWarnings:
		c.NoLogWarnings = n.No
	case CmdDefaultTag:
		if c.DefaultRouteTag = uint32(a.Uint("tag")); a.Has("dotted") {
			c.DefaultRouteTag = number(a.Addr("dotted"))
		}
	case CmdPurgeTime:
		c.PurgeTime = time.Duration(a.Uint("seconds")) * time.Second
	case CmdNSF:
		c.NoNSF = n.No
	case CmdMaxPrefix, CmdMaxPrefixNeighbor, CmdMaxPrefixRedist:
		return in.limit(n)
	case CmdWeights, CmdRIBScale, CmdMaximumHops, CmdDefaultMetric, CmdSummaryMetric:
		return in.metrics(n)
	default:
		return in.topology(n)
	}
	return ""
}

// broadcast is no address of a router.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// topology takes the lines that named mode has in its topology.
func (in *instance) topology(n *conf.Node) string {
	a, c := n.Args, &in.cfg
	switch n.ID {
	case CmdVariance:
		c.Variance = int(a.Uint("multiplier"))
	case CmdMaximumPaths:
		c.MaximumPaths = int(a.Uint("paths"))
	case CmdTrafficShare:
		c.TrafficShareMin = a.Has("min")
	case CmdActiveTime:
		if c.ActiveTime = time.Duration(a.Uint("minutes")) * time.Minute; a.Has("disabled") {
			c.ActiveTime = -1
		}
	case CmdRedistribute:
		p, _ := rib.ParseProtocol(a.String("protocol"))
		r := core.Redistribute{Protocol: p, Instance: uint32(a.Uint("number")), Metric: vector(a), RouteMap: a.String("map")}
		if p == rib.EIGRP && r.Instance == uint32(c.AS) {
			return "these are its own routes"
		}
		c.Redistribute = append(c.Redistribute, r)
	case CmdDefaultIn:
		return information(&c.DefaultIn, n)
	case CmdDefaultOut:
		return information(&c.DefaultOut, n)
	case CmdDistance:
		c.InternalDistance, c.ExternalDistance = uint8(a.Uint("internal")), uint8(a.Uint("external"))
	case CmdDistanceSource:
		if c.Family != rib.IPv4 {
			return "routers are told apart by IPv4 addresses only: distance eigrp is for all"
		}
		c.Distances = append(c.Distances, core.SourceDistance{Distance: uint8(a.Uint("value")), Source: wildcard(a.Addr("addr"), number(a.Addr("wild"))), List: a.String("list")})
	case CmdDistributeList, CmdOffsetList:
		return in.filter(n)
	default:
		return whyRefused(n.ID)
	}
	return ""
}

// network reads a `network`: an address stands for its network of class A, B or C. A
// netmask in the place of wildcard bits is taken for its inverse, as on IOS.
func (in *instance) network(n *conf.Node) string {
	if in.cfg.Family != rib.IPv4 {
		return "EIGRP of IPv6 runs on all interfaces but those that are shut down under af-interface"
	}
	addr := n.Args.Addr("addr")
	var bits uint32
	if n.Args.Has("wild") {
		if bits = number(n.Args.Addr("wild")); bits != ^uint32(0) && bits&(1<<31) != 0 && -bits&(-bits-1) == 0 {
			bits = ^bits
		}
	} else {
		length, ok := classLength(addr)
		if !ok {
			return addr.String() + " is in no network of class A, B or C"
		}
		bits = uint32(1<<(32-length) - 1)
	}
	if w := wildcard(addr, bits); !slices.Contains(in.cfg.Networks, w) {
		in.cfg.Networks = append(in.cfg.Networks, w)
	}
	return ""
}

// classLength returns the length of the network of class A, B or C that an address is
// in (RFC 791 section 3.2). 0.0.0.0 stands for all addresses.
func classLength(a netip.Addr) (length int, ok bool) {
	if a.IsUnspecified() {
		return 0, true
	}
	if !routable(a) {
		return 0, false
	}
	switch first := a.As4()[0]; {
	case first < 128:
		return 8, true
	case first < 192:
		return 16, true
	}
	return 24, true
}

func (in *instance) neighbor(n *conf.Node) string {
	a, c := n.Args, &in.cfg
	s := core.StaticNeighbor{Addr: a.Addr("addr"), Interface: a.String("ifname"), Remote: a.Has("remote"), MaxHops: uint8(a.Uint("hops"))}
	if msg := in.wrongFamily(n); msg != "" {
		return msg
	}
	switch {
	case !routable(s.Addr) || s.Addr == broadcast:
		return s.Addr.String() + " is not the address of a router"
	case c.Family == rib.IPv6 && !s.Remote && !s.Addr.IsLinkLocalUnicast():
		return "neighbors on the same network know each other by their link-local addresses"
	case s.Remote && s.Addr.IsLinkLocalUnicast():
		return "a link-local address is of no router that is several hops away"
	}
	c.Neighbors = append(c.Neighbors, s)
	return ""
}

func (in *instance) stub(n *conf.Node) string {
	a := n.Args
	s := &core.Stub{ReceiveOnly: a.Has("receive-only"), Connected: a.Has("connected"), Static: a.Has("static"),
		Summary: a.Has("summary"), Redistributed: a.Has("redistributed"), LeakMap: a.String("map")}
	told := s.Connected || s.Static || s.Summary || s.Redistributed
	switch {
	case s.ReceiveOnly && (told || s.LeakMap != ""):
		return "a stub that is receive-only tells of nothing"
	case !s.ReceiveOnly && !told:
		s.Connected, s.Summary = true, true
	}
	in.cfg.Stub = s
	return ""
}

// limit reads the forms of `maximum-prefix`.
func (in *instance) limit(n *conf.Node) string {
	a := n.Args
	minutes := func(name string) time.Duration { return time.Duration(a.Uint(name)) * time.Minute }
	m := &core.MaximumPrefix{Limit: int(a.Uint("limit")), Threshold: int(a.Uint("threshold")), WarningOnly: a.Has("warning-only"),
		Restart: minutes("restart"), RestartCount: int(a.Uint("count")), Reset: minutes("reset"), Dampened: a.Has("dampened")}
	if m.WarningOnly && (m.Dampened || m.Restart > 0 || m.RestartCount > 0 || m.Reset > 0) {
		return "with warning-only nothing is torn down that could restart"
	}
	switch n.ID {
	case CmdMaxPrefix:
		in.cfg.MaximumPrefix = m
	case CmdMaxPrefixNeighbor:
		in.cfg.NeighborMaximumPrefix = m
	case CmdMaxPrefixRedist:
		in.cfg.RedistributeMaximum = m
	}
	return ""
}

// metrics takes the lines about metrics.
func (in *instance) metrics(n *conf.Node) string {
	a, c := n.Args, &in.cfg
	k := func(name string) uint8 { return uint8(a.Uint(name)) }
	switch n.ID {
	case CmdWeights:
		c.Weights = metric.Weights{K1: k("k1"), K2: k("k2"), K3: k("k3"), K4: k("k4"), K5: k("k5"), K6: k("k6")}
		if c.Weights == (metric.Weights{}) {
			return "all routes would have the same metric"
		}
	case CmdRIBScale:
		c.RIBScale = k("scale")
	case CmdMaximumHops:
		c.MaximumHops = k("hops")
	case CmdDefaultMetric:
		c.DefaultMetric = vector(a)
	case CmdSummaryMetric:
		p, msg := network(n)
		if msg == "" {
			msg = in.wrongFamily(n)
		}
		if msg == "" && slices.ContainsFunc(c.SummaryMetrics, func(s core.SummaryMetric) bool { return s.Prefix == p }) {
			msg = p.String() + " is there already, in another notation"
		}
		if msg != "" {
			return msg
		}
		c.SummaryMetrics = append(c.SummaryMetrics, core.SummaryMetric{Prefix: p, Metric: vector(a), Distance: k("distance")})
	}
	return ""
}

// vector reads a metric of five numbers; nil if there is none.
func vector(a cli.Args) *policy.Vector {
	if !a.Has("bandwidth") {
		return nil
	}
	return &policy.Vector{Bandwidth: uint32(a.Uint("bandwidth")), Delay: uint32(a.Uint("delay")), Reliability: uint8(a.Uint("reliability")),
		Load: uint8(a.Uint("load")), MTU: uint16(a.Uint("mtu"))}
}

// information reads one direction of `default-information`.
func information(d *core.DefaultInformation, n *conf.Node) string {
	if n.No && n.Args.Has("list") {
		return "it lets no default route pass, whatever the list says: leave the list out"
	}
	*d = core.DefaultInformation{Deny: n.No, List: n.Args.String("list")}
	return ""
}

// filter reads `distribute-list` and `offset-list`. Access-lists know IPv4 only.
func (in *instance) filter(n *conf.Node) string {
	a, c := n.Args, &in.cfg
	list, ifname := a.String("list"), a.String("ifname")
	out := a.String("direction") == "out" || a.Has("protocol") // of a protocol only what is told
	if n.ID == CmdOffsetList {
		if list == "0" {
			list = ""
		}
		if list != "" && c.Family != rib.IPv4 {
			return "an access-list permits no network of IPv6: 0 is for all"
		}
		c.Offsets = append(c.Offsets, core.OffsetList{List: list, Out: out, Offset: uint32(a.Uint("offset")), Interface: ifname})
		return ""
	}
	f := core.Filter{List: list, Gateway: a.String("gw"), Out: out, Interface: ifname, Instance: uint32(a.Uint("number"))}
	f.Protocol, _ = rib.ParseProtocol(a.String("protocol"))
	switch {
	case a.Has("prefix"), a.Has("prefix-list"):
		f.Kind = core.FilterPrefixList
	case a.Has("route-map"):
		f.Kind = core.FilterRouteMap
	case list != "" && c.Family != rib.IPv4:
		return "an access-list permits no network of IPv6: filter by a prefix-list or route-map"
	}
	if f.Gateway != "" && out {
		return "routes that are told have no gateway: it is for the direction in"
	}
	c.Filters = append(c.Filters, f)
	return ""
}

// wildcard is a set of addresses: bits that are one do not matter.
func wildcard(a netip.Addr, bits uint32) policy.Wildcard {
	return policy.Wildcard{Addr: number(a) &^ bits, Bits: bits}
}

// number is an IPv4 address as a number.
func number(a netip.Addr) uint32 {
	if !a.Is4() {
		return 0
	}
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
