package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/lab1"
)

// keep builds the cloud, shows it, and keeps it up until it is told to end by
// SIGTERM.
func keep() int {
	// Who listens goes when all is up: writing must not end this program then. (To
	// ignore the signal would make all children ignore it.)
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	d, err := open()
	if err != nil {
		return report(err)
	}
	lock, err := d.acquire()
	if err != nil {
		return report(err)
	}
	defer lock.Close()
	defer os.RemoveAll(d.path)
	if err := d.sweep(); err != nil {
		return report(err)
	}
	os.Setenv(DirectoryVariable, d.inside())
	status, elsewhere := harness.Enter(harness.Config{Socket: d.socket(), Limit: -1,
		Message: func(s string) { say(strings.TrimPrefix(s, "harness: ")) }})
	if elsewhere {
		return status
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	c := &cloud{ctx: ctx, layer: "start"}
	status = harness.Program("demo", func(t harness.TB) { c.run(t, d) })
	switch {
	case status != 0:
		fmt.Fprintf(os.Stderr, "demo: the layer that failed: %s. All of it was ended.\n", c.layer)
	case !c.up:
		status = 1 // interrupted
	}
	return status
}

// say tells of a step.
func say(format string, args ...any) { fmt.Printf(stepMark+format+"\n", args...) }

// cloud is the cloud while it is built and shown.
type cloud struct {
	ctx   context.Context
	t     harness.TB
	layer string // what is being brought up
	up    bool
	lab   *lab1.Cloud
	wan   *harness.Capture // spoke1's
}

// errEnd is thrown through the building when it is told to end.
var errEnd = errors.New("told to end")

// run does all, one layer above the other.
func (c *cloud) run(t harness.TB, d directory) {
	defer func() {
		if r := recover(); r != nil && r != any(errEnd) {
			panic(r)
		}
	}()
	c.t = t
	c.begin("underlay", "underlay: the provider's router, three routers, a host behind each")
	c.lab = lab1.Build(harness.New(t, harness.Directory(d.path), harness.Named(d.prefix())))
	c.wan = c.lab.Spoke1.Capture("wan")
	c.routers()
	c.registrations()
	c.begin("forwarding from the LANs to the hub's", "waiting for the first packets from the LANs to the hub's")
	for _, host := range []*harness.Node{c.lab.LAN1, c.lab.LAN2} {
		c.wait(forwardLimit, func() error { return host.Reaches(lan0) })
	}
	c.begin("what is shown", "all is up; this is what it looks like")
	c.tour()
	c.wan.Stop()
	c.up = true
	fmt.Println(upMark)
	<-c.ctx.Done()
}

// Limits of the waits.
const (
	registerLimit = (60 + 64) * time.Second // who began long before the hub asks again after up to 64 s
	forwardLimit  = 20 * time.Second
)

// begin begins a layer, and tells of it.
func (c *cloud) begin(layer, step string) {
	c.layer = layer
	c.check()
	say("%s", step)
}

// check stops the building when it was told to end.
func (c *cloud) check() {
	if c.ctx.Err() != nil {
		panic(errEnd)
	}
}

// wait polls f; it does not wait longer than until the end.
func (c *cloud) wait(limit time.Duration, f func() error) {
	err := harness.Poll(limit, func() error {
		if c.ctx.Err() != nil {
			return nil
		}
		return f()
	})
	c.check()
	if err != nil {
		c.t.Fatalf("%s: not within %v: %v", c.layer, limit, err)
	}
}

// routers starts a zebra on each router, all at once.
func (c *cloud) routers() {
	c.begin("zebra", "starting zebra on hub, spoke1 and spoke2")
	var zebras []*harness.Zebra
	for _, r := range c.lab.Routers() {
		file := filepath.Join(r.Rundir(), "godmvpn.conf")
		if err := os.WriteFile(file, []byte(lab1.Phase3(r.Name())), 0o640); err != nil {
			c.t.Fatalf("configuration of %s: %v", r.Name(), err)
		}
		zebras = append(zebras, r.LaunchZebra())
	}
	for i, r := range c.lab.Routers() {
		c.layer = "zebra on " + r.Name()
		zebras[i].WaitReady()
		c.check()
		say("%s: zebra is ready, it runs %s", r.Name(), c.daemons(r))
	}
}

// daemons names what runs under a router's zebra.
func (c *cloud) daemons(r *harness.Node) string {
	v, err := r.JSON("show daemons")
	if err != nil {
		c.t.Fatalf("%s: %v", r.Name(), err)
	}
	var names []string
	table, _ := v.(map[string]any)
	rows, _ := table["daemons"].([]any)
	for _, row := range rows {
		if m, _ := row.(map[string]any); m["state"] == "running" {
			names = append(names, fmt.Sprint(m["name"]))
		}
	}
	if len(names) == 0 {
		return "no daemon yet"
	}
	return strings.Join(names, ", ")
}

// registrations waits until the spokes have registered, in their words and in the
// hub's.
func (c *cloud) registrations() {
	for _, spoke := range []*harness.Node{c.lab.Spoke1, c.lab.Spoke2} {
		c.layer = "NHRP registration of " + spoke.Name()
		c.wait(registerLimit, func() error {
			return spoke.ShowJSON("show ip nhrp nhs", `{"servers": [{"address": "172.31.0.1", "up": true}]}`)
		})
		say("%s: registered at the hub by NHRP", spoke.Name())
	}
	c.layer = "NHRP cache of the hub"
	c.wait(registerLimit, func() error {
		return c.lab.Hub.ShowJSON("show dmvpn", `{"interfaces": [{"peers": [
			{"tunnel": "172.31.0.11", "state": "UP"}, {"tunnel": "172.31.0.12", "state": "UP"}]}]}`)
	})
}
