package core

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// rig is a core with everything that it stated, for tests of single rules.
type rig struct {
	t     *testing.T
	core  *Core
	now   clock.Instant
	cfg   Config
	out   []Effect // since the last take
	rib   map[rib.Key]rib.Route
	watch map[rib.Watch]bool
	heard map[string]bool // Listen
}

var rigWall = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newRig(t *testing.T) *rig {
	t.Helper()
	return &rig{
		t: t, core: New(Options{Source: rand.NewPCG(1, 2), Wall: rigWall}),
		rib: map[rib.Key]rib.Route{}, watch: map[rib.Watch]bool{}, heard: map[string]bool{},
		cfg: Config{Routers: []RouterConfig{{Version: 2, Networks: prefixes("10.0.0.0/8")}}},
	}
}

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, s := range texts {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// link returns an Ethernet interface that is up.
func link(name string, addresses ...string) rib.Interface {
	x := rib.Interface{Name: name, KernelName: name, Index: 1, AdminUp: true, Up: true, Multicast: true, MTU: 1500}
	for k, a := range addresses {
		x.Addresses = append(x.Addresses, rib.Address{Prefix: prefix(a), Secondary: k > 0})
	}
	return x
}

// step hands an input in and follows the effects.
func (r *rig) step(in Input) {
	r.t.Helper()
	r.core.Step(r.now, in)
	r.drain()
}

func (r *rig) drain() {
	r.t.Helper()
	for _, e := range r.core.Drain(nil) {
		r.out = append(r.out, e)
		switch e := e.(type) {
		case PutRoute:
			r.rib[e.Route.Key()] = e.Route
		case DelRoute:
			if _, ok := r.rib[e.Key]; !ok {
				r.t.Errorf("%v: %v withdrawn, but it was not stated", r.now, e.Key.Prefix)
			}
			delete(r.rib, e.Key)
		case WatchRoutes:
			if r.watch[e.Watch] {
				r.t.Errorf("%v watched twice", e.Watch)
			}
			r.watch[e.Watch] = true
		case UnwatchRoutes:
			delete(r.watch, e.Watch)
		case Listen:
			r.heard[e.Interface] = true
		case Unlisten:
			delete(r.heard, e.Interface)
		}
	}
}

// take returns the effects since the last call.
func (r *rig) take() []Effect {
	out := r.out
	r.out = nil
	return out
}

// start brings up a session, links and the configuration, and forgets what
// happened until then.
func (r *rig) start(links ...rib.Interface) {
	r.t.Helper()
	r.step(Attached{})
	for _, l := range links {
		r.step(InterfaceChanged{l})
	}
	r.step(InterfacesKnown{})
	r.configure()
	r.take()
}

func (r *rig) configure() {
	r.t.Helper()
	r.step(ConfigSet{r.cfg})
}

// iface returns the configuration of an interface, to be changed.
func (r *rig) iface(name string) *InterfaceConfig {
	for k := range r.cfg.Interfaces {
		if r.cfg.Interfaces[k].Name == name {
			return &r.cfg.Interfaces[k]
		}
	}
	r.cfg.Interfaces = append(r.cfg.Interfaces, InterfaceConfig{Name: name})
	return &r.cfg.Interfaces[len(r.cfg.Interfaces)-1]
}

// advance lets time pass.
func (r *rig) advance(d time.Duration) {
	r.t.Helper()
	end := r.now.Add(d)
	for {
		at, ok := r.core.Wake()
		if !ok || at > end {
			break
		}
		r.now = max(r.now, at)
		r.step(Tick{})
		if again, ok := r.core.Wake(); ok && again <= r.now {
			r.t.Fatalf("%v: the core wants to be woken again at once", r.now)
		}
	}
	r.now = end
}

// told is an entry as tests write it.
type told struct {
	prefix  string
	metric  uint32
	nextHop string
	tag     uint16
}

func (x told) entry() packet.Entry {
	e := packet.Route(prefix(x.prefix), x.tag, netip.Addr{}, x.metric)
	if x.nextHop != "" {
		e.NextHop = addr(x.nextHop)
	}
	return e
}

// rx has a neighbour tell something.
func (r *rig) rx(ifname, from string, tell ...told) {
	r.t.Helper()
	m := packet.Message{Command: packet.Response, Version: 2}
	for _, x := range tell {
		m.Entries = append(m.Entries, x.entry())
	}
	r.rxMessage(ifname, netip.AddrPortFrom(addr(from), packet.Port), &m)
}

func (r *rig) rxMessage(ifname string, from netip.AddrPort, m *packet.Message) {
	r.t.Helper()
	b, err := m.Append(nil, nil, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	r.step(RxPacket{Interface: ifname, Source: from, Dest: packet.Group, Packet: b})
}

// sent is what a packet said.
type sent struct {
	ifname string
	dest   netip.AddrPort
	m      *packet.Message
}

// packets returns the packets among effects.
func packets(t *testing.T, out []Effect) (all []sent) {
	t.Helper()
	for _, e := range out {
		x, ok := e.(TxPacket)
		if !ok {
			continue
		}
		m, err := packet.Parse(x.Packet)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, sent{ifname: x.Interface, dest: x.Dest, m: m})
	}
	return all
}

// responses returns what was told by an interface in the responses since the
// last take, "prefix metric [via next hop] [tag]", in order.
func (r *rig) responses(ifname string) []string {
	r.t.Helper()
	return entries(r.t, r.take(), func(x sent) bool { return x.ifname == ifname })
}

func entries(t *testing.T, out []Effect, want func(sent) bool) []string {
	t.Helper()
	all := []string{}
	for _, x := range packets(t, out) {
		if x.m.Command != packet.Response || !want(x) {
			continue
		}
		for _, e := range x.m.Entries {
			all = append(all, entryText(x.m.Version, e))
		}
	}
	return all
}

func entryText(version uint8, e packet.Entry) string {
	s := e.Addr.String()
	if version == 2 {
		p, _ := e.Prefix(netip.Prefix{})
		s = p.String()
	}
	s += " " + itoa(int(e.Metric))
	if !e.NextHop.IsUnspecified() {
		s += " via " + e.NextHop.String()
	}
	if e.Tag != 0 {
		s += " tag " + itoa(int(e.Tag))
	}
	return s
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// routes returns what zebra holds, "prefix [distance/metric] next hops".
func (r *rig) routes() []string {
	all := []string{}
	for _, x := range r.rib {
		s := x.Prefix.String() + " [" + itoa(int(x.Distance)) + "/" + itoa(int(x.Metric)) + "]"
		for _, h := range x.NextHops {
			if h.Discard {
				s += " Null0"
			} else {
				s += " " + h.Addr.String() + "," + h.Interface
			}
		}
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

func (r *rig) status() *StatusReport {
	r.t.Helper()
	return r.query(ReportStatus).(*StatusReport)
}

// entry returns the report of one prefix, nil if there is none.
func (r *rig) entry(p string) *RouteEntry {
	r.t.Helper()
	for _, e := range r.query(ReportRoutes).(*RouteReport).Routes {
		if e.Prefix == prefix(p) && e.Source != SourceSummary {
			return &e
		}
	}
	return nil
}

func (r *rig) query(kind ReportKind) Report {
	r.t.Helper()
	before := r.take()
	r.step(Query{ID: 1, Kind: kind})
	var report Report
	for _, e := range r.take() {
		if a, ok := e.(Answer); ok {
			report = a.Report
		} else {
			before = append(before, e)
		}
	}
	r.out = before
	return report
}

// same fails where two lists differ.
func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// quietDown lets the first updates pass.
func (r *rig) quietDown() {
	r.t.Helper()
	r.advance(6 * time.Second)
	r.take()
}
