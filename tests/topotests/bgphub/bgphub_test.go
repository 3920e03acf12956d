// Package bgphub runs a BGP hub with 200 neighbours that come from a listen range and know
// the password, as spokes of a DMVPN do: a reflector of ours, and for each spoke a BIRD in
// a namespace of its own, with a network behind it. What counts is in the kernels' tables
// of all of them.
package bgphub

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.MainConfig(m, harness.Config{Ethernet: true}) }

// spokes is how many there are, and the listen limit.
const spokes = 200

// limit is how long all of them may take for something.
const limit = 2 * time.Minute

// These are the numbers of BGP's routes in the kernel, of ours and of BIRD's.
var protocol, protocolBIRD = harness.ProtocolNumber(rib.BGP), unix.RTPROT_BIRD

// behindHub is the network of the hub.
const behindHub = "10.255.0.0/24"

// A spoke is a BIRD with its network and the address of its tunnel.
type spoke struct {
	node         *harness.Node
	bird         *harness.BIRD
	net, address string
	watch        *harness.RouteWatch
}

func (s *spoke) route() string { return fmt.Sprintf("%s via %s dev eth0", s.net, s.address) }

// config is that of a spoke's BIRD. It does graceful restart, as a hub's restart wants.
func (s *spoke) config() string {
	return fmt.Sprintf(`router id %[1]s;
protocol device { }
protocol direct { ipv4; interface "eth0"; }
protocol kernel { scan time 3600; ipv4 { import none; export where source = RTS_BGP; }; }
protocol static { ipv4; route %[2]s blackhole; }
protocol bgp hub {
  local %[1]s as 65000;
  neighbor 172.31.255.1 as 65000;
  password "s3cret";
  hold time 90;
  connect delay time 1;
  connect retry time 3;
  error wait time 1, 3;
  graceful restart on;
  graceful restart time 5;
  ipv4 { import all; export where source = RTS_STATIC; };
}
`, s.address, s.net)
}

// network is the hub, its station, and the spokes.
type network struct {
	t            *testing.T
	hub, station *harness.Node
	spokes       []*spoke // one more than the hub takes
}

// build makes all but the daemons.
func build(t *testing.T) *network {
	tp := harness.New(t)
	cloud := tp.Node("cloud")
	cloud.Bridge("switch", "192.0.2.1/24")
	port := func(n *harness.Node, addr string) {
		n.Sysctl("net.ipv6.conf.all.disable_ipv6", "1") // nothing of it is of use, and a switch of 200 ports is loud
		tp.Link(cloud, n.Name(), "", n, "eth0", addr)
		cloud.Enslave(n.Name(), "switch")
	}
	w := &network{t: t, hub: tp.Router("hub")}
	port(w.hub, "172.31.255.1/16")
	w.station = tp.Host("station", w.hub, "10.255.0.10/24", "10.255.0.1")
	for i := 1; i <= spokes+1; i++ {
		s := &spoke{node: tp.Router(fmt.Sprintf("s%d", i)), net: fmt.Sprintf("10.1.%d.0/24", i), address: fmt.Sprintf("172.31.1.%d", i)}
		port(s.node, s.address+"/16")
		s.node.Addr("lo", fmt.Sprintf("10.1.%d.1/24", i))
		w.spokes = append(w.spokes, s)
	}
	return w
}

// start starts the daemons of the hub.
func (w *network) start() {
	w.hub.StartZebra(fmt.Sprintf(`router bgp 65000
 bgp graceful-restart
 bgp listen limit %d
 bgp listen range 172.31.0.0/16 peer-group SPOKES
 neighbor SPOKES peer-group
 neighbor SPOKES remote-as 65000
 neighbor SPOKES password s3cret
 neighbor SPOKES route-reflector-client
 network 10.255.0.0 mask 255.255.255.0
`, spokes))
}

// know tells whether the hub and these spokes, and no others, have each other's networks,
// by the right next hops, and what is behind the hub.
func (w *network) know(list []*spoke) func() error {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = s.route()
	}
	return func() error {
		if err := w.hub.HasRoutes(protocol, all...); err != nil {
			return err
		}
		for i, s := range list {
			want := slices.Concat(all[:i], all[i+1:], []string{behindHub + " via 172.31.255.1 dev eth0"})
			if err := s.node.HasRoutes(protocolBIRD, want...); err != nil {
				return err
			}
		}
		return nil
	}
}

// sessions tells whether the hub has this many.
func (w *network) sessions(n int) func() error {
	return func() error {
		return w.hub.ShowJSON("show ip bgp summary", fmt.Sprintf(`{"dynamicNeighbors": %d, "prefixes": %d}`, n, n+1))
	}
}

// timed waits until all is so, and logs what it took and cost.
func (w *network) timed(what string, all ...func() error) {
	w.t.Helper()
	began, bgpd, zebra := time.Now(), w.hub.Usage("bgpd"), w.hub.Usage("zebra")
	before, beforeZebra := bgpd.CPU(), zebra.CPU()
	harness.Await(w.t, limit, all...)
	w.cost(what, time.Since(began), bgpd.CPU()-before, zebra.CPU()-beforeZebra)
}

// cost logs what something took, and what the hub's daemons have used for it.
func (w *network) cost(what string, took, bgpd, zebra time.Duration) {
	w.t.Logf("%s: %.1f s; at the hub bgpd %.2f s of processor time, %d MB, zebra %.2f s, %d MB", what, took.Seconds(),
		bgpd.Seconds(), w.hub.Usage("bgpd").Memory()>>20, zebra.Seconds(), w.hub.Usage("zebra").Memory()>>20)
}

// TestHub: all 200 have sessions and the networks of all others, by the reflector. Half of
// them goes and comes back, and the others do not notice. One more is refused until there
// is room. Then the hub's bgpd is killed under traffic, and no route leaves any kernel.
func TestHub(t *testing.T) {
	w := build(t)
	w.start()
	all, late := w.spokes[:spokes], w.spokes[spokes]
	for _, s := range all {
		s.bird = s.node.LaunchBIRD(s.config())
	}
	w.timed("all know all", w.know(all), w.sessions(spokes))

	w.halfGoes()
	w.oneMore(late)
	w.kill(all)
}

// halfGoes has half of the spokes go and come back.
func (w *network) halfGoes() {
	stay, go_ := w.spokes[:spokes/2], w.spokes[spokes/2:spokes]
	watch := w.hub.WatchRoutes(protocol)
	for _, s := range go_ {
		s.bird.Process().Signal(unix.SIGTERM)
	}
	w.timed("half went", w.know(stay), w.sessions(len(stay)))
	for _, s := range go_ {
		_ = s.bird.Process().Wait(limit)
		s.bird.Launch()
	}
	w.timed("half came back", w.know(w.spokes[:spokes]), w.sessions(spokes))
	changes, err := watch.Changes()
	if err != nil {
		w.t.Error(err)
	}
	for _, c := range changes {
		if slices.ContainsFunc(stay, func(s *spoke) bool { return s.net == c.Route.Prefix.String() }) {
			w.t.Errorf("the hub's kernel has changed the route of one who stayed: %v", c)
		}
	}
	watch.Stop()
}

// oneMore has one come who is beyond the limit, until another goes.
func (w *network) oneMore(late *spoke) {
	late.bird = late.node.LaunchBIRD(late.config())
	refused := fmt.Sprintf("neighbor %s refused: there are %d dynamic neighbors", late.address, spokes)
	harness.Await(w.t, limit, w.hub.Logged(refused))
	all := slices.Clone(w.spokes[:spokes])
	harness.Await(w.t, limit, w.know(all), w.sessions(spokes))
	first := all[0]
	first.bird.Process().Signal(unix.SIGTERM)
	all[0] = late
	w.timed("one more instead of another", w.know(all), w.sessions(spokes))
	w.hub.Configure(fmt.Sprintf("router bgp 65000\nbgp listen limit %d", spokes+1))
	_ = first.bird.Process().Wait(limit)
	first.bird.Launch()
	w.timed("both", w.know(w.spokes), w.sessions(spokes+1))
}

// kill kills the hub's bgpd under traffic.
func (w *network) kill(all []*spoke) {
	began := time.Now()
	watch := w.hub.WatchRoutes(protocol)
	var flows []*harness.Flow
	for i, s := range all {
		s.watch = s.node.WatchRoutes(protocolBIRD)
		if i%20 == 0 {
			flows = append(flows, w.station.Flow(strings.Replace(s.net, ".0/24", ".1", 1), 50*time.Millisecond))
		}
	}
	pids := w.hub.Pids("bgpd")
	if len(pids) != 1 {
		w.t.Fatalf("processes of bgpd: %v", pids)
	}
	w.hub.KillPid(pids[0])
	harness.Await(w.t, limit, func() error {
		if now := w.hub.Pids("bgpd"); len(now) != 1 || now[0] == pids[0] {
			return fmt.Errorf("processes of bgpd: %v", now)
		}
		return nil
	})
	zebra := w.hub.Usage("zebra")
	before := zebra.CPU()
	harness.Await(w.t, limit, w.sessions(len(w.spokes)), w.fresh, w.know(w.spokes), w.over)
	w.cost("all back after bgpd was killed", time.Since(began), w.hub.Usage("bgpd").CPU(), zebra.CPU()-before)
	for _, f := range flows {
		if r := f.Stop(); r.Received < r.Sent {
			w.t.Errorf("%d of %d packets arrived, lost %v", r.Received, r.Sent, r.Lost)
		}
	}
	if err := watch.Withdrawn(); err != nil {
		w.t.Errorf("the hub: %v", err)
	}
	lost := 0
	for _, s := range all {
		if err := s.watch.Withdrawn(); err != nil {
			if lost++; lost == 1 {
				w.t.Errorf("%s: %v", s.address, err)
			}
		}
	}
	if lost > 1 {
		w.t.Errorf("so did %d others", lost-1)
	}
}

// over tells whether the hub's restart is over for the spokes: none has stale routes.
func (w *network) over() error {
	for _, s := range w.spokes {
		out, err := s.bird.Birdc("show protocols all hub")
		if err == nil && (!strings.Contains(out, "Established") || strings.Contains(out, "graceful restart active")) {
			err = fmt.Errorf("%s is not done with the restart of the hub: %s", s.address, out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fresh tells whether nothing of the hub's routes is left from a life before.
func (w *network) fresh() error {
	v, err := w.hub.JSON("show ip route")
	if err == nil && strings.Contains(fmt.Sprint(v), "stale:true") {
		err = fmt.Errorf("the hub has stale routes")
	}
	return err
}
