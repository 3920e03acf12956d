package ipsecdmvpn

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/labs"
)

// TestMain lets the clouds run side by side, also where there is one CPU: they wait
// for timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "2"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.MainConfig(m, harness.Config{IPsec: true})
}

// lab adds to a lab what this package looks at.
type lab struct{ *labs.Lab }

func build(t *testing.T, number int) lab {
	d := lab{labs.Build(t, number, labs.Whole)}
	t.Cleanup(func() {
		if t.Failed() {
			d.tell()
		}
	})
	return d
}

// tell keeps what the routers say of encryption.
func (d lab) tell() {
	for _, s := range d.Sites {
		for _, command := range []string{"show crypto ikev2 sa detailed", "show crypto ipsec sa", "show crypto socket", "show dmvpn detail"} {
			out, err := s.Vtysh(command)
			d.T.Logf("%s# %s: %v\n%s", s.Name(), command, err, out)
		}
	}
}

// protoGRE is the protocol number of GRE.
const protoGRE = 47

// clear matches what must not be: GRE, also fragments of it.
func clear(f harness.Frame) bool { return f.IP && f.Protocol == protoGRE }

// guarded looks whether a packet passed in clear.
func (d lab) guarded() {
	d.T.Helper()
	for i, c := range d.Provider {
		if l := c.Frames(clear); len(l) > 0 {
			d.T.Errorf("%d packets passed %s in clear, the first is %v", len(l), d.Sites[i].Name(), l[0])
		}
	}
}

// encrypted tells whether packets pass between two sites as ESP, in both directions.
func (d lab) encrypted(a, b *cloud.Site) func() error {
	return func() error {
		var errs []error
		for _, way := range [][2]*cloud.Site{{a, b}, {b, a}} {
			n := 0
			for _, c := range d.Provider {
				n += c.Count(harness.All(harness.IsESP, harness.Between(way[0].NBMA, way[1].NBMA)))
			}
			if n == 0 {
				errs = append(errs, fmt.Errorf("no ESP from %s to %s", way[0].Name(), way[1].Name()))
			}
		}
		return errors.Join(errs...)
	}
}

// errNothing is what is said of a capture without what is looked for.
var errNothing = errors.New("nothing passed")

// ready tells whether a router has established IKE SAs with these.
func ready(s *cloud.Site, others ...*cloud.Site) func() error {
	return func() error {
		out, err := s.Vtysh("show crypto ikev2 sa")
		if err != nil {
			return err
		}
		for _, o := range others {
			if !slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool {
				w := strings.Fields(line)
				return len(w) == 5 && w[1] == s.NBMA+"/500" && w[2] == o.NBMA+"/500" && w[4] == "READY"
			}) {
				return fmt.Errorf("%s has no IKE SA with %s that is ready:\n%s", s.Name(), o.Name(), out)
			}
		}
		return nil
	}
}
