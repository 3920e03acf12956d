package speaker

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// used waits until a next hop is in use, or no more.
func (n *node) used(hop netip.Addr, want bool) {
	n.t.Helper()
	eventually(n.t, func() string {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, h := range slices.Backward(n.hops) {
			if h.Addr == hop {
				if h.Used == want {
					return ""
				}
				break
			}
		}
		return fmt.Sprintf("next hop %v: %+v", hop, n.hops)
	})
}

// TestNextHopTracking has a path by a next hop that is not reachable: it is neither
// best nor passed on, but it is known, so that it can come.
func TestNextHopTracking(t *testing.T) {
	a, b := pair(t)
	c := newNode(t, 4, 65003)
	b.knows(c, true)
	c.knows(b, false)
	b.c.TrackNextHops = true
	for _, n := range []*node{a, b, c} {
		n.start()
	}
	b.up(a, c)
	a.originate(local("10.1.0.0/16"))
	b.used(a.addr, true)
	list, err := b.List(Table{Family: rib.IPv4})
	if err != nil || len(list) != 1 || list[0].Paths[0].Valid || list[0].Paths[0].Best {
		t.Fatalf("%+v %v", list, err)
	}
	b.via("10.1.0.0/16")
	b.originate(local("10.9.0.0/16")) // what comes after it is there first
	c.via("10.9.0.0/16", b.addr)
	c.via("10.1.0.0/16")
	b.SetNextHops([]NextHopState{{Addr: a.addr, Reachable: true, Metric: 5}})
	b.via("10.1.0.0/16", a.addr)
	if p := b.best("10.1.0.0/16")[0]; p.Metric != 5 || !p.Valid {
		t.Errorf("%+v", p)
	}
	c.via("10.1.0.0/16", b.addr)
	b.SetNextHops([]NextHopState{{Addr: a.addr}})
	b.via("10.1.0.0/16")
	c.via("10.1.0.0/16")
	a.Withdraw([]netip.Prefix{pfx("10.1.0.0/16")})
	b.used(a.addr, false)
}

func TestWaitInstall(t *testing.T) {
	a, b := pair(t)
	c := newNode(t, 4, 65003)
	b.knows(c, true)
	c.knows(b, false)
	b.c.WaitInstall = true
	for _, n := range []*node{a, b, c} {
		n.start()
	}
	b.up(a, c)
	a.originate(local("10.1.0.0/16"))
	b.via("10.1.0.0/16", a.addr)
	b.originate(local("10.9.0.0/16"))
	c.via("10.9.0.0/16", b.addr) // own routes do not wait
	c.via("10.1.0.0/16")
	if p := b.best("10.1.0.0/16")[0]; !p.Best {
		t.Errorf("%+v", p)
	}
	b.Installed([]netip.Prefix{pfx("10.1.0.0/16")})
	c.via("10.1.0.0/16", b.addr)
	a.Withdraw([]netip.Prefix{pfx("10.1.0.0/16")})
	c.via("10.1.0.0/16") // what has gone does not wait
	// Again: the installation of before does not count.
	a.originate(local("10.1.0.0/16"))
	b.via("10.1.0.0/16", a.addr)
	b.originate(local("10.8.0.0/16"))
	c.via("10.8.0.0/16", b.addr)
	c.via("10.1.0.0/16")
}

// TestSpokesOfOneAS is a hub with external spokes of one AS, which have allowas-in:
// the hub sends them what has passed their AS.
func TestSpokesOfOneAS(t *testing.T) {
	hub, s1, s2 := hubAndSpokes(t, 65000, 65100, func(s *Settings, hub bool) {
		if s.IPv4.AllowASIn = 1; hub {
			s.IPv4.AllowASIn = 0
		}
	})
	s2.via("10.1.0.0/16", hub.addr)
	if p := s2.best("10.1.0.0/16")[0]; p.ASPath.String() != "65000 65100" {
		t.Errorf("%+v", p)
	}
	// It does not go back to where it came from.
	list, err := hub.List(Table{Family: rib.IPv4, Neighbor: s1.addr, View: Sent})
	if err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
	s1.Withdraw([]netip.Prefix{pfx("10.1.0.0/16")})
	s2.via("10.1.0.0/16")
}

func TestDefaultOriginate(t *testing.T) {
	a, b := pair(t)
	c := newNode(t, 4, 65003)
	a.knows(c, true)
	c.knows(a, false)
	a.c.Neighbors[0].IPv4.DefaultOriginate = true
	a.c.Neighbors[0].IPv4.Export = policyOf(func(locrib.Route, *locrib.Attributes) bool { return false }) // phase 1: the default alone
	for _, n := range []*node{a, b, c} {
		n.start()
	}
	a.originate(local("10.1.0.0/16"))
	b.via("0.0.0.0/0", a.addr)
	c.via("10.1.0.0/16", a.addr)
	b.via("10.1.0.0/16")
	c.via("0.0.0.0/0")
	// A default route of the table is for all; it leaves the one of this neighbour.
	a.originate(local("0.0.0.0/0"))
	c.via("0.0.0.0/0", a.addr)
	b.via("0.0.0.0/0", a.addr)
	a.Withdraw([]netip.Prefix{pfx("0.0.0.0/0")})
	c.via("0.0.0.0/0")
	b.via("0.0.0.0/0", a.addr)
	a.c.Neighbors = slices.Clone(a.c.Neighbors)
	a.c.Neighbors[0].IPv4.DefaultOriginate = false
	a.apply()
	b.via("0.0.0.0/0")
	if e := b.events(a); e != "up" {
		t.Errorf("sessions %q", e)
	}
}

// TestDefaultOriginateMap: the default route is there while the map permits a route of the
// table, and has what it returns for the first of them.
func TestDefaultOriginateMap(t *testing.T) {
	a, b := pair(t)
	c := newNode(t, 4, 65003)
	a.knows(c, true)
	c.knows(a, false)
	given := func(med map[string]uint32) Policy {
		return &changing{func(r locrib.Route) (*locrib.Attributes, bool) {
			m, permit := med[r.Prefix.String()]
			out := &locrib.Attributes{MED: m, HasMED: true, Communities: []policy.Community{65001<<16 | 9}}
			if r.From == c.addr {
				out.NextHop = netip.MustParseAddr("127.0.0.77")
			}
			return out, permit
		}}
	}
	a.c.Neighbors[0].IPv4.DefaultOriginate = true
	a.c.Neighbors[0].IPv4.DefaultMap = given(map[string]uint32{"10.1.0.0/16": 1, "10.3.0.0/16": 3})
	for _, n := range []*node{a, b, c} {
		n.start()
	}
	med := func(want uint32) {
		t.Helper()
		eventually(t, func() string {
			if p := b.best("0.0.0.0/0"); len(p) != 1 || p[0].MED != want || !slices.Equal(p[0].Communities, []policy.Community{65001<<16 | 9}) {
				return fmt.Sprintf("%+v, not MED %d", p, want)
			}
			return ""
		})
	}
	a.originate(local("10.2.0.0/16"), local("10.4.0.0/16"))
	b.via("10.4.0.0/16", a.addr)
	b.via("0.0.0.0/0")
	a.originate(local("10.3.0.0/16"))
	med(3)
	a.originate(local("10.1.0.0/16"))
	med(1)
	a.Withdraw([]netip.Prefix{pfx("10.1.0.0/16")})
	med(3)
	a.Withdraw([]netip.Prefix{pfx("10.3.0.0/16")})
	b.via("0.0.0.0/0")
	// One that a neighbour sent, and a next hop that the map sets.
	c.originate(local("10.3.0.0/16"))
	b.via("0.0.0.0/0", netip.MustParseAddr("127.0.0.77"))
	med(3)
	// Another map finds what is there already.
	a.c.Neighbors = slices.Clone(a.c.Neighbors)
	a.c.Neighbors[0].IPv4.DefaultMap = given(map[string]uint32{"10.4.0.0/16": 4})
	a.apply()
	med(4)
	b.via("0.0.0.0/0", a.addr)
	a.c.Neighbors = slices.Clone(a.c.Neighbors)
	a.c.Neighbors[0].IPv4.DefaultMap = given(nil)
	a.apply()
	b.via("0.0.0.0/0")
	c.via("0.0.0.0/0")
	if e := b.events(a); e != "up" {
		t.Errorf("sessions %q", e)
	}
}

func TestAggregateAddress(t *testing.T) {
	a, b := pair(t)
	c := newNode(t, 4, 65003)
	b.knows(c, true)
	c.knows(b, false)
	b.c.Aggregates = []locrib.Aggregate{{Prefix: pfx("10.0.0.0/8"), SummaryOnly: true, ASSet: true}}
	for _, n := range []*node{a, b, c} {
		n.start()
	}
	a.originate(local("10.1.0.0/16"), local("11.0.0.0/8"))
	c.via("11.0.0.0/8", b.addr)
	c.via("10.0.0.0/8", b.addr)
	c.via("10.1.0.0/16")
	p := c.best("10.0.0.0/8")[0]
	if p.ASPath.String() != "65002 {65001}" || p.Aggregator != (locrib.Aggregator{AS: 65002, ID: b.c.Process.RouterID}) || p.AtomicAggregate {
		t.Errorf("%+v", p.Attributes)
	}
	if p := b.best("10.0.0.0/8"); len(p) != 1 || !p[0].Aggregate {
		t.Errorf("%+v", p)
	}
	b.c.Aggregates = []locrib.Aggregate{{Prefix: pfx("10.0.0.0/8")}}
	b.apply()
	c.via("10.1.0.0/16", b.addr)
	a.Withdraw([]netip.Prefix{pfx("10.1.0.0/16")})
	c.via("10.0.0.0/8")
}

// TestReflectionToOthers is a client of one reflector and what a neighbour sees that is
// none: RFC 4456, sections 6 and 8.
func TestReflectionToOthers(t *testing.T) {
	rr, client, plain, second := newNode(t, 2, 65000), newNode(t, 3, 65000), newNode(t, 4, 65000), newNode(t, 5, 65000)
	rr.c.ClusterID = netip.MustParseAddr("9.9.9.9")
	for _, n := range []*node{client, plain, second} {
		rr.knows(n, false, func(s *Settings) { s.IPv4.ReflectorClient = n == client })
		n.knows(rr, true)
		n.start()
	}
	rr.start()
	rr.up(client, plain, second)
	client.originate(Local{pfx("10.1.0.0/16"), locrib.Attributes{MED: 7, HasMED: true, LocalPref: 300, HasLocalPref: true}})
	plain.originate(local("10.2.0.0/16"))
	second.via("10.1.0.0/16", client.addr)
	client.via("10.2.0.0/16", plain.addr)
	p := second.best("10.1.0.0/16")[0]
	if p.OriginatorID != client.c.Process.RouterID || !slices.Equal(p.ClusterList, []netip.Addr{rr.c.ClusterID}) || p.MED != 7 || p.LocalPref != 300 {
		t.Errorf("%+v", p.Attributes)
	}
	second.via("10.2.0.0/16") // from one that is no client to another
	if list, err := rr.List(Table{Family: rib.IPv4, Neighbor: second.addr, View: Sent, Prefix: pfx("10.2.0.0/16")}); err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
}

// TestWhatStaysHere are attributes and routes that do not go on: MED and LOCAL_PREF
// (RFC 4271, sections 5.1.4 and 5.1.5), the well-known communities (RFC 1997), all
// communities where none are sent, and our tags.
func TestWhatStaysHere(t *testing.T) {
	a, b := pair(t)
	c, d := newNode(t, 4, 65003), newNode(t, 5, 65002)
	b.knows(c, true, func(s *Settings) { s.IPv4.SendStandard, s.IPv4.SendLarge, s.IPv4.SendExtended = false, false, false })
	c.knows(b, false)
	b.knows(d, true)
	d.knows(b, false)
	b.c.Neighbors[0].IPv4.Import = policyOf(func(r locrib.Route, a *locrib.Attributes) bool {
		if c := map[string]policy.Community{"10.2.0.0/16": policy.CommunityNoExport, "10.3.0.0/16": policy.CommunityNoAdvertise}[r.Prefix.String()]; c != 0 {
			a.Communities = []policy.Community{c}
		}
		return true
	})
	for _, n := range []*node{a, b, c, d} {
		n.start()
	}
	b.up(a, c, d)
	with := func(prefix string, list ...policy.Community) Local {
		return Local{pfx(prefix), locrib.Attributes{MED: 7, HasMED: true, Communities: list, Large: []policy.LargeCommunity{{1, 2, 3}},
			Extended: []policy.ExtCommunity{{0, 2, 0xfd, 0xe9, 0, 0, 0, 7}}}}
	}
	a.originate(with("10.1.0.0/16", 5), with("10.2.0.0/16"), with("10.3.0.0/16"),
		with("10.4.0.0/16", firstTag, firstTag+1, firstTag+2, 6)) // an own route with our tags
	c.via("10.4.0.0/16", b.addr)
	c.via("10.1.0.0/16", b.addr)
	d.via("10.2.0.0/16", a.addr)
	b.via("10.3.0.0/16", a.addr)
	c.via("10.2.0.0/16")
	d.via("10.3.0.0/16")
	if p := c.best("10.1.0.0/16")[0]; p.MED != 0 || p.HasLocalPref || len(p.Communities)+len(p.Large)+len(p.Extended) != 0 {
		t.Errorf("to an external neighbour without communities: %+v", p.Attributes)
	}
	if p := d.best("10.1.0.0/16")[0]; p.MED != 7 || p.LocalPref != 100 || !slices.Equal(p.Communities, []policy.Community{5}) ||
		len(p.Large) != 1 || len(p.Extended) != 1 {
		t.Errorf("to an internal neighbour: %+v", p.Attributes)
	}
	d.via("10.4.0.0/16", a.addr)
	if p := d.best("10.4.0.0/16")[0]; !slices.Equal(p.Communities, []policy.Community{6}) {
		t.Errorf("tags of a neighbour: %v", p.Communities)
	}
}

// TestMEDIsLeftOut: where all neighbours are external there is none at all.
func TestMEDIsLeftOut(t *testing.T) {
	a, b := pair(t)
	c := newNode(t, 4, 65003)
	b.knows(c, true)
	c.knows(b, false)
	for _, n := range []*node{a, b, c} {
		n.start()
	}
	a.originate(Local{pfx("10.1.0.0/16"), locrib.Attributes{MED: 7, HasMED: true}})
	c.via("10.1.0.0/16", b.addr)
	if p := c.best("10.1.0.0/16")[0]; p.HasMED {
		t.Errorf("%+v", p.Attributes)
	}
}

// TestTagsRunOut has more different routes than there are tags: a route is rather not
// sent than otherwise than the policy says, and tags that nobody has are used again.
func TestTagsRunOut(t *testing.T) {
	a, b := pair(t)
	a.c.Neighbors[0].IPv4.Export = policyOf(func(r locrib.Route, a *locrib.Attributes) bool {
		a.MED, a.HasMED = uint32(r.Prefix.Addr().As4()[1]), true
		return a.MED != 99
	})
	a.start()
	b.start()
	b.up(a)
	a.Speaker.mu.Lock()
	a.export.last = firstTag + 2
	a.Speaker.mu.Unlock()
	seen := func(want ...int) {
		t.Helper()
		eventually(t, func() string {
			var got []int
			list, _ := b.List(Table{Family: rib.IPv4})
			for _, e := range list {
				n := int(e.Prefix.Addr().As4()[1])
				if got = append(got, n); int(e.Paths[0].MED) != n {
					t.Fatalf("%v with MED %d", e.Prefix, e.Paths[0].MED)
				}
			}
			if !slices.Equal(got, want) {
				return fmt.Sprintf("routes %v, not %v", got, want)
			}
			return ""
		})
	}
	a.originate(local("10.99.0.0/16"), local("10.1.0.0/16"))
	seen(1)
	a.originate(local("10.2.0.0/16"))
	a.Withdraw([]netip.Prefix{pfx("10.1.0.0/16")})
	a.originate(local("10.3.0.0/16")) // without a tag left all begins anew
	seen(2, 3)
	a.originate(local("10.4.0.0/16"), local("10.5.0.0/16")) // once
	eventually(t, func() string { return a.notice(NotSent) })
	a.Withdraw([]netip.Prefix{pfx("10.3.0.0/16")}) // comes after what was wrongly sent
	seen(2)
}

// TestImportPolicyAnew changes an import policy: no session is reset, and what the
// neighbour sent is let in, or not any more.
func TestImportPolicyAnew(t *testing.T) {
	a, b := pair(t)
	a.start()
	b.start()
	a.originate(local("10.1.0.0/16"), local("10.2.0.0/16"))
	b.via("10.1.0.0/16", a.addr)
	b.via("10.2.0.0/16", a.addr)
	set := func(p Policy) {
		b.c.Neighbors = slices.Clone(b.c.Neighbors)
		b.c.Neighbors[0].IPv4.Import = p
		b.apply()
	}
	var open bool
	set(policyOf(func(r locrib.Route, _ *locrib.Attributes) bool { return open || r.Prefix.String() == "10.2.0.0/16" }))
	b.via("10.1.0.0/16")
	b.via("10.2.0.0/16", a.addr)
	list, err := b.List(Table{Family: rib.IPv4, Neighbor: a.addr, View: Received})
	if err != nil || len(list) != 2 {
		t.Errorf("received routes: %+v %v", list, err)
	}
	if list, err := b.List(Table{Family: rib.IPv4, Neighbor: a.addr}); err != nil || len(list) != 1 {
		t.Errorf("routes: %+v %v", list, err)
	}
	if st := b.status(a); st.IPv4.Received != 2 || st.IPv4.Accepted != 1 {
		t.Errorf("%+v", st.IPv4)
	}
	b.Speaker.mu.Lock()
	open = true
	b.Speaker.mu.Unlock()
	if err := b.ClearSoft(a.addr, In); err != nil {
		t.Fatal(err)
	}
	b.via("10.1.0.0/16", a.addr)
	set(nil)
	if e := b.events(a); e != "up" {
		t.Errorf("sessions %q", e)
	}
}
