package rib_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	lib "github.com/godmvpn/godmvpn/lib/rib"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/sm/scripttest"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

// TestScripts runs testdata/*.txt. The FIB answers at once, unless `fib hold` is
// given.
func TestScripts(t *testing.T) { scripttest.Run(t, newScriptRun) }

func newScriptRun(t testing.TB) scripttest.World {
	return &scriptRun{t: t, core: rib.New(rib.Options{}), seq: map[string]uint64{}, fail: map[string]string{}}
}

type scriptRun struct {
	t    testing.TB
	core *rib.Core
	now  clock.Instant
	seq  map[string]uint64
	hold bool
	held []rib.Result
	fail map[string]string // error by prefix or neighbour address
	out  strings.Builder
}

// Output returns what the commands caused.
func (s *scriptRun) Output() string {
	text := s.out.String()
	s.out.Reset()
	return text
}

// Command does a line of a script.
func (s *scriptRun) Command(line string) {
	f := strings.Fields(line)
	switch f[0] {
	case "advance":
		d, err := time.ParseDuration(f[1])
		s.check(line, err)
		s.now = s.now.Add(d)
		s.step(rib.Tick{})
	case "interface":
		s.step(rib.InterfaceChanged{Interface: s.parseInterface(line, f[1:])})
	case "no-interface":
		s.step(rib.InterfaceGone{Name: f[1]})
	case "put", "del":
		s.object(line, f)
	case "lost":
		d, err := time.ParseDuration(f[2])
		s.check(line, err)
		s.step(rib.OwnerLost{Owner: f[1], Limit: d})
	case "replayed":
		s.step(rib.EndOfReplay{Owner: f[1]})
	case "watch", "unwatch":
		s.watch(line, f)
	case "fib":
		s.fib(f[1:])
	case "show":
		s.show(f[1:])
	default:
		s.t.Fatalf("unknown command %q", line)
	}
}

func (s *scriptRun) check(line string, err error) {
	if err != nil {
		s.t.Fatalf("%q: %v", line, err)
	}
}

func (s *scriptRun) step(in rib.Input) {
	s.core.Step(s.now, in)
	results := s.drain()
	if s.hold {
		s.held = append(s.held, results...)
		return
	}
	s.answer(results)
}

func (s *scriptRun) answer(results []rib.Result) {
	if len(results) > 0 {
		s.core.Step(s.now, rib.Installed{Results: results})
		s.drain()
	}
}

// drain prints the effects and returns the verdicts of the FIB on them.
func (s *scriptRun) drain() []rib.Result {
	var results []rib.Result
	verdict := func(k lib.Key, gen uint64, name string) {
		results = append(results, rib.Result{Key: k, Gen: gen, Error: s.fail[name]})
	}
	for _, e := range s.core.Drain(nil) {
		fmt.Fprintln(&s.out, formatEffect(e))
		switch e := e.(type) {
		case rib.FIBPut:
			verdict(e.Key(), e.Gen, e.Prefix.String())
		case rib.FIBDelete:
			verdict(e.Key(), e.Gen, e.Prefix.String())
		case rib.NeighborPut:
			verdict(e.Key(), e.Gen, e.Neighbor.Addr.String())
		case rib.NeighborDelete:
			verdict(e.Key(), e.Gen, e.Addr.String())
		case rib.PeerPut:
			verdict(e.Key(), e.Gen, e.Peer.NBMA.String())
		case rib.PeerDelete:
			verdict(e.Key(), e.Gen, e.Peer.NBMA.String())
		case rib.LinePut:
			verdict(e.Key(), e.Gen, e.Line.Interface)
		case rib.LineDelete:
			verdict(e.Key(), e.Gen, e.Interface)
		case rib.ShaperPut:
			verdict(e.Key(), e.Gen, e.Shaper.NBMA.String())
		case rib.ShaperDelete:
			verdict(e.Key(), e.Gen, e.NBMA.String())
		case rib.SAPut:
			verdict(e.Key(), e.Gen, e.SA.Destination.String())
		case rib.SADelete:
			verdict(e.Key(), e.Gen, e.SA.Addr.String())
		case rib.PolicyPut:
			verdict(e.Key(), e.Gen, e.Policy.Local.String())
		case rib.PolicyDelete:
			verdict(e.Key(), e.Gen, e.Policy.Addr.String())
		}
	}
	return results
}

func (s *scriptRun) fib(f []string) {
	switch f[0] {
	case "hold":
		s.hold = true
	case "go":
		held := s.held
		s.hold, s.held = false, nil
		s.answer(held)
	case "fail": // fib fail PREFIX WORD…: from now on
		s.fail[f[1]] = strings.Join(f[2:], " ")
	case "mend":
		delete(s.fail, f[1])
	case "verdict": // fib verdict PREFIX [WORD…]: on what is installed now, unasked
		p := netip.MustParsePrefix(f[1])
		s.core.Step(s.now, rib.Installed{Results: []rib.Result{{
			Key: lib.Key{Kind: lib.KindRoute, Prefix: p}, Gen: mustUint(f[2]), Error: strings.Join(f[3:], " "),
		}}})
		s.drain()
	}
}

func mustUint(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// parseInterface reads NAME [up|down] [vrf V] [ADDRESS | ADDRESS/L>PEER]….
func (s *scriptRun) parseInterface(line string, f []string) lib.Interface {
	i := lib.Interface{Name: f[0], Up: true, AdminUp: true}
	for k := 1; k < len(f); k++ {
		switch f[k] {
		case "up":
		case "down":
			i.Up = false
		case "vrf":
			k++
			i.VRF = f[k]
		default:
			a, peer, hasPeer := strings.Cut(f[k], ">")
			ad := lib.Address{Prefix: netip.MustParsePrefix(a)}
			if hasPeer {
				ad.Peer = netip.MustParsePrefix(peer)
			}
			i.Addresses = append(i.Addresses, ad)
		}
	}
	return i
}

// object reads put|del OWNER route|override|neighbor|multicast|line|shaper|sa|policy ….
func (s *scriptRun) object(line string, f []string) {
	owner := f[1]
	var obj lib.Object
	switch f[2] {
	case "route":
		obj = s.route(line, f[3:])
	case "override":
		r := s.route(line, f[3:])
		o := lib.Override{VRF: r.VRF, Prefix: r.Prefix, Protocol: lib.NHRP, Distance: 250}
		if len(r.NextHops) > 0 {
			o.NextHop = r.NextHops[0]
		}
		obj = o
	case "neighbor":
		n := lib.Neighbor{Interface: f[3], Addr: netip.MustParseAddr(f[4])}
		if len(f) > 5 {
			n.NBMA = netip.MustParseAddr(f[5])
		}
		obj = n
	case "multicast":
		obj = lib.MulticastPeer{Interface: f[3], NBMA: netip.MustParseAddr(f[4])}
	case "line":
		obj = lib.LineProtocol{Interface: f[3], Down: f[len(f)-1] == "down"}
	case "shaper": // INTERFACE NBMA RATE POLICY
		x := lib.Shaper{Interface: f[3], NBMA: netip.MustParseAddr(f[4])}
		if len(f) > 5 {
			x.Rate, _ = strconv.ParseUint(f[5], 10, 64)
		}
		if len(f) > 6 {
			x.Policy = f[6]
		}
		obj = x
	case "sa":
		obj = parseSA(f[3:])
	case "policy": // LOCAL PEER
		obj = lib.Policy{Local: netip.MustParseAddr(f[3]), Peer: netip.MustParsePrefix(f[4]), Outer: netip.MustParseAddr("192.0.2.2")}
	default:
		s.t.Fatalf("%q: unknown object", line)
	}
	s.seq[owner]++
	if f[0] == "put" {
		s.step(rib.Put{Owner: owner, Seq: s.seq[owner], Object: obj})
	} else {
		s.step(rib.Delete{Owner: owner, Seq: s.seq[owner], Key: obj.Key()})
	}
}

// parseSA reads DESTINATION SPI [keyless] [epoch N] [window N].
func parseSA(f []string) lib.SA {
	s := lib.SA{ESP: lib.ESP{Source: netip.MustParseAddr("192.0.2.1"), Destination: netip.MustParseAddr(f[0]), SPI: uint32(mustUint(f[1])),
		Cipher: lib.AESGCM16, CipherKey: lib.NewSecret([]byte("sixteen bytes and salt")[:20]), Window: 64}}
	for i := 2; i < len(f); i++ {
		switch f[i] {
		case "keyless":
			s.CipherKey = lib.Secret{}
		case "epoch":
			i++
			s.Epoch = mustUint(f[i])
		case "window":
			i++
			s.Window = uint32(mustUint(f[i]))
		}
	}
	return s
}

// route reads PROTOCOL[:INSTANCE] PREFIX [dist N] [metric N] [vrf V] [via HOP]…
// with a HOP of ADDRESS, INTERFACE, ADDRESS%INTERFACE, Null0, each with @VRF;
// "@" alone is the default VRF.
func (s *scriptRun) route(line string, f []string) lib.Route {
	name, instance, _ := strings.Cut(f[0], ":")
	proto, _ := lib.ParseProtocol(name)
	r := lib.Route{Protocol: proto, Distance: proto.Distance(), Prefix: netip.MustParsePrefix(f[1])}
	if instance != "" {
		r.Instance = uint32(mustUint(instance))
	}
	for k := 2; k+1 < len(f); k += 2 {
		switch v := f[k+1]; f[k] {
		case "dist":
			r.Distance = uint8(mustUint(v))
		case "metric":
			r.Metric = uint32(mustUint(v))
		case "vrf":
			r.VRF = v
		case "via":
			r.NextHops = append(r.NextHops, parseHop(v))
		default:
			s.t.Fatalf("%q: unknown word %q", line, f[k])
		}
	}
	return r
}

func parseHop(v string) lib.NextHop {
	var nh lib.NextHop
	if v, nh.VRF, nh.LeaveVRF = strings.Cut(v, "@"); v == "Null0" {
		nh.Discard = true
		return nh
	}
	if gw, ifc, ok := strings.Cut(v, "%"); ok {
		nh.Addr, nh.Interface = netip.MustParseAddr(gw), ifc
	} else if a, err := netip.ParseAddr(v); err == nil {
		nh.Addr = a
	} else {
		nh.Interface = v
	}
	return nh
}

// watch reads watch OWNER nexthop ADDRESS [VRF] | PROTOCOL[:INSTANCE] [VRF].
func (s *scriptRun) watch(line string, f []string) {
	var w lib.Watch
	rest := f[3:]
	if f[2] == "nexthop" {
		w = lib.Watch{Kind: lib.WatchNextHop, Addr: netip.MustParseAddr(f[3])}
		rest = f[4:]
	} else if f[2] == "network" {
		w = lib.Watch{Kind: lib.WatchNetwork, Prefix: netip.MustParsePrefix(f[3])}
		rest = f[4:]
	} else {
		name, instance, _ := strings.Cut(f[2], ":")
		p, ok := lib.ParseProtocol(name)
		if !ok {
			s.t.Fatalf("%q: unknown protocol", line)
		}
		w = lib.Watch{Kind: lib.WatchRedistribute, Family: lib.IPv4, Protocol: p}
		if instance != "" {
			w.Instance = uint32(mustUint(instance))
		}
	}
	if len(rest) > 0 {
		w.VRF = rest[0]
	}
	if f[0] == "watch" {
		s.step(rib.WatchAdd{Owner: f[1], Watch: w})
	} else {
		s.step(rib.WatchDel{Owner: f[1], Watch: w})
	}
}

func (s *scriptRun) show(f []string) {
	switch f[0] {
	case "route":
		for _, vrf := range s.core.VRFs() {
			for _, fam := range []lib.Family{lib.IPv4, lib.IPv6} {
				for v := range s.core.Routes(vrf, fam) {
					s.out.WriteString(formatView(v))
				}
			}
		}
	case "owners":
		for _, o := range s.core.Owners() {
			fmt.Fprintf(&s.out, "%s: %d objects, %d stale, %d watches\n", o.Owner, o.Objects, o.Stale, o.Watches)
		}
	case "summary":
		for _, n := range s.core.Summary("", lib.IPv4) {
			fmt.Fprintf(&s.out, "%v: %d routes, %d selected, %d installed, %d failed\n",
				n.Protocol, n.Routes, n.Selected, n.Installed, n.Failed)
		}
	case "lookup":
		v, ok := s.core.Lookup("", netip.MustParseAddr(f[1]))
		fmt.Fprintln(&s.out, ok, v.Prefix)
	}
}

var fibNames = map[rib.FIBState]string{rib.FIBNone: "-", rib.FIBPending: "pending", rib.FIBInstalled: "installed", rib.FIBFailed: "failed"}

func formatView(v rib.PrefixView) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s fib %s%s\n", inVRF(v.VRF, v.Prefix), fibNames[v.FIB], prefixed(": ", v.Error))
	for _, r := range v.Routes {
		mark := " "
		if r.Selected {
			mark = ">"
		}
		fmt.Fprintf(&b, "  %s %s [%d/%d] %s: %s; %s", mark, protoName(r.Route), r.Route.Distance, r.Route.Metric,
			r.Owner, hopsString(r.Resolved), r.Why)
		if r.Stale {
			b.WriteString("; stale")
		}
		fmt.Fprintf(&b, "; since %v\n", r.Since)
	}
	if o := v.Override; o != nil {
		fmt.Fprintf(&b, "  %% %s in force %v: %s; forwarding %s\n", o.Owner, o.InForce, o.Why, hopsString(v.Forwarding))
	}
	return b.String()
}

func prefixed(p, s string) string {
	if s == "" {
		return ""
	}
	return p + s
}

func protoName(r lib.Route) string {
	if r.Instance != 0 {
		return fmt.Sprintf("%v:%d", r.Protocol, r.Instance)
	}
	return r.Protocol.String()
}

func inVRF(vrf string, p netip.Prefix) string { return p.String() + prefixed("@", vrf) }

func hopsString(hops []lib.NextHop) string {
	var out []string
	for _, h := range hops {
		s := cmp.Or(h.Interface, "any")
		switch {
		case h.Discard:
			s = "Null0"
		case h.Addr.IsValid():
			s = h.Addr.String() + "%" + h.Interface
		}
		if h.LeaveVRF {
			s += "@" + h.VRF
		}
		if h.OnLink {
			s += " onlink"
		}
		if h.Weight > 1 {
			s += fmt.Sprintf(" weight %d", h.Weight)
		}
		out = append(out, s)
	}
	return "{" + strings.Join(out, ", ") + "}"
}

func formatEffect(e rib.Effect) string {
	switch e := e.(type) {
	case rib.FIBPut:
		over := ""
		if e.Overridden {
			over = " overridden"
		}
		return fmt.Sprintf("fib put %d %s %v%s %s", e.Gen, inVRF(e.VRF, e.Prefix), e.Protocol, over, hopsString(e.NextHops))
	case rib.FIBDelete:
		return fmt.Sprintf("fib delete %d %s", e.Gen, inVRF(e.VRF, e.Prefix))
	case rib.NeighborPut:
		return fmt.Sprintf("neighbor put %d %s %v -> %v", e.Gen, e.Neighbor.Interface, e.Neighbor.Addr, e.Neighbor.NBMA)
	case rib.NeighborDelete:
		return fmt.Sprintf("neighbor delete %d %s %v", e.Gen, e.Interface, e.Addr)
	case rib.ShaperPut:
		return fmt.Sprintf("shaper put %d %s %v %d %s", e.Gen, e.Shaper.Interface, e.Shaper.NBMA, e.Shaper.Rate, e.Shaper.Policy)
	case rib.ShaperDelete:
		return fmt.Sprintf("shaper delete %d %s %v", e.Gen, e.Interface, e.NBMA)
	case rib.PeerPut:
		return fmt.Sprintf("multicast put %d %s %v", e.Gen, e.Peer.Interface, e.Peer.NBMA)
	case rib.PeerDelete:
		return fmt.Sprintf("multicast delete %d %s %v", e.Gen, e.Peer.Interface, e.Peer.NBMA)
	case rib.LinePut:
		return fmt.Sprintf("line put %d %s down=%v", e.Gen, e.Line.Interface, e.Line.Down)
	case rib.LineDelete:
		return fmt.Sprintf("line delete %d %s", e.Gen, e.Interface)
	case rib.SAPut:
		return fmt.Sprintf("sa put %d of %s to %v SPI %d epoch %d key %v", e.Gen, e.Owner, e.SA.Destination, e.SA.SPI, e.SA.Epoch, e.SA.CipherKey)
	case rib.SADelete:
		return fmt.Sprintf("sa delete %d to %v SPI %d", e.Gen, e.SA.Addr, e.SA.Instance)
	case rib.PolicyPut:
		return fmt.Sprintf("policy put %d %v %v", e.Gen, e.Policy.Local, e.Policy.Peer)
	case rib.PolicyDelete:
		return fmt.Sprintf("policy delete %d %v %v", e.Gen, e.Policy.Addr, e.Policy.Prefix)
	case rib.ToOwner:
		return e.Owner + ": " + formatEvent(e.Event)
	}
	return fmt.Sprintf("%T %+v", e, e)
}

func formatEvent(e lib.Event) string {
	switch e := e.(type) {
	case lib.Ack:
		s := fmt.Sprintf("ack %d", e.Seq)
		for _, f := range e.Failures {
			name := cmp.Or(f.Key.Interface, f.Key.Prefix.String())
			if f.Key.Kind == lib.KindSA {
				name = fmt.Sprintf("SA to %v SPI %d", f.Key.Addr, f.Key.Instance)
			}
			s += fmt.Sprintf("; %s: %s", name, cmp.Or(f.Error, "in force again"))
		}
		return s
	case lib.NextHopChanged:
		if !e.Prefix.IsValid() {
			return fmt.Sprintf("next hop %v unreachable", e.Watch.Addr)
		}
		return fmt.Sprintf("next hop %v by %v %v [%d/%d] %s", e.Watch.Addr, e.Prefix, e.Protocol, e.Distance, e.Metric, hopsString(e.NextHops))
	case lib.RouteChanged:
		word := "route"
		if e.Withdrawn {
			word = "withdrawn"
		}
		return fmt.Sprintf("%s %s %s [%d/%d] %s", word, inVRF(e.Route.VRF, e.Route.Prefix), protoName(e.Route), e.Route.Distance, e.Route.Metric, hopsString(e.Route.NextHops))
	case lib.RoutesKnown:
		if e.Watch.Kind == lib.WatchNetwork {
			return fmt.Sprintf("routes known of %v", e.Watch.Prefix)
		}
		return fmt.Sprintf("routes known of %v", e.Watch.Protocol)
	}
	return fmt.Sprintf("%T", e)
}
