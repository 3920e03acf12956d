package core

import "github.com/godmvpn/godmvpn/lib/clock"

// resolves reports whether this node resolves addresses for what it sends: not on a
// point-to-point tunnel, whose far end is known, and not under `ip nhrp server-only`,
// by which it answers and forwards requests but never makes one.
func (i *iface) resolves() bool { return i.multipoint && !i.cfg.ServerOnly }

// placeResolution has zebra tell of missing neighbours where they are resolved, and
// ends what was begun where they are not.
func (c *Core) placeResolution(now clock.Instant, i *iface) {
	c.watchMisses(i, i.resolves())
	// The data plane takes its time until it can tell of use, and a shortcut ought not
	// to wait for that: a client has it watched before there is one.
	c.watchUse(i, i.resolves() && len(i.cfg.NHSs) > 0)
	if !i.cfg.ServerOnly || i.unresolved == 0 {
		return
	}
	for _, e := range i.cache.sorted() {
		if e.ask != nil {
			c.removeEntry(now, e, TraceEntryDeleted, "Server Only")
		}
	}
}
