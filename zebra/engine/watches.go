package engine

import (
	"maps"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// tap names a watch of what goes through an interface, for which the data plane has
// an object: of hairpins, or of the use of peers.
type tap struct {
	kind   librib.WatchKind
	ifname string
}

// tapped is a daemon's wish for a tap. Those of an earlier life of it stay until
// the end of its replay.
type tapped struct {
	group uint32 // of hairpins
	stale bool   // not repeated yet
}

// tapOf returns the tap of a watch; ok is false if it is of another kind.
func tapOf(w librib.Watch) (t tap, ok bool) {
	return tap{w.Kind, w.Interface}, w.Kind == librib.WatchHairpin || w.Kind == librib.WatchPeerUse
}

func (d *daemon) beginTaps() {
	for t, w := range d.taps {
		w.stale = true
		d.taps[t] = w
	}
}

func (e *Engine) endTaps(d *daemon) {
	maps.DeleteFunc(d.taps, func(_ tap, w tapped) bool { return w.stale })
	e.retap = true
}

func (e *Engine) dropTaps(d *daemon) {
	clear(d.taps)
	e.retap = true
}

func (e *Engine) addTap(d *daemon, w librib.Watch) {
	if t, ok := tapOf(w); ok {
		d.taps[t] = tapped{group: w.Instance}
		e.retap = true
	}
}

func (e *Engine) deleteTap(d *daemon, w librib.Watch) {
	if t, ok := tapOf(w); ok && d.taps[t].group == w.Instance {
		delete(d.taps, t)
		e.retap = true
	}
}

// object returns what the data plane is to have for a tap.
func (e *Engine) object(t tap, w tapped) dataplane.Object {
	device := e.iface.Kernel(t.ifname)
	if t.kind == librib.WatchPeerUse {
		return dataplane.PeerUse{Device: device}
	}
	return dataplane.Hairpin{Device: device, Group: w.group}
}

// settleTaps has fib want a detector or a watch of peer use where a daemon watches. Where two
// daemons watch hairpins, the group is that of the first by name.
func (e *Engine) settleTaps() {
	if !e.retap {
		return
	}
	e.retap = false
	want := map[dataplane.Key]dataplane.Object{}
	for _, name := range e.names() {
		for t, w := range e.daemons[name].taps {
			o := e.object(t, w)
			if _, ok := want[o.Key()]; !ok {
				want[o.Key()] = o
			}
		}
	}
	for k, old := range e.tapping {
		if o, ok := want[k]; !ok {
			e.change.delete(k)
		} else if old.Equal(o) {
			continue
		}
		delete(e.tapping, k)
	}
	for k, o := range want { // each is on its own
		if _, ok := e.tapping[k]; !ok {
			e.change.put(o)
			e.tapping[k] = o
		}
	}
	e.change.hand(e.fib)
}

// watches reports whether a daemon watches an interface.
func (d *daemon) watches(kind librib.WatchKind, ifname string) bool {
	_, ok := d.taps[tap{kind, ifname}]
	return ok
}

// foundHairpin tells the daemons that watch both interfaces of a packet.
func (e *Engine) foundHairpin(ev dataplane.HairpinFound) {
	found := librib.Hairpin{In: e.iface.Name(ev.In), Out: e.iface.Name(ev.Out), Packet: ev.Packet}
	for _, name := range e.names() {
		d := e.daemons[name]
		if d.watches(librib.WatchHairpin, found.In) && d.watches(librib.WatchHairpin, found.Out) {
			e.hub.Send(name, found)
		}
	}
}

// peersUsed tells the daemons that watch the use of a tunnel's peers.
func (e *Engine) peersUsed(ev dataplane.PeersUsed) {
	used := librib.PeersUsed{Interface: e.iface.Name(ev.Device), NBMA: ev.NBMA}
	for _, name := range e.names() {
		if e.daemons[name].watches(librib.WatchPeerUse, used.Interface) {
			e.hub.Send(name, used)
		}
	}
}
