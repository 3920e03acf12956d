package core

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

const discard = "192.168.0.0/16 [5/0] Null0"

func summarized(t *testing.T) *rig {
	return hub(t, func(r *rig) { r.iface("eth1").Summaries = prefixes("192.168.0.0/16") })
}

// TestSummary: what lies inside of a summary is told by it alone, with the lowest
// metric, and by the other interfaces as it is.
func TestSummary(t *testing.T) {
	r := summarized(t)
	same(t, "installed", r.routes(), discard, net1+" [120/2] 10.0.0.2,eth0")
	r.rx("eth0", "10.0.0.2", told{prefix: "192.168.2.0/24", metric: 1}, told{prefix: "192.0.0.0/8", metric: 5})
	same(t, "eth1", r.full("eth1"), "10.0.0.0/24 1", "192.0.0.0/8 6", "192.168.0.0/16 2")
	r.rx("eth0", "10.0.0.2", told{prefix: "192.168.2.0/24", metric: 16})
	r.advance(6 * time.Second)
	if got := r.responses("eth1"); !slices.Contains(got, "192.168.0.0/16 3") || slices.Contains(got, "192.168.2.0/24 16") {
		t.Errorf("after the best went: %q", got)
	}
	same(t, "still there", r.full("eth1"), "10.0.0.0/24 1", "192.0.0.0/8 6", "192.168.0.0/16 3")
}

// TestSummaryEnds: it is told as unreachable for the garbage-collection time.
func TestSummaryEnds(t *testing.T) {
	r := summarized(t)
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 16})
	same(t, "installed", r.routes())
	r.advance(6 * time.Second)
	if got := r.responses("eth1"); !slices.Contains(got, "192.168.0.0/16 16") {
		t.Errorf("triggered: %q", got)
	}
	same(t, "regular", r.full("eth1"), "10.0.0.0/24 1", "192.168.0.0/16 16")
	r.advance(60 * time.Second)
	same(t, "over", r.full("eth1"), "10.0.0.0/24 1")
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1})
	same(t, "again", r.routes(), discard, net1+" [120/1] 10.0.0.2,eth0")
}

// TestSummaryAndEqual: a route with the summary's own prefix does not keep it
// alive, is hidden by it on the wire and in forwarding, and comes forth after it.
func TestSummaryAndEqual(t *testing.T) {
	r := summarized(t)
	r.rx("eth0", "10.0.0.2", told{prefix: "192.168.0.0/16", metric: 1})
	same(t, "installed", r.routes(), discard, net1+" [120/2] 10.0.0.2,eth0")
	same(t, "told", r.full("eth1"), "10.0.0.0/24 1", "192.168.0.0/16 3")
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 16})
	same(t, "installed after it", r.routes(), "192.168.0.0/16 [120/1] 10.0.0.2,eth0")
	same(t, "told after it", r.full("eth1"), "10.0.0.0/24 1", "192.168.0.0/16 2")
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 4})
	same(t, "installed again", r.routes(), discard, net1+" [120/4] 10.0.0.2,eth0")
}

// TestSummaryDefault has no discard route.
func TestSummaryDefault(t *testing.T) {
	r := hub(t, func(r *rig) { r.iface("eth1").Summaries = prefixes("0.0.0.0/0") })
	same(t, "installed", r.routes(), net1+" [120/2] 10.0.0.2,eth0")
	same(t, "told", r.full("eth1"), "0.0.0.0/0 1")
}

// TestSummaryConfigured: it counts what is there already, is shared by interfaces,
// and goes with the last of them.
func TestSummaryConfigured(t *testing.T) {
	r := hub(t, nil)
	set := func(name string, to ...string) {
		r.cfg.Interfaces = slices.Clone(r.cfg.Interfaces)
		r.iface(name).Summaries = prefixes(to...)
		r.configure()
	}
	set("eth1", "192.168.0.0/16")
	same(t, "installed", r.routes(), discard, net1+" [120/2] 10.0.0.2,eth0")
	set("eth0", "192.168.0.0/16")
	set("eth1")
	same(t, "one is left", r.routes(), discard, net1+" [120/2] 10.0.0.2,eth0")
	var shown []RouteEntry
	for _, e := range r.query(ReportRoutes).(*RouteReport).Routes {
		if e.Source == SourceSummary {
			shown = append(shown, e)
		}
	}
	if len(shown) != 1 || shown[0].Interface != "eth0" || shown[0].Metric != 3 {
		t.Errorf("shown: %+v", shown)
	}
	set("eth0")
	same(t, "none is left", r.routes(), net1+" [120/2] 10.0.0.2,eth0")
	same(t, "told", r.full("eth1"), "10.0.0.0/24 1", net1+" 3 tag 9")
}

// TestSummaryDuringUpdate: the configuration changes while an update tells them.
func TestSummaryDuringUpdate(t *testing.T) {
	r := newRig(t)
	r.cfg.Routers[0].OutputDelay = time.Second
	var all []string
	for k := range 60 { // three packets of summaries alone
		all = append(all, netip.PrefixFrom(addrOf(0xc0000000+uint32(k)<<16), 16).String())
		r.cfg.Routers[0].Static = append(r.cfg.Routers[0].Static, netip.PrefixFrom(addrOf(0xc0000000+uint32(k)<<16), 24))
	}
	r.iface("eth0").Summaries = prefixes(all...)
	r.start(link("eth0", "10.0.0.1/24"))
	i := r.core.order[0].ifaces["eth0"]
	r.advance(12 * time.Second)
	for len(i.multicast.jobs) == 0 || i.multicast.jobs[0].kind != jobRegular {
		r.advance(100 * time.Millisecond)
	}
	r.take()
	r.cfg.Interfaces = nil
	r.iface("eth0").Summaries = prefixes(all[50:]...)
	r.configure()
	r.advance(15 * time.Second)
	got := r.responses("eth0")
	if !slices.Contains(got, "192.55.0.0/16 1") || slices.Contains(got, "192.40.0.0/16 1") || !slices.Contains(got, "192.40.0.0/24 1") {
		t.Errorf("told: %q", got)
	}
}
