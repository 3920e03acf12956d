package core

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// normal fills in the defaults.
func (ic InstanceConfig) normal() InstanceConfig {
	if ic.Weights == (metric.Weights{}) {
		ic.Weights = metric.DefaultWeights
	}
	ic.MaximumHops = cmp.Or(ic.MaximumHops, metric.MaxHops)
	ic.RIBScale = cmp.Or(ic.RIBScale, metric.DefaultRIBScale)
	ic.InternalDistance = cmp.Or(ic.InternalDistance, DefaultInternalDistance)
	ic.ExternalDistance = cmp.Or(ic.ExternalDistance, DefaultExternalDistance)
	ic.MaximumPaths = cmp.Or(ic.MaximumPaths, DefaultMaximumPaths)
	ic.Variance = cmp.Or(ic.Variance, DefaultVariance)
	ic.ActiveTime = cmp.Or(ic.ActiveTime, DefaultActiveTime)
	ic.PurgeTime = cmp.Or(ic.PurgeTime, DefaultStubPurge)
	ic.Interfaces = slices.Clone(ic.Interfaces)
	slices.SortFunc(ic.Interfaces, func(a, b InterfaceConfig) int { return cmp.Compare(a.Name, b.Name) })
	return ic
}

// normal fills in the defaults.
func (ic InterfaceConfig) normal() InterfaceConfig {
	ic.Hello = cmp.Or(ic.Hello, DefaultHello)
	ic.Hold = cmp.Or(ic.Hold, DefaultHold)
	ic.BandwidthPercent = cmp.Or(ic.BandwidthPercent, DefaultBandwidthPercent)
	return ic
}

// configure takes a whole configuration and changes what differs.
func (c *Core) configure(now clock.Instant, cfg Config) {
	samePolicy := reflect.DeepEqual(c.policy, cfg.Policy)
	c.policy = cfg.Policy
	want := slices.Clone(cfg.Instances)
	slices.SortFunc(want, func(a, b InstanceConfig) int { return compareKeys(a.Key, b.Key) })
	for _, in := range slices.Clone(c.order) {
		if !slices.ContainsFunc(want, func(ic InstanceConfig) bool { return ic.Key == in.key }) {
			in.end(now, "instance removed")
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
		in.configure(now, ic.normal(), samePolicy)
	}
	c.replay.config = true
	c.work(now)
	for _, name := range c.links.Names() {
		c.listen(name)
	}
	c.listenRemote()
}

// configure takes the configuration of the instance over. What a list, a route-map or
// a key chain says may be different even where it is as before, unless samePolicy.
func (in *instance) configure(now clock.Instant, cfg InstanceConfig, samePolicy bool) {
	old := in.cfg
	in.cfg = cfg
	if in.on && samePolicy && reflect.DeepEqual(old, cfg) {
		return
	}
	if !in.on {
		if in.core.replay.atWork {
			in.begin(now)
		}
		return
	}
	if cfg.Shutdown || cfg.RouterID != old.RouterID && cfg.RouterID.IsValid() && cfg.RouterID != in.id ||
		cfg.Weights != old.Weights || cfg.Name != "" != (old.Name != "") {
		in.end(now, "route configuration changed")
		in.begin(now)
		return
	}
	for _, name := range in.core.links.Names() {
		in.reconcile(now, name)
	}
	in.routesConfigured(now, old)
	if !reflect.DeepEqual(old.Stub, cfg.Stub) { // neighbours take notice by the next Hello
		for _, i := range in.order {
			i.armHello(now)
		}
	}
	for _, n := range in.sorted() { // `remote-neighbors` may have changed
		if n.listened && in.neighbors[n.id] == n {
			if how, i := in.mayBeRemote(n.addr); i != n.iface || !how.listened {
				in.down(now, n, "remote neighbor not allowed", aloud)
			}
		}
	}
}
