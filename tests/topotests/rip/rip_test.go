package rip_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestMain has the tests run side by side: they wait for updates most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	harness.MainConfig(m, harness.Config{Ethernet: true})
}

// converge is how long anything may take: some updates, and what a loaded machine
// adds.
const converge = 60 * time.Second

// protocol is the number of RIP's routes in the kernel.
var protocol = harness.ProtocolNumber(rib.RIP)

// router is a node with its zebra.
type router struct {
	*harness.Node
	zebra *harness.Zebra
}

// start starts all routers at once, each with its configuration, and waits for all.
func start(t *testing.T, configs map[*router]string) {
	t.Helper()
	for r, config := range configs {
		if err := os.WriteFile(filepath.Join(r.Rundir(), "godmvpn.conf"), []byte(config), 0o640); err != nil {
			t.Fatal(err)
		}
		r.zebra = r.LaunchZebra()
	}
	for r := range configs {
		r.zebra.WaitReady()
	}
}

// tables is what the kernels should have of RIP.
type tables map[*router][]string

// check compares the kernels with it.
func (want tables) check() error {
	for r, routes := range want {
		if err := r.HasRoutes(protocol, routes...); err != nil {
			return err
		}
	}
	return nil
}

// wait waits until the kernels are so.
func (want tables) wait(t *testing.T, limit time.Duration) {
	t.Helper()
	harness.Eventually(t, limit, want.check)
}

// daemonPid returns the process number of ripd, by zebra's word.
func (r *router) daemonPid() (int, error) {
	v, err := r.JSON("show daemons")
	if err != nil {
		return 0, err
	}
	for _, d := range v.(map[string]any)["daemons"].([]any) {
		row := d.(map[string]any)
		if row["name"] == "ripd" && row["state"] == "running" {
			return int(row["pid"].(float64)), nil
		}
	}
	return 0, errors.New("ripd is not running")
}

// from matches RIP sent by an address; "" stands for any.
func from(addr string) harness.Match {
	return harness.All(harness.IsUDP(packet.Port), harness.Between(addr, ""))
}

// messages decodes the RIP messages of a capture that match.
func messages(t *testing.T, c *harness.Capture, m harness.Match) []*packet.Message {
	t.Helper()
	var out []*packet.Message
	for _, f := range c.Frames(harness.All(harness.IsUDP(packet.Port), m)) {
		msg, err := packet.Parse(f.UDP())
		if err != nil {
			t.Errorf("%v: %v\n%x", f, err, f.UDP())
			continue
		}
		out = append(out, msg)
	}
	return out
}
