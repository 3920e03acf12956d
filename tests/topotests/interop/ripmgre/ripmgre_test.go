package ripmgre

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/interop/rippeers"
)

// TestMain lets the tests run side by side, also where there is one CPU: they wait for
// timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "2"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.Main(m)
}

// converge is how long it may take until all know all: FRR takes its time after a
// restart.
const converge = 60 * time.Second

// The stations' addresses on the underlay and on the tunnel.
const (
	hubNBMA, hubAddr = "192.0.2.1", "172.31.0.1"
	oneNBMA, oneAddr = "198.51.100.1", "172.31.0.11"
	twoNBMA, twoAddr = "203.0.113.1", "172.31.0.12"
)

// auth is how all updates are authenticated.
var auth = rippeers.WithKey(rippeers.MD5, "over-the-cloud")

// cloud is the underlay with three stations.
type cloud struct {
	t             *testing.T
	hub, one, two *harness.Node
	wan           *harness.Capture // of the hub
}

func build(t *testing.T) *cloud {
	tp := harness.New(t)
	inet := tp.Internet("inet")
	c := &cloud{t: t, hub: tp.Router("hub"), one: tp.Router("spoke1"), two: tp.Router("spoke2")}
	tp.Uplink(inet, c.hub, hubNBMA+"/30")
	tp.Uplink(inet, c.one, oneNBMA+"/30")
	tp.Uplink(inet, c.two, twoNBMA+"/30")
	c.wan = c.hub.Capture("wan")
	return c
}

// gre makes a device of FRR's or BIRD's: a point-to-point one, or, where remote is "",
// a multipoint one that knows the stations of neighbors, tunnel address and underlay
// address alternately.
func (c *cloud) gre(n *harness.Node, local, remote, addr string, neighbors ...string) {
	c.t.Helper()
	batch := "link add gre1 type gre key 100 ttl 64 local " + local
	if remote != "" {
		batch += " remote " + remote
	}
	batch += "\naddr add " + addr + "/24 dev gre1\nlink set gre1 mtu 1400 arp on multicast on up\n"
	for i := 0; i < len(neighbors); i += 2 {
		batch += fmt.Sprintf("neigh add %s lladdr %s dev gre1 nud permanent\n", neighbors[i], neighbors[i+1])
	}
	file := filepath.Join(n.Rundir(), "ip.batch")
	if err := os.WriteFile(file, []byte(batch), 0o640); err != nil {
		c.t.Fatal(err)
	}
	if _, err := n.Run("ip", "-batch", file); err != nil {
		c.t.Fatal(err)
	}
}

// peer describes RIP on FRR's or BIRD's device.
func peer(static string, neighbors ...string) rippeers.RIP {
	return rippeers.RIP{Static: []string{static}, Interfaces: []rippeers.Interface{{Device: "gre1",
		Network: "172.31.0.0/24", Neighbors: neighbors, Auth: auth}}}
}

// ours is the configuration of a station of this suite, with a loopback in place of a
// LAN.
func ours(addr, lan, tunnel string) string {
	r := rippeers.RIP{Interfaces: []rippeers.Interface{{Device: "Tunnel0", Network: "172.31.0.0/24",
		Address: addr + "/24", Auth: auth}}, Extra: "network 10.0.0.0"}
	return "interface Loopback1\n ip address " + lan + "/24\ninterface Tunnel0\n ip mtu 1400\n ip nhrp network-id 1\n" +
		" tunnel source wan\n tunnel key 100\n" + tunnel + r.Godmvpn()
}

// Lines of this suite's spokes.
const (
	multipoint   = " tunnel mode gre multipoint\n ip nhrp map 172.31.0.1 192.0.2.1\n ip nhrp map multicast 192.0.2.1\n"
	pointToPoint = " tunnel destination 192.0.2.1\n"
)

// want is what a kernel is to have of RIP.
type want struct {
	node   *harness.Node
	number int
	routes []string
}

// FRR's and this suite's routes, BIRD's routes.
func rip(n *harness.Node, routes ...string) want {
	return want{n, harness.ProtocolNumber(rib.RIP), routes}
}
func bird(n *harness.Node, routes ...string) want { return want{n, harness.ProtocolBIRD, routes} }

// await waits until all kernels have exactly these routes.
func (c *cloud) await(wants ...want) {
	c.t.Helper()
	harness.Eventually(c.t, converge, func() error {
		for _, w := range wants {
			if err := w.node.HasRoutes(w.number, w.routes...); err != nil {
				return err
			}
		}
		return nil
	})
}

// over is a route over a tunnel.
func over(prefix, next, device string) string {
	return fmt.Sprintf("%s via %s dev %s", prefix, next, device)
}

// decodes has tshark look at every packet of RIP that passed the hub's uplink. What
// this suite sent there, from these underlay addresses, has a station as its outer
// destination; FRR's own multicast on its multipoint device has not.
func (c *cloud) decodes(ours ...string) {
	c.t.Helper()
	c.wan.Stop()
	if err := harness.CheckDissected("rip && !icmp", 10, c.wan); err != nil {
		c.t.Error(err)
	}
	for _, nbma := range ours {
		if n := c.wan.Count(func(f harness.Frame) bool { return f.IP && f.Src.String() == nbma && f.Dst.IsMulticast() }); n != 0 {
			c.t.Errorf("%d packets of %s have a group as their outer destination", n, nbma)
		}
	}
}

// What the stations announce.
const (
	ourLAN, ourLAN2 = "10.10.0.0/24", "10.11.0.0/24"
	frrLAN          = "10.1.0.0/24"
	birdLAN         = "10.2.0.0/24"
)

// TestOurHub has FRR and BIRD as spokes of this suite's hub, first with the hub as the
// next hop of all, then with the spokes as each other's (RFC 2453 section 4.4). Each
// station's route is withdrawn and comes back; FRR's ripd dies and comes back.
func TestOurHub(t *testing.T) {
	t.Parallel()
	c := build(t)
	c.hub.StartZebra(ours(hubAddr, "10.10.0.1", " tunnel mode gre multipoint\n no ip split-horizon\n ip rip next-hop-self\n"+
		" ip nhrp map "+oneAddr+" "+oneNBMA+"\n ip nhrp map multicast "+oneNBMA+"\n"+
		" ip nhrp map "+twoAddr+" "+twoNBMA+"\n ip nhrp map multicast "+twoNBMA+"\n"))
	c.gre(c.one, oneNBMA, "", oneAddr, hubAddr, hubNBMA)
	c.gre(c.two, twoNBMA, hubNBMA, twoAddr)
	c.one.Dummy("lan", "10.1.0.9/32")
	c.two.Dummy("lan", "10.2.0.9/32")
	f := c.one.StartFRR(peer(frrLAN, hubAddr).FRR(), rippeers.FRRDaemons...)
	spoke2 := peer(birdLAN)
	b := c.two.StartBIRD(spoke2.BIRD(twoNBMA))

	hubFRR, hubBIRD := over(frrLAN, oneAddr, "Tunnel0"), over(birdLAN, twoAddr, "Tunnel0")
	toFRR, toBIRD := []string{over(ourLAN, hubAddr, "gre1"), over(birdLAN, hubAddr, "gre1")},
		[]string{over(ourLAN, hubAddr, "gre1"), over(frrLAN, hubAddr, "gre1")}
	all := []want{rip(c.hub, hubFRR, hubBIRD), rip(c.one, toFRR...), bird(c.two, toBIRD...)}
	c.await(all...)
	for _, from := range []struct {
		node   *harness.Node
		source string
		to     string
	}{{c.one, "10.1.0.9", "10.2.0.9"}, {c.two, "10.2.0.9", "10.10.0.1"}} {
		if r, err := from.node.Ping(from.to, from.source, 3); err != nil || r.Received != 3 {
			t.Errorf("%s to %s: %+v, %v", from.source, from.to, r, err)
		}
	}

	f.Configure("no ip route " + frrLAN + " blackhole")
	c.await(rip(c.hub, hubBIRD), bird(c.two, toBIRD[0]))
	f.Configure("ip route " + frrLAN + " blackhole")
	c.await(all...)
	b.Reconfigure(rippeers.RIP{Interfaces: spoke2.Interfaces}.BIRD(twoNBMA))
	c.await(rip(c.hub, hubFRR), rip(c.one, toFRR[0]))
	b.Reconfigure(spoke2.BIRD(twoNBMA))
	c.await(all...)
	c.hub.Configure("interface Loopback1\nshutdown")
	c.await(rip(c.one, toFRR[1]), bird(c.two, toBIRD[1]))
	c.hub.Configure("interface Loopback1\nno shutdown")
	c.await(all...)

	f.Kill("ripd")
	c.await(rip(c.hub, hubBIRD), bird(c.two, toBIRD[0]))
	f.Start("ripd")
	c.hub.Configure("interface Tunnel0\nno ip rip next-hop-self")
	c.await(rip(c.hub, hubFRR, hubBIRD), rip(c.one, toFRR[0], over(birdLAN, twoAddr, "gre1")),
		bird(c.two, toBIRD[0], over(frrLAN, oneAddr, "gre1")))
	c.decodes(hubNBMA)
}

// TestFRRHub has two spokes of this suite, with a multipoint and with a point-to-point
// tunnel, whose hub is FRR: it hears what they send to the group, and sends to each.
// Each station's route is withdrawn and comes back; FRR's ripd dies and comes back.
func TestFRRHub(t *testing.T) {
	t.Parallel()
	c := build(t)
	c.gre(c.hub, hubNBMA, "", hubAddr, oneAddr, oneNBMA, twoAddr, twoNBMA)
	hub := peer(frrLAN, oneAddr, twoAddr)
	hub.Interfaces[0].NoSplitHorizon = true
	f := c.hub.StartFRR(hub.FRR(), rippeers.FRRDaemons...)
	c.one.StartZebra(ours(oneAddr, "10.10.0.1", multipoint))
	c.two.StartZebra(ours(twoAddr, "10.11.0.1", pointToPoint))

	hub1, hub2 := over(ourLAN, oneAddr, "gre1"), over(ourLAN2, twoAddr, "gre1")
	fromHub := over(frrLAN, hubAddr, "Tunnel0")
	one, two := over(ourLAN2, twoAddr, "Tunnel0"), over(ourLAN, oneAddr, "Tunnel0")
	all := []want{rip(c.hub, hub1, hub2), rip(c.one, fromHub, one), rip(c.two, fromHub, two)}
	c.await(all...)

	f.Configure("no ip route " + frrLAN + " blackhole")
	c.await(rip(c.one, one), rip(c.two, two))
	f.Configure("ip route " + frrLAN + " blackhole")
	c.await(all...)
	c.one.Configure("interface Loopback1\nshutdown")
	c.await(rip(c.hub, hub2), rip(c.two, fromHub))
	c.one.Configure("interface Loopback1\nno shutdown")
	c.await(all...)
	f.Kill("ripd")
	c.await(rip(c.one), rip(c.two))
	f.Start("ripd")
	c.await(all...)
	c.decodes(oneNBMA, twoNBMA)
}
