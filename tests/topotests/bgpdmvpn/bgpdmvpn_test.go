package bgpdmvpn

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestMain lets the clouds run side by side, also where there is one CPU: they wait
// for timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.MainConfig(m, harness.Config{Memory: "2G"})
}

// protocol is the number of BGP's routes in the kernel.
var protocol = harness.ProtocolNumber(rib.BGP)

// Lines of Tunnel0.
const (
	hubLines   = cloud.NHRP + cloud.Multipoint + cloud.Key
	spokeLines = cloud.NHRP + cloud.Quick + cloud.Multipoint + cloud.Key
)

// Lines of router bgp: of every one, and of those that are killed. Without the latter a
// router that is cut off is given up when the hold time is over.
const (
	process  = " timers bgp 3 15\n"
	graceful = " bgp graceful-restart\n bgp graceful-restart restart-time 60\n"
)

// hubBGP is a hub's router bgp: spokes come from the cloud's network; lines are further
// ones.
func hubBGP(s *cloud.Site, as int, lines string) string {
	return fmt.Sprintf("router bgp %d\n%s bgp listen range 172.31.0.0/24 peer-group SPOKES\n neighbor SPOKES peer-group\n%s%s", as, process, lines, network(s.LAN))
}

// spokeBGP is a spoke's router bgp, with these hubs.
func spokeBGP(s *cloud.Site, as, hubAS int, lines string, hubs ...*cloud.Site) string {
	out := fmt.Sprintf("router bgp %d\n%s", as, process)
	for _, h := range hubs {
		out += fmt.Sprintf(" neighbor %s remote-as %d\n", h.Tunnel, hubAS)
	}
	return out + lines + network(s.LAN)
}

func network(lan string) string {
	return fmt.Sprintf(" network %s mask 255.255.255.0\n", strings.TrimSuffix(lan, "/24"))
}

// via is a route to a site's LAN by another's tunnel.
func via(to, by *cloud.Site) string { return to.LAN + " via " + by.Tunnel + " dev Tunnel0" }

// routes tells whether the kernel of a site has exactly these routes of BGP.
func routes(s *cloud.Site, want ...string) func() error {
	return func() error { return s.HasRoutes(protocol, want...) }
}

// says tells whether what a command prints has these texts, whatever is between words.
func says(s *cloud.Site, command string, texts ...string) func() error {
	return func() error {
		out, err := s.Vtysh(command)
		plain := strings.Join(strings.Fields(out), " ")
		for _, text := range texts {
			if err == nil && !strings.Contains(plain, text) {
				err = fmt.Errorf("%q of %s does not have %q:\n%s", command, s.Name(), text, out)
			}
		}
		return err
	}
}

// fresh tells whether nothing of a site's routes and paths is left from before a restart,
// its own or a neighbour's.
func fresh(s *cloud.Site, commands ...string) func() error {
	return func() error {
		for _, command := range append(commands, "show ip route", "show ip bgp") {
			v, err := s.JSON(command)
			if err != nil {
				return err
			}
			if strings.Contains(fmt.Sprint(v), "stale:true") {
				return fmt.Errorf("%s of %s has stale ones: %v", command, s.Name(), v)
			}
		}
		return nil
	}
}

// trio is a hub and two spokes.
type trio struct {
	*cloud.Cloud
	hub, spoke1, spoke2 *cloud.Site
}

func newTrio(t *testing.T) *trio {
	t.Helper()
	tr := &trio{Cloud: cloud.New(t)}
	tr.hub = tr.Add("hub", "192.0.2.1", "172.31.0.1", 10)
	tr.spoke1 = tr.Add("spoke1", "198.51.100.1", "172.31.0.11", 11)
	tr.spoke2 = tr.Add("spoke2", "203.0.113.1", "172.31.0.12", 12)
	return tr
}

// direct is what is so where the spokes are the next hops of each other's LANs.
func (tr *trio) direct() []func() error {
	return []func() error{tr.atHub(),
		routes(tr.spoke1, via(tr.hub, tr.hub), via(tr.spoke2, tr.spoke2)), routes(tr.spoke2, via(tr.hub, tr.hub), via(tr.spoke1, tr.spoke1))}
}

func (tr *trio) atHub() func() error {
	return routes(tr.hub, via(tr.spoke1, tr.spoke1), via(tr.spoke2, tr.spoke2))
}

// flow is traffic between the LANs of the spokes.
func (tr *trio) flow() *harness.Flow { return tr.spoke1.Host.Flow(tr.spoke2.HostIP, flowEvery) }

// flowEvery is the time between two packets.
const flowEvery = 20 * time.Millisecond

// victim is a daemon that is killed.
type victim struct {
	*cloud.Site
	daemon string
}

// survives kills daemons one after the other under this traffic, which it ends: no packet
// is lost nor passes the hub, and no route leaves a main table. Whole is what is so before
// and after.
func (tr *trio) survives(whole []func() error, flows []*harness.Flow, victims ...victim) {
	tr.T.Helper()
	var watches []*harness.RouteWatch
	for _, s := range tr.Sites {
		watches = append(watches, s.WatchRoutes(protocol))
		whole = append(whole, fresh(s))
	}
	tr.hub.WAN.Clear()
	for _, v := range victims {
		for _, f := range flows {
			tr.More(f, 10)
		}
		tr.KillDaemon(v.Site, v.daemon)
		tr.Within(restarted, whole...)
	}
	for i, f := range flows {
		tr.Lossless(f, fmt.Sprintf("daemons killed, flow %d", i+1))
	}
	if n := tr.hub.WAN.Count(cloud.Data(tr.spoke1, tr.spoke2)); n != 0 {
		tr.T.Errorf("%d packets passed the hub", n)
	}
	for i, w := range watches {
		if err := w.Withdrawn(); err != nil {
			tr.T.Errorf("%s: %v", tr.Sites[i].Name(), err)
		}
		w.Stop()
	}
}

// restarted is how long it may take until nothing is left from before a restart.
const restarted = 2 * cloud.Converge
