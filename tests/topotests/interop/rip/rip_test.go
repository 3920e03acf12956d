package rip_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/interop/rippeers"
)

func TestMain(m *testing.M) { harness.MainConfig(m, harness.Config{Ethernet: true}) }

// converge is how long anything may take: a dead neighbor's timeout, some updates,
// and what a loaded machine adds.
const converge = 90 * time.Second

// protocol is the number of RIP's routes in the kernel, ours and FRR's.
var protocol = harness.ProtocolNumber(rib.RIP)

// ourStatic is what ours announces besides the segments' networks.
const ourStatic = "10.1.0.0/24"

// segment is a network with ours and one or two others.
type segment struct {
	n         int
	auth      rippeers.Auth
	version   int
	frr, bird *peer // nil where it has none
	wire      *harness.Capture
}

func (s *segment) network() string { return fmt.Sprintf("10.9.%d.0/24", s.n) }
func (s *segment) device() string  { return fmt.Sprintf("eth%d", s.n) }

// peer is a router of another suite.
type peer struct {
	segment *segment
	host    int // 2 for FRR, 3 for BIRD
	node    *harness.Node
	frr     *harness.FRR
	bird    *harness.BIRD
}

func (p *peer) addr() string   { return fmt.Sprintf("10.9.%d.%d", p.segment.n, p.host) }
func (p *peer) static() string { return fmt.Sprintf("10.%d.%d.0/24", p.host, p.segment.n) }

// config describes the peer, with its static route or without.
func (p *peer) config(static ...string) rippeers.RIP {
	return rippeers.RIP{Static: static, Interfaces: []rippeers.Interface{
		{Device: "eth0", Network: p.segment.network(), Auth: p.segment.auth, Version: p.segment.version}}}
}

// announce makes the peer announce its route, or withdraw it.
func (p *peer) announce(yes bool) {
	switch {
	case p.frr != nil && yes:
		p.frr.Configure("ip route " + p.static() + " blackhole")
	case p.frr != nil:
		p.frr.Configure("no ip route " + p.static() + " blackhole")
	case yes:
		p.bird.Reconfigure(p.config(p.static()).BIRD(p.addr()))
	default:
		p.bird.Reconfigure(p.config().BIRD(p.addr()))
	}
}

// kill and start are those of its routing daemon.
func (p *peer) kill() {
	if p.frr != nil {
		p.frr.Kill("ripd")
	} else {
		p.bird.Kill()
	}
}

func (p *peer) start() {
	if p.frr != nil {
		p.frr.Start("ripd")
	} else {
		p.bird.Start()
	}
}

// routes are the kernel's number for its routes, and the metric.
func (p *peer) routes() (number, metric int) {
	if p.frr != nil {
		return protocol, harness.MetricFRR
	}
	return harness.ProtocolBIRD, harness.MetricBIRD
}

// network is all of it.
type network struct {
	ours     *harness.Node
	zebra    *harness.Zebra
	segments []*segment
	peers    []*peer
}

// build makes the segments and starts all routers.
func build(t *testing.T, segments ...*segment) *network {
	t.Helper()
	tp := harness.New(t)
	n := &network{ours: tp.Router("ours"), segments: segments}
	conf := rippeers.RIP{Static: []string{ourStatic}}
	for i, s := range segments {
		s.n = i
		hub := tp.Node(fmt.Sprintf("lan%d", i))
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br"}}
		if err := hub.Netlink().LinkAdd(bridge); err != nil {
			t.Fatal(err)
		}
		hub.Up("br")
		join := func(port string, node *harness.Node, device, addr string) {
			tp.Link(hub, port, "", node, device, addr)
			l, err := hub.Netlink().LinkByName(port)
			if err == nil {
				err = hub.Netlink().LinkSetMaster(l, bridge)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		join("ours", n.ours, s.device(), "")
		s.wire = n.ours.Capture(s.device())
		add := func(p *peer, name string, host int) {
			if p == nil {
				return
			}
			p.segment, p.host, p.node = s, host, tp.Router(fmt.Sprintf("%s%d", name, i))
			join(name, p.node, "eth0", p.addr()+"/24")
			n.peers = append(n.peers, p)
		}
		add(s.frr, "frr", 2)
		add(s.bird, "bird", 3)
		conf.Interfaces = append(conf.Interfaces, rippeers.Interface{Device: s.device(), Network: s.network(),
			Address: fmt.Sprintf("10.9.%d.1/24", i), Auth: s.auth, Version: s.version})
	}
	n.zebra = n.ours.StartZebra(conf.Godmvpn())
	for _, p := range n.peers {
		if p.host == 2 {
			p.frr = p.node.StartFRR(p.config(p.static()).FRR(), rippeers.FRRDaemons...)
		} else {
			p.bird = p.node.StartBIRD(p.config(p.static()).BIRD(p.addr()))
		}
	}
	return n
}

// knows tells whether the kernels have what they should: the routes of all, or only
// the segments' networks.
func (n *network) knows(statics bool) error {
	errs := []error{n.oursKnows(statics)}
	for _, p := range n.peers {
		var want []string
		add := func(prefix, gateway string) {
			_, metric := p.routes()
			want = append(want, fmt.Sprintf("%s via %s dev eth0 metric %d", prefix, gateway, metric))
		}
		us := fmt.Sprintf("10.9.%d.1", p.segment.n)
		for _, s := range n.segments {
			if s != p.segment {
				add(s.network(), us)
			}
		}
		if statics {
			add(ourStatic, us)
			for _, q := range n.peers {
				switch {
				case q == p:
				case q.segment == p.segment:
					add(q.static(), q.addr())
				default:
					add(q.static(), us)
				}
			}
		}
		number, _ := p.routes()
		errs = append(errs, p.node.HasRoutes(number, want...))
	}
	return errors.Join(errs...)
}

// oursKnows tells whether our kernel has the routes of all peers, or none.
func (n *network) oursKnows(statics bool) error {
	var want []string
	for _, p := range n.peers {
		if statics {
			want = append(want, fmt.Sprintf("%s via %s dev %s metric 20", p.static(), p.addr(), p.segment.device()))
		}
	}
	return n.ours.HasRoutes(protocol, want...)
}

// unreachable tells whether a message said that a network is unreachable.
func unreachable(c *harness.Capture, from, network string) error {
	for _, f := range c.Frames(harness.All(harness.IsUDP(packet.Port), harness.Between(from, ""))) {
		m, err := packet.Parse(f.UDP())
		if err != nil {
			return fmt.Errorf("%v: %w\n%x", f, err, f.UDP())
		}
		for _, e := range m.Entries {
			if e.Metric == packet.Infinity && e.Addr.String()+"/24" == network {
				return nil
			}
		}
	}
	return fmt.Errorf("%s has not announced that %s is unreachable", from, network)
}

// TestInterop has routes come, go and come back, in both directions on each segment.
func TestInterop(t *testing.T) {
	key := func(mode rippeers.Mode) rippeers.Auth { return rippeers.WithKey(mode, "sixteen-octets-k") }
	n := build(t,
		&segment{frr: &peer{}, bird: &peer{}},
		&segment{frr: &peer{}, bird: &peer{}, auth: key(rippeers.MD5)},
		&segment{frr: &peer{}, bird: &peer{}, auth: key(rippeers.Text)},
		&segment{bird: &peer{}, auth: key(rippeers.HMACSHA256)},
		&segment{bird: &peer{}, auth: key(rippeers.HMACSHA512)},
		&segment{frr: &peer{}, version: 1},
	)
	harness.Eventually(t, converge, func() error { return n.knows(true) })
	n.withdraw(t)
	n.killOurs(t)
	n.killOthers(t)
	n.checkWire(t)
}

// withdraw has each router take its route back, and announce it again.
func (n *network) withdraw(t *testing.T) {
	t.Helper()
	n.ours.Configure("no ip route 10.1.0.0/24 Null0")
	for _, p := range n.peers {
		p.announce(false)
	}
	harness.Eventually(t, converge, func() error { return n.knows(false) })
	for _, s := range n.segments {
		if err := unreachable(s.wire, fmt.Sprintf("10.9.%d.1", s.n), ourStatic); err != nil {
			t.Error(err)
		}
	}
	for _, p := range n.peers {
		if err := unreachable(p.segment.wire, p.addr(), p.static()); err != nil {
			t.Error(err)
		}
	}
	n.ours.Configure("ip route 10.1.0.0/24 Null0")
	for _, p := range n.peers {
		p.announce(true)
	}
	harness.Eventually(t, converge, func() error { return n.knows(true) })
}

// killOurs kills ripd and zebra: the others do not notice, and neither does our
// kernel. Then it ends them in order, and all that came from us or through us goes.
func (n *network) killOurs(t *testing.T) {
	t.Helper()
	var watches []*harness.RouteWatch
	for _, p := range n.peers {
		number, _ := p.routes()
		watches = append(watches, p.node.WatchRoutes(number))
	}
	watches = append(watches, n.ours.WatchRoutes(protocol))
	pids := n.ours.Pids("ripd")
	n.zebra.Kill()
	for _, pid := range pids {
		n.ours.KillPid(pid)
	}
	n.zebra = n.ours.RestartZebra()
	harness.Eventually(t, converge, func() error {
		want := ""
		for _, p := range n.peers { // none of them is what the dead one left
			want += fmt.Sprintf(`, {"prefix": %q, "routes": [{"stale": null, "installed": true, "metric": 1}]}`, p.static())
		}
		return n.ours.ShowJSON("show ip route rip", `{"routes": [`+want[1:]+`]}`)
	})
	if err := n.knows(true); err != nil {
		t.Error(err)
	}
	for _, w := range watches {
		if err := w.Withdrawn(); err != nil {
			t.Errorf("while our daemons were dead: %v", err)
		}
		w.Stop()
	}
	if err := n.zebra.Terminate(converge); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, converge, n.alone)
	if err := n.ours.HasRoutes(protocol); err != nil {
		t.Error(err)
	}
	n.zebra = n.ours.RestartZebra()
	harness.Eventually(t, converge, func() error { return n.knows(true) })
}

// alone tells whether the others know of each other on their own segments only.
func (n *network) alone() error {
	var errs []error
	for _, p := range n.peers {
		var want []string
		for _, q := range n.peers {
			if q != p && q.segment == p.segment {
				want = append(want, q.static()+" via "+q.addr()+" dev eth0")
			}
		}
		number, _ := p.routes()
		errs = append(errs, p.node.HasRoutes(number, want...))
	}
	return errors.Join(errs...)
}

// killOthers kills the routing daemons of all others: their routes go when their
// time is up, and come back with them.
func (n *network) killOthers(t *testing.T) {
	t.Helper()
	for _, p := range n.peers {
		p.kill()
	}
	harness.Eventually(t, converge, func() error { return n.oursKnows(false) })
	for _, p := range n.peers {
		p.start()
	}
	harness.Eventually(t, converge, func() error { return n.knows(true) })
	if err := n.ours.ShowJSON("show ip rip status", `{"counters": {"dropped": {"malformed": 0, "authenticationFailure": 0,
		"authenticationMismatch": 0, "entryMask": 0, "entryMetric": 0, "entryDestinationAddress": 0, "entryAddressFamily": 0}}}`); err != nil {
		t.Error(err)
	}
}

// checkWire has tshark decode all packets. It takes every digest for one of 16
// octets, as that of MD5, and the rest of a longer one for entries: that is all that
// it may say about HMAC; BIRD takes our digests for right, and we BIRD's.
func (n *network) checkWire(t *testing.T) {
	t.Helper()
	const longDigest, aNote = "Unknown address family 65535", `"Time To Live" only 1,`
	var wires []*harness.Capture
	long, count := map[*harness.Capture]bool{}, map[*harness.Capture]int{}
	for _, s := range n.segments {
		s.wire.Stop()
		wires = append(wires, s.wire)
		long[s.wire] = s.auth.Mode == rippeers.HMACSHA256 || s.auth.Mode == rippeers.HMACSHA512
	}
	got, err := harness.Dissect(wires, "rip && !icmp")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range got {
		count[d.Capture]++
		if d.Complaint != "" && !(long[d.Capture] && strings.TrimPrefix(d.Complaint, aNote) == longDigest) {
			t.Errorf("tshark says %q about %v\n%x", d.Complaint, d.Frame, d.Frame.Data)
		}
	}
	for _, s := range n.segments {
		if count[s.wire] < 10 {
			t.Errorf("%d RIP packets were captured on %s", count[s.wire], s.network())
		}
	}
}
