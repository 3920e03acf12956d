// Package labs builds the three labs of labs.txtar, for topology tests: a hub and two
// spokes whose configurations are pasted as they are.
//
//	lan0 10.10.0.0/24 ── HUB     192.0.2.1 ─────┐
//	lan1 10.11.0.0/24 ── SPOKE1  198.51.100.1 ──┤ inet
//	lan2 10.12.0.0/24 ── SPOKE2  203.0.113.1 ───┘
//
//	Tunnel0 172.31.0.0/24: hub .1 (mGRE), spokes .11 and .12 (point-to-point GRE in
//	lab 1, mGRE in the others)
package labs

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

//go:embed labs.txtar
var texts []byte

// aliases say which devices of the topology the labs' interfaces are.
const aliases = "interface-alias GigabitEthernet1 wan\ninterface-alias GigabitEthernet2 lan\n"

// Kind says whether a lab is pasted whole.
type Kind bool

// The kinds of labs.
const (
	Whole         Kind = true  // as it is
	WithoutCrypto Kind = false // without what is about encryption, so that captures show what passes
)

// Config is the configuration of a router in a lab of this number.
func Config(lab int, router string, kind Kind) string {
	parts := map[string]string{}
	for _, f := range txtar.Parse(texts).Files {
		parts[f.Name] = string(f.Data)
	}
	text := aliases + parts["u/"+router]
	if lab < 3 {
		text += parts["e/"+router]
	}
	own := parts[fmt.Sprintf("%d/%s", lab, router)]
	if kind == Whole {
		return text + parts["c"] + own
	}
	for line := range strings.Lines(own) {
		if !strings.Contains(line, "tunnel protection") {
			text += line
		}
	}
	return text
}

// Crypto is the part of all routers in all labs that is about encryption.
func Crypto() string {
	for _, f := range txtar.Parse(texts).Files {
		if f.Name == "c" {
			return string(f.Data)
		}
	}
	panic("labs.txtar has no part c")
}

// Protection is the line of Tunnel0 that refers to Crypto.
const Protection = " tunnel protection ipsec profile DMVPN-IPSEC\n"

// Lab is a hub with two spokes.
type Lab struct {
	*cloud.Cloud
	Hub, Spoke1, Spoke2 *cloud.Site
	Number              int

	// Provider has what the provider sees of each site, from before its start on, if the
	// lab is whole.
	Provider []*harness.Capture
}

// Build starts the routers of a lab.
func Build(t harness.TB, lab int, kind Kind) *Lab {
	c := cloud.New(t)
	d := &Lab{Cloud: c, Number: lab, Hub: c.Add("hub", "192.0.2.1", "172.31.0.1", 10),
		Spoke1: c.Add("spoke1", "198.51.100.1", "172.31.0.11", 11), Spoke2: c.Add("spoke2", "203.0.113.1", "172.31.0.12", 12)}
	if kind == Whole {
		for _, s := range c.Sites {
			d.Provider = append(d.Provider, c.Inet.Capture("to-"+s.Name()))
		}
	}
	c.Start(func(s *cloud.Site) string { return Config(lab, s.Name(), kind) })
	return d
}

// EIGRP tells whether a kernel has exactly these routes of EIGRP.
func EIGRP(s *cloud.Site, want ...string) func() error {
	return func() error { return s.HasRoutes(harness.ProtocolNumber(rib.EIGRP), want...) }
}

// Via is a route to a prefix by way of a site.
func Via(prefix string, hop *cloud.Site) string {
	return fmt.Sprintf("%s via %s dev Tunnel0", prefix, hop.Tunnel)
}

// The summary of labs 1 and 3.
const (
	Summary = "10.0.0.0/8"
	Discard = "blackhole 10.0.0.0/8"
)

// Converged is what is so in a lab that is in order: the neighbours, the kernels' routes,
// and the metrics that IOS has in the same lab.
func (d *Lab) Converged() []func() error {
	learnt := []string{Via(d.Spoke1.LAN, d.Spoke1), Via(d.Spoke2.LAN, d.Spoke2)}
	all := []func() error{Adjacent(d.Hub, d.Spoke1, d.Spoke2), Adjacent(d.Spoke1, d.Hub), Adjacent(d.Spoke2, d.Hub)}
	if d.Number == 2 {
		return append(all, EIGRP(d.Hub, learnt...),
			EIGRP(d.Spoke1, Via(d.Hub.LAN, d.Hub), learnt[1]), EIGRP(d.Spoke2, Via(d.Hub.LAN, d.Hub), learnt[0]),
			Says(d.Spoke1, "show ip route", "D 10.10.0.0/24 [90/26880256] via 172.31.0.1, 00:00:00, Tunnel0",
				"D 10.12.0.0/24 [90/28160256] via 172.31.0.12, 00:00:00, Tunnel0"))
	}
	all = append(all, EIGRP(d.Hub, append(learnt, Discard)...), EIGRP(d.Spoke1, Via(Summary, d.Hub)), EIGRP(d.Spoke2, Via(Summary, d.Hub)),
		Says(d.Hub, "show ip route", "D 10.0.0.0/8 is a summary, 00:00:00, Null0"))
	metric := map[int]string{1: "26880256", 3: "76805120"}[d.Number]
	return append(all, Says(d.Spoke1, "show ip route", "D 10.0.0.0/8 [90/"+metric+"] via 172.31.0.1, 00:00:00, Tunnel0"))
}

// Says tells whether the output of a command has all of these lines, but for spaces
// and for times, which are written 00:00:00.
func Says(s *cloud.Site, command string, lines ...string) func() error {
	return func() error {
		out, err := s.Vtysh(command)
		if err != nil {
			return err
		}
		for _, line := range lines {
			if !Line(out, line) {
				return fmt.Errorf("%s of %s does not say %q:\n%s", command, s.Name(), line, out)
			}
		}
		return nil
	}
}

// Line tells whether an output has this line, as Says compares.
func Line(output, line string) bool {
	for have := range strings.Lines(output) {
		if plain(have) == plain(line) {
			return true
		}
	}
	return false
}

// plain is a line with single spaces, and the same time for all times.
func plain(line string) string {
	words := strings.Fields(line)
	for i, w := range words {
		bare := strings.TrimSuffix(w, ",")
		if len(bare) == 8 && bare[2] == ':' && bare[5] == ':' {
			words[i] = "00:00:00" + w[8:]
		}
	}
	return strings.Join(words, " ")
}

// Adjacent tells whether the EIGRP neighbours of a site are exactly these, and up.
func Adjacent(s *cloud.Site, others ...*cloud.Site) func() error {
	var list []string
	for _, o := range others {
		list = append(list, fmt.Sprintf(`{"address": "%s", "interface": "Tunnel0", "state": "up"}`, o.Tunnel))
	}
	return func() error {
		return s.ShowJSON("show ip eigrp neighbors", fmt.Sprintf(`{"instances": [{"as": 100, "neighbors": [%s]}]}`, strings.Join(list, ", ")))
	}
}

// FlowEvery is the time between two packets of the traffic under which things happen.
const FlowEvery = 20 * time.Millisecond

// Victim is a daemon that is killed.
type Victim struct {
	Site   *cloud.Site
	Daemon string
}

// Restarted is how long it may take until nothing is left from before a restart: an eigrpd
// listens for a Hold Time, in lab 3 of a minute, to who may be a neighbour still, and
// until then its routes of before are stale.
const Restarted = time.Minute + cloud.Converge

// Survives kills one daemon after the other under traffic from LAN to LAN: no packet is
// lost, no route leaves a kernel, and then all is as before.
func (d *Lab) Survives(converged []func() error, victims ...Victim) {
	d.T.Helper()
	var watches []*harness.RouteWatch
	for _, s := range d.Sites {
		watches = append(watches, s.WatchRoutes(harness.ProtocolNumber(rib.EIGRP)))
	}
	flow := d.Spoke1.Host.Flow(d.Spoke2.HostIP, FlowEvery)
	for _, v := range victims {
		d.KillDaemon(v.Site, v.Daemon)
		d.More(flow, 20)
		d.Within(Restarted, append(converged, fresh(v.Site))...)
	}
	d.Lossless(flow, "daemons killed")
	for i, w := range watches {
		if err := w.Withdrawn(); err != nil {
			d.T.Errorf("%s: %v", d.Sites[i].Name(), err)
		}
		w.Stop()
	}
}

// fresh tells whether nothing of a site's routes is left from a life before.
func fresh(s *cloud.Site) func() error {
	return func() error {
		v, err := s.JSON("show ip route 10.0.0.0/8 longer-prefixes")
		if err == nil && strings.Contains(fmt.Sprint(v), "stale:true") {
			err = fmt.Errorf("%s has stale routes: %v", s.Name(), v)
		}
		return err
	}
}
