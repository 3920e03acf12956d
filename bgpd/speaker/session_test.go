package speaker

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// status returns what a node knows of another.
func (n *node) status(m *node) (st Status) {
	n.t.Helper()
	list, err := n.Neighbors(true)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, st := range list {
		if st.Address == m.addr {
			return st
		}
	}
	return st
}

// becomes waits until the events of sessions with m are these.
func (n *node) becomes(m *node, want string) {
	n.t.Helper()
	eventually(n.t, func() string {
		if e := n.events(m); e != want {
			return fmt.Sprintf("sessions of %v with %v: %q, not %q", n.addr, m.addr, e, want)
		}
		return ""
	})
}

func TestListenLimit(t *testing.T) {
	hub := newNode(t, 10, 65000)
	hub.c.Groups = []Group{{Name: "SPOKES", Ranges: []netip.Prefix{pfx("127.0.0.64/26")}, Settings: settings(65000)}}
	hub.c.ListenLimit = 2
	hub.start()
	var spokes []*node
	for i := range byte(3) {
		s := newNode(t, 65+i, 65000)
		s.knows(hub, true)
		s.start()
		if spokes = append(spokes, s); i < 2 {
			hub.up(s)
		}
	}
	eventually(t, func() string { return hub.notice(ListenLimit) })
	if e := hub.events(spokes[2]); e != "" {
		t.Errorf("the one too many: %q", e)
	}
	if n := hub.notices[0]; n.Neighbor != spokes[2].addr || n.Count != 2 || n.Limit != 2 {
		t.Errorf("%+v", n)
	}
	// One that leaves makes room.
	if err := spokes[0].Stop(context.Background(), Goodbye); err != nil {
		t.Fatal(err)
	}
	hub.up(spokes[2])
}

// TestLateEvents: GoBGP may tell of a neighbour of a listen range that it removed a moment
// ago. That is no neighbour, and takes nobody's place; one that is refused may try again.
func TestLateEvents(t *testing.T) {
	hub := newNode(t, 10, 65000)
	hub.c.Groups = []Group{{Name: "SPOKES", Ranges: []netip.Prefix{pfx("127.0.0.64/26")}, Settings: settings(65000)}}
	hub.c.ListenLimit = 1
	hub.start()
	tell := func(last byte, states ...bgp.FSMState) string {
		a := netip.AddrFrom4([4]byte{127, 0, 0, last})
		for _, state := range states {
			hub.session(&apiutil.WatchEventMessage_PeerEvent{Peer: apiutil.Peer{State: apiutil.PeerState{NeighborAddress: a, PeerASN: 65000, SessionState: state}}}, time.Now())
		}
		hub.Speaker.mu.Lock()
		defer hub.Speaker.mu.Unlock()
		n := hub.neighbors[a]
		return fmt.Sprintf("%d: %t %t", hub.dynamic, n != nil, n != nil && n.refused)
	}
	const sent, confirm, up, idle = bgp.BGP_FSM_OPENSENT, bgp.BGP_FSM_OPENCONFIRM, bgp.BGP_FSM_ESTABLISHED, bgp.BGP_FSM_IDLE
	for i, step := range []struct {
		last   byte
		states []bgp.FSMState
		want   string
	}{
		{65, []bgp.FSMState{sent, confirm, up}, "1: true false"},
		{66, []bgp.FSMState{sent, idle, confirm, up}, "1: false false"}, // refused, removed
		{67, []bgp.FSMState{sent, confirm}, "1: true true"},
		{65, []bgp.FSMState{idle, up}, "0: false false"},
		{67, []bgp.FSMState{sent, confirm, up}, "1: true false"}, // though it was not seen to end
	} {
		if got := tell(step.last, step.states...); got != step.want {
			t.Errorf("step %d: %s, want %s", i, got, step.want)
		}
	}
	// GoBGP has never heard of this one, so that nothing is told of its end.
	tell(68, sent)
	eventually(t, func() string {
		if got := tell(68); got != "1: false false" {
			return got
		}
		return ""
	})
	tell(67, idle)
	eventually(t, func() string {
		hub.mu.Lock()
		defer hub.mu.Unlock()
		if len(hub.sessions) < 4 {
			return fmt.Sprintf("sessions %+v", hub.sessions)
		}
		return ""
	})
	if len(hub.notices) != 1 { // of the first of three
		t.Errorf("notices %+v", hub.notices)
	}
}

// TestFailedOpening: GoBGP keeps nothing of a station that connects and says nothing.
func TestFailedOpening(t *testing.T) {
	hub := newNode(t, 10, 65000)
	hub.c.Groups = []Group{{Name: "SPOKES", Ranges: []netip.Prefix{pfx("127.0.0.64/26")}, Settings: settings(65000)}}
	hub.start()
	there := func(want int) {
		t.Helper()
		eventually(t, func() string {
			list, err := hub.members(context.Background(), "SPOKES")
			if err != nil || len(list) != want {
				return fmt.Sprintf("neighbors %v, %v", list, err)
			}
			return ""
		})
	}
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 65)}}
	c, err := from.Dial("tcp", netip.AddrPortFrom(hub.addr, uint16(hub.port)).String())
	if err != nil {
		t.Fatal(err)
	}
	there(1)
	c.Close()
	there(0)
	if list, err := hub.Neighbors(false); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestUnansweredOpening: whoever could not be sent an OPEN is told by the end of the
// connection, and may try again.
func TestUnansweredOpening(t *testing.T) {
	hub := newNode(t, 10, 65000)
	hub.c.Groups = []Group{{Name: "SPOKES", Ranges: []netip.Prefix{pfx("127.0.0.64/26")}, Settings: settings(65000)}}
	hub.start()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 65)}}
	c, err := from.Dial("tcp", netip.AddrPortFrom(hub.addr, uint16(hub.port)).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	peer := netip.MustParseAddr("127.0.0.65")
	eventually(t, func() string {
		hub.Speaker.mu.Lock()
		defer hub.Speaker.mu.Unlock()
		if hub.neighbors[peer] == nil {
			return "nobody has come"
		}
		delete(hub.neighbors, peer) // as if its OPEN had not been written
		hub.dynamic--
		return ""
	})
	e := &apiutil.WatchEventMessage_PeerEvent{}
	e.Peer.State = apiutil.PeerState{NeighborAddress: peer, SessionState: bgp.BGP_FSM_IDLE, DisconnectReason: api.PeerState_DISCONNECT_REASON_WRITE_FAILED}
	hub.session(e, time.Now())
	c.SetReadDeadline(time.Now().Add(20 * time.Second)) //nolint: errcheck // it would be seen below
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Errorf("the connection was not closed: %v", err)
	}
}

func TestMaximumPrefixWarning(t *testing.T) {
	a, b := pair(t)
	b.c.Neighbors[0].IPv4.MaximumPrefix = MaximumPrefix{Limit: 4, Threshold: 50, WarningOnly: true}
	a.start()
	b.start()
	b.up(a)
	a.originate(local("10.1.0.0/16"), local("10.2.0.0/16"), local("10.3.0.0/16"))
	eventually(t, func() string { return b.notice(PrefixWarning) })
	a.originate(local("10.4.0.0/16")) // nothing new
	b.via("10.4.0.0/16", a.addr)
	a.originate(local("10.5.0.0/16"))
	b.via("10.5.0.0/16", a.addr)
	eventually(t, func() string { return b.notice(PrefixLimit) })
	if e := b.events(a); e != "up" || len(b.notices) != 2 {
		t.Errorf("%q %+v", e, b.notices)
	}
}

func TestMaximumPrefixRestart(t *testing.T) {
	a, b := pair(t)
	b.c.Neighbors[0].IPv4.MaximumPrefix = MaximumPrefix{Limit: 1, Restart: time.Second}
	a.start()
	b.start()
	b.up(a)
	a.originate(local("10.1.0.0/16"), local("10.2.0.0/16"))
	eventually(t, func() string { // it tries again, and again it is too much
		if e := b.events(a); !strings.HasPrefix(e, "up down up down") {
			return e
		}
		return ""
	})
	a.Withdraw([]netip.Prefix{pfx("10.2.0.0/16")})
	b.via("10.1.0.0/16", a.addr)
}

// TestClearOfMaximumPrefix: clear begins a session anew that had ended for good.
func TestClearOfMaximumPrefix(t *testing.T) {
	a, b := pair(t)
	b.c.Neighbors[0].IPv4.MaximumPrefix.Limit = 1
	a.start()
	b.start()
	b.up(a)
	a.originate(local("10.1.0.0/16"), local("10.2.0.0/16"))
	eventually(t, func() string {
		if st := b.status(a); !st.OverLimit || st.Reason != "Peer over prefix limit" {
			return fmt.Sprintf("%+v", st)
		}
		return b.notice(PrefixLimit)
	})
	a.Withdraw([]netip.Prefix{pfx("10.2.0.0/16")})
	if err := b.Clear(a.addr); err != nil {
		t.Fatal(err)
	}
	b.via("10.1.0.0/16", a.addr)
}

// TestLongLivedRestart has a neighbour that does not come back in its restart time: its
// routes stay, as the least preferred (RFC 9494).
// TestHoldTimeEndsRestart: who falls silent is told so by a NOTIFICATION, and what it sent
// goes, though it would be kept for its restart time had it closed the connection (RFC
// 4724, section 4).
func TestHoldTimeEndsRestart(t *testing.T) {
	n := newNode(t, 2, 65001)
	s := settings(64999)
	s.Passive, s.RestartTime, s.Timers.Hold, s.Timers.Keepalive = true, 300, 9*time.Second, 3*time.Second
	n.c.Neighbors = []Neighbor{{netip.MustParseAddr("127.0.0.200"), s}}
	n.start()
	graceful := []byte{2, 8, 64, 6, 0x01, 0x2c, 0, 1, 1, 0x80} // RFC 4724, section 3: 300 s, IPv4 unicast, its forwarding state stays
	p := dial(t, n, true, graceful...)
	p.conn.Write(message(2, update(victim, origin, path4, nextHop)))
	n.via("10.50.1.0/24", netip.MustParseAddr("127.0.0.200"))
	if b := <-p.gone; len(b) < 2 || b[0] != 4 {
		t.Fatalf("the session ended with NOTIFICATION %x, not that of the hold timer", b)
	}
	n.via("10.50.1.0/24")
	// Closed without a word it keeps the route.
	p = dial(t, n, true, graceful...)
	p.conn.Write(message(2, update(victim, origin, path4, nextHop)))
	n.via("10.50.1.0/24", netip.MustParseAddr("127.0.0.200"))
	p.conn.Close()
	eventually(t, func() string {
		list, err := n.List(Table{Family: rib.IPv4})
		if err != nil || len(list) != 1 || !list[0].Paths[0].Stale || !list[0].Paths[0].Best {
			return fmt.Sprintf("%+v %v", list, err)
		}
		return ""
	})
	n.flush() //nolint: errcheck // what was to be done by then is done
	n.via("10.50.1.0/24", netip.MustParseAddr("127.0.0.200"))
}

func TestLongLivedRestart(t *testing.T) {
	a, b := pair(t, func(s *Settings) { s.RestartTime, s.LongLived = 1, 600 })
	a.start()
	b.start()
	b.up(a)
	a.originate(local("10.1.0.0/16"))
	b.via("10.1.0.0/16", a.addr)
	if err := a.Stop(context.Background(), Restart); err != nil {
		t.Fatal(err)
	}
	b.becomes(a, "up down")
	if s := b.sessions[1]; !s.Graceful {
		t.Errorf("%+v", s)
	}
	eventually(t, func() string {
		p := b.best("10.1.0.0/16")
		if len(p) != 1 || !p[0].Stale || !p[0].Has(locrib.LLGRStale) {
			return fmt.Sprintf("%+v", p)
		}
		return ""
	})
}

// TestOwnRestart has a speaker come back: it says so, and sends nothing until it has
// what its neighbours know (RFC 4724, section 4.1).
func TestOwnRestart(t *testing.T) {
	a, b := pair(t, func(s *Settings) { s.RestartTime = 60 })
	c := newNode(t, 4, 65003)
	graceful := func(s *Settings) { s.RestartTime = 60 }
	b.knows(c, false, graceful)
	c.knows(b, true, graceful)
	for _, n := range []*node{a, b, c} {
		n.start()
	}
	b.up(a, c)
	c.originate(local("10.3.0.0/16"))
	a.via("10.3.0.0/16", b.addr)
	if err := b.Stop(context.Background(), Restart); err != nil {
		t.Fatal(err)
	}
	a.becomes(b, "up down")
	a.mu.Lock()
	if !a.sessions[len(a.sessions)-1].Graceful {
		t.Errorf("%+v", a.sessions)
	}
	a.ends = nil
	a.mu.Unlock()
	b.c.Process.Restarting, b.c.Process.Deferral = true, 8*time.Second
	began := time.Now()
	b.start()
	a.becomes(b, "up down up")
	eventually(t, func() string {
		a.mu.Lock()
		defer a.mu.Unlock()
		if !slices.Contains(a.ends, EndOfRIB{b.addr, rib.IPv4}) {
			return fmt.Sprintf("end of RIB: %+v", a.ends)
		}
		return ""
	})
	if d := time.Since(began); d < b.c.Process.Deferral { // and not with the last end of RIB of a neighbour
		t.Errorf("end of RIB after %v", d)
	}
	// It was never away.
	list, err := a.List(Table{Family: rib.IPv4})
	if err != nil || len(list) != 1 || list[0].Paths[0].Stale {
		t.Errorf("%+v %v", list, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone["10.3.0.0/16"] {
		t.Error("the route was withdrawn meanwhile")
	}
}

// TestHubRestart is TestOwnRestart for neighbours of a listen range.
func TestHubRestart(t *testing.T) {
	hub, s1, s2 := hubAndSpokes(t, 65000, 65000, func(s *Settings, hub bool) { s.IPv4.ReflectorClient, s.RestartTime = hub, 60 })
	s2.via("10.1.0.0/16", s1.addr)
	if err := hub.Stop(context.Background(), Restart); err != nil {
		t.Fatal(err)
	}
	s2.becomes(hub, "up down")
	s2.mu.Lock()
	s2.ends = nil
	s2.mu.Unlock()
	hub.c.Process.Restarting, hub.c.Process.Deferral = true, 5*time.Second
	hub.c.Groups = slices.Clone(hub.c.Groups)
	hub.c.Groups[0].Returning = []netip.Addr{s1.addr, s2.addr, netip.MustParseAddr("127.0.0.99"), netip.MustParseAddr("127.9.9.9")}
	hub.start()
	s2.becomes(hub, "up down up")
	eventually(t, func() string {
		s2.mu.Lock()
		defer s2.mu.Unlock()
		if len(s2.ends) == 0 {
			return "no end of RIB"
		}
		return ""
	})
	s2.mu.Lock()
	if s2.gone["10.1.0.0/16"] {
		t.Error("the route was withdrawn meanwhile")
	}
	s2.mu.Unlock()
	if st := hub.status(s2); st.Group != "SPOKES" || st.State != Established {
		t.Errorf("%+v", st)
	}
	// One that leaves now is gone, and can come again.
	if err := s1.Stop(context.Background(), Goodbye); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if st := hub.status(s1); st.Address.IsValid() {
			return fmt.Sprintf("%+v", st)
		}
		return ""
	})
	s1.start()
	hub.up(s1)
}

func TestTTLSecurity(t *testing.T) {
	a, b := pair(t, func(s *Settings) { s.MultihopTTL, s.TTLSecurity = 0, 255 })
	a.start()
	b.start()
	b.up(a)
	// One that sends with a TTL of 1 is not heard.
	c := newNode(t, 4, 65003)
	b.knows(c, false, func(s *Settings) { s.MultihopTTL, s.TTLSecurity = 0, 255 })
	b.apply()
	c.knows(b, true, func(s *Settings) { s.MultihopTTL = 1 })
	c.start()
	if err := a.Clear(b.addr); err != nil {
		t.Fatal(err)
	}
	b.becomes(a, "up down up") // it had as much time
	if e := b.events(c); e != "" {
		t.Errorf("with another TTL: %q", e)
	}
}

// TestShutdown ends a session by configuration, and begins it again; the AS numbers
// have four octets.
func TestShutdown(t *testing.T) {
	a, b := newNode(t, 2, 4200000001), newNode(t, 3, 4200000002)
	a.knows(b, true)
	b.knows(a, false)
	a.start()
	b.start()
	a.originate(local("10.1.0.0/16"))
	b.via("10.1.0.0/16", a.addr)
	if p := b.best("10.1.0.0/16")[0]; p.ASPath.String() != "4200000001" {
		t.Errorf("%v", p.ASPath)
	}
	for _, down := range []bool{true, false} {
		a.c.Neighbors = slices.Clone(a.c.Neighbors)
		a.c.Neighbors[0].Shutdown = down
		a.apply()
		if down {
			b.becomes(a, "up down")
			if st := a.status(b); !st.Shutdown || st.State == Established {
				t.Errorf("%+v", st)
			}
		}
	}
	b.becomes(a, "up down up")
}

// TestLocalAS: the neighbour knows a by another AS, and sees no other.
func TestLocalAS(t *testing.T) {
	a, b := pair(t)
	a.c.Neighbors[0].LocalAS = 65501
	b.c.Neighbors[0].RemoteAS = 65501
	a.start()
	b.start()
	a.originate(local("10.1.0.0/16"))
	b.via("10.1.0.0/16", a.addr)
	if p := b.best("10.1.0.0/16")[0]; p.ASPath.String() != "65501" {
		t.Errorf("%v", p.ASPath)
	}
	b.originate(local("10.2.0.0/16"))
	a.via("10.2.0.0/16", b.addr)
}

func TestRemovePrivateAS(t *testing.T) {
	a, b := newNode(t, 2, 65001), newNode(t, 3, 100)
	c, d := newNode(t, 4, 300), newNode(t, 5, 400)
	a.knows(b, true)
	b.knows(a, false)
	b.knows(c, true, func(s *Settings) { s.RemovePrivateAS = RemovePrivateAS })
	c.knows(b, false)
	b.knows(d, true, func(s *Settings) { s.RemovePrivateAS = ReplacePrivateAS })
	d.knows(b, false)
	for _, n := range []*node{a, b, c, d} {
		n.start()
	}
	a.originate(local("10.1.0.0/16"))
	c.via("10.1.0.0/16", b.addr)
	d.via("10.1.0.0/16", b.addr)
	if x, y := c.best("10.1.0.0/16")[0].ASPath.String(), d.best("10.1.0.0/16")[0].ASPath.String(); x != "100" || y != "100 100" {
		t.Errorf("AS_PATH %q and %q", x, y)
	}
}

// TestRemoteASExternal takes any AS but our own.
func TestRemoteASExternal(t *testing.T) {
	a, b := pair(t)
	b.c.Neighbors[0].RemoteAS, b.c.Neighbors[0].MultihopTTL = 0, 0
	c := newNode(t, 4, 65002)
	b.knows(c, false, func(s *Settings) { s.RemoteAS, s.MultihopTTL = 0, 0 })
	c.knows(b, true)
	for _, n := range []*node{a, b, c} {
		n.start()
	}
	b.up(a)
	a.originate(local("10.1.0.0/16"))
	b.via("10.1.0.0/16", a.addr)
	if st := b.status(a); st.RemoteAS != 65001 {
		t.Errorf("%+v", st)
	}
	eventually(t, func() string { return b.notice(WrongAS) })
	eventually(t, func() string {
		if st := b.status(c); st.State == Established || !st.Shutdown {
			return fmt.Sprintf("%+v", st)
		}
		return ""
	})
}

func TestStatus(t *testing.T) {
	a, b := pair(t, func(s *Settings) { s.RestartTime = 60 })
	b.c.Neighbors[0].Source = netip.Addr{} // that of the connection is to be found out
	a.start()
	b.start()
	b.up(a)
	a.originate(local("10.1.0.0/16"), local("10.2.0.0/16"))
	b.via("10.2.0.0/16", a.addr)
	b.via("10.1.0.0/16", a.addr)
	b.originate(local("10.3.0.0/16"))
	a.via("10.3.0.0/16", b.addr)
	st := b.status(a)
	if st.State != Established || st.IPv4 != (FamilyCount{true, 2, 2, 1}) || st.IPv6.Active || st.Hold != 30*time.Second ||
		st.RouterID != a.c.Process.RouterID || st.RemoteAS != 65001 || st.LocalAS != 65002 || st.Received.Update == 0 ||
		time.Since(st.Since) > time.Minute || st.Local.Addr() != b.addr {
		t.Errorf("%+v", st)
	}
	for _, c := range []Capability{CapabilityRefresh, CapabilityFourOctet, CapabilityGraceful} {
		if !slices.Contains(st.Capabilities, c) {
			t.Errorf("capability %d is not among %v", c, st.Capabilities)
		}
	}
	if err := a.Clear(b.addr); err != nil {
		t.Fatal(err)
	}
	b.becomes(a, "up down up")
	if st := b.status(a); st.Resets != 1 || st.Reason != "BGP Notification received" {
		t.Errorf("%+v", st)
	}
	if st := a.status(b); st.Resets != 1 || st.Reason != "User reset" {
		t.Errorf("%+v", st)
	}
	if err := b.Clear(a.addr); err != nil {
		t.Fatal(err)
	}
	a.becomes(b, "up down up down up")
	if st := a.status(b); st.Reason != "BGP Notification received" {
		t.Errorf("%+v", st)
	}
}

// TestNothingStays looks for goroutines of a speaker that has stopped.
func TestNothingStays(t *testing.T) {
	t.Run("speakers", func(t *testing.T) {
		hub, _, s2 := hubAndSpokes(t, 65000, 65000, func(s *Settings, hub bool) {
			s.IPv4.ReflectorClient, s.IPv4.MaximumPrefix = hub, MaximumPrefix{Limit: 1, Restart: time.Hour}
		})
		s2.via("10.1.0.0/16", newNodeAt(65).addr)
		hub.originate(local("10.2.0.0/16")) // too many: a timer waits
		s2.becomes(hub, "up down")
	})
	eventually(t, func() string {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for _, g := range strings.Split(string(stacks), "\n\n") {
			if strings.Contains(g, "gobgp") || strings.Contains(g, "speaker.(*Speaker)") {
				return g
			}
		}
		return ""
	})
}
