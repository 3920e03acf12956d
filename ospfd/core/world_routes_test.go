package core

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/sm/scripttest"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// The commands of scripts that are about routes.

// area describes an area anew, after `router`:
//
//	area ID [kind=stub|nssa] [no-summary] [range=PREFIX[,not-advertise|,substitute:PREFIX]]… [export=LIST] [import=LIST] [shortcut=enable|disable]
func (w *world) area(a scripttest.Args) {
	ac := AreaConfig{ID: id(a.Word(1)), Kind: areaKinds[a.Get("kind", "")], NoSummary: a.Has("no-summary"), ExportList: a.Get("export", ""), ImportList: a.Get("import", ""),
		Shortcut: map[string]AreaShortcut{"": ShortcutDefault, "enable": ShortcutEnable, "disable": ShortcutDisable}[a.Get("shortcut", "")]}
	for _, v := range a.Pairs["range"] {
		p, rest, _ := strings.Cut(v, ",")
		g := Range{Prefix: netip.MustParsePrefix(p), NotAdvertise: rest == "not-advertise"}
		if to, ok := strings.CutPrefix(rest, "substitute:"); ok {
			g.Substitute = netip.MustParsePrefix(to)
		}
		ac.Ranges = append(ac.Ranges, g)
	}
	ic := &w.config.Instances[0]
	ic.Areas = slices.DeleteFunc(slices.Clone(ic.Areas), func(o AreaConfig) bool { return o.ID == ac.ID })
	ic.Areas = append(ic.Areas, ac)
	slices.SortFunc(ic.Areas, func(a, b AreaConfig) int { return int(a.ID) - int(b.ID) })
}

var areaKinds = map[string]AreaKind{"": AreaNormal, "stub": AreaStub, "nssa": AreaNSSA}

// redistribute has static routes told: redistribute [metric=N] [type1] [tag=N]
func (w *world) redistribute(a scripttest.Args) {
	line := Redistribute{Protocol: rib.Static, Type1: a.Has("type1"), Tag: uint32(a.Number("tag", 0))}
	if v := a.Get("metric", ""); v != "" {
		n := uint32(a.Number("metric", 0))
		line.Metric = &n
	}
	w.config.Instances[0].Redistribute = []Redistribute{line}
}

// route is a static route that zebra has, or has no more: route PREFIX [via=ADDR,IF] [gone]
func (w *world) route(a scripttest.Args) {
	watch := rib.Watch{Kind: rib.WatchRedistribute, Family: rib.IPv4, Protocol: rib.Static}
	x := rib.Route{Prefix: netip.MustParsePrefix(a.Word(1)), Protocol: rib.Static}
	if addr, name, ok := strings.Cut(a.Get("via", ""), ","); ok {
		x.NextHops = []rib.NextHop{{Addr: netip.MustParseAddr(addr), Interface: name}}
	}
	w.Step(RouteChanged{Watch: watch, Route: x, Withdrawn: a.Has("gone")})
	w.Step(RoutesKnown{watch})
}

var lsaTypes = map[string]packet.LSType{"router": packet.RouterLSA, "network": packet.NetworkLSA, "summary": packet.SummaryLSA,
	"asbr-summary": packet.ASBRSummaryLSA, "external": packet.ExternalLSA}

// tell has a neighbour tell of an LSA:
//
//	tell IF FROM ID TYPE LSID ROUTER [area=A] [seq=N] [age=N] [flags=BEVS] [link=KIND,ID,DATA,METRIC]…
//	[mask=M] [metric=N] [type2] [forward=A] [tag=N] [router=ID]…
func (w *world) tell(a scripttest.Args) {
	h := packet.LSAHeader{Age: uint16(a.Number("age", 1)), Options: packet.OptionE | packet.OptionDC, Sequence: packet.InitialSequence + int32(a.Number("seq", 1)) - 1,
		LSAKey: packet.LSAKey{Type: lsaTypes[a.Word(4)], ID: id(a.Word(5)), Router: id(a.Word(6))}}
	mask, metric := uint32(id(a.Get("mask", "255.255.255.0"))), uint32(a.Number("metric", 1))
	var body []byte
	switch h.Type {
	case packet.RouterLSA:
		body = readRouter(a).Append(nil)
	case packet.NetworkLSA:
		n := packet.Network{Mask: mask}
		for _, v := range a.Pairs["router"] {
			n.Routers = append(n.Routers, id(v))
		}
		body = n.Append(nil)
	case packet.ExternalLSA:
		x := packet.External{Mask: mask, Metric: metric, Type2: a.Has("type2"), Tag: uint32(a.Number("tag", 0))}
		if v := a.Get("forward", ""); v != "" {
			x.Forwarding = netip.MustParseAddr(v)
		}
		body = x.Append(nil)
	default:
		if h.Type == packet.ASBRSummaryLSA {
			mask = 0
		}
		body = packet.Summary{Mask: mask, Metric: metric}.Append(nil)
	}
	m := packet.Message{Type: packet.LinkStateUpdate, RouterID: id(a.Word(3)), AreaID: id(a.Get("area", "0.0.0.0")), Updates: []packet.LSA{scripttest.Must(packet.NewLSA(h, body))}}
	src := netip.MustParseAddr(a.Word(2))
	w.Step(RxPacket{Interface: a.Word(1), Source: src, Dest: packet.AllSPFRouters, Packet: scripttest.Must(m.Append(nil, nil, 1, src))})
}

// readRouter makes the body of a router-LSA.
func readRouter(a scripttest.Args) (body packet.Router) {
	for _, c := range a.Get("flags", "") {
		body.Flags |= map[rune]packet.RouterFlags{'B': packet.RouterB, 'E': packet.RouterE, 'V': packet.RouterV, 'S': packet.RouterS}[c]
	}
	for _, v := range a.Pairs["link"] {
		f := strings.Split(v, ",")
		body.Links = append(body.Links, packet.RouterLink{Type: map[string]packet.LinkType{"p2p": packet.LinkPointToPoint, "transit": packet.LinkTransit, "stub": packet.LinkStub}[f[0]],
			ID: id(f[1]), Data: uint32(id(f[2])), Metric: uint16(scripttest.Must(strconv.Atoi(f[3])))})
	}
	return body
}

// full has a point-to-point neighbour with an empty database become adjacent: full IF FROM ID
func (w *world) full(a scripttest.Args) {
	area := a.Get("area", "0.0.0.0")
	rx := fmt.Sprintf("rx %s %s %s ", a.Word(1), a.Word(2), a.Word(3))
	for _, what := range []string{"hello dead=1000 seen=" + w.config.Instances[0].RouterID.String(), "dd seq=100 init more master", "dd seq=101 master"} {
		w.Command(rx + what + " area=" + area)
	}
}

// table prints the routing table of the process.
func (w *world) table(in InstanceRoutes) {
	for _, x := range in.Routes {
		s := fmt.Sprintf("%v %s area %v cost %d", x.Prefix, [...]string{"", "intra", "inter", "E1", "E2"}[x.Type], x.Area, x.Cost)
		if x.Type == PathExternal2 {
			s += fmt.Sprintf("+%d", x.Type2)
		}
		if x.Tag != 0 {
			s += fmt.Sprintf(" tag %d", x.Tag)
		}
		w.Printf("%s by %v via%s", s, x.Router, hopsText(x.Hops))
	}
	for _, b := range in.Routers {
		w.Printf("router %v %s area %v cost %d border=%v boundary=%v via%s", b.Router, [...]string{"", "intra", "inter"}[b.Type], b.Area, b.Cost, b.AreaBorder, b.ASBoundary, hopsText(b.Hops))
	}
}

func hopsText(hops []HopStatus) (s string) {
	for _, h := range hops {
		s += " " + h.Interface
		if h.Addr.IsValid() {
			s += " " + h.Addr.String()
		}
	}
	return s
}
