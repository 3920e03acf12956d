package core

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// normal fills in the defaults.
func (ic InstanceConfig) normal() InstanceConfig {
	ic.MaximumPaths = cmp.Or(ic.MaximumPaths, DefaultMaximumPaths)
	ic.Reference = cmp.Or(ic.Reference, DefaultReference)
	ic.MaxLSA = cmp.Or(ic.MaxLSA, MaxLSAs)
	ic.AdjacencyParallel = cmp.Or(ic.AdjacencyParallel, DefaultAdjacencyParallel)
	ic.Restart.Interval = cmp.Or(ic.Restart.Interval, DefaultRestartInterval)
	d := &ic.Distance
	d.Intra, d.Inter, d.External = cmp.Or(d.Intra, DefaultDistance), cmp.Or(d.Inter, DefaultDistance), cmp.Or(d.External, DefaultDistance)
	t := &ic.Timers
	if t.SPF == (Throttle{}) {
		t.SPF = Throttle{DefaultSPFStart, DefaultSPFHold, DefaultSPFMaximum}
	}
	if t.LSA == (Throttle{}) {
		t.LSA = Throttle{DefaultLSAStart, DefaultLSAHold, DefaultLSAMaximum}
	}
	t.Arrival = cmp.Or(t.Arrival, DefaultLSAArrival)
	t.FloodPacing = cmp.Or(t.FloodPacing, DefaultFloodPacing)
	t.RetransmissionPacing = cmp.Or(t.RetransmissionPacing, DefaultRetransmissionPacing)
	ic.Areas = slices.Clone(ic.Areas)
	slices.SortFunc(ic.Areas, func(a, b AreaConfig) int { return cmp.Compare(a.ID, b.ID) })
	return ic
}

// DefaultAdjacencyParallel is how many adjacencies are brought up at a time.
const DefaultAdjacencyParallel = 64

// areaConfig returns the configuration of an area, with defaults.
func (in *instance) areaConfig(id packet.ID) AreaConfig {
	ac := AreaConfig{ID: id}
	if k, ok := slices.BinarySearchFunc(in.cfg.Areas, id, func(a AreaConfig, id packet.ID) int { return cmp.Compare(a.ID, id) }); ok {
		ac = in.cfg.Areas[k]
	}
	ac.DefaultCost = cmp.Or(ac.DefaultCost, DefaultAreaCost)
	return ac
}

// networkType is the type of network by that of the interface, as on IOS.
func networkType(t rib.InterfaceType) fsm.NetworkType {
	if t == rib.TypeTunnel || t == rib.TypePointToPoint {
		return fsm.PointToPoint
	}
	return fsm.Broadcast
}

// normal fills in the defaults of an interface in an area.
func (ic InterfaceConfig) normal(in *instance, area AreaConfig) InterfaceConfig {
	if ic.Priority == nil {
		p := uint8(DefaultPriority)
		ic.Priority = &p
	}
	if ic.HelloPerSecond > 0 {
		ic.Dead, ic.Hello = time.Second, time.Second/time.Duration(ic.HelloPerSecond)
	}
	if ic.Hello == 0 {
		ic.Hello = DefaultHello
		if ic.Type == fsm.NonBroadcast || ic.Type == fsm.PointToMultipoint {
			ic.Hello = DefaultHelloSlow
		}
	}
	ic.Dead = cmp.Or(ic.Dead, DefaultDeadMultiplier*ic.Hello)
	ic.Retransmit = cmp.Or(ic.Retransmit, DefaultRetransmit)
	ic.RetransmitWindow = cmp.Or(ic.RetransmitWindow, DefaultRetransmitWindow)
	ic.TransmitDelay = cmp.Or(ic.TransmitDelay, DefaultTransmitDelay)
	if ic.PrefixSuppression == nil {
		ic.PrefixSuppression = &in.cfg.PrefixSuppression
	}
	ic.FloodReduction = ic.FloodReduction || in.cfg.FloodReduction
	if ic.Authentication == AuthenticationUnset {
		ic.Authentication = cmp.Or(area.Authentication, AuthenticationNull)
	}
	return ic
}

// ifaceConfig returns what the lines of an interface say.
func (c *Core) ifaceConfig(name string) InterfaceConfig {
	if k, ok := slices.BinarySearchFunc(c.cfg.Interfaces, name, func(x InterfaceConfig, name string) int { return cmp.Compare(x.Name, name) }); ok {
		return c.cfg.Interfaces[k]
	}
	return InterfaceConfig{Name: name}
}

// configure takes a whole configuration and changes what differs.
func (c *Core) configure(now clock.Instant, cfg Config) {
	same := reflect.DeepEqual(c.policy, cfg.Policy) && reflect.DeepEqual(c.cfg.Interfaces, cfg.Interfaces)
	c.policy = cfg.Policy
	cfg.Interfaces = slices.Clone(cfg.Interfaces)
	slices.SortFunc(cfg.Interfaces, func(a, b InterfaceConfig) int { return cmp.Compare(a.Name, b.Name) })
	c.cfg = cfg
	want := slices.Clone(cfg.Instances)
	slices.SortFunc(want, func(a, b InstanceConfig) int { return compareKeys(a.Key, b.Key) })
	for _, in := range slices.Clone(c.order) {
		if !slices.ContainsFunc(want, func(ic InstanceConfig) bool { return ic.Key == in.key }) {
			in.end(now)
			c.emit(Forget{Key: in.key})
			delete(c.instances, in.key)
			c.order = slices.DeleteFunc(c.order, func(o *instance) bool { return o == in })
		}
	}
	for _, ic := range want {
		in := c.instances[ic.Key]
		if in == nil {
			in = newInstance(c, ic.Key)
			c.instances[ic.Key] = in
			at, _ := slices.BinarySearchFunc(c.order, ic.Key, func(in *instance, k Key) int { return compareKeys(in.key, k) })
			c.order = slices.Insert(c.order, at, in)
		}
		in.configure(now, ic.normal(), same)
	}
	c.replay.config = true
	c.work(now)
	c.listenAll()
}

// configure takes the configuration of the instance over. same says that the lines of
// interfaces and what a list, a route-map or a key chain says are as before.
func (in *instance) configure(now clock.Instant, cfg InstanceConfig, same bool) {
	old := in.cfg
	in.cfg = cfg
	switch {
	case !in.on && in.core.replay.atWork:
		in.begin(now)
		return
	case !in.on:
		return
	case cfg.Shutdown || cfg.RouterID != old.RouterID && cfg.RouterID.IsValid() && packet.IDOf(cfg.RouterID) != in.id:
		in.end(now)
		in.begin(now)
		return
	case same && reflect.DeepEqual(old, cfg):
		return
	}
	for _, a := range slices.Clone(in.order) {
		was := a.cfg
		a.cfg = in.areaConfig(a.id)
		if was.Kind != a.cfg.Kind { // nothing of the area is as it was
			for _, i := range slices.Clone(a.ifaces) {
				in.removeIface(now, i)
			}
		}
	}
	for _, name := range in.core.links.Names() {
		in.reconcile(now, name)
	}
	in.reconcileVirtuals(now)
	in.routesConfigured(now)
}
