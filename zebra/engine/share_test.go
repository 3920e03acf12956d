package engine_test

import (
	"testing"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// TestSharedNextHops puts routes whose next hops are those of the one before, and others:
// equal ones are kept once, and each route has its own, also after others have changed.
func TestSharedNextHops(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.ready()
		w.engine.Enabled([]string{"bgpd"})
		one, two := librib.NextHop{Addr: addr("192.0.2.2")}, librib.NextHop{Addr: addr("192.0.2.3")}
		seq := uint64(0)
		put := func(p string, hops ...librib.NextHop) session.Up {
			seq++
			return session.Put{Seq: seq, Object: librib.Route{Prefix: prefix(p), Protocol: librib.BGP, Distance: 20, NextHops: hops}}
		}
		w.attach("bgpd", session.Begin{}, put("10.1.0.0/16", one), put("10.2.0.0/16", one), put("10.3.0.0/16", two),
			put("10.4.0.0/16", librib.NextHop{Discard: true}), put("10.5.0.0/16", two), put("10.6.0.0/16", one, two), put("10.7.0.0/16", one))
		w.expect("routes", w.wanted(route), "route 254 10.1.0.0/16 p186 192.0.2.2@eth0; route 254 10.2.0.0/16 p186 192.0.2.2@eth0; "+
			"route 254 10.3.0.0/16 p186 192.0.2.3@eth0; route 254 10.4.0.0/16 p186 blackhole; route 254 10.5.0.0/16 p186 192.0.2.3@eth0; "+
			"route 254 10.6.0.0/16 p186 192.0.2.2@eth0 192.0.2.3@eth0; route 254 10.7.0.0/16 p186 192.0.2.2@eth0")
		hop := func(p string) *dataplane.NextHop {
			w.mu.Lock()
			defer w.mu.Unlock()
			k := dataplane.Key{Kind: route, Table: 254, Prefix: prefix(p), Metric: dataplane.MetricDefault}
			return &w.want[k].(dataplane.Route).NextHops[0]
		}
		if hop("10.1.0.0/16") != hop("10.2.0.0/16") || hop("10.2.0.0/16") == hop("10.7.0.0/16") {
			t.Error("next hops equal to those of the route before are not shared, or others are")
		}
		w.say("bgpd", put("10.2.0.0/16", two), session.Delete{Seq: 100, Key: librib.Route{Prefix: prefix("10.3.0.0/16"), Protocol: librib.BGP}.Key()})
		w.expect("routes after a change", w.wanted(route), "route 254 10.1.0.0/16 p186 192.0.2.2@eth0; route 254 10.2.0.0/16 p186 192.0.2.3@eth0; "+
			"route 254 10.4.0.0/16 p186 blackhole; route 254 10.5.0.0/16 p186 192.0.2.3@eth0; "+
			"route 254 10.6.0.0/16 p186 192.0.2.2@eth0 192.0.2.3@eth0; route 254 10.7.0.0/16 p186 192.0.2.2@eth0")
	})
}
