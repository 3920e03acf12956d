package cli_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// The configurations of three clouds as engineers paste them, without IPsec: phase 1
// with a summary, phase 2 with next hops kept, phase 3 in named mode.

// net24 is the set of the addresses of a /24.
func net24(a, b, c uint32) policy.Wildcard {
	return policy.Wildcard{Addr: a<<24 | b<<16 | c<<8, Bits: 255}
}

// labs has what each configuration means.
func labs() map[string]core.InstanceConfig {
	classic := core.InstanceConfig{Key: core.Key{Family: rib.IPv4, AS: 100}, Default: core.InterfaceConfig{Passive: true}}
	hub, spoke := classic, classic
	hub.RouterID, hub.Networks = addr("172.31.0.1"), []policy.Wildcard{net24(10, 10, 0), net24(172, 31, 0)}
	spoke.RouterID, spoke.Networks = addr("172.31.0.11"), []policy.Wildcard{net24(10, 11, 0), net24(172, 31, 0)}
	spoke.Stub = &core.Stub{Connected: true}
	tunnel := func(in core.InstanceConfig, c core.InterfaceConfig) core.InstanceConfig {
		c.Name = "Tunnel0"
		in.Interfaces = []core.InterfaceConfig{c}
		return in
	}
	summary := []core.Summary{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}}
	named := func(in core.InstanceConfig) core.InstanceConfig { in.Name = "DMVPN"; return in }
	slow := core.InterfaceConfig{Hello: 20 * time.Second, Hold: time.Minute}
	slowSummary := slow
	slowSummary.Summaries = summary
	return map[string]core.InstanceConfig{
		"lab1-hub":    tunnel(hub, core.InterfaceConfig{Summaries: summary}),
		"lab1-spoke1": tunnel(spoke, core.InterfaceConfig{}),
		"lab2-hub":    tunnel(hub, core.InterfaceConfig{NoSplitHorizon: true, NoNextHopSelf: true}),
		"lab2-spoke1": tunnel(spoke, core.InterfaceConfig{}),
		"lab3-hub":    tunnel(named(hub), slowSummary),
		"lab3-spoke1": tunnel(named(spoke), slow),
	}
}

func lab(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".conf"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLabsAreRead(t *testing.T) {
	for name, want := range labs() {
		cfg := load(t, lab(t, name))
		if diff := cmp.Diff([]core.InstanceConfig{want}, cfg.Instances, comparable...); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// unprinted are lines of the labs that say what is so anyway.
var unprinted = []string{"no ip redirects", "no shutdown", "ip nhrp map multicast dynamic", "ip nhrp shortcut"}

func TestLabsArePrintedUnchanged(t *testing.T) {
	for name := range labs() {
		var want []string
		for line := range strings.Lines(lab(t, name)) {
			if !slices.Contains(unprinted, strings.TrimSpace(line)) {
				want = append(want, line)
			}
		}
		tree, errs := conf.Load(grammar(t), lab(t, name), name)
		if errs != nil {
			t.Fatal(errs)
		}
		got := strings.ReplaceAll(tree.Text(), "!\n", "")
		if diff := cmp.Diff(strings.Join(want, ""), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestLabsLineByLine pastes them into a terminal: what is there after each line must
// be accepted.
func TestLabsLineByLine(t *testing.T) {
	g := grammar(t)
	for name := range labs() {
		tree, path := &conf.Tree{}, conf.Path(nil)
		for line := range strings.Lines(lab(t, name)) {
			m, err := g.Parse(path.Stack(), strings.TrimSuffix(line, "\n"))
			if err != nil {
				t.Fatalf("%s: %s", name, err.Report())
			}
			if _, err := tree.Apply(path, m); err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			path = path.Next(m)
			if _, errs := cli.Read(tree.Filter(cli.Owner, policy.SharedIDs()...)); errs != nil {
				t.Errorf("%s: after %q: %v", name, line, errs)
			}
		}
	}
}
