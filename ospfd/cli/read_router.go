package cli

import (
	"slices"
	"strconv"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// line takes one line of a process; it returns what is wrong with it.
func (in *instance) line(n *conf.Node) string {
	a, c := n.Args, &in.cfg
	switch n.ID {
	case CmdShutdown:
		c.Shutdown = true
	case CmdRouterID:
		c.RouterID = a.Addr("id")
		return badRouter(c.RouterID)
	case CmdOpaque:
		c.NoOpaque = n.No
	case CmdPrefixSuppression:
		c.PrefixSuppression = true
	case CmdFloodReduction:
		c.FloodReduction = true
	case CmdMaxMetric:
		c.MaxMetric = maxMetric(a)
	case CmdLogChanges:
		c.LogAdjacency, c.LogDetail = !n.No, !n.No && a.Has("detail")
	case CmdAutoCost:
		c.Reference = uint32(a.Uint("mbits"))
	case CmdRFC1583:
		c.RFC1583 = !n.No
	case CmdABRType:
		c.ABR = map[string]core.ABRType{"ibm": core.ABRIBM, "standard": core.ABRStandard, "shortcut": core.ABRShortcut}[a.String("type")]
	case CmdMaximumPaths:
		c.MaximumPaths = int(a.Uint("paths"))
	case CmdMaxLSA:
		c.MaxLSA = int(a.Uint("count"))
	case CmdPassiveDefault: // read before the other lines
	case CmdPassive:
		if n.No == c.PassiveDefault { // else it says what is so anyway
			c.Passive = append(c.Passive, a.String("ifname"))
		}
	case CmdNetwork:
		return in.network(a)
	case CmdNeighbor:
		return in.neighbor(a)
	default:
		return in.timerLine(n)
	}
	return ""
}

// defaultMaxMetric is the metric that max-metric has for summary and external LSAs, as on
// IOS.
const defaultMaxMetric = 0xff0000

func maxMetric(a cli.Args) *core.MaxMetric {
	m := &core.MaxMetric{OnStartup: time.Duration(a.Uint("seconds")) * time.Second, IncludeStub: a.Has("include-stub")}
	if a.Has("external-lsa") {
		m.External = uint32(a.UintOr("external", defaultMaxMetric))
	}
	if a.Has("summary-lsa") {
		m.Summary = uint32(a.UintOr("summary", defaultMaxMetric))
	}
	return m
}

// network reads a `network`. A netmask in the place of wildcard bits is taken for its
// inverse, as on IOS.
func (in *instance) network(a cli.Args) string {
	w := wildcard(a.Addr("addr"), a.Addr("wild"))
	if bits := w.Bits; bits != ^uint32(0) && bits&(1<<31) != 0 && -bits&(-bits-1) == 0 {
		w.Bits = ^bits
		w.Addr = uint32(packet.IDOf(a.Addr("addr"))) &^ w.Bits
	}
	if in.twice(CmdNetwork, w) {
		return otherNotation
	}
	in.cfg.Networks = append(in.cfg.Networks, core.Network{Addresses: w, Area: in.note(a)})
	return ""
}

func (in *instance) neighbor(a cli.Args) string {
	s := core.StaticNeighbor{Addr: a.Addr("addr"), Priority: uint8(a.Uint("priority")), Poll: time.Duration(a.Uint("seconds")) * time.Second,
		Cost: uint16(a.Uint("cost")), DatabaseFilterOut: a.Has("database-filter")}
	if !routable(s.Addr) {
		return s.Addr.String() + " is not the address of a router"
	}
	if a.Has("cost") && (a.Has("priority") || a.Has("poll-interval")) {
		return "cost is for point-to-multipoint networks, priority and poll-interval are for non-broadcast ones"
	}
	in.cfg.Neighbors = append(in.cfg.Neighbors, s)
	return ""
}

// timerLine takes the lines about timers and graceful restart.
func (in *instance) timerLine(n *conf.Node) string {
	a, t, g := n.Args, &in.cfg.Timers, &in.cfg.Restart
	switch n.ID {
	case CmdThrottleSPF:
		return throttle(a, &t.SPF)
	case CmdThrottleLSA:
		return throttle(a, &t.LSA)
	case CmdArrival:
		t.Arrival = milliseconds(a, "ms")
	case CmdPacingFlood:
		t.FloodPacing = milliseconds(a, "ms")
	case CmdPacingRetransmit:
		t.RetransmissionPacing = milliseconds(a, "ms")
	case CmdStagger:
		in.cfg.AdjacencyParallel = int(a.Uint("maximum"))
		if a.Has("initial") && a.Uint("initial") != a.Uint("maximum") {
			return "the number of adjacencies at a time is the same at first and later"
		}
	case CmdNSF:
		g.Enabled, g.Interval = true, time.Duration(a.Uint("seconds"))*time.Second
	case CmdNSFHelper:
		g.NoHelper = true
	case CmdNSFStrict:
		g.Strict = true
	default:
		return in.external(n)
	}
	return ""
}

func milliseconds(a cli.Args, name string) time.Duration {
	return time.Duration(a.Uint(name)) * time.Millisecond
}

func throttle(a cli.Args, t *core.Throttle) string {
	*t = core.Throttle{Start: milliseconds(a, "start"), Hold: milliseconds(a, "hold"), Maximum: milliseconds(a, "maximum")}
	if t.Start > t.Maximum || t.Hold > t.Maximum {
		return "no wait is longer than the last number, the longest wait"
	}
	return ""
}

// optional reads a number that may be left out.
func optional(a cli.Args, name string) *uint32 {
	if !a.Has(name) {
		return nil
	}
	v := uint32(a.Uint(name))
	return &v
}

// external takes the lines about routes of other protocols.
func (in *instance) external(n *conf.Node) string {
	a, c := n.Args, &in.cfg
	switch n.ID {
	case CmdSummaryAddress:
		p, wrong := network(a)
		if wrong == "" && in.twice(n.ID, p) {
			wrong = otherNotation
		}
		c.SummaryAddresses = append(c.SummaryAddresses, core.SummaryAddress{Prefix: p, NotAdvertise: a.Has("not-advertise"), Tag: uint32(a.Uint("tag")), NSSAOnly: a.Has("nssa-only")})
		return wrong
	case CmdRedistribute:
		p, _ := rib.ParseProtocol(a.String("protocol"))
		r := core.Redistribute{Protocol: p, Instance: uint32(a.Uint("number")), Metric: optional(a, "metric"), Type1: a.String("type") == "1", Tag: uint32(a.Uint("tag")),
			RouteMap: a.String("map"), Classful: !a.Has("subnets"), NSSAOnly: a.Has("nssa-only")}
		if p == rib.OSPF && r.Instance == uint32(c.Process) {
			return "these are its own routes"
		}
		c.Redistribute = append(c.Redistribute, r)
	case CmdDefaultOriginate:
		c.DefaultOriginate = originate(a)
	case CmdDefaultMetric:
		c.DefaultMetric = uint32(a.Uint("metric"))
	default:
		return in.routes(n)
	}
	return ""
}

func originate(a cli.Args) *core.DefaultOriginate {
	return &core.DefaultOriginate{Always: a.Has("always"), Metric: optional(a, "metric"), Type1: a.String("type") == "1", RouteMap: a.String("map")}
}

// routes takes the lines about what becomes of routes.
func (in *instance) routes(n *conf.Node) string {
	a, c := n.Args, &in.cfg
	number := func(name string) uint8 { return uint8(a.Uint(name)) }
	switch n.ID {
	case CmdDistributeList:
		f := core.Filter{Prefix: a.Has("prefix"), RouteMap: a.Has("route-map"), List: a.String("list"), Out: a.String("direction") == "out", Interface: a.String("ifname"), Instance: uint32(a.Uint("number"))}
		f.Protocol, _ = rib.ParseProtocol(a.String("protocol"))
		c.Filters = append(c.Filters, f)
	case CmdDistance:
		d := number("value")
		for _, of := range []*uint8{&c.Distance.Intra, &c.Distance.Inter, &c.Distance.External} {
			if *of == 0 {
				*of = d
			}
		}
	case CmdDistanceOSPF:
		return in.distances(a)
	case CmdDistanceSource:
		c.SourceDistances = append(c.SourceDistances, core.SourceDistance{Distance: number("value"), Router: wildcard(a.Addr("addr"), a.Addr("wild")), List: a.String("list")})
	default:
		return in.areaLine(n)
	}
	return ""
}

// distances reads `distance ospf`, whose words come in any order.
func (in *instance) distances(a cli.Args) string {
	for name, of := range map[string]*uint8{"e": &in.cfg.Distance.External, "ia": &in.cfg.Distance.Inter, "o": &in.cfg.Distance.Intra} { // unordered: each has a place of its own
		if list := a.Strings(name); len(list) > 1 {
			return "one type of routes has two distances"
		} else if len(list) == 1 {
			d, _ := strconv.ParseUint(list[0], 10, 8)
			*of = uint8(d)
		}
	}
	return ""
}

// areaLine takes the lines `area A …`.
func (in *instance) areaLine(n *conf.Node) string {
	if msg := whyRefused(n.ID); msg != "" || !slices.Contains(areaLines, n.ID) {
		return msg
	}
	a := n.Args
	area := in.area(a)
	if !slices.Contains([]string{CmdAreaRange, CmdAreaNSSAR}, n.ID) && in.twice(n.ID, " ", area.ID, " ", a.String("direction"), a.Addr("router"), a.String("key")) {
		return otherNotation
	}
	switch n.ID {
	case CmdAreaAuth:
		if area.Authentication = core.AuthenticationSimple; a.Has("message-digest") {
			area.Authentication = core.AuthenticationMD5
		}
	case CmdAreaCost:
		area.DefaultCost = uint32(a.Uint("cost"))
	case CmdAreaFilter:
		if of := &area.FilterIn; a.String("direction") == "out" {
			area.FilterOut = a.String("list")
		} else {
			*of = a.String("list")
		}
	case CmdAreaExport:
		area.ExportList = a.String("list")
	case CmdAreaImport:
		area.ImportList = a.String("list")
	case CmdAreaShortcut:
		if area.ID == 0 {
			return "shortcuts lead beside the backbone"
		}
		area.Shortcut = map[string]core.AreaShortcut{"enable": core.ShortcutEnable, "disable": core.ShortcutDisable}[a.String("mode")]
	case CmdAreaStub:
		area.NoSummary = area.NoSummary || a.Has("no-summary")
		return kind(area, core.AreaStub)
	case CmdAreaNSSA:
		area.NoSummary, area.NoRedistribution = area.NoSummary || a.Has("no-summary"), a.Has("no-redistribution")
		if a.Has("default-information-originate") {
			area.NSSADefault = originate(a)
		}
		return kind(area, core.AreaNSSA)
	case CmdAreaNSSA7:
		area.TranslateAlways, area.SuppressFA = a.Has("always"), a.Has("suppress-fa")
		return kind(area, core.AreaNSSA)
	case CmdAreaRange, CmdAreaNSSAR:
		return in.addRange(area, n)
	default:
		return virtual(area, n)
	}
	return ""
}

// kind makes an area a stub area or an NSSA.
func kind(area *core.AreaConfig, k core.AreaKind) string {
	switch {
	case area.ID == 0:
		return "the backbone is neither stub area nor NSSA"
	case area.Kind != core.AreaNormal && area.Kind != k:
		return "an area is a stub area or an NSSA, not both"
	}
	area.Kind = k
	return ""
}

func (in *instance) addRange(area *core.AreaConfig, n *conf.Node) string {
	a := n.Args
	p, wrong := network(a)
	if wrong == "" && in.twice(n.ID, " ", area.ID, " ", p) {
		wrong = otherNotation
	}
	r := core.Range{Prefix: p, NotAdvertise: a.Has("not-advertise"), Cost: optional(a, "metric"), NSSA: n.ID == CmdAreaNSSAR, Tag: uint32(a.Uint("tag"))}
	switch {
	case wrong != "":
	case r.NotAdvertise && r.Cost != nil:
		wrong = "what is not told has no cost"
	case r.NotAdvertise && a.Has("substitute"):
		wrong = "what is not told has no substitute"
	case a.Has("substitute"):
		r.Substitute, wrong = networkOf(a, "toprefix", "to", "tomask")
	}
	area.Ranges = append(area.Ranges, r)
	if wrong == "" && r.NSSA {
		wrong = kind(area, core.AreaNSSA)
	}
	return wrong
}
