// Package cloud builds DMVPN clouds of any number of sites, for topology tests. A
// site is a router with an uplink to the provider and a LAN of one host:
//
//	10.N.0.10 ── lan  router  wan ── inet
//	                  Tunnel0
//
// The routers' devices get their addresses from their configurations, which
// [Site.Config] writes around the lines that a test is about.
package cloud

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// LastRetry is the longest time between two Registration Requests to a server that does not
// answer: so long it may take until a server that is back is asked.
const LastRetry = 64 * time.Second

// Converge is how long a cloud may take until something has come to be.
const Converge = 60*time.Second + LastRetry

// Cloud is a topology of sites.
type Cloud struct {
	T        harness.TB
	Topology *harness.Topology
	Inet     *harness.Node
	Sites    []*Site
}

// Site is a router with its LAN.
type Site struct {
	*harness.Node
	Host    *harness.Node // behind it
	Uplink  *harness.Link
	LANLink *harness.Link
	Zebra   *harness.Zebra
	WAN     *harness.Capture // of the uplink, once started

	NBMA    string // address of the uplink
	Gateway string // the provider's
	Tunnel  string // address of Tunnel0
	Router  string // address in the LAN
	LAN     string // prefix
	HostIP  string

	uplinkBits int // prefix length of the uplink
}

// New makes a cloud without sites. The provider's router is "inet".
func New(t harness.TB) *Cloud {
	tp := harness.New(t)
	return &Cloud{T: t, Topology: tp, Inet: tp.Internet("inet")}
}

// Add adds a site whose uplink is a /30 with the provider, of which it has the first
// address, and whose LAN is 10.lan.0.0/24.
func (c *Cloud) Add(name, nbma, tunnel string, lan int) *Site {
	c.T.Helper()
	gateway := netip.MustParseAddr(nbma).Next().String()
	s := c.site(name, nbma, gateway, tunnel, lan, 30)
	s.Uplink = c.Topology.Link(c.Inet, "to-"+name, gateway+"/30", s.Node, "wan", "")
	return s
}

// AddRouter is Add without a LAN: Router, LAN and the host are nil or "".
func (c *Cloud) AddRouter(name, nbma, tunnel string) *Site {
	c.T.Helper()
	s := &Site{Node: c.Topology.Node(name), NBMA: nbma, Gateway: netip.MustParseAddr(nbma).Next().String(), Tunnel: tunnel, uplinkBits: 30}
	s.Uplink = c.Topology.Link(c.Inet, "to-"+name, s.Gateway+"/30", s.Node, "wan", "")
	c.Sites = append(c.Sites, s)
	return s
}

// AddBehind adds a site whose uplink leads to a NAT router, of whose inside it has
// this address.
func (c *Cloud) AddBehind(nat *harness.NAT, name, inside, tunnel string, lan int) *Site {
	c.T.Helper()
	s := c.site(name, inside, nat.Gateway(), tunnel, lan, nat.InsideBits())
	s.Uplink = nat.Attach(s.Node, "wan")
	return s
}

func (c *Cloud) site(name, nbma, gateway, tunnel string, lan, bits int) *Site {
	s := &Site{
		Node: c.Topology.Node(name), Host: c.Topology.Node(name + "-lan"), NBMA: nbma, Gateway: gateway, Tunnel: tunnel,
		Router: fmt.Sprintf("10.%d.0.1", lan), LAN: fmt.Sprintf("10.%d.0.0/24", lan), HostIP: fmt.Sprintf("10.%d.0.10", lan), uplinkBits: bits,
	}
	s.LANLink = c.Topology.Link(s.Host, "eth0", s.HostIP+"/24", s.Node, "lan", "")
	s.Host.Route("default", s.Router)
	c.Sites = append(c.Sites, s)
	return s
}

// Config is a site's configuration: uplink, LAN, a default route to the provider, and
// Tunnel0 with these lines, which end the configuration unless they open a mode of
// their own.
func (s *Site) Config(lines string) string {
	lan := ""
	if s.Host != nil {
		lan = fmt.Sprintf("interface lan\n ip address %s/24\n", s.Router)
	}
	return fmt.Sprintf(`hostname %s
ip route 0.0.0.0/0 %s
interface wan
 ip address %s/%d
%sinterface Tunnel0
 ip address %s/24
 no ip redirects
 ip mtu 1400
 ip tcp adjust-mss 1360
 tunnel source wan
%s`, s.Name(), s.Gateway, s.NBMA, s.uplinkBits, lan, s.Tunnel, lines)
}

// Lines of Tunnel0.
const (
	Multipoint = " tunnel mode gre multipoint\n"
	Key        = " tunnel key 100\n"
	NHRP       = " ip nhrp network-id 1\n ip nhrp authentication DMVPNKEY\n"
	Quick      = " ip nhrp registration timeout 2\n" // registers again soon
)

// NHS is the line that makes a server of another site, with its multicast.
func NHS(server *Site) string {
	return fmt.Sprintf(" ip nhrp nhs %s nbma %s multicast\n", server.Tunnel, server.NBMA)
}

// RIPUpdate is the time between two updates of RIP, which its router makes longer or
// shorter by up to a sixth.
const RIPUpdate = 3 * time.Second

// RIP is a router rip that speaks on the tunnel and announces the LAN, with timers of
// seconds; lines are further ones of it.
func RIP(lines string) string {
	return fmt.Sprintf("router rip\n version 2\n timers basic %d 12 0 20\n network 172.31.0.0\n network 10.0.0.0\n passive-interface lan\n no auto-summary\n%s", RIPUpdate/time.Second, lines)
}

// Start starts the zebras of these sites side by side, all sites if none is named, and
// recordings of their uplinks. A device that comes into a VRF goes down and up, which
// would end a recording: hence in this order.
func (c *Cloud) Start(config func(*Site) string, sites ...*Site) {
	c.T.Helper()
	if len(sites) == 0 {
		sites = c.Sites
	}
	starting.Lock()
	defer starting.Unlock()
	for some := range slices.Chunk(sites, atOnce) {
		for _, s := range some {
			if err := os.WriteFile(filepath.Join(s.Rundir(), "godmvpn.conf"), []byte(config(s)), 0o640); err != nil {
				c.T.Fatalf("%s: %v", s.Name(), err)
			}
			s.Zebra = s.LaunchZebra()
		}
		for _, s := range some {
			s.Zebra.WaitReady()
			s.WAN = s.Capture("wan")
		}
	}
}

// A User-Mode Linux maps each page of its kernel by itself, of which its host allows
// 65,530: what many BPF programs that are loaded at once take for a moment is too much.
// So no more than these are started side by side, and of one cloud at a time.
const atOnce = 4

var starting sync.Mutex

// Restart starts the site's zebra again, with the configuration that it has.
func (s *Site) Restart() { s.Zebra = s.RestartZebra() }

// Await waits until all that is said is so.
func (c *Cloud) Await(all ...func() error) { c.T.Helper(); c.Within(Converge, all...) }

// Within is Await with a limit of its own.
func (c *Cloud) Within(limit time.Duration, all ...func() error) {
	c.T.Helper()
	harness.Await(c.T, limit, all...)
}

// Peers are the stations that a kernel knows on a tunnel, with their NBMA addresses.
func (s *Site) Peers(tunnel string) map[string]string {
	got := map[string]string{}
	for _, e := range s.Neighbors(tunnel) {
		if e.Address.Is4() && !e.Address.IsMulticast() && e.NBMA.IsValid() {
			got[e.Address.String()] = e.NBMA.String()
		}
	}
	return got
}

// Knows tells whether the kernel's stations on Tunnel0 are exactly these sites.
func (s *Site) Knows(others ...*Site) func() error {
	want := map[string]string{}
	for _, o := range others {
		want[o.Tunnel] = o.NBMA
	}
	return s.KnowsAt(want)
}

// KnowsAt is Knows with NBMA addresses by tunnel addresses.
func (s *Site) KnowsAt(want map[string]string) func() error {
	return func() error {
		if diff := cmp.Diff(want, s.Peers("Tunnel0")); diff != "" {
			return fmt.Errorf("stations that %s knows in the kernel (-want +got):\n%s", s.Name(), diff)
		}
		return nil
	}
}

// Path tells whether the way from LAN to LAN is by the tunnels of these sites; the
// first address is the router's own, the last the other host's.
func (s *Site) Path(to *Site, between ...*Site) func() error {
	want := []string{s.Router}
	for _, b := range between {
		want = append(want, b.Tunnel)
	}
	want = append(want, to.HostIP)
	return func() error {
		got, err := s.Host.Traceroute(to.HostIP)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			return fmt.Errorf("path from %s to %s: %v\n%s", s.Name(), to.Name(), err, diff)
		}
		return nil
	}
}

// Message matches NHRP packets of a type.
func Message(t packet.Type) harness.Match {
	return harness.All(harness.IsNHRP, func(f harness.Frame) bool {
		m, err := packet.Parse(f.Payload)
		return err == nil && m.Type == t
	})
}

// Questions is the number of NHRP packets that match, of which those with the same source and
// Request ID count as one: who is not answered within 0.75 s asks again so (RFC 2332 section
// 5.2.0.1).
func Questions(c *harness.Capture, m harness.Match) int {
	type question struct {
		source netip.Addr
		id     uint32
	}
	all := map[question]bool{}
	for _, f := range c.Frames(harness.All(harness.IsNHRP, m)) {
		if p, err := packet.Parse(f.Payload); err == nil {
			all[question{p.SrcProtocol, p.RequestID}] = true
		}
	}
	return len(all)
}

// OneIKE tells whether two routers have one IKE SA with each other, and begin no other: two
// beginnings that crossed are settled. Each is given with where it has the other.
func OneIKE(a *harness.Node, peerOfA string, b *harness.Node, peerOfB string) func() error {
	return func() error {
		spis := [2]string{}
		for k, end := range []struct {
			*harness.Node
			peer string
		}{{a, peerOfA}, {b, peerOfB}} {
			v, err := end.JSON("show crypto ikev2 sa")
			if err != nil {
				return err
			}
			var with []map[string]any
			for _, sa := range v.(map[string]any)["ikeSas"].([]any) {
				if sa := sa.(map[string]any); strings.HasPrefix(sa["remote"].(string), end.peer+"/") {
					with = append(with, sa)
				}
			}
			if len(with) != 1 || with[0]["status"] != "READY" {
				return fmt.Errorf("%s has %v with %s, want one IKE SA that is ready", end.Name(), with, end.peer)
			}
			own, other := "localSpi", "remoteSpi"
			if k == 1 {
				own, other = other, own
			}
			spis[k] = fmt.Sprint(with[0][own], with[0][other])
		}
		if spis[0] != spis[1] {
			return fmt.Errorf("%s and %s have not the same IKE SA: %q", a.Name(), b.Name(), spis)
		}
		return nil
	}
}

// Data matches what goes from one site's host to another's, in GRE.
func Data(from, to *Site) harness.Match {
	return harness.All(harness.IsGRE, harness.Inside(harness.Between(from.HostIP, to.HostIP)))
}

// More waits until a flow has had n more replies.
func (c *Cloud) More(f *harness.Flow, n int) {
	c.T.Helper()
	since := f.Received()
	c.Await(func() error {
		if got := f.Received() - since; got < n {
			return fmt.Errorf("%d replies of %d", got, n)
		}
		return nil
	})
}

// Lossless ends a flow, of which nothing may be lost.
func (c *Cloud) Lossless(f *harness.Flow, when string) {
	c.T.Helper()
	if r := f.Stop(); r.Received < r.Sent || r.Sent < 5 {
		c.T.Errorf("%s: %d of %d packets arrived, lost %v", when, r.Received, r.Sent, r.Lost)
	}
}

// DaemonPid returns the process number of a daemon that is running, by zebra's word.
func (s *Site) DaemonPid(name string) (int, error) {
	v, err := s.JSON("show daemons")
	if err != nil {
		return 0, err
	}
	for _, d := range v.(map[string]any)["daemons"].([]any) {
		row := d.(map[string]any)
		if row["name"] == name && row["state"] == "running" {
			return int(row["pid"].(float64)), nil
		}
	}
	return 0, fmt.Errorf("%s is not running at %s", name, s.Name())
}

// KillDaemon kills a daemon as kill -9 does and waits until another one runs. zebra is
// started again if it is the one.
func (c *Cloud) KillDaemon(s *Site, name string) {
	c.T.Helper()
	if name == "zebra" {
		s.Zebra.Kill()
		s.Restart()
		return
	}
	pid, err := s.DaemonPid(name)
	if err != nil {
		c.T.Fatalf("%v", err)
	}
	s.KillPid(pid)
	c.Await(func() error {
		again, err := s.DaemonPid(name)
		if err == nil && again == pid {
			return fmt.Errorf("%s of %s is still process %d", name, s.Name(), pid)
		}
		return err
	})
}

// KillSite kills all of a site that could say goodbye, as a power cut does.
func (c *Cloud) KillSite(s *Site) {
	c.T.Helper()
	s.Zebra.Kill()
	for _, pid := range s.Pids("") {
		s.KillPid(pid)
	}
}
