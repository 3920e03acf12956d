package speaker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// node is a Speaker on an address of its own of the loopback net, whose events are
// gathered.
type node struct {
	t    testing.TB
	addr netip.Addr
	as   uint32
	port int
	c    Config
	log  io.Writer // of all that is logged, nil: nothing is
	*Speaker

	mu       sync.Mutex
	sessions []Session
	routes   map[netip.Prefix][]Path
	notices  []Notice
	hops     []locrib.HopUse
	ends     []EndOfRIB
	settled  int             // routes that were there when the speaker had settled
	gone     map[string]bool // prefixes that were withdrawn
}

func newNode(t testing.TB, last byte, as uint32) *node {
	t.Helper()
	n := &node{t: t, addr: netip.AddrFrom4([4]byte{127, 0, 0, last}), as: as, routes: map[netip.Prefix][]Path{}, gone: map[string]bool{}}
	l, err := net.Listen("tcp", netip.AddrPortFrom(n.addr, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	n.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	n.c.Process = Process{AS: as, RouterID: netip.AddrFrom4([4]byte{192, 0, 2, last}), Port: n.port, Listen: []netip.Addr{n.addr}}
	return n
}

// start starts the speaker with n.c.
func (n *node) start() {
	n.t.Helper()
	log := slog.New(slog.DiscardHandler)
	if n.log != nil {
		log = slog.New(slog.NewTextHandler(n.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s, err := New(n.c, log)
	if err != nil {
		n.t.Fatal(err)
	}
	n.Speaker = s
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			b, err := s.Next(context.Background())
			if errors.Is(err, ErrStopped) {
				return
			}
			n.note(b)
		}
	}()
	n.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Stop(ctx, Goodbye); err != nil {
			n.t.Errorf("stop %v: %v", n.addr, err)
		}
		<-done
	})
}

func (n *node) note(b Batch) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sessions = append(n.sessions, b.Sessions...)
	n.notices = append(n.notices, b.Notices...)
	n.hops = append(n.hops, b.NextHops...)
	n.ends = append(n.ends, b.EndOfRIB...)
	defer func() {
		if b.Settled {
			n.settled = len(n.routes)
		}
	}()
	for _, r := range b.Routes {
		if n.routes[r.Prefix] = r.Paths; len(r.Paths) == 0 {
			n.gone[r.Prefix.String()] = true
			delete(n.routes, r.Prefix)
		}
	}
}

// knows makes n know m as a neighbour, which connects only if active.
func (n *node) knows(m *node, active bool, edit ...func(*Settings)) {
	s := settings(m.as)
	s.Port, s.Source, s.Passive = uint16(m.port), n.addr, !active
	for _, e := range edit {
		e(&s)
	}
	n.c.Neighbors = append(n.c.Neighbors, Neighbor{m.addr, s})
}

func settings(as uint32) Settings {
	return Settings{RemoteAS: as, IPv4: Family{Active: true, SendStandard: true, SendExtended: true, SendLarge: true}, MultihopTTL: 2,
		Timers: Timers{Hold: 30 * time.Second, Keepalive: 10 * time.Second, Connect: time.Second}}
}

func (n *node) apply() {
	n.t.Helper()
	if err := n.Apply(n.c); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) originate(routes ...Local) {
	n.t.Helper()
	if err := n.Originate(routes); err != nil {
		n.t.Fatal(err)
	}
}

// events returns the session events about m as "up" and "down", joined.
func (n *node) events(m *node) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, s := range n.sessions {
		if s.Neighbor == m.addr {
			out = append(out, map[bool]string{true: "up", false: "down"}[s.Up])
		}
	}
	return strings.Join(out, " ")
}

func (n *node) best(prefix string) []Path {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.routes[netip.MustParsePrefix(prefix)])
}

// via waits until the best paths of a prefix have these next hops; none: no route.
func (n *node) via(prefix string, hops ...netip.Addr) {
	n.t.Helper()
	var got []netip.Addr
	eventually(n.t, func() string {
		got = nil
		for _, p := range n.best(prefix) {
			got = append(got, p.NextHop)
		}
		slices.SortFunc(got, netip.Addr.Compare)
		if slices.Equal(got, hops) {
			return ""
		}
		return fmt.Sprintf("%v at %v: next hops %v, not %v", prefix, n.addr, got, hops)
	})
}

func (n *node) up(peers ...*node) {
	n.t.Helper()
	for _, m := range peers {
		eventually(n.t, func() string {
			if e := n.events(m); !strings.HasSuffix(e, "up") {
				return fmt.Sprintf("session %v to %v: %q", n.addr, m.addr, e)
			}
			return ""
		})
	}
}

// eventually polls until check has nothing to say.
func eventually(t testing.TB, check func() string) {
	t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for {
		what := check()
		if what == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func local(prefix string) Local { return Local{Prefix: netip.MustParsePrefix(prefix)} }

func pair(t *testing.T, edit ...func(*Settings)) (a, b *node) {
	a, b = newNode(t, 2, 65001), newNode(t, 3, 65002)
	a.knows(b, true, edit...)
	b.knows(a, false, edit...)
	return a, b
}

func TestRoutesComeAndGo(t *testing.T) {
	a, b := pair(t)
	a.start()
	b.start()
	b.up(a)
	a.originate(Local{netip.MustParsePrefix("10.1.0.0/16"), locrib.Attributes{MED: 7, HasMED: true, Origin: locrib.Incomplete,
		Communities: []policy.Community{65001<<16 | 5}}}, local("10.2.0.0/16"))
	b.via("10.1.0.0/16", a.addr)
	b.via("10.2.0.0/16", a.addr)

	p := b.best("10.1.0.0/16")[0]
	if p.ASPath.String() != "65001" || p.MED != 7 || p.Origin != locrib.Incomplete || !p.External || p.Neighbor != a.addr ||
		!slices.Equal(p.Communities, []policy.Community{65001<<16 | 5}) || p.RouterID != a.c.Process.RouterID || !p.Best {
		t.Errorf("path %+v", p)
	}
	for _, q := range []struct {
		n *node
		t Table
	}{{b, Table{}}, {b, Table{Neighbor: a.addr}}, {b, Table{Neighbor: a.addr, View: Received}}, {a, Table{Neighbor: b.addr, View: Sent}}} {
		q.t.Family = rib.IPv4
		list, err := q.n.List(q.t)
		if err != nil || len(list) != 2 || list[0].Prefix.String() != "10.1.0.0/16" || list[0].Paths[0].ASPath.String() != "65001" {
			t.Errorf("%+v: %+v %v", q.t, list, err)
		}
		q.t.Prefix = netip.MustParsePrefix("10.2.0.0/16")
		if list, err = q.n.List(q.t); err != nil || len(list) != 1 || list[0].Prefix != q.t.Prefix {
			t.Errorf("%+v: %+v %v", q.t, list, err)
		}
	}
	st, err := b.Neighbors(true)
	if err != nil || len(st) != 1 || st[0].State != Established || st[0].IPv4.Received != 2 || st[0].IPv4.Accepted != 2 ||
		st[0].Hold != 30*time.Second || st[0].Since.IsZero() || st[0].RouterID != a.c.Process.RouterID || st[0].Received.Update == 0 {
		t.Errorf("status %+v %v", st, err)
	}

	a.Withdraw([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")})
	b.via("10.1.0.0/16")
	b.via("10.2.0.0/16", a.addr)
	if err := b.Clear(a.addr); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if e := b.events(a); e != "up down up" {
			return "after clear: " + e
		}
		return ""
	})
	b.via("10.2.0.0/16", a.addr)
	if r := b.sessions[1].Reason; r == "" {
		t.Error("no reason of the end of the session")
	}
	if err := a.Stop(context.Background(), Goodbye); err != nil {
		t.Fatal(err)
	}
	b.via("10.2.0.0/16")
}

func TestApplyDisturbsWhomItMust(t *testing.T) {
	a, b := pair(t)
	c := newNode(t, 4, 65003)
	a.knows(c, true)
	c.knows(a, false)
	a.start()
	b.start()
	c.start()
	a.up(b, c)
	a.originate(local("10.1.0.0/16"), local("10.2.0.0/16"))
	b.via("10.1.0.0/16", a.addr)
	c.via("10.1.0.0/16", a.addr)

	// Timers and policies: nobody is reset, and the policy has effect.
	a.c.Neighbors[0].Timers.Hold = 60 * time.Second
	a.c.Neighbors[0].IPv4.Export = only("10.2.0.0/16")
	a.apply()
	b.via("10.1.0.0/16")
	b.via("10.2.0.0/16", a.addr)
	a.c.Neighbors[0].IPv4.Export = nil
	a.apply()
	b.via("10.1.0.0/16", a.addr)
	c.via("10.1.0.0/16", a.addr)
	if x, y := a.events(b), a.events(c); x != "up" || y != "up" {
		t.Fatalf("a policy or a timer reset a session: %q %q", x, y)
	}

	// What needs a new session resets that one only.
	a.c.Neighbors[0].RestartTime = 3
	a.apply()
	eventually(t, func() string {
		if e := b.events(a); e != "up down up" {
			return e
		}
		return ""
	})
	b.via("10.1.0.0/16", a.addr)
	st, err := a.Neighbors(false)
	if err != nil || st[0].Hold != 30*time.Second { // the smaller of both sides
		t.Errorf("%+v %v", st, err)
	}
	a.c.Neighbors = a.c.Neighbors[1:]
	a.apply()
	b.via("10.1.0.0/16")
	if e := a.events(c); e != "up" {
		t.Errorf("changes of a neighbour touched another: %q", e)
	}
	changed := a.c
	changed.Process.AS = 65009
	if err := a.Apply(changed); !errors.Is(err, ErrProcess) {
		t.Errorf("changed AS: %v", err)
	}
	list, err := a.List(Table{Family: rib.IPv4})
	if err != nil || len(list) != 2 {
		t.Errorf("own routes: %v %v", list, err)
	}
}

// hubAndSpokes builds a hub with a listen range and spokes of it.
func hubAndSpokes(t *testing.T, hubAS, spokeAS uint32, edit func(s *Settings, hub bool)) (hub, s1, s2 *node) {
	hub, s1, s2 = newNode(t, 10, hubAS), newNode(t, 65, spokeAS), newNode(t, 66, spokeAS)
	g := Group{Name: "SPOKES", Ranges: []netip.Prefix{netip.MustParsePrefix("127.0.0.64/26")}, Settings: settings(spokeAS)}
	edit(&g.Settings, true)
	hub.c.Groups = []Group{g}
	hub.start()
	for _, s := range []*node{s1, s2} {
		s.knows(hub, true, func(s *Settings) { edit(s, false) })
		s.start()
	}
	hub.up(s1, s2)
	s1.originate(local("10.1.0.0/16"))
	return hub, s1, s2
}

func TestReflectorOfAListenRange(t *testing.T) {
	hub, s1, s2 := hubAndSpokes(t, 65000, 65000, func(s *Settings, hub bool) { s.IPv4.ReflectorClient = hub })
	s2.via("10.1.0.0/16", s1.addr) // phase 2: as the spoke sent it
	p := s2.best("10.1.0.0/16")[0]
	if p.OriginatorID != s1.c.Process.RouterID || len(p.ClusterList) != 1 || p.LocalPref != 100 || p.External {
		t.Errorf("RFC 4456, section 8: %+v", p)
	}
	hub.mu.Lock()
	if g := hub.sessions[0].Group; g != "SPOKES" {
		t.Errorf("group %q", g)
	}
	hub.mu.Unlock()

	// next-hop-self alone leaves reflected routes; with all, they come by the hub.
	hub.originate(local("10.9.0.0/16"))
	hub.c.Groups = slices.Clone(hub.c.Groups)
	hub.c.Groups[0].IPv4.NextHop = NextHopSelf
	hub.c.Groups[0].IPv4.Export = policyOf(func(_ locrib.Route, a *locrib.Attributes) bool { // seen when it is in force
		a.MED, a.HasMED = 33, true
		return true
	})
	hub.apply()
	eventually(t, func() string {
		if p := s2.best("10.1.0.0/16"); len(p) != 1 || p[0].MED != 33 {
			return fmt.Sprintf("%+v", p)
		}
		return ""
	})
	s2.via("10.1.0.0/16", s1.addr)
	s2.via("10.9.0.0/16", hub.addr)
	hub.c.Groups = slices.Clone(hub.c.Groups)
	hub.c.Groups[0].IPv4.NextHop = NextHopSelfAll
	hub.apply()
	s2.via("10.1.0.0/16", hub.addr)
	if e := hub.events(s2); e != "up" {
		t.Errorf("session: %q", e)
	}

	// A range that goes takes its members along, and only those of its group.
	hub.c.Groups = nil
	hub.apply()
	s2.via("10.9.0.0/16")
	if st, err := hub.Neighbors(false); err != nil || len(st) != 0 {
		t.Errorf("neighbours left: %+v %v", st, err)
	}
}

func TestNextHopUnchanged(t *testing.T) {
	a, b := pair(t)
	c := newNode(t, 4, 65003)
	b.knows(c, true, func(s *Settings) { s.IPv4.NextHop = NextHopUnchanged })
	c.knows(b, false)
	for _, n := range []*node{a, b, c} {
		n.start()
	}
	a.originate(local("10.1.0.0/16"))
	b.originate(local("10.2.0.0/16"))
	c.via("10.1.0.0/16", a.addr)
	c.via("10.2.0.0/16", b.addr) // own routes have no other
}

// TestAllowASIn takes the route from the scripted neighbour, since GoBGP does not
// send an AS what has passed it.
func TestAllowASIn(t *testing.T) {
	n := hostileNode(t)
	p := dial(t, n, true)
	own := []byte{0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xe7, 0, 0, 0xfd, 0xe9} // 64999 65001
	p.conn.Write(message(2, update(victim, origin, own, nextHop)))
	p.alive(n, origin, path4, nextHop)
	n.via("10.50.1.0/24") // RFC 4271, section 9.1.2
	n.c.Neighbors = slices.Clone(n.c.Neighbors)
	n.c.Neighbors[0].IPv4.AllowASIn = 1
	n.apply()
	n.via("10.50.1.0/24", netip.MustParseAddr("127.0.0.200"))
}

func TestASOverride(t *testing.T) {
	hub, _, s2 := hubAndSpokes(t, 65000, 65100, func(s *Settings, hub bool) { s.ASOverride = hub })
	s2.via("10.1.0.0/16", hub.addr)
	if p := s2.best("10.1.0.0/16")[0]; p.ASPath.String() != "65000 65000" {
		t.Errorf("%+v", p)
	}
}

func TestMultipath(t *testing.T) {
	a, b, c := newNode(t, 2, 65001), newNode(t, 3, 65002), newNode(t, 4, 65002)
	for _, n := range []*node{a, b, c} {
		n.c.Selection.Paths = 2
	}
	for _, n := range []*node{b, c} {
		a.knows(n, true)
		n.knows(a, false)
		n.start()
		n.originate(local("10.1.0.0/16"))
	}
	a.start()
	a.via("10.1.0.0/16", b.addr, c.addr)
	b.Withdraw([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")})
	a.via("10.1.0.0/16", c.addr)
	c.Withdraw([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")})
	a.via("10.1.0.0/16")
}

// change is a policy made of a function.
type changing struct {
	f func(locrib.Route) (*locrib.Attributes, bool)
}

func (c *changing) Apply(r locrib.Route) (*locrib.Attributes, bool) { return c.f(r) }

func policyOf(f func(r locrib.Route, a *locrib.Attributes) bool) Policy {
	return &changing{func(r locrib.Route) (*locrib.Attributes, bool) {
		a := *r.Attributes
		if !f(r, &a) {
			return nil, false
		}
		return &a, true
	}}
}

// only permits one prefix.
func only(prefix string) Policy {
	return policyOf(func(r locrib.Route, _ *locrib.Attributes) bool { return r.Prefix.String() == prefix })
}

func TestPolicies(t *testing.T) {
	a, b := pair(t)
	a.c.Neighbors[0].IPv4.Export = policyOf(func(r locrib.Route, a *locrib.Attributes) bool {
		switch r.Prefix.String() {
		case "10.2.0.0/16":
			a.MED, a.HasMED = 12, true
			a.ASPath = a.ASPath.Prepend(65001, 2)
			a.Communities = append(slices.Clone(a.Communities), 65001<<16|10)
			a.Large = []policy.LargeCommunity{{65001, 2, 3}}
			a.Extended = []policy.ExtCommunity{{0, 2, 0xfd, 0xe9, 0, 0, 0, 7}}
			a.Origin = locrib.Incomplete
		case "10.3.0.0/16":
			a.NextHop = netip.MustParseAddr("127.0.0.77")
			a.Communities = []policy.Community{1}
		case "10.5.0.0/16": // cannot be sent
			a.ASPath = a.ASPath.Prepend(7, 1)
		default:
			return false
		}
		return true
	})
	b.c.Neighbors[0].IPv4.Import = policyOf(func(r locrib.Route, a *locrib.Attributes) bool {
		if strings.HasPrefix(a.ASPath.String(), "65001 65001") {
			a.LocalPref, a.HasLocalPref = 250, true
		}
		return true
	})
	a.start()
	b.start()
	comm := locrib.Attributes{Communities: []policy.Community{65001<<16 | 9}}
	a.originate(local("10.1.1.0/24"), local("10.4.0.0/16"), Local{netip.MustParsePrefix("10.3.0.0/16"), comm}, local("10.5.0.0/16"),
		Local{netip.MustParsePrefix("10.2.0.0/16"), comm})
	b.via("10.2.0.0/16", a.addr)
	b.via("10.3.0.0/16", netip.MustParseAddr("127.0.0.77"))
	p := b.best("10.2.0.0/16")[0]
	if p.MED != 12 || p.ASPath.String() != "65001 65001 65001" || p.LocalPref != 250 || p.Origin != locrib.Incomplete ||
		!slices.Equal(p.Communities, []policy.Community{65001<<16 | 9, 65001<<16 | 10}) || len(p.Large) != 1 ||
		!slices.Equal(p.Extended, []policy.ExtCommunity{{0, 2, 0xfd, 0xe9, 0, 0, 0, 7}}) {
		t.Errorf("%+v", p.Attributes)
	}
	if p := b.best("10.3.0.0/16")[0]; p.HasLocalPref || !slices.Equal(p.Communities, []policy.Community{1}) {
		t.Errorf("%+v", p.Attributes)
	}
	b.via("10.1.1.0/24")
	b.via("10.4.0.0/16")
	b.via("10.5.0.0/16")
	eventually(t, func() string { return a.notice(NotSent) })
}

// notice looks for a notice of a kind.
func (n *node) notice(k NoticeKind) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, x := range n.notices {
		if x.Kind == k {
			return ""
		}
	}
	return fmt.Sprintf("no notice %d: %+v", k, n.notices)
}

func TestIPv6(t *testing.T) {
	a, b := newNode(t, 2, 65001), newNode(t, 3, 65001)
	six := func(s *Settings) { s.IPv6.Active = true }
	a.knows(b, true, six)
	b.knows(a, false, six)
	a.start()
	b.start()
	l := local("2001:db8:1::/48")
	l.NextHop = netip.MustParseAddr("2001:db8::1")
	a.originate(l, local("2001:db8:2::/48"))
	b.via("2001:db8:1::/48", l.NextHop)
	// One that would need the address of the session, which is IPv4, is not sent: the
	// session would end for it.
	eventually(t, func() string { return a.notice(NotSent) })
	b.via("2001:db8:2::/48")
	if e := b.events(a); e != "up" {
		t.Errorf("sessions %q", e)
	}
}

func TestPasswords(t *testing.T) {
	key := rib.NewSecret([]byte("kept from all"))
	_, s1, s2 := hubAndSpokes(t, 65000, 65000, func(s *Settings, hub bool) { s.IPv4.ReflectorClient, s.Password = hub, key })
	s2.via("10.1.0.0/16", s1.addr)
	if text := fmt.Sprintf("%+v", s1.c); strings.Contains(text, "kept from all") {
		t.Error("a printed configuration shows its password")
	}
	// With another password no session comes up, while another one does twice.
	s2.c.Neighbors = slices.Clone(s2.c.Neighbors)
	s2.c.Neighbors[0].Password = rib.NewSecret([]byte("wrong"))
	s2.apply()
	hub := newNodeAt(10)
	for _, want := range []string{"up down up", "up down up down up"} {
		if err := s1.Clear(hub.addr); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() string {
			if e := s1.events(hub); e != want {
				return e
			}
			return ""
		})
	}
	if e := s2.events(hub); e != "up down" {
		t.Errorf("with another password: %q", e)
	}
	s2.c.Neighbors = slices.Clone(s2.c.Neighbors)
	s2.c.Neighbors[0].Password = key
	s2.apply()
	s2.via("10.1.0.0/16", s1.addr)
	if e := s2.events(hub); e != "up down up" {
		t.Errorf("sessions %q", e)
	}
}

func newNodeAt(last byte) *node { return &node{addr: netip.AddrFrom4([4]byte{127, 0, 0, last})} }

func TestMaximumPrefix(t *testing.T) {
	a, b := pair(t)
	b.c.Neighbors[0].IPv4.MaximumPrefix.Limit = 2
	a.start()
	b.start()
	b.up(a)
	a.originate(local("10.1.0.0/16"), local("10.2.0.0/16"), local("10.3.0.0/16"))
	eventually(t, func() string {
		if st, err := b.Neighbors(false); err != nil || !st[0].OverLimit || st[0].State == Established {
			return fmt.Sprintf("%+v %v", st, err)
		}
		return ""
	})
	b.via("10.1.0.0/16")
}

func TestGracefulRestart(t *testing.T) {
	a, b := pair(t, func(s *Settings) { s.RestartTime = 60 })
	a.start()
	b.start()
	b.up(a)
	a.originate(local("10.1.0.0/16"))
	b.via("10.1.0.0/16", a.addr)
	if err := a.Stop(context.Background(), Restart); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		list, err := b.List(Table{Family: rib.IPv4})
		if err != nil || len(list) != 1 || !list[0].Paths[0].Stale || b.events(a) != "up down" {
			return fmt.Sprintf("%+v %v %s", list, err, b.events(a))
		}
		return ""
	})
	a.start() // the next life
	a.originate(local("10.2.0.0/16"))
	b.via("10.2.0.0/16", a.addr)
	b.via("10.1.0.0/16") // not said again
}

func TestAddPath(t *testing.T) {
	hub, s1, s2 := hubAndSpokes(t, 65000, 65000, func(s *Settings, hub bool) {
		if s.IPv4.ReflectorClient = hub; hub {
			s.IPv4.AddPathSend = 4
		} else {
			s.IPv4.AddPathReceive = true
		}
	})
	hub.originate(local("10.1.0.0/16"))
	eventually(t, func() string {
		list, err := s2.List(Table{Family: rib.IPv4})
		if err != nil || len(list) != 1 || len(list[0].Paths) != 2 || list[0].Paths[0].ID == list[0].Paths[1].ID {
			return fmt.Sprintf("%+v %v (%v)", list, err, s1.addr)
		}
		return ""
	})
}

func TestRefused(t *testing.T) {
	base := newNode(t, 2, 65001).c
	cases := map[string]func(c *Config){
		"AS":          func(c *Config) { c.Process.AS = 0 },
		"twice":       func(c *Config) { c.Neighbors = append(c.Neighbors, c.Neighbors[0]) },
		"no address":  func(c *Config) { c.Neighbors[0].IPv4.Active = false },
		"exclude":     func(c *Config) { c.Neighbors[0].TTLSecurity = 254 },
		"below 3 s":   func(c *Config) { c.Neighbors[0].Timers.Hold = time.Second },
		"whole":       func(c *Config) { c.Neighbors[0].Timers.Connect = time.Millisecond },
		"long-lived":  func(c *Config) { c.Neighbors[0].LongLived = 5 },
		"out of":      func(c *Config) { c.Neighbors[0].RestartTime = 4096 },
		"listen":      func(c *Config) { c.Groups[0].Ranges = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")} },
		"peer-group":  func(c *Config) { c.Groups[0].Name = "" },
		"local-as":    func(c *Config) { c.Neighbors[0].LocalAS = 1 },
		"cluster":     func(c *Config) { c.ClusterID = netip.MustParseAddr("::1") },
		"as-override": func(c *Config) { c.Groups[0].RemoteAS, c.Groups[0].ASOverride = 65001, true },
		"remove-priv": func(c *Config) { c.Groups[0].RemoteAS, c.Groups[0].RemovePrivateAS = 65001, RemovePrivateAS },
		"remote AS":   func(c *Config) { c.Groups[0].RemoteAS = 0 },
		"client":      func(c *Config) { c.Groups[0].IPv4.ReflectorClient = true },
		"percents":    func(c *Config) { c.Groups[0].IPv4.MaximumPrefix.Threshold = 101 },
		"maximum-pre": func(c *Config) { c.Groups[0].IPv6.MaximumPrefix = MaximumPrefix{WarningOnly: true, Restart: 1} },
		"aggregate":   func(c *Config) { c.Aggregates = []locrib.Aggregate{{Prefix: netip.MustParsePrefix("10.0.0.1/8")}} },
	}
	for want, edit := range cases {
		c := base
		c.Neighbors = []Neighbor{{netip.MustParseAddr("10.0.0.1"), settings(1)}}
		c.Groups = []Group{{Name: "G", Settings: settings(1)}}
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		edit(&c)
		var typed *Error
		if _, err := New(c, slog.New(slog.DiscardHandler)); !errors.As(err, &typed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestEndOfRIBComesLast has more routes than a batch takes: the end of RIB waits for
// the last of them, and so does that all is settled.
func TestEndOfRIBComesLast(t *testing.T) {
	q := newQueue()
	var b Batch
	for i := range maxBatch + 1 {
		b.Routes = append(b.Routes, Route{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)})
	}
	b.EndOfRIB, b.Settled = []EndOfRIB{{Family: rib.IPv4}}, true
	q.add(b)
	for i, want := range []int{0, 1} {
		got, err := q.take()
		if err != nil || len(got.EndOfRIB) != want || got.Settled != (want == 1) || len(got.Routes) != []int{maxBatch, 1}[i] {
			t.Errorf("batch %d: %d ends behind %d routes, %v", i, len(got.EndOfRIB), len(got.Routes), err)
		}
	}
}

// TestSettle asks in the midst of work, which takes many rounds and batches.
func TestSettle(t *testing.T) {
	n := newNode(t, 2, 65001)
	n.start()
	var own []Local
	for i := range 3 * maxBatch {
		own = append(own, local(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32).String()))
	}
	n.originate(own...)
	n.Settle()
	eventually(t, func() string {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.settled != len(own) {
			return fmt.Sprintf("settled with %d routes", n.settled)
		}
		return ""
	})
}
