package engine

import (
	"maps"
	"slices"
	"strings"
	"time"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/hub"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

// DefaultHold is how long the objects of a daemon stay in force without it, if
// the daemon does not say otherwise; MaxHold is the longest that one may ask.
const (
	DefaultHold = 5 * time.Minute
	MaxHold     = 2 * time.Hour
)

// daemon is what the engine knows of a daemon that is or was enabled.
type daemon struct {
	hold     time.Duration
	enabled  bool
	attached bool
	epoch    uint64          // of the attachment
	ended    bool            // has come to an end of replay in this life of zebra
	misses   map[string]bool // interfaces whose neighbour misses it wants
	ipsec    questions
	nomatch  bool // it wants to hear of GRE packets for no tunnel
	taps     map[tap]tapped
	counters []session.Counter
	early    []librib.Ack // of this attachment, before it was given the picture
}

// starting is how far the start has come.
type starting struct {
	links      bool // the kernel's links are known
	configured bool // the startup configuration is in force
	swept      bool // what the configuration does not want any more is gone
	done       bool // nothing of an earlier life is left
}

// names returns the names of all daemons, sorted.
func (e *Engine) names() []string { return slices.Sorted(maps.Keys(e.daemons)) }

func (e *Engine) daemon(name string) *daemon {
	d := e.daemons[name]
	if d == nil {
		d = &daemon{hold: DefaultHold, misses: map[string]bool{}, taps: map[tap]tapped{}}
		e.daemons[name] = d
	}
	return d
}

// SetHold sets how long a daemon's objects stay in force without it.
func (e *Engine) SetHold(name string, hold time.Duration) {
	e.Post(func() {
		if hold <= 0 {
			return
		}
		d := e.daemon(name)
		d.hold = min(hold, MaxHold)
		if _, waiting := e.holds.Deadline(name); waiting {
			e.holds.Set(name, e.Now().Add(d.hold))
		}
	})
}

// Expected says that these daemons are about to be started. What they say from
// now on counts. It is followed by Enabled.
func (e *Engine) Expected(names []string) {
	names = slices.Clone(names)
	e.Post(func() {
		for _, name := range names {
			e.enable(name)
		}
	})
}

func (e *Engine) enable(name string) {
	if d := e.daemon(name); !d.enabled {
		d.enabled = true
		e.holds.Set(name, e.Now().Add(d.hold))
	}
}

// Enabled says which daemons are enabled. What belongs to the others goes.
func (e *Engine) Enabled(names []string) {
	names = slices.Clone(names)
	e.Post(func() {
		for _, name := range names {
			e.enable(name)
		}
		for _, name := range e.names() {
			if d := e.daemons[name]; d.enabled && !slices.Contains(names, name) {
				d.enabled = false
				e.dropTaps(d)
				e.rib.Step(e.Now(), rib.OwnerLost{Owner: name})
				e.hub.Withdraw(name)
				e.replayed(name)
			}
		}
	})
}

// Message takes in a message of the hub. It is fit for hub.New.
func (e *Engine) Message(m hub.Message) {
	e.Post(func() {
		switch m := m.(type) {
		case hub.Attached:
			e.attached(m)
		case hub.Received:
			for _, up := range m.Ups {
				e.received(m, up)
			}
		case hub.Detached:
			e.detached(m)
		}
	})
}

func (e *Engine) attached(m hub.Attached) {
	d := e.daemon(m.Owner)
	d.attached, d.misses, d.nomatch, d.epoch = true, map[string]bool{}, false, m.Epoch
	d.ipsec.forget()
	d.early = nil
	if e.start.swept {
		e.picture(m.Owner, d)
	}
}

// picture gives a daemon that has attached the present picture. During the start
// that waits for the configuration and the kernel's links: a daemon that outlived
// an earlier zebra must not be told that its interfaces have lost everything.
func (e *Engine) picture(owner string, d *daemon) {
	stale := e.rib.Stale(owner)
	if !d.ended {
		stale += e.fib.Totals().Stale
	}
	e.hub.Send(owner, librib.Attached{Epoch: d.epoch, Stale: stale})
	for _, i := range e.iface.Interfaces() {
		e.hub.Send(owner, librib.InterfaceChanged{Interface: i})
	}
	e.hub.Send(owner, librib.InterfacesKnown{})
	if d.nomatch {
		e.hub.Send(owner, e.unmatchedNow())
	}
	d.ipsec.due = d.ipsec.asked
	// The answers to what it asked before were dropped by the hub.
	for _, w := range e.rib.Watches(owner) {
		e.rib.Step(e.Now(), rib.WatchAdd{Owner: owner, Watch: w})
	}
	for _, a := range d.early { // nothing would say these again
		e.hub.Send(owner, a)
	}
	d.early = nil
}

// tell passes an event of the RIB on to a daemon. Before the picture the hub would drop it:
// an acknowledgement then waits here, joined as in the hub.
func (e *Engine) tell(owner string, ev librib.Event) {
	a, ok := ev.(librib.Ack)
	if !ok || e.start.swept {
		e.hub.Send(owner, ev)
		return
	}
	d := e.daemon(owner)
	if last := len(d.early) - 1; last >= 0 {
		var joined bool
		if a, joined = hub.JoinAck(d.early[last], a, len(d.early)); joined {
			d.early = d.early[:last]
		}
	}
	d.early = append(d.early, a)
}

func (e *Engine) detached(m hub.Detached) {
	d := e.daemon(m.Owner)
	if d.epoch != m.Epoch {
		return // another attachment has taken its place
	}
	d.attached = false
	if !d.enabled {
		return // its objects went when it was disabled
	}
	e.rib.Step(e.Now(), rib.OwnerLost{Owner: m.Owner, Limit: d.hold})
	e.holds.Set(m.Owner, e.Now().Add(d.hold))
}

func (e *Engine) received(m hub.Received, up session.Up) {
	now, owner := e.Now(), m.Owner
	d := e.daemon(owner)
	if !d.enabled || d.epoch != m.Epoch {
		return // what is still under way of a daemon that was disabled, or of an earlier session
	}
	switch up := up.(type) {
	case session.Begin:
		d.beginTaps()
		e.rib.Step(now, rib.OwnerLost{Owner: owner, Limit: d.hold})
	case session.Put:
		e.rib.Step(now, rib.Put{Owner: owner, Seq: up.Seq, Object: up.Object})
	case session.Delete:
		e.rib.Step(now, rib.Delete{Owner: owner, Seq: up.Seq, Key: up.Key})
	case session.WatchAdd:
		if up.Watch.Kind == librib.WatchNeighborMiss {
			d.misses[up.Watch.Interface] = true
		}
		if up.Watch.Kind == librib.WatchUnmatched {
			d.nomatch = true
			e.hub.Send(owner, e.unmatchedNow())
		}
		e.watchIPsec(owner, up.Watch, true)
		e.addTap(d, up.Watch)
		e.rib.Step(now, rib.WatchAdd{Owner: owner, Watch: up.Watch})
	case session.WatchDel:
		if up.Watch.Kind == librib.WatchNeighborMiss {
			delete(d.misses, up.Watch.Interface)
		}
		d.nomatch = d.nomatch && up.Watch.Kind != librib.WatchUnmatched
		e.watchIPsec(owner, up.Watch, false)
		e.deleteTap(d, up.Watch)
		e.rib.Step(now, rib.WatchDel{Owner: owner, Watch: up.Watch})
	case session.EndOfReplay:
		e.rib.Step(now, rib.EndOfReplay{Owner: owner})
		e.endTaps(d)
		e.replayed(owner)
	case session.Log:
		e.logged(owner, up)
	case session.Counters:
		d.counters = up.Values
	}
}

// holdEnded forgets what an earlier life of a daemon published and installed.
// What it put by this session is not touched.
func (e *Engine) holdEnded(name string) {
	if d := e.daemons[name]; d == nil || !d.attached {
		e.hub.Withdraw(name)
		e.dropTaps(e.daemon(name))
	}
	e.replayed(name)
}

// replayed sweeps what an earlier zebra left of a daemon.
func (e *Engine) replayed(name string) {
	d := e.daemon(name)
	if d.attached {
		e.holds.Clear(name)
	}
	if d.ended {
		return
	}
	d.ended = true
	e.settle() // so that what the daemon wants is known to fib
	if p, ok := librib.ParseProtocol(strings.TrimSuffix(name, "d")); ok && p.KernelNumber() != 0 {
		e.fib.Sweep(func(o dataplane.Object) bool {
			r, ok := o.(dataplane.Route)
			return ok && r.Protocol == p.KernelNumber()
		})
	}
	e.sweepRest()
}

// sweepRest sweeps everything that is left of an earlier zebra, once nobody can
// come who wants it.
func (e *Engine) sweepRest() {
	if !e.start.swept || e.start.done {
		return
	}
	for _, d := range e.daemons {
		if d.enabled && !d.ended {
			return
		}
	}
	e.start.done = true
	e.iface.Settled() // nobody is left who could say that a tunnel is to stay down
	e.fib.Sweep(nil)
}

// sweepConfigured ends the first part of the start: it sweeps what an earlier
// zebra's configuration wanted and this one's does not, and lets the daemons
// see the interfaces.
func (e *Engine) sweepConfigured() {
	if e.start.swept || !e.start.links || !e.start.configured {
		return
	}
	e.start.swept = true
	e.fib.Sweep(func(o dataplane.Object) bool {
		switch o := o.(type) {
		case dataplane.Link, dataplane.Tunnel, dataplane.Addr, dataplane.Sysctl:
			return true
		case dataplane.Policy:
			return o.IsGuard()
		case dataplane.Route:
			return o.Protocol == librib.Static.KernelNumber()
		}
		return false
	})
	for _, name := range e.names() {
		if d := e.daemons[name]; d.attached {
			e.picture(name, d)
		}
	}
	e.sweepRest()
}
