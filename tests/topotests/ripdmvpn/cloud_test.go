package ripdmvpn

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestMain lets the clouds run side by side, also where there is one CPU: they wait
// for timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.Main(m)
}

// converge is how long a cloud may take until all know all.
const converge = 60 * time.Second

// Lines below "router rip": with the quick timers a dead neighbour's routes are gone
// after 12 seconds; with the slow ones nothing but triggered updates comes within
// the time of a test.
const (
	quick   = "timers basic 3 12 0 20"
	patient = "timers basic 3 60 0 90" // no route is lost by a machine that is slow to start daemons
	slow    = "timers basic 300 900 0 1200"
	hasty   = "timers basic 3 900 0 1200" // from slow to quick
)

// Lines below "interface Tunnel0".
const (
	multipoint   = " tunnel mode gre multipoint\n"
	pointToPoint = " tunnel destination 192.0.2.1\n ip nhrp map 172.31.0.1 192.0.2.1\n ip nhrp nhs 172.31.0.1\n"
	oneLine      = multipoint + " ip nhrp nhs 172.31.0.1 nbma 192.0.2.1 multicast\n"
	withKey      = " tunnel key 100\n"
)

// site is a router with a LAN of one host.
type site struct {
	*harness.Node
	host    *harness.Node
	uplink  *harness.Link
	lanLink *harness.Link
	wan     *harness.Capture
	zebra   *harness.Zebra
	nbma    string
	gateway string
	tunnel  string
	router  string // its address in the LAN
	lan     string
	hostIP  string
}

// cloud is the topology of doc.go.
type cloud struct {
	t                   *testing.T
	inet                *harness.Node
	hub, spoke1, spoke2 *site
}

// build makes namespaces and links, and starts nothing.
func build(t *testing.T) *cloud {
	tp := harness.New(t)
	c := &cloud{t: t, inet: tp.Internet("inet")}
	add := func(name, nbma, gateway, tunnel string, lan int) *site {
		s := &site{Node: tp.Node(name), host: tp.Node(fmt.Sprintf("lan%d", lan-10)), nbma: nbma, gateway: gateway, tunnel: tunnel,
			router: fmt.Sprintf("10.%d.0.1", lan), lan: fmt.Sprintf("10.%d.0.0/24", lan), hostIP: fmt.Sprintf("10.%d.0.10", lan)}
		s.uplink = tp.Link(c.inet, "to-"+name, gateway+"/30", s.Node, "wan", "")
		s.lanLink = tp.Link(s.host, "eth0", s.hostIP+"/24", s.Node, "lan", "")
		s.host.Route("default", s.router)
		return s
	}
	c.hub = add("hub", "192.0.2.1", "192.0.2.2", "172.31.0.1", 10)
	c.spoke1 = add("spoke1", "198.51.100.1", "198.51.100.2", "172.31.0.11", 11)
	c.spoke2 = add("spoke2", "203.0.113.1", "203.0.113.2", "172.31.0.12", 12)
	return c
}

func (c *cloud) sites() []*site  { return []*site{c.hub, c.spoke1, c.spoke2} }
func (c *cloud) spokes() []*site { return []*site{c.spoke1, c.spoke2} }

// other is the other spoke.
func (c *cloud) other(s *site) *site {
	if s == c.spoke1 {
		return c.spoke2
	}
	return c.spoke1
}

// config is a site's configuration: all but its own lines of the tunnel and of RIP is
// the same everywhere. Updates are authenticated with a key chain.
func (s *site) config(tunnel, rip string) string {
	underlay := ""
	for _, net := range []string{"192.0.2.0", "198.51.100.0", "203.0.113.0"} {
		underlay += fmt.Sprintf("ip route %s 255.255.255.0 %s\n", net, s.gateway)
	}
	return fmt.Sprintf(`hostname %s
key chain CLOUD
 key 7
  key-string over-the-cloud
interface-alias GigabitEthernet1 wan
interface-alias GigabitEthernet2 lan
interface GigabitEthernet1
 ip address %s 255.255.255.252
interface GigabitEthernet2
 ip address %s 255.255.255.0
%sinterface Tunnel0
 ip address %s 255.255.255.0
 no ip redirects
 ip mtu 1400
 ip nhrp network-id 1
 ip nhrp registration timeout 5
 ip rip authentication mode md5
 ip rip authentication key-chain CLOUD
 ip tcp adjust-mss 1360
 tunnel source GigabitEthernet1
%srouter rip
 version 2
 %s
 network 172.31.0.0
 network 10.0.0.0
 passive-interface GigabitEthernet2
 no auto-summary
%s`, strings.ToUpper(s.Name()), s.nbma, s.router, underlay, s.tunnel, tunnel, quick, rip)
}

// behind puts the underlay of a configuration into a VRF of its own.
func behind(vrf, config string) string {
	return "vrf definition " + vrf + "\n" + strings.NewReplacer(
		"interface GigabitEthernet1\n", "interface GigabitEthernet1\n vrf forwarding "+vrf+"\n",
		"ip route ", "ip route vrf "+vrf+" ",
		" tunnel source", " tunnel vrf "+vrf+"\n tunnel source").Replace(config)
}

// start starts a site, and records what passes its uplink. A device that comes into a
// VRF goes down and up, which would end a recording: hence in this order.
func (s *site) start(config string) {
	s.zebra = s.StartZebra(config)
	s.wan = s.Capture("wan")
}

// rip are the routes of RIP that a kernel is to have, as of harness.HasRoutes.
func (s *site) rip(want ...string) error {
	return s.HasRoutes(harness.ProtocolNumber(rib.RIP), want...)
}

// watch records the changes of RIP's routes in a kernel.
func (s *site) watch() *harness.RouteWatch { return s.WatchRoutes(harness.ProtocolNumber(rib.RIP)) }

// via is a route over the tunnel.
func via(prefix string, next *site) string {
	return fmt.Sprintf("%s via %s dev Tunnel0", prefix, next.tunnel)
}

// neighbors are the stations that a kernel knows on the tunnel.
func (s *site) neighbors() map[string]string {
	got := map[string]string{}
	for _, e := range s.Neighbors("Tunnel0") {
		if e.Address.Is4() && !e.Address.IsMulticast() && e.NBMA.IsValid() {
			got[e.Address.String()] = e.NBMA.String()
		}
	}
	return got
}

// registered tells whether the hub has both spokes.
func (c *cloud) registered() error {
	want := map[string]string{c.spoke1.tunnel: c.spoke1.nbma, c.spoke2.tunnel: c.spoke2.nbma}
	if diff := cmp.Diff(want, c.hub.neighbors()); diff != "" {
		return fmt.Errorf("the hub's neighbours (-want +got):\n%s", diff)
	}
	return nil
}

// await waits until all that is said is so.
func (c *cloud) await(all ...func() error) {
	c.t.Helper()
	harness.Eventually(c.t, converge, func() error {
		for _, f := range all {
			if err := f(); err != nil {
				return err
			}
		}
		return nil
	})
}

// path compares the way from LAN to LAN. The first address is the spoke's own, the
// last the host's.
func (c *cloud) path(from, to *site, between ...*site) {
	c.t.Helper()
	want := []string{from.router}
	for _, s := range between {
		want = append(want, s.tunnel)
	}
	want = append(want, to.hostIP)
	got, err := from.host.Traceroute(to.hostIP)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		c.t.Errorf("path from %s to %s: %v\n%s", from.Name(), to.Name(), err, diff)
	}
}

// isRIP matches RIP in GRE.
var isRIP = harness.All(harness.IsGRE, harness.IsUDP(harness.PortRIP))

// copies tells whether each multicast packet of RIP that left the hub since a time
// went to both spokes, once to each. A packet is told from the next by its inner IP
// identification and its contents.
func (c *cloud) copies(since time.Time, atLeast int) error {
	want := map[string]int{c.spoke1.nbma: 1, c.spoke2.nbma: 1}
	sent := map[string]map[string]int{}
	for _, f := range c.hub.wan.Frames(harness.All(isRIP, harness.Between(c.hub.nbma, ""), harness.Inside(harness.Between("", "224.0.0.9")))) {
		if f.At.Before(since) {
			continue
		}
		inner := string(f.Inner().Data)
		if sent[inner] == nil {
			sent[inner] = map[string]int{}
		}
		sent[inner][f.Dst.String()]++
	}
	for _, have := range sent {
		if diff := cmp.Diff(want, have); diff != "" {
			return fmt.Errorf("copies of one update (-want +got):\n%s", diff)
		}
	}
	if len(sent) < atLeast {
		return fmt.Errorf("the hub sent %d updates, want %d", len(sent), atLeast)
	}
	return nil
}

// wire looks at all that passed the uplinks: nothing has a group as its outer
// destination, and tshark has nothing to say about RIP.
func (c *cloud) wire() {
	c.t.Helper()
	var wires []*harness.Capture
	for _, s := range c.sites() {
		s.wan.Stop()
		wires = append(wires, s.wan)
		if l := s.wan.Frames(func(f harness.Frame) bool {
			return f.IP && f.Src.String() == s.nbma && (f.Dst.IsMulticast() || f.Dst.IsUnspecified() || f.Dst.As4()[0] == 255)
		}); len(l) > 0 {
			c.t.Errorf("%d packets left %s with no station as destination: %v", len(l), s.Name(), l[0])
		}
	}
	if err := harness.CheckDissected("rip", 4, wires...); err != nil {
		c.t.Error(err)
	}
}

// straight are the packets from LAN to LAN that went from spoke to spoke, and those
// that passed the hub.
func (c *cloud) straight() (direct, hub int) {
	lans := harness.Inside(harness.Between(c.spoke1.hostIP, c.spoke2.hostIP))
	direct = c.spoke1.wan.Count(harness.All(harness.IsGRE, lans, harness.Between(c.spoke1.nbma, c.spoke2.nbma)))
	return direct, c.hub.wan.Count(harness.All(harness.IsGRE, lans))
}

// configure enters lines on all sites.
func (c *cloud) configure(lines string) {
	c.t.Helper()
	for _, s := range c.sites() {
		s.Configure(lines)
	}
}

// flap takes the cable out of a spoke's LAN and puts it back, twice, while no regular
// update is sent: without must hold in between, and with afterwards. The spoke itself
// must not take its own LAN for somebody else's meanwhile: it would if the hub had told it of
// that just before, so it has heard all by then.
func (c *cloud) flap(s *site, with, without func() error) {
	c.t.Helper()
	fromHub, heard := harness.All(isRIP, harness.Between(c.hub.nbma, s.nbma)), c.heard(s)
	before := s.wan.Count(fromHub)
	c.await(func() error { // to know what it is to have heard all
		if err := heard(); err != nil || s.wan.Count(fromHub) < before+3 {
			return errors.Join(err, errors.New("the hub has sent too little"))
		}
		return nil
	})
	c.configure("router rip\n" + slow)
	own := s.watch()
	for range 2 {
		c.await(with, heard)
		s.lanLink.DownAt(s.host)
		c.await(without)
		s.lanLink.UpAt(s.host)
		c.await(with)
	}
	changes, err := own.Changes()
	if err != nil {
		c.t.Error(err)
	}
	for _, ch := range changes {
		if ch.Route.Prefix.String() == s.lan {
			c.t.Errorf("%s has a route of RIP to its own LAN: %v", s.Name(), ch)
		}
	}
	own.Stop()
	s.host.Route("default", s.router)
	c.hasten()
}

// heard tells whether a spoke's ripd has taken in all that the hub has sent to it. What passed
// before the capture, or before the daemon listened, is a number that stays: the least
// difference of both counts.
func (c *cloud) heard(s *site) func() error {
	least := math.MaxInt
	return func() error {
		v, err := s.JSON("show ip rip status")
		if err != nil {
			return err
		}
		for _, i := range v.(map[string]any)["interfaces"].([]any) {
			i := i.(map[string]any)
			if i["name"] != "Tunnel0" {
				continue
			}
			taken := int(i["counters"].(map[string]any)["receivedResponses"].(float64))
			open := s.wan.Count(harness.All(isRIP, harness.Between(c.hub.nbma, s.nbma))) - taken
			if least = min(least, open); open > least {
				return fmt.Errorf("%s has not heard %d packets of the hub", s.Name(), open-least)
			}
			return nil
		}
		return fmt.Errorf("RIP of %s has no Tunnel0", s.Name())
	}
}

// hasten goes back from slow timers to quick ones: first updates are sent often again,
// then routes die early, so that none does for what was not said meanwhile.
func (c *cloud) hasten() {
	c.t.Helper()
	c.configure("router rip\n" + hasty)
	since := time.Now()
	c.await(func() error {
		for _, s := range c.sites() {
			if n := s.wan.Count(harness.All(isRIP, harness.Between(s.nbma, ""), func(f harness.Frame) bool { return f.At.After(since) })); n < 4 {
				return fmt.Errorf("%s sent %d packets", s.Name(), n)
			}
		}
		return nil
	})
	c.configure("router rip\n" + quick)
}

// die takes a spoke from the underlay: the others must notice by their timers. Then
// it comes back.
func (c *cloud) die(cut, mend func(), without, with func() error) {
	c.t.Helper()
	cut()
	c.await(without)
	mend()
	c.await(with)
}

// daemonPid returns the process number of a daemon that is running for so long, by
// zebra's word.
func (s *site) daemonPid(name string, uptime float64) (int, error) {
	v, err := s.JSON("show daemons")
	if err != nil {
		return 0, err
	}
	for _, d := range v.(map[string]any)["daemons"].([]any) {
		row := d.(map[string]any)
		if row["name"] == name && row["state"] == "running" && row["uptime"].(float64) >= uptime {
			return int(row["pid"].(float64)), nil
		}
	}
	return 0, errors.New(name + " is not running for long enough")
}
