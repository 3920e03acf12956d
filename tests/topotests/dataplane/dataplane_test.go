package dataplane

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/dptest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
	"github.com/godmvpn/godmvpn/zebra/fib"
)

func TestMain(m *testing.M) { harness.Main(m) }

const limit = 20 * time.Second

func TestSuite(t *testing.T) {
	e := lktest.New(t)
	if c := e.P.Caps(); !c.GRE || !c.VRF || !c.Dummy || !c.NeighborMiss || !c.MSSClamp || !c.Multicast || !c.Hairpin || !c.PeerUse || !c.Shaper || !c.IPv6Transport || !c.Policy || !c.ESP {
		t.Fatalf("this kernel lacks what the suite needs: %+v", c)
	}
	dptest.Run(t, func(t testing.TB) dptest.Env { return lktest.New(t) })
}

func ip(s string) netip.Addr    { return netip.MustParseAddr(s) }
func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func put(t *testing.T, p dataplane.Provider, objects ...dataplane.Object) {
	t.Helper()
	for _, o := range objects {
		if r := p.Apply(t.Context(), []dataplane.Op{dataplane.Put(o)}); r[0].Err != nil {
			t.Fatalf("%v: %v", o.Key(), r[0].Err)
		}
	}
}

var mgre = dataplane.Tunnel{Name: "Tunnel0", Local: ip("192.0.2.1"), HasKey: true, GREKey: 100000, TTL: 255, TOS: 0xc0,
	Underlay: dptest.Under, Resolve: true, Attrs: dataplane.Attrs{Admin: dataplane.AdminUp, MTU: 1400}}

// shown runs a command in the namespace and returns what it says.
func shown(t *testing.T, e *lktest.Env, args ...string) (text string) {
	t.Helper()
	e.Do(func() error {
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if text = string(out); err != nil {
			t.Errorf("%v: %v: %s", args, err, out)
		}
		return nil
	})
	return text
}

// TestSeenFromOutside compares what iproute2 and vishvananda/netlink say of the
// objects with what was put.
func TestSeenFromOutside(t *testing.T) {
	e := lktest.New(t)
	n := dataplane.Neighbor{Device: "Tunnel0", Addr: ip("10.0.0.2"), NBMA: ip("192.0.2.2")}
	r := dataplane.Route{Table: 1001, Prefix: pfx("203.0.113.0/24"), Metric: 20, Protocol: 191, NextHops: []dataplane.NextHop{
		{Device: "Tunnel0", Gateway: ip("10.0.0.2"), Weight: 3}, {Device: "Tunnel0", Gateway: ip("10.0.0.3"), OnLink: true}}}
	put(t, e.P, mgre, dataplane.Addr{Device: "Tunnel0", Prefix: pfx("10.0.0.1/24")}, n, r)
	g, ok := e.Link("Tunnel0").(*netlink.Gretun)
	if !ok {
		t.Fatalf("Tunnel0 is a %s", e.Link("Tunnel0").Type())
	}
	type facts struct {
		Local, Remote string
		IKey, OKey    uint32
		TTL, TOS      uint8
		PMTU          uint8
		MTU           int
	}
	want := facts{"192.0.2.1", "0.0.0.0", 100000, 100000, 255, 0xc0, 0, 1400}
	have := facts{g.Local.String(), g.Remote.String(), g.IKey, g.OKey, g.Ttl, g.Tos, g.PMtuDisc, g.MTU}
	if d := cmp.Diff(want, have); d != "" {
		t.Error(d)
	}
	if g.RawFlags&unix.IFF_NOARP != 0 || g.RawFlags&unix.IFF_UP == 0 {
		t.Errorf("flags %#x", g.RawFlags)
	}
	for _, c := range []struct{ args, want string }{
		{"ip -d link show Tunnel0", "gre remote any local 192.0.2.1 dev " + dptest.Under},
		{"ip -d link show Tunnel0", "ttl 255 tos 0xc0"},
		{"ip -d link show Tunnel0", "nopmtudisc"},
		{"ip -d link show Tunnel0", "ikey 0.1.134.160 okey 0.1.134.160"},
		{"ip neigh show dev Tunnel0", "10.0.0.2 lladdr 192.0.2.2 PERMANENT"},
		{"ip -N route show table 1001", "203.0.113.0/24 proto 191 metric 20"},
		{"ip -N route show table 1001", "nexthop via 10.0.0.2 dev Tunnel0 weight 3"},
		{"ip -N route show table 1001", "nexthop via 10.0.0.3 dev Tunnel0 weight 1 onlink"},
		{"ip addr show dev Tunnel0", "inet 10.0.0.1/24 brd 10.0.0.255"},
		{"cat /proc/sys/net/ipv4/neigh/Tunnel0/app_solicit", "5"},
		{"cat /proc/sys/net/ipv6/neigh/Tunnel0/app_solicit", "5"},
		{"cat /proc/sys/net/ipv4/neigh/Tunnel0/mcast_solicit", "0"},
		{"cat /proc/sys/net/ipv4/neigh/Tunnel0/ucast_solicit", "0"},
	} {
		if text := strings.Join(strings.Fields(shown(t, e, strings.Fields(c.args)...)), " "); !strings.Contains(text, c.want) {
			t.Errorf("%s: no %q in %s", c.args, c.want, text)
		}
	}
}

// TestOthersAttributesStay changes a tunnel that somebody gave attributes that
// we do not know: they must outlive the change.
func TestOthersAttributesStay(t *testing.T) {
	e := lktest.New(t)
	shown(t, e, "ip", "link", "add", "Tunnel0", "type", "gre", "local", "192.0.2.1", "key", "7", "ignore-df", "nopmtudisc", "fwmark", "0x77")
	put(t, e.P, mgre)
	text := shown(t, e, "ip", "-d", "link", "show", "Tunnel0")
	for _, want := range []string{"fwmark 0x77", "ignore-df", "0.1.134.160", "alias godmvpn"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

func await(t *testing.T, p dataplane.Provider, what string, match func(dataplane.Event) bool) {
	t.Helper()
	timeout := time.After(limit)
	for {
		select {
		case ev := <-p.Events():
			if match(ev) {
				return
			}
		case <-timeout:
			t.Fatalf("no event: %s", what)
		}
	}
}

// TestNeighborMiss sends a packet to an unknown neighbour of the tunnel: the kernel asks
// for it, asks again as long as it keeps the packet, and sends that when it is answered,
// however late.
func TestNeighborMiss(t *testing.T) {
	p := newPair(t)
	late := dataplane.Neighbor{Device: "Tunnel0", Addr: ip("172.16.0.99"), NBMA: ip("192.0.2.2")}
	p.passed()
	p.a.Send("Tunnel0", late.Addr)
	for n := range 4 {
		await(t, p.a.P, fmt.Sprintf("neighbor miss %d", n+1), func(ev dataplane.Event) bool {
			return ev == dataplane.NeighborMiss{Device: "Tunnel0", Addr: late.Addr}
		})
	}
	if have := p.passed(); have.byA != 0 {
		t.Fatalf("on the wire %+v before the neighbour is known", have)
	}
	put(t, p.a.P, late)
	harness.Eventually(t, limit, func() error {
		if have := p.passed(); have.byA != 1 {
			return fmt.Errorf("on the wire %+v", have)
		}
		return nil
	})
}

// TestUnderlayInVRF has a tunnel in one VRF over another, and changes both.
func TestUnderlayInVRF(t *testing.T) {
	e := lktest.New(t)
	up := dataplane.Attrs{Admin: dataplane.AdminUp}
	put(t, e.P, dataplane.Link{Name: "RED", Type: dataplane.LinkVRF, Table: 1001, Attrs: up},
		dataplane.Link{Name: "INET", Type: dataplane.LinkVRF, Table: 1002, Attrs: up},
		dataplane.Link{Name: dptest.Under, Attrs: dataplane.Attrs{Master: "INET"}})
	m := mgre
	m.Underlay, m.Master = "INET", "RED"
	a := dataplane.Addr{Device: "Tunnel0", Prefix: pfx("10.0.0.1/24")}
	put(t, e.P, m, a)
	index := e.Link("Tunnel0").Attrs().Index
	for _, c := range [][2]string{{"RED", "INET"}, {"", ""}, {"INET", "RED"}} {
		m.Underlay, m.Master = c[0], c[1]
		put(t, e.P, m)
		for o, err := range e.P.Dump(t.Context(), dataplane.KindTunnel) {
			if err != nil || !dataplane.Satisfied(m, o) {
				t.Errorf("%+v, wanted %+v: %v", o, m, err)
			}
		}
		if l := e.Link("Tunnel0").Attrs(); l.Index != index || l.Flags&net.FlagUp == 0 {
			t.Errorf("index %d was %d, flags %v", l.Index, index, l.Flags)
		}
	}
}

// TestTwoTunnelsAlike puts two tunnels that the kernel cannot tell apart.
func TestTwoTunnelsAlike(t *testing.T) {
	e := lktest.New(t)
	put(t, e.P, mgre)
	two := mgre
	two.Name = "Tunnel1"
	r := e.P.Apply(t.Context(), []dataplane.Op{dataplane.Put(two)})
	if r[0].Err == nil {
		t.Fatal("the second was accepted")
	}
	two.GREKey++
	put(t, e.P, two)
}

// cloud is all that a DMVPN spoke has in the data plane.
func cloud() []dataplane.Object {
	up := dataplane.Attrs{Admin: dataplane.AdminUp}
	r := func(prefix, gateway string) dataplane.Route {
		return dataplane.Route{Table: 254, Prefix: pfx(prefix), Metric: 20, Protocol: 196,
			NextHops: []dataplane.NextHop{{Device: "Tunnel0", Gateway: ip(gateway)}}}
	}
	return []dataplane.Object{
		dataplane.Sysctl{Path: "ipv4/ip_forward", Value: "1"},
		dataplane.Sysctl{Path: "ipv4/conf/Tunnel0/send_redirects", Value: "0"},
		dataplane.Link{Name: "Loopback0", Type: dataplane.LinkDummy, Attrs: up},
		dataplane.Link{Name: dptest.Under, Attrs: up},
		mgre,
		dataplane.Addr{Device: "Loopback0", Prefix: pfx("10.255.0.1/32")},
		dataplane.Addr{Device: "Tunnel0", Prefix: pfx("10.0.0.1/24")},
		dataplane.Neighbor{Device: "Tunnel0", Addr: ip("10.0.0.2"), NBMA: ip("192.0.2.2")},
		r("203.0.113.0/24", "10.0.0.2"), r("198.51.100.0/24", "10.0.0.2"),
	}
}

// TestReconciler has somebody else take the cloud apart in many ways, and the
// reconciler put it together each time.
func TestReconciler(t *testing.T) {
	e := lktest.New(t)
	f := fib.New(fib.Options{Provider: e.P, AuditEvery: -1})
	end := run(t, f)
	f.Put(cloud()...)
	whole(t, e, "at first")
	for _, harm := range [][]string{
		{"ip", "route", "del", "203.0.113.0/24"},
		{"ip", "route", "replace", "203.0.113.0/24", "metric", "20", "dev", dptest.Under},
		{"ip", "neigh", "flush", "dev", "Tunnel0", "nud", "permanent"},
		{"ip", "addr", "flush", "dev", "Tunnel0"},
		{"ip", "link", "set", "Tunnel0", "down"},
		{"ip", "link", "set", "Tunnel0", "mtu", "1280"},
		{"ip", "link", "set", dptest.Under, "down"},
		{"ip", "tunnel", "change", "Tunnel0", "mode", "gre", "local", "192.0.2.1", "key", "5", "ttl", "64", "pmtudisc"},
		{"ip", "link", "del", "Loopback0"},
		{"ip", "link", "del", "Tunnel0"},
	} {
		shown(t, e, harm...)
		whole(t, e, strings.Join(harm, " "))
	}
	e.RemoveDevice(dptest.Under)
	e.AddDevice(dptest.Under)
	whole(t, e, "the underlay came again")
	end()

	// Another life takes over: no write, and then the end.
	e.Open(linuxkernel.Options{})
	f = fib.New(fib.Options{Provider: e.P, AuditEvery: -1})
	if err := f.Adopt(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.Changes()
	end = run(t, f)
	f.Put(cloud()...)
	if err := f.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := e.Changes(); n != 0 {
		t.Errorf("taking over changed %d things", n)
	}
	if tt := f.Totals(); tt.Kept < 7 || tt.Stale != 0 {
		t.Errorf("%+v", tt)
	}
	end()
	if err := f.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	for _, k := range dataplane.Kinds() {
		for o := range e.P.Dump(t.Context(), k) {
			if dataplane.Own(o) {
				t.Errorf("left at the end: %+v", o)
			}
		}
	}
}

func run(t *testing.T, f *fib.FIB) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// whole waits, with a limit, until the cloud is complete.
func whole(t *testing.T, e *lktest.Env, when string) {
	t.Helper()
	start := time.Now()
	for {
		missing := ""
		for _, o := range cloud() {
			found := false
			for have := range e.P.Dump(t.Context(), o.Key().Kind) {
				found = found || have.Key() == o.Key() && dataplane.Satisfied(o, have)
			}
			if !found {
				missing = o.Key().String()
			}
		}
		if missing == "" {
			return
		}
		if time.Since(start) > limit {
			t.Fatalf("after %s: %s is missing", when, missing)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
