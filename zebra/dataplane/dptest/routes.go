package dptest

import (
	"errors"
	"net/netip"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

func testRoute(t *T) {
	r := route("203.0.113.0/24", "192.0.2.2")
	many := route("198.51.100.0/24", "192.0.2.2", "192.0.2.3", "192.0.2.4")
	many.NextHops[1].Weight = 5
	direct := route("203.0.113.128/25", "192.0.2.2")
	direct.NextHops[0].Gateway = netip.Addr{}
	onlink := route("10.9.0.0/16", "172.16.0.1")
	onlink.NextHops[0].OnLink = true
	table := route("203.0.113.0/24", "192.0.2.3")
	table.Table = 1001
	other := route("203.0.113.0/24", "192.0.2.4")
	other.Metric, other.Protocol = 30, 192
	source := route("10.8.0.0/16", "192.0.2.2")
	source.Source = ip("192.0.2.1")
	def := route("0.0.0.0/0", "192.0.2.2")
	all := []dataplane.Object{r, many, direct, onlink, table, other, source, def}
	t.put(all...)
	t.drop(all...)
	for _, o := range all {
		t.gone(o.Key())
	}
}

func testBatch(t *T) {
	const n = 5000
	var puts, dels []dataplane.Op
	base := ip("10.0.0.0").As4()
	for i := range n {
		a := base
		a[1], a[2], a[3] = byte(i>>8), byte(i), 0
		r := route("10.0.0.0/24", "192.0.2.2")
		r.Prefix = netip.PrefixFrom(netip.AddrFrom4(a), 24)
		if i%1000 == 500 {
			r.NextHops[0].Gateway = ip("172.16.0.1") // not reachable
		}
		puts, dels = append(puts, dataplane.Put(r)), append(dels, dataplane.Delete(r.Key()))
	}
	for i, err := range t.apply(puts...) {
		if bad := i%1000 == 500 && t.p.Caps().Name != "fake"; bad != (err != nil) {
			t.Fatalf("route %d: %v", i, err)
		}
	}
	t.must(dels...)
	t.must(dels...)
	t.gone(dels[0].Key, dels[n-1].Key)
}

func testReplace(t *T) {
	r := route("203.0.113.0/24", "192.0.2.2")
	t.put(r)
	r.NextHops = route("203.0.113.0/24", "192.0.2.3", "192.0.2.4").NextHops
	r.Protocol = 192
	t.put(r)
	r.NextHops = r.NextHops[1:]
	t.put(r)
	r.NextHops, r.Blackhole = nil, true
	t.put(r)
	t.drop(r)
	t.gone(r.Key())
}

func testVia(t *T) {
	t.need(t.p.Caps().IPv6, "IPv6")
	t.put(dataplane.Addr{Device: Under, Prefix: pfx("2001:db8::1/64")})
	v6 := route("2001:db8:1::/48", "2001:db8::2")
	two := route("2001:db8:2::/48", "2001:db8::2", "2001:db8::3")
	via := route("203.0.113.0/24", "2001:db8::2")
	t.put(v6, two, via)
	v6.NextHops[0].Gateway = ip("2001:db8::4")
	two.NextHops = two.NextHops[:1]
	t.put(v6, two)
	t.drop(v6, two, via)
	t.gone(v6.Key(), two.Key(), via.Key())
}

func testBlackhole(t *T) {
	r := route("203.0.113.0/24")
	r.Blackhole = true
	t.put(r)
	t.drop(r)
	t.gone(r.Key())
}

func testRefusals(t *T) {
	unmasked := route("203.0.113.1/24", "192.0.2.2")
	neither := route("203.0.113.0/24")
	nowhere := route("203.0.113.0/24", "192.0.2.2")
	nowhere.NextHops[0].Device = "absent0"
	good := route("198.51.100.0/24", "192.0.2.2")
	errs := t.apply(dataplane.Put(unmasked), dataplane.Put(neither), dataplane.Put(nowhere), dataplane.Put(good),
		dataplane.Put(dataplane.Neighbor{Device: "absent0", Addr: ip("10.0.0.1"), NBMA: ip("192.0.2.9")}),
		dataplane.Put(dataplane.Sysctl{Path: "../kernel/hostname", Value: "x"}))
	for i, want := range []error{dataplane.ErrInvalid, dataplane.ErrInvalid, dataplane.ErrNoDevice, nil,
		dataplane.ErrNoDevice, dataplane.ErrInvalid} {
		if !errors.Is(errs[i], want) {
			t.Errorf("operation %d: %v, wanted %v", i, errs[i], want)
		}
	}
	t.wants(good)
	t.must(dataplane.Delete(nowhere.Key()), dataplane.Delete(dataplane.Neighbor{Device: "absent0", Addr: ip("10.0.0.1")}.Key()))
}

func testRouteGone(t *T) {
	t.forget()
	r := route("203.0.113.0/24", "192.0.2.2")
	taken := route("198.51.100.0/24", "192.0.2.2")
	t.put(r, taken)
	t.Remove(r)
	t.event("route gone", func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: r.Key()} })
	foreign := taken
	foreign.Protocol = ForeignProtocol
	t.AddRoute(foreign)
	t.event("route taken", func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: taken.Key()} })
	t.put(r, taken)
}

func testForeignRoute(t *T) {
	t.forget()
	r := route("203.0.113.0/24", "192.0.2.2")
	r.Protocol = ForeignProtocol
	t.AddRoute(r)
	t.event("foreign route", func(ev dataplane.Event) bool {
		c, ok := ev.(dataplane.RouteChanged)
		return ok && !c.Gone && r.Equal(c.Route)
	})
	if have := t.find(r.Key()); have == nil || dataplane.Own(have) {
		t.Errorf("dump shows %+v", have)
	}
}
