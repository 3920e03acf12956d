package eigrpdmvpn

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
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

//go:embed labs.txtar
var labs []byte

// aliases say which devices of the topology the labs' interfaces are.
const aliases = "interface-alias GigabitEthernet1 wan\ninterface-alias GigabitEthernet2 lan\n"

// config is the configuration of a router in a lab.
func config(lab int, router string) string {
	parts := map[string]string{}
	for _, f := range txtar.Parse(labs).Files {
		parts[f.Name] = string(f.Data)
	}
	text := aliases + parts["u/"+router]
	if lab < 3 {
		text += parts["e/"+router]
	}
	return withoutCrypto(text + parts[fmt.Sprintf("%d/%s", lab, router)])
}

// withoutCrypto leaves out what is about encryption.
func withoutCrypto(config string) string {
	var b strings.Builder
	for line := range strings.Lines(config) {
		if !strings.Contains(line, "tunnel protection") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// trio is a hub with two spokes.
type trio struct {
	*cloud.Cloud
	t                   *testing.T
	hub, spoke1, spoke2 *cloud.Site
}

// build starts the routers of a lab.
func build(t *testing.T, lab int) *trio {
	c := cloud.New(t)
	d := &trio{Cloud: c, t: t, hub: c.Add("hub", "192.0.2.1", "172.31.0.1", 10),
		spoke1: c.Add("spoke1", "198.51.100.1", "172.31.0.11", 11), spoke2: c.Add("spoke2", "203.0.113.1", "172.31.0.12", 12)}
	c.Start(func(s *cloud.Site) string { return config(lab, s.Name()) })
	return d
}

// eigrp tells whether a kernel has exactly these routes of EIGRP.
func eigrp(s *cloud.Site, want ...string) func() error {
	return func() error { return s.HasRoutes(harness.ProtocolNumber(rib.EIGRP), want...) }
}

// via is a route to a prefix by way of a site.
func via(prefix string, hop *cloud.Site) string {
	return fmt.Sprintf("%s via %s dev Tunnel0", prefix, hop.Tunnel)
}

const (
	summary = "10.0.0.0/8"
	discard = "blackhole 10.0.0.0/8"
)

// says tells whether the output of a command has all of these lines, but for spaces
// and for times, which are written 00:00:00.
func says(s *cloud.Site, command string, lines ...string) func() error {
	return func() error {
		out, err := s.Vtysh(command)
		if err != nil {
			return err
		}
		have := map[string]bool{}
		for line := range strings.Lines(out) {
			have[plain(line)] = true
		}
		for _, line := range lines {
			if !have[plain(line)] {
				return fmt.Errorf("%s of %s does not say %q:\n%s", command, s.Name(), line, out)
			}
		}
		return nil
	}
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

// adjacent tells whether the neighbours of a site are exactly these, and up.
func adjacent(s *cloud.Site, others ...*cloud.Site) func() error {
	var list []string
	for _, o := range others {
		list = append(list, fmt.Sprintf(`{"address": "%s", "interface": "Tunnel0", "state": "up"}`, o.Tunnel))
	}
	return func() error {
		return s.ShowJSON("show ip eigrp neighbors", fmt.Sprintf(`{"instances": [{"as": 100, "neighbors": [%s]}]}`, strings.Join(list, ", ")))
	}
}

// within is how long news of a route may take where nobody has to time out, and
// slowWithin what a test still believes: several User-Mode Linuxes may share a CPU.
const (
	within     = time.Second
	slowWithin = 10 * within
)

// withdrawn does something and measures how long a prefix stays in a kernel after it.
func (d *trio) withdrawn(s *cloud.Site, prefix string, do func()) {
	d.t.Helper()
	watch := s.WatchRoutes(harness.ProtocolNumber(rib.EIGRP))
	defer watch.Stop()
	began := time.Now()
	do()
	var took time.Duration
	d.Await(func() error {
		changes, err := watch.Changes()
		for _, c := range changes {
			if c.Removed && c.Route.Prefix.String() == prefix {
				took = c.At.Sub(began)
				return err
			}
		}
		return errors.Join(err, fmt.Errorf("%s still has %s", s.Name(), prefix))
	})
	d.t.Logf("%s lost %s within %v", s.Name(), prefix, took)
	if took > slowWithin {
		d.t.Errorf("%s lost %s after %v, want %v", s.Name(), prefix, took, within)
	}
}

// opcode matches EIGRP packets of a type, in GRE or not.
func opcode(o packet.Opcode) harness.Match {
	return func(f harness.Frame) bool {
		in := f.Inner()
		if !in.IP || in.Protocol != packet.Protocol {
			return false
		}
		m, err := packet.Parse(in.Payload)
		return err == nil && m.Opcode == o
	}
}

// wire looks at all that passed the uplinks: nothing has a group as its outer
// destination, tshark has nothing to say about EIGRP, and no router wonders about
// packets of its own.
func (d *trio) wire() {
	d.t.Helper()
	var wires []*harness.Capture
	for _, s := range d.Sites {
		if out := s.MustVtysh("show logging"); strings.Contains(out, "GRE packets from "+s.NBMA) {
			d.t.Errorf("%s takes its own packets for somebody else's:\n%s", s.Name(), out)
		}
		s.WAN.Stop()
		wires = append(wires, s.WAN)
		if l := s.WAN.Frames(func(f harness.Frame) bool { return f.IP && f.Src.String() == s.NBMA && f.Dst.IsMulticast() }); len(l) > 0 {
			d.t.Errorf("%d packets left %s with no station as destination: %v", len(l), s.Name(), l[0])
		}
	}
	if err := harness.CheckDissected("eigrp", 10, wires...); err != nil {
		d.t.Error(err)
	}
}
