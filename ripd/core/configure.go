package core

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// normal fills in the defaults.
func (rc RouterConfig) normal() RouterConfig {
	rc.Timers.Update = cmp.Or(rc.Timers.Update, DefaultUpdate)
	rc.Timers.Invalid = cmp.Or(rc.Timers.Invalid, DefaultInvalid)
	rc.Timers.Flush = cmp.Or(rc.Timers.Flush, DefaultFlush)
	rc.MaximumPaths = cmp.Or(rc.MaximumPaths, DefaultMaximumPaths)
	rc.DefaultMetric = cmp.Or(rc.DefaultMetric, DefaultMetric)
	rc.Distance = cmp.Or(rc.Distance, DefaultDistance)
	return rc
}

// configure takes a whole configuration and changes what differs.
func (c *Core) configure(now clock.Instant, cfg Config) {
	c.policy = cfg.Policy
	c.config = make(map[string]InterfaceConfig, len(cfg.Interfaces))
	for _, ic := range cfg.Interfaces {
		c.config[ic.Name] = ic
	}
	routers := slices.Clone(cfg.Routers)
	slices.SortFunc(routers, func(a, b RouterConfig) int { return cmp.Compare(a.VRF, b.VRF) })
	for _, in := range slices.Clone(c.order) {
		if !slices.ContainsFunc(routers, func(rc RouterConfig) bool { return rc.VRF == in.vrf }) {
			c.removeInstance(now, in)
		}
	}
	for _, rc := range routers {
		in := c.instances[rc.VRF]
		if in == nil {
			in = c.addInstance(rc.VRF)
		}
		c.configureInstance(now, in, rc.normal())
	}
	c.replay.config = true
	c.checkReplay(now)
}

// configureInstance takes the configuration of a VRF over. What a list or
// route-map says may be different even where rc is as before.
func (c *Core) configureInstance(now clock.Instant, in *instance, rc RouterConfig) {
	old := in.cfg
	in.cfg, in.rules = rc, newRules(rc, c.policy)
	for _, i := range in.order {
		c.configureIface(i)
		if old.Timers.Update != rc.Timers.Update {
			c.timers.Clear(timerKey{kind: timerRegular, iface: i})
		}
	}
	for _, name := range c.links.Names() {
		c.reconcile(now, in, name)
	}
	if old.Timers != rc.Timers {
		c.retime(now, in)
	}
	c.configureStatic(now, in)
	c.configureWatches(now, in)
	c.configureDefault(now, in)
	c.rejudge(now, in)
}

// retime follows a change of `timers basic`.
func (c *Core) retime(now clock.Instant, in *instance) {
	c.armExpire(in)
	c.armGarbage(in)
	for _, n := range in.sortedNeighbors() {
		c.timers.Set(timerKey{kind: timerNeighbor, neighbor: n}, max(now, n.heard.Add(in.cfg.Timers.Invalid)))
	}
}

// rejudge drops the paths that the configuration does not permit any more, and
// gives the others their present distance. Offsets are applied to the next news.
func (c *Core) rejudge(now clock.Instant, in *instance) {
	for _, r := range in.table.all() {
		if r.paths == nil {
			continue
		}
		before := in.wanted(r.key)
		nearest := uint8(rib.MaxDistance)
		for p := r.paths; p != nil; p = p.next {
			p.distance = in.rules.distance(p.neighbor.addr, r.key.prefix())
			nearest = min(nearest, p.distance)
		}
		kept := 0
		for p := r.paths; p != nil; {
			next := p.next
			if p.distance == rib.MaxDistance || p.distance > nearest || kept == in.cfg.MaximumPaths ||
				!in.rules.permit(false, p.neighbor.iface.name, p.neighbor.addr, r.key.prefix()) {
				c.lose(now, in, p)
			} else {
				kept++
			}
			p = next
		}
		c.restate(in, r.key, before)
	}
}

// removeInstance ends RIP in a VRF.
func (c *Core) removeInstance(now clock.Instant, in *instance) {
	c.withdraw(now, in)
	for _, i := range slices.Clone(in.order) {
		c.removeIface(now, i)
	}
	for _, w := range in.sortedWatches() {
		c.emit(UnwatchRoutes{w.what})
	}
	for _, kind := range []timerKind{timerTrigger, timerExpire, timerGarbage} {
		c.timers.Clear(timerKey{kind: kind, instance: in})
	}
	delete(c.instances, in.vrf)
	c.order = slices.DeleteFunc(c.order, func(o *instance) bool { return o == in })
}

// configureStatic announces what `route` names.
func (c *Core) configureStatic(now clock.Instant, in *instance) {
	want := make([]key, 0, len(in.cfg.Static))
	for _, p := range in.cfg.Static {
		if announceable(p) {
			want = append(want, keyOf(netip.PrefixFrom(p.Addr(), p.Bits()).Masked()))
		}
	}
	slices.Sort(want)
	want = slices.Compact(want)
	for _, k := range in.static {
		if !slices.Contains(want, k) {
			c.dropOwn(now, in, k, origin{source: SourceStatic})
		}
	}
	for _, k := range want {
		c.setOwn(now, in, k, origin{source: SourceStatic, metric: 1})
	}
	in.static = want
}
