package core

import (
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// TestSameConfiguration: the same configuration, and the same state of a link, change
// nothing.
func TestSameConfiguration(t *testing.T) {
	l, a, _ := secure(t, AuthenticationSHA256, oneKey)
	a.instance().Stub = &Stub{Connected: true, LeakMap: "M"}
	a.iface("Eth0").Summaries = []Summary{{Prefix: prefix("10.1.0.0/16")}}
	l.start()
	l.advance(10 * time.Second)
	a.take()
	stub := *a.instance().Stub
	a.instance().Stub = &stub
	a.cfg.Policy = policytest.Parse(t, oneKey)
	a.iface("Eth0").Summaries = []Summary{{Prefix: prefix("10.1.0.0/16")}}
	a.configure()
	a.step(InterfaceChanged{a.link["Eth0"]})
	if out := a.take(); len(out) > 0 {
		t.Errorf("%#v", out)
	}
}

// TestQuietChanges: what IOS resets neighbours for, and what it does not, changes here
// without a reset.
func TestQuietChanges(t *testing.T) {
	for name, change := range map[string]func(*InstanceConfig, *InterfaceConfig){
		"summary":   func(_ *InstanceConfig, i *InterfaceConfig) { i.Summaries = []Summary{{Prefix: prefix("10.1.0.0/16")}} },
		"next hop":  func(_ *InstanceConfig, i *InterfaceConfig) { i.NoNextHopSelf = true },
		"split":     func(_ *InstanceConfig, i *InterfaceConfig) { i.NoSplitHorizon = true },
		"bandwidth": func(_ *InstanceConfig, i *InterfaceConfig) { i.BandwidthPercent = 20 },
		"hello":     func(_ *InstanceConfig, i *InterfaceConfig) { i.Hello, i.Hold = 2*time.Second, 6*time.Second },
		"variance":  func(ic *InstanceConfig, _ *InterfaceConfig) { ic.Variance = 2 },
		"distance":  func(ic *InstanceConfig, _ *InterfaceConfig) { ic.InternalDistance = 91 },
		"active":    func(ic *InstanceConfig, _ *InterfaceConfig) { ic.ActiveTime = time.Minute },
		"router id": func(ic *InstanceConfig, _ *InterfaceConfig) { ic.RouterID = addr("10.1.0.1") }, // which it has
		"more nets": func(ic *InstanceConfig, _ *InterfaceConfig) {
			ic.Networks = append(everywhere, policy.Wildcard{Addr: 1})
		},
		"default":    func(ic *InstanceConfig, _ *InterfaceConfig) { ic.Default.Passive = true },
		"redistrib.": func(ic *InstanceConfig, _ *InterfaceConfig) { ic.Redistribute = []Redistribute{{Protocol: rib.Static}} },
	} {
		t.Run(name, func(t *testing.T) {
			l, a, b := pair(t)
			a.iface("Eth0")
			a.iface("Eth1")
			l.start()
			l.advance(10 * time.Second)
			a.said()
			b.said()
			change(a.instance(), a.iface("Eth0"))
			a.configure()
			l.advance(30 * time.Second)
			same(t, "log of a", a.said())
			same(t, "log of b", b.said())
		})
	}
}

// TestHelloInterval: a changed interval holds from the next Hello on, and a shorter one
// at once.
func TestHelloInterval(t *testing.T) {
	l, a, _ := pair(t)
	a.iface("Eth0").Hello, a.iface("Eth0").Hold = time.Minute, 3*time.Minute
	l.start()
	l.advance(2 * time.Second)
	sent := func() uint64 {
		return a.query(Query{Kind: ReportInterfaces}).(*InterfaceReport).Instances[0].Interfaces[0].HelloSent
	}
	before := sent()
	l.advance(30 * time.Second)
	if n := sent() - before; n != 0 {
		t.Errorf("%d Hellos in 30 s of 60", n)
	}
	a.iface("Eth0").Hello = time.Second
	a.configure()
	before = sent()
	l.advance(10 * time.Second)
	if n := sent() - before; n < 10 || n > 12 {
		t.Errorf("%d Hellos in 10 s", n)
	}
}

// TestShutdownInstance: `shutdown` ends an instance with a goodbye and without a trace,
// and its end brings it back.
func TestShutdownInstance(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.advance(3 * time.Second)
	a.said()
	b.instance().Shutdown = true
	b.configure()
	l.advance(time.Second)
	same(t, "log", a.said(), downB("Interface Goodbye received"))
	same(t, "routes of b", b.routes())
	if len(b.heard) > 0 {
		t.Errorf("listens to %v", b.heard)
	}
	if at, ok := b.core.Wake(); ok {
		t.Errorf("wants to be woken at %v", at)
	}
	b.instance().Shutdown = false
	b.configure()
	l.advance(3 * time.Second)
	same(t, "log", a.said(), upB)
	same(t, "routes of b", b.routes(), "10.1.0.0/24 [90/30720] 10.0.0.1,Eth0")
}

// TestLinkDown: the neighbours of an interface that goes down are gone at once.
func TestLinkDown(t *testing.T) {
	l, a, _ := pair(t)
	l.start()
	l.advance(3 * time.Second)
	a.said()
	a.edit("Eth0", setDown)
	same(t, "log", a.said(), downB("interface down"))
	same(t, "routes", a.routes())
	a.edit("Eth0", setUp)
	l.advance(6 * time.Second)
	if logs := a.said(); len(logs) == 0 || logs[len(logs)-1] != upB {
		t.Errorf("log: %q", logs)
	}
	a.said()
	a.edit("Eth0", func(x *rib.Interface) { x.Addresses[0].Prefix = prefix("10.0.0.9/24") })
	same(t, "log of another address", a.said(), downB("interface down"))
	l.advance(6 * time.Second)
	a.said()
	a.edit("Eth0", func(x *rib.Interface) { x.Delay, x.Bandwidth = 100, 1000 })
	same(t, "log of another metric", a.said())
	a.step(InterfaceGone{Name: "Eth0"})
	same(t, "log of its removal", a.said(), downB("interface down"))
}

// TestPassive: an interface that becomes passive has no neighbours any more, and its
// network is told of still.
func TestPassive(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.advance(3 * time.Second)
	a.said()
	a.iface("Eth0").Passive = true
	a.configure()
	same(t, "log", a.said(), downB("interface down"))
	l.advance(20 * time.Second)
	same(t, "neighbours of a", a.neighbors())
	same(t, "neighbours of b", b.neighbors())
	a.iface("Eth0").Passive = false
	a.configure()
	l.advance(6 * time.Second)
	same(t, "neighbours of a", a.neighbors(), "10.0.0.2 Eth0")
}
