package ospfpeers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// Converge is how long anything may take: an election, the timers of an adjacency, and
// what a loaded machine adds.
const Converge = 60 * time.Second

// Suite is who made a router.
type Suite int

// The suites: this one, FRRouting and BIRD.
const (
	Ours Suite = iota
	FRR
	BIRD
)

// Router is a router of some suite. Of Zebra, FRR and BIRD it has one, once it runs.
type Router struct {
	*harness.Node
	Suite   Suite
	ID      string   // router ID
	Links   string   // routes whose text begins with this are not compared: those to networks of links
	Daemons []string // FRR's, beside ospfd and staticd
	Zebra   *harness.Zebra
	FRR     *harness.FRR
	BIRD    *harness.BIRD
}

// Protocol is the number of its routes of OSPF in the kernel.
func (r *Router) Protocol() int {
	if r.Suite == BIRD {
		return harness.ProtocolBIRD
	}
	return harness.ProtocolNumber(rib.OSPF)
}

// Boot starts it with a configuration.
func (r *Router) Boot(config string) {
	switch r.Suite {
	case Ours:
		r.Zebra = r.StartZebra(config)
	case FRR:
		r.FRR = r.StartFRR(config, append(r.Daemons, "ospfd", "staticd")...)
	case BIRD:
		r.BIRD = r.StartBIRD(config)
	}
}

// Crash kills all of it that speaks OSPF, as kill -9; Revive starts it again.
func (r *Router) Crash() {
	switch r.Suite {
	case Ours:
		pids := r.Pids("ospfd")
		r.Zebra.Kill()
		for _, pid := range pids {
			r.KillPid(pid)
		}
	case FRR:
		r.FRR.Kill("ospfd")
	case BIRD:
		r.BIRD.Kill()
	}
}

// Revive starts it again.
func (r *Router) Revive() {
	switch r.Suite {
	case Ours:
		r.Zebra = r.RestartZebra()
	case FRR:
		r.FRR.Start("ospfd")
	case BIRD:
		r.BIRD.Start()
	}
}

// RestartFRR has an FRR restart gracefully (RFC 3623): it is told to prepare, and crashes once
// announced tells that its Grace-LSAs are on the wire and its zebra says that it keeps the
// routes. It says that it is prepared before either is so.
func (r *Router) RestartFRR(t testing.TB, announced func() error) {
	t.Helper()
	harness.Await(t, Converge, func() error { // it sends them to nobody that is not Full
		out, err := r.FRR.Vtysh("show ip ospf neighbor")
		if err == nil && !strings.Contains(out, "Full/") {
			err = fmt.Errorf("%s has no neighbour that is Full:\n%s", r.Name(), out)
		}
		return err
	})
	if out, err := r.FRR.Vtysh("graceful-restart prepare ip ospf"); err != nil {
		t.Fatal(out, err)
	}
	harness.Await(t, Converge, announced, func() error {
		out, err := r.FRR.Vtysh("show zebra client")
		if err == nil && !strings.Contains(out, "Graceful Restart(") {
			err = fmt.Errorf("%s keeps no routes:\n%s", r.Name(), out)
		}
		return err
	})
	r.Crash()
	r.Revive()
}

// Knows tells whether a kernel has exactly these routes of OSPF, besides those to networks of
// links. They are written as by [harness.Route], without a metric, or without next hops as well.
func (r *Router) Knows(want ...string) func() error {
	return func() error {
		var have []string
		for _, route := range r.RoutesOf(r.Protocol()) {
			route.Metric = 0
			text := route.String()
			if r.Links != "" && strings.HasPrefix(text, r.Links) || !strings.Contains(text, " via ") { // BIRD's own networks
				continue
			}
			if slices.Contains(want, route.Prefix.String()) {
				text = route.Prefix.String()
			}
			have = append(have, text)
		}
		want := slices.Sorted(slices.Values(want))
		slices.Sort(have)
		if diff := gocmp.Diff(want, have); diff != "" {
			return fmt.Errorf("%s: (-want +got)\n%s", r.Name(), diff)
		}
		return nil
	}
}

// Database is a line for each LSA that a router has: its identity, sequence number and
// checksum. What is flushed, and not yet forgotten, is left out: FRR takes a minute.
func (r *Router) Database() ([]string, error) {
	var out string
	var err error
	switch r.Suite {
	case Ours:
		out, err = r.Vtysh("show ip ospf database")
	case FRR:
		out, err = r.FRR.Vtysh("show ip ospf database")
	case BIRD:
		out, err = r.BIRD.Birdc("show ospf lsadb")
	}
	var lsas []string
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if r.Suite == BIRD && len(f) == 6 && len(f[3]) == 8 { // type, ID, router, sequence number, age, checksum
			f = []string{f[1], f[2], f[4], f[3], f[5]}
		}
		if len(f) < 5 || strings.Count(f[0], ".") != 3 || strings.Count(f[1], ".") != 3 || f[2] == "3600" {
			continue
		}
		hex := func(s string) string { return strings.TrimLeft(strings.TrimPrefix(strings.ToLower(s), "0x"), "0") }
		lsas = append(lsas, fmt.Sprintf("%s of %s: %s %s", f[0], f[1], hex(f[3]), hex(f[4])))
	}
	slices.Sort(lsas)
	return lsas, err
}

// SameDatabases tells whether all routers have the same LSAs.
func SameDatabases(routers ...*Router) func() error {
	return func() error {
		first, err := routers[0].Database()
		if err != nil || len(first) == 0 {
			return cmp.Or(err, fmt.Errorf("%s has no LSAs", routers[0].Name()))
		}
		for _, r := range routers[1:] {
			other, err := r.Database()
			if err != nil {
				return err
			}
			if diff := gocmp.Diff(first, other); diff != "" {
				return fmt.Errorf("databases: (-%s +%s)\n%s", routers[0].Name(), r.Name(), diff)
			}
		}
		return nil
	}
}
