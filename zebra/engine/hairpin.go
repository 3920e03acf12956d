package engine

import (
	"maps"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// hairpinWatch is a daemon's wish to hear of hairpins on an interface. Those of an
// earlier life of it stay until the end of its replay.
type hairpinWatch struct {
	group uint32
	stale bool // not repeated yet
}

func (d *daemon) beginHairpins() {
	for name, w := range d.hairpins {
		w.stale = true
		d.hairpins[name] = w
	}
}

func (e *Engine) endHairpins(d *daemon) {
	maps.DeleteFunc(d.hairpins, func(_ string, w hairpinWatch) bool { return w.stale })
	e.hairpins = true
}

func (e *Engine) dropHairpins(d *daemon) {
	clear(d.hairpins)
	e.hairpins = true
}

func (e *Engine) watchHairpin(d *daemon, w librib.Watch) {
	if w.Kind == librib.WatchHairpin {
		d.hairpins[w.Interface] = hairpinWatch{group: w.Instance}
		e.hairpins = true
	}
}

func (e *Engine) unwatchHairpin(d *daemon, w librib.Watch) {
	if w.Kind == librib.WatchHairpin && d.hairpins[w.Interface].group == w.Instance {
		delete(d.hairpins, w.Interface)
		e.hairpins = true
	}
}

// settleHairpins has fib want a detector where a daemon watches. Where two daemons
// do, the group is that of the first by name.
func (e *Engine) settleHairpins() {
	if !e.hairpins {
		return
	}
	e.hairpins = false
	want := map[dataplane.Key]dataplane.Hairpin{}
	for _, name := range e.names() {
		for i, w := range e.daemons[name].hairpins {
			h := dataplane.Hairpin{Device: e.iface.Kernel(i), Group: w.group}
			if _, ok := want[h.Key()]; !ok {
				want[h.Key()] = h
			}
		}
	}
	for k, old := range e.detected {
		if _, ok := want[k]; !ok {
			e.change.delete(k)
		} else if old == want[k] {
			continue
		}
		delete(e.detected, k)
	}
	for k, h := range want { // each is on its own
		if _, ok := e.detected[k]; !ok {
			e.change.put(h)
			e.detected[k] = h
		}
	}
	e.change.hand(e.fib)
}

// foundHairpin tells the daemons that watch both interfaces of a packet.
func (e *Engine) foundHairpin(ev dataplane.HairpinFound) {
	found := librib.Hairpin{In: e.iface.Name(ev.In), Out: e.iface.Name(ev.Out), Packet: ev.Packet}
	for _, name := range e.names() {
		watches := e.daemons[name].hairpins
		_, in := watches[found.In]
		if _, out := watches[found.Out]; in && out {
			e.hub.Send(name, found)
		}
	}
}
