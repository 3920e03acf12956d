package core

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// Defaults of `maximum-prefix`.
const (
	defaultThreshold    = 75
	defaultRestart      = 5 * time.Minute
	defaultRestartCount = 3
	defaultReset        = 15 * time.Minute
)

// maxPenalties bounds how many neighbours are remembered for what they told too much.
const maxPenalties = MaxNeighbors

// limitKey names what is limited: a neighbour, or, without address, all routes, or
// those that are redistributed.
type limitKey struct {
	addr          netip.Addr
	iface         string
	redistributed bool
}

// limit is what `maximum-prefix` remembers of what it limits.
type limit struct {
	key      limitKey
	warned   bool
	down     bool          // torn down
	restarts int           // how often
	until    clock.Instant // it comes back then; Never: when an operator clears it
	forget   clock.Instant // restarts begin anew then
}

// limits are those that were torn down, or warned of.
type limits struct {
	of     map[limitKey]*limit
	timers clock.Heap[limitKey] // when they come back or are forgotten
	torn   []limitKey           // to be torn down at the end of the step
}

func (l *limits) get(k limitKey) *limit {
	if x := l.of[k]; x != nil {
		return x
	}
	x := &limit{key: k}
	if len(l.of) < maxPenalties {
		if l.of == nil {
			l.of = make(map[limitKey]*limit)
		}
		l.of[k] = x
	}
	return x
}

func (l *limits) isDown(k limitKey) bool { return l.of[k] != nil && l.of[k].down }

// suspended reports whether nothing is redistributed, since there was too much.
func (r *routes) suspended() bool {
	return r.limits.isDown(limitKey{redistributed: true}) || r.limits.isDown(limitKey{})
}

// down reports whether the instance is torn down: there was too much of everything.
func (r *routes) down() bool { return r.limits.isDown(limitKey{}) }

// routesAdmit reports whether an adjacency with a router may form: it may not while
// `maximum-prefix` keeps it, or all, away.
func (in *instance) routesAdmit(a netip.Addr, i *iface) bool {
	return !in.routes.down() && !in.routes.limits.isDown(limitKey{addr: a, iface: i.name})
}

// routesCleared says that an operator cleared neighbours, by address or interface or
// all: nothing keeps them away any more.
func (in *instance) routesCleared(now clock.Instant, a netip.Addr, ifname string) {
	l := &in.routes.limits
	for _, k := range in.limitKeys() {
		if (!a.IsValid() || k.addr == a) && (ifname == "" || k.iface == ifname) {
			in.lift(now, l.of[k])
			delete(l.of, k)
			l.timers.Clear(k)
		}
	}
}

func (in *instance) limitKeys() []limitKey {
	keys := make([]limitKey, 0, len(in.routes.limits.of))
	for k := range in.routes.limits.of { // unordered: sorted below
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b limitKey) int {
		return cmp.Or(a.addr.Compare(b.addr), cmp.Compare(a.iface, b.iface), cmp.Compare(fmt.Sprint(a.redistributed), fmt.Sprint(b.redistributed)))
	})
	return keys
}

// prefixesFull reports whether the core would have to remember more of a neighbour
// than it may.
func (in *instance) prefixesFull(n *neighbor, p netip.Prefix) bool {
	return (n.routes.prefixes >= MaxPrefixes || in.table.Installed() >= MaxPrefixes) && !in.table.Reports(p, n.id)
}

// counted notes that a neighbour has a path more, or one less.
func (in *instance) counted(now clock.Instant, n *neighbor, more bool) {
	if !more {
		n.routes.prefixes--
		return
	}
	n.routes.prefixes++
	in.check(now, in.cfg.NeighborMaximumPrefix, limitKey{addr: n.addr, iface: n.iface.name}, n.routes.prefixes,
		fmt.Sprintf("Neighbor %v (%s)", n.addr, n.iface.name))
	in.countAll(now)
}

// countRedistributed notes that one more route is redistributed.
func (in *instance) countRedistributed(now clock.Instant) {
	in.check(now, in.cfg.RedistributeMaximum, limitKey{redistributed: true}, len(in.routes.redistributed), "Redistribution")
	in.countAll(now)
}

func (in *instance) countAll(now clock.Instant) {
	in.check(now, in.cfg.MaximumPrefix, limitKey{}, in.table.Installed(), "Topology")
}

// check compares a number of routes with its limit: at the threshold it warns, and
// beyond the limit what is limited is torn down.
func (in *instance) check(now clock.Instant, m *MaximumPrefix, k limitKey, n int, what string) {
	if m == nil || in.routes.limits.isDown(k) {
		return
	}
	threshold := m.Threshold
	if threshold == 0 {
		threshold = defaultThreshold
	}
	level := m.Limit * threshold / 100
	if n < level || n == 0 {
		return
	}
	x := in.routes.limits.get(k)
	if !x.warned {
		x.warned = true
		in.core.emit(Log{"DUAL", SeverityWarning, "PFXLIMITTHR", fmt.Sprintf("%s: %s threshold prefix level(%d) reached.", in.title(), what, level)})
	}
	if n <= m.Limit {
		return
	}
	if n == m.Limit+1 || !m.WarningOnly {
		in.core.emit(Log{"DUAL", SeverityError, "PFXLIMIT", fmt.Sprintf("%s: %s prefix limit reached(%d).", in.title(), what, m.Limit)})
	}
	if !m.WarningOnly {
		in.tear(now, m, x)
	}
}

// tear says that something is to be torn down, and for how long.
func (in *instance) tear(now clock.Instant, m *MaximumPrefix, x *limit) {
	restart, count, reset := m.Restart, m.RestartCount, m.Reset
	if restart == 0 {
		restart = defaultRestart
	}
	if count == 0 {
		count = defaultRestartCount
	}
	if reset == 0 {
		reset = defaultReset
	}
	if now >= x.forget {
		x.restarts = 0
	}
	if m.Dampened {
		restart <<= min(x.restarts, 16)
	}
	x.down, x.until = true, now.Add(restart)
	if x.restarts++; x.restarts > count {
		x.until = clock.Never
	}
	x.forget = now.Add(restart + reset)
	in.routes.limits.timers.Set(x.key, x.until)
	in.routes.limits.torn = append(in.routes.limits.torn, x.key)
}

// tearDown carries out at the end of a step what check decided: a neighbour, all of
// them, or what is redistributed goes.
func (in *instance) tearDown(now clock.Instant) {
	for len(in.routes.limits.torn) > 0 {
		k := in.routes.limits.torn[0]
		in.routes.limits.torn = in.routes.limits.torn[1:]
		if !k.addr.IsValid() {
			for _, s := range in.routes.sources {
				in.redistributeAll(now, s)
			}
		}
		if k.redistributed {
			continue
		}
		for _, n := range in.sorted() {
			if !k.addr.IsValid() || n.addr == k.addr && n.iface.name == k.iface {
				in.hooks.reset(now, n, "prefix-limit exceeded")
			}
		}
	}
}

// liftDue lets come back what may, and forgets what has behaved since.
func (in *instance) liftDue(now clock.Instant) {
	l := &in.routes.limits
	for {
		k, ok := l.timers.PopDue(now)
		if !ok {
			return
		}
		switch x := l.of[k]; {
		case x == nil:
		case x.down:
			in.lift(now, x)
			l.timers.Set(k, x.forget)
		default:
			delete(l.of, k)
		}
	}
}

// lift lets something come back.
func (in *instance) lift(now clock.Instant, x *limit) {
	if !x.down {
		return
	}
	x.down, x.warned = false, false
	if !x.key.addr.IsValid() {
		for _, s := range in.routes.sources {
			in.redistributeAll(now, s)
		}
	}
}

// limitStatus reports what `maximum-prefix` tore down.
func (in *instance) limitStatus(now clock.Instant, s *InstanceStatus) {
	left := func(x *limit) time.Duration {
		if x.until == clock.Never {
			return 0
		}
		return max(x.until.Sub(now), 0)
	}
	for _, k := range in.limitKeys() {
		x := in.routes.limits.of[k]
		switch {
		case k.addr.IsValid() && x.down:
			s.Penalties = append(s.Penalties, Penalty{Addr: k.addr, Interface: k.iface, Restarts: x.restarts, RestartIn: left(x)})
		case k == limitKey{}:
			s.Restarts = x.restarts
			if x.down {
				s.Down, s.RestartIn = true, left(x)
			}
		}
	}
}
