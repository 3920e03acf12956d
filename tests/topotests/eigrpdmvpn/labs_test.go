package eigrpdmvpn

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/labs"
)

// TestMain lets the clouds run side by side, also where there is one CPU: they wait
// for timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.Main(m)
}

// lab adds to a lab what this package looks at.
type lab struct{ *labs.Lab }

func build(t *testing.T, number int) lab { return lab{labs.Build(t, number, labs.WithoutCrypto)} }

// within is how long news of a route may take where nobody has to time out, and
// slowWithin what a test still believes: several User-Mode Linuxes may share a CPU.
const (
	within     = time.Second
	slowWithin = 10 * within
)

// withdrawn does something and measures how long a prefix stays in a kernel after it.
func (d lab) withdrawn(s *cloud.Site, prefix string, do func()) {
	d.T.Helper()
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
	d.T.Logf("%s lost %s within %v", s.Name(), prefix, took)
	if took > slowWithin {
		d.T.Errorf("%s lost %s after %v, want %v", s.Name(), prefix, took, within)
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
func (d lab) wire() {
	d.T.Helper()
	var wires []*harness.Capture
	for _, s := range d.Sites {
		if out := s.MustVtysh("show logging"); strings.Contains(out, "GRE packets from "+s.NBMA) {
			d.T.Errorf("%s takes its own packets for somebody else's:\n%s", s.Name(), out)
		}
		s.WAN.Stop()
		wires = append(wires, s.WAN)
		if l := s.WAN.Frames(func(f harness.Frame) bool { return f.IP && f.Src.String() == s.NBMA && f.Dst.IsMulticast() }); len(l) > 0 {
			d.T.Errorf("%d packets left %s with no station as destination: %v", len(l), s.Name(), l[0])
		}
	}
	if err := harness.CheckDissected("eigrp", 10, wires...); err != nil {
		d.T.Errorf("%v", err)
	}
}
