package core

import (
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// TestWhereRIPRuns: an interface whose address is in a network, a secondary one
// too, or that is named, of the VRF, up, and no loopback.
func TestWhereRIPRuns(t *testing.T) {
	r := newRig(t)
	r.cfg.Routers[0].NetworkInterfaces = []string{"named"}
	secondary := link("secondary", "172.16.0.1/24", "10.4.0.1/24")
	lo := link("lo", "10.9.9.9/32")
	lo.Type = rib.TypeLoopback
	down := link("down", "10.6.0.1/24")
	down.Up = false
	red := link("red", "10.7.0.1/24")
	red.VRF = "red"
	p2p := link("p2p", "10.8.0.1/32")
	p2p.Addresses[0].Peer = prefix("10.8.0.2/32")
	r.start(link("in", "10.0.0.1/24"), link("out", "172.17.0.1/24"), secondary, link("named", "172.18.0.1/24"), link("bare"), lo, down, red, p2p)
	var on, connected []string
	for name := range r.heard {
		on = append(on, name)
	}
	slices.Sort(on)
	same(t, "listens", on, "in", "named", "p2p", "secondary")
	for _, e := range r.query(ReportRoutes).(*RouteReport).Routes {
		connected = append(connected, e.Prefix.String()+" "+e.Interface)
	}
	same(t, "connected", connected, "10.0.0.0/24 in", "10.4.0.0/24 secondary", "10.8.0.2/32 p2p", "10.9.9.9/32 lo", "172.18.0.0/24 named")
	var names []string
	for _, i := range r.status().Interfaces {
		if i.Up {
			names = append(names, i.Name)
		}
	}
	same(t, "status", names, "in", "named", "p2p", "secondary")
}

// TestStart: a router that comes up asks for the neighbours' tables.
func TestStart(t *testing.T) {
	r := newRig(t)
	r.cfg.Routers[0].Neighbors = append(r.cfg.Routers[0].Neighbors, addr("10.0.0.9"), addr("10.3.0.9"))
	r.cfg.Routers[0].Passive = []string{"eth1", "eth3"}
	for k, a := range []string{"10.0.0.1/24", "10.1.0.1/24", "10.2.0.1/24", "10.3.0.1/24"} {
		r.step(InterfaceChanged{link("eth"+itoa(k), a)})
	}
	r.configure()
	var asked []string
	for _, p := range packets(t, r.take()) {
		if p.m.WholeTable() {
			asked = append(asked, p.ifname+" "+p.dest.String())
		}
	}
	same(t, "asked", asked, "eth0 224.0.0.9:520", "eth0 10.0.0.9:520", "eth2 224.0.0.9:520", "eth3 10.3.0.9:520")
}

// TestVRFs: each has a table of its own, and an interface may move.
func TestVRFs(t *testing.T) {
	r := newRig(t)
	r.cfg.Routers = append(r.cfg.Routers, RouterConfig{VRF: "red", Version: 2, Networks: prefixes("10.0.0.0/8")})
	red := link("eth1", "10.0.0.1/24")
	red.VRF = "red"
	r.start(link("eth0", "10.0.0.1/24"), red)
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1})
	r.rx("eth1", "10.0.0.2", told{prefix: net1, metric: 2})
	if a, b := r.rib[rib.Key{Kind: rib.KindRoute, Prefix: prefix(net1), Protocol: rib.RIP}], r.rib[rib.Key{Kind: rib.KindRoute, VRF: "red", Prefix: prefix(net1), Protocol: rib.RIP}]; a.Metric != 1 || b.Metric != 2 {
		t.Errorf("%+v %+v", a, b)
	}
	r.take()
	r.step(InterfaceChanged{link("eth1", "10.0.0.1/24")})
	var order []string
	for _, e := range r.take() {
		switch e := e.(type) {
		case Listen:
			order = append(order, "listen "+e.Interface+e.VRF)
		case Unlisten:
			order = append(order, "unlisten "+e.Interface)
		}
	}
	same(t, "moved", order, "unlisten eth1", "listen eth1")
	if len(r.rib) != 1 {
		t.Errorf("%v", r.routes())
	}
}

// TestTimersConfigured apply to what is there already.
func TestTimersConfigured(t *testing.T) {
	r := hub(t, nil)
	set := func(timers Timers) {
		r.cfg.Routers = []RouterConfig{r.cfg.Routers[0]}
		r.cfg.Routers[0].Timers = timers
		r.configure()
	}
	set(Timers{Update: 5 * time.Second, Invalid: 15 * time.Second, Flush: 25 * time.Second})
	r.advance(9*time.Second - 1) // it was told 6 s ago
	same(t, "before", r.routes(), net1+" [120/2] 10.0.0.2,eth0")
	r.advance(1)
	same(t, "after", r.routes())
	if n := len(r.status().Neighbors); n != 0 {
		t.Errorf("%d neighbours", n)
	}
	r.advance(10 * time.Second)
	if e := r.entry(net1); e != nil {
		t.Errorf("%+v", e)
	}
	for _, i := range r.status().Interfaces {
		if i.NextUpdate > 6*time.Second {
			t.Errorf("%+v", i)
		}
	}
}

// TestAddressChanged: another primary address begins anew; another secondary one
// does not.
func TestAddressChanged(t *testing.T) {
	r := hub(t, nil)
	r.step(InterfaceChanged{link("eth0", "10.0.0.1/24", "10.5.0.1/24")})
	same(t, "secondary", r.routes(), net1+" [120/2] 10.0.0.2,eth0")
	if r.entry("10.5.0.0/24") == nil {
		t.Error("its network is not announced")
	}
	r.take()
	r.step(InterfaceChanged{link("eth0", "10.0.0.5/24")})
	same(t, "primary", r.routes())
	if e := r.entry("10.5.0.0/24"); !e.Garbage {
		t.Errorf("%+v", e)
	}
	r.advance(6 * time.Second)
	for _, e := range r.take() {
		if x, ok := e.(TxPacket); ok && x.Interface == "eth0" && x.Source != addr("10.0.0.5") {
			t.Errorf("sent from %v", x.Source)
		}
	}
}

func TestClear(t *testing.T) {
	r := hub(t, nil)
	r.rx("eth0", "10.0.0.2", told{prefix: "224.0.0.0/24", metric: 1})
	r.take()
	r.step(Clear{Routes: true, Counters: true})
	same(t, "routes", r.routes())
	asked := 0
	for _, p := range packets(t, r.take()) {
		if p.m.WholeTable() {
			asked++
		}
	}
	s := r.status()
	if asked != 2 || s.Counters.Dropped[DropEntryAddress] != 0 || s.Counters.SentRequests != 2 || s.Neighbors[0].BadRoutes != 0 {
		t.Errorf("asked %d neighbours; %+v", asked, s)
	}
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 2})
	r.step(Clear{VRF: "red", Routes: true})
	same(t, "another VRF", r.routes(), net1+" [120/2] 10.0.0.2,eth0")
}

// TestTraces: they appear when asked for, and share nothing with the core.
func TestTraces(t *testing.T) {
	r := hub(t, nil)
	count := func() (events, messages int) {
		for _, e := range r.take() {
			if x, ok := e.(Trace); ok {
				events++
				if x.Message != nil {
					messages++
					x.Message.Entries = append(x.Message.Entries[:0], packet.Entry{})
				}
			}
		}
		return events, messages
	}
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 5})
	if n, _ := count(); n != 0 {
		t.Errorf("%d traces that nobody asked for", n)
	}
	r.advance(2 * maxHold)
	r.take()
	r.step(Tracing{Events: true, Packets: true})
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 6}, told{prefix: "224.0.0.0/24", metric: 1})
	if events, messages := count(); events < 5 || messages != 2 { // received, changed, entry dropped, triggered, sent
		t.Errorf("%d traces, %d messages", events, messages)
	}
	r.step(Tracing{})
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 5})
	if n, _ := count(); n != 0 {
		t.Errorf("%d traces after the end", n)
	}
	if e := r.entry(net1); e.Metric != 6 {
		t.Errorf("%+v", e)
	}
}

// TestStatus: the report of the protocol.
func TestStatus(t *testing.T) {
	r := hub(t, func(r *rig) { r.iface("eth0").SplitHorizon = SplitHorizonPoison })
	s := r.status()
	if !s.Exists || s.Config.Timers.Update != DefaultUpdate || s.Config.MaximumPaths != DefaultMaximumPaths || s.Routes != 3 {
		t.Errorf("%+v", s)
	}
	i := s.Interfaces[0]
	if i.Name != "eth0" || !i.Up || i.Send != Version2 || i.Receive != Version2 || i.SplitHorizon != SplitHorizonPoison || i.NextUpdate <= 0 || i.Counters.SentRequests != 1 {
		t.Errorf("%+v", i)
	}
	s.Config.Networks[0] = prefix("1.0.0.0/8")
	if r.status().Config.Networks[0] != prefix("10.0.0.0/8") {
		t.Error("the report shares memory with the core")
	}
	r.step(Query{ID: 9, Kind: ReportStatus, VRF: "none"})
	if a := r.take()[0].(Answer); a.ID != 9 || a.Report.(*StatusReport).Exists {
		t.Errorf("%+v", a)
	}
	e := r.entry(net1)
	if len(e.Paths) != 1 || e.Paths[0].Age != 6*time.Second || e.Paths[0].Left != 174*time.Second || e.Paths[0].From != addr("10.0.0.2") {
		t.Errorf("%+v", e)
	}
}
