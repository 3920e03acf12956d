package engine

import (
	"maps"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/iface"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

// Configure brings zebra's own configuration into force: interfaces, VRFs and
// static routes.
func (e *Engine) Configure(interfaces iface.Config, static []librib.Route) {
	e.Post(func() {
		e.iface.SetConfig(interfaces)
		old := e.static
		e.static = make(map[librib.Key]librib.Route, len(static))
		for _, r := range static {
			k := r.Key()
			e.static[k] = r
			if was, ok := old[k]; !ok || !was.Equal(r) {
				e.seq++
				e.rib.Step(e.Now(), rib.Put{Owner: rib.OwnerStatic, Seq: e.seq, Object: r})
			}
		}
		gone := maps.Clone(old)
		maps.DeleteFunc(gone, func(k librib.Key, _ librib.Route) bool { _, ok := e.static[k]; return ok })
		for k := range gone { // the order does not matter: the keys are different
			e.seq++
			e.rib.Step(e.Now(), rib.Delete{Owner: rib.OwnerStatic, Seq: e.seq, Key: k})
		}
	})
}

// Configured says that the startup configuration is in force.
func (e *Engine) Configured() { e.Post(func() { e.start.configured = true }) }

// Signals are the steps of the start, each with whether it was reached.
type Signals struct {
	LinksKnown, ConfigLoaded, DaemonsAttached, Replayed, FIBSynced bool
}

// Signals returns how far the start has come. Call it on the engine's goroutine.
func (e *Engine) Signals() Signals {
	s := Signals{LinksKnown: e.start.links, ConfigLoaded: e.start.configured, DaemonsAttached: e.start.configured, Replayed: e.start.done}
	for _, d := range e.daemons {
		if d.enabled {
			s.DaemonsAttached = s.DaemonsAttached && d.attached
		}
	}
	t := e.fib.Totals()
	s.FIBSynced = s.Replayed && t.Queued == 0 && t.Stale == 0
	return s
}

// RIB returns the routing core, for queries on the engine's goroutine.
func (e *Engine) RIB() *rib.Core { return e.rib }

// Interfaces returns the interface core, for queries on the engine's goroutine.
func (e *Engine) Interfaces() *iface.Core { return e.iface }
