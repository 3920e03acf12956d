package engine

import (
	"context"
	"log/slog"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/fib"
	"github.com/godmvpn/godmvpn/zebra/iface"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

// FIB is what the engine needs of the reconciler.
type FIB interface {
	Put(objects ...dataplane.Object)
	Delete(keys ...dataplane.Key)
	Sweep(filter func(dataplane.Object) bool) int
	Totals() fib.Totals
	List(kind dataplane.Kind, done func([]dataplane.Object, error))
}

// Hub is what the engine needs of the sessions.
type Hub interface {
	Send(owner string, events ...librib.Event)
	Broadcast(events ...librib.Event)
	Withdraw(owner string)
}

// inboxSize is the number of inputs that may wait.
const inboxSize = 1024

// Engine runs the cores. Make it by New, give it Connect, then Run it.
type Engine struct {
	log     *slog.Logger
	logged  func(daemon string, l session.Log)
	origin  time.Time
	inbox   chan func()
	stopped chan struct{}

	// Of the engine's goroutine only.
	fib       FIB
	hub       Hub
	rib       *rib.Core
	iface     *iface.Core
	static    map[librib.Key]librib.Route
	seq       uint64 // of the built-in owners
	daemons   map[string]*daemon
	start     starting
	holds     clock.Heap[string] // by daemon: when its earlier life is forgotten
	gens      dataplane.Map[*pending]
	waiting   map[librib.Key]rib.FIBPut          // routes whose VRF does not exist
	tapping   map[dataplane.Key]dataplane.Object // what fib has for taps
	retap     bool                               // taps have to be looked at
	relink    bool                               // interfaces changed
	foreign   foreign                            // routes that somebody else installed
	lines     map[string]bool                    // interfaces: whether the line protocol is up, as logged
	unmatched unmatched
	refused   map[dataplane.Key]string // objects of the configuration that failed: why, as logged
	effects   []rib.Effect
	change    change
	results   []rib.Result
	hops      []dataplane.NextHop // of the last route, shared with it
	scratch   []dataplane.NextHop
}

// pending is the last operation of the RIB on a key that fib has.
type pending struct {
	key    *librib.Key // nil for a route, which is known by its VRF
	vrf    string
	gen    uint64
	object dataplane.Object // nil for a deletion
}

// ribKey is what the RIB calls the object that fib knows as k.
func (p *pending) ribKey(k dataplane.Key) librib.Key {
	if p.key != nil {
		return *p.key
	}
	return librib.Key{Kind: librib.KindRoute, VRF: p.vrf, Prefix: k.Prefix}
}

// note remembers an operation on another object than a route; o is nil for a deletion.
func (e *Engine) note(k dataplane.Key, key librib.Key, gen uint64, o dataplane.Object) {
	e.gens.Set(k, &pending{key: &key, gen: gen, object: o})
}

// is reports whether an outcome for o is about this operation.
func (p *pending) is(o dataplane.Object) bool {
	if p.object == nil || o == nil {
		return p.object == nil && o == nil
	}
	return p.object.Equal(o)
}

// New returns an engine. logged is told the log records of daemons.
func New(log *slog.Logger, logged func(daemon string, l session.Log)) *Engine {
	return &Engine{
		log: log, logged: logged, origin: time.Now(),
		inbox: make(chan func(), inboxSize), stopped: make(chan struct{}),
		rib: rib.New(rib.Options{Trace: log.Enabled(context.Background(), slog.LevelDebug)}), iface: iface.New(),
		unmatched: newUnmatched(),
		lines:     map[string]bool{}, refused: map[dataplane.Key]string{}, static: map[librib.Key]librib.Route{}, daemons: map[string]*daemon{},
		waiting: map[librib.Key]rib.FIBPut{}, tapping: map[dataplane.Key]dataplane.Object{}, foreign: foreign{routes: map[dataplane.Key]foreignRoute{}, down: map[string]bool{}},
	}
}

// Connect says where effects go. It is called once, before Run.
func (e *Engine) Connect(f FIB, h Hub) { e.fib, e.hub = f, h }

// Now is the present on the engine's clock.
func (e *Engine) Now() clock.Instant { return clock.Instant(time.Since(e.origin)) }

// Run works until ctx ends.
func (e *Engine) Run(ctx context.Context) {
	defer close(e.stopped)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	e.settle()
	for {
		timer.Reset(e.idle())
		select {
		case <-ctx.Done():
			return
		case do := <-e.inbox:
			do()
			e.more()
		case <-timer.C:
		}
		e.tick()
		e.settle()
	}
}

// maxBatch is the number of inputs after which the engine settles even if more
// wait.
const maxBatch = 64

// more takes the inputs that wait already.
func (e *Engine) more() {
	for range maxBatch {
		select {
		case do := <-e.inbox:
			do()
		default:
			return
		}
	}
}

// idle returns the time until a timer is due.
func (e *Engine) idle() time.Duration {
	at := clock.Never
	if t, ok := e.rib.Wake(); ok {
		at = t
	}
	if t, ok := e.holds.Next(); ok {
		at = min(at, t)
	}
	if at == clock.Never {
		return time.Hour
	}
	return max(0, at.Sub(e.Now()))
}

func (e *Engine) tick() {
	now := e.Now()
	if at, ok := e.rib.Wake(); ok && at <= now {
		e.rib.Step(now, rib.Tick{})
	}
	for name, ok := e.holds.PopDue(now); ok; name, ok = e.holds.PopDue(now) {
		e.holdEnded(name)
	}
}

// Post hands in an input. It waits while the inbox is full; after the end of Run
// it does nothing.
func (e *Engine) Post(do func()) {
	select {
	case e.inbox <- do:
	case <-e.stopped:
	}
}

// Do runs a function on the engine's goroutine, after all that was posted
// before, and waits for it.
func (e *Engine) Do(ctx context.Context, do func()) error {
	done := make(chan struct{})
	e.Post(func() {
		defer close(done)
		e.settle()
		do()
	})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.stopped:
		return context.Canceled
	}
}

// settle carries effects until there are none.
func (e *Engine) settle() {
	for e.settleInterfaces() || e.settleRIB() {
	}
	e.putWaiting()
	e.settleTaps()
	if e.relink {
		e.relink = false
		e.settleUnmatched()
		if len(e.unmatched.rows) > 0 {
			e.tellUnmatched()
		}
	}
	e.sweepConfigured()
	e.settleQuestions()
}

func (e *Engine) settleInterfaces() bool {
	effects := e.iface.Drain(nil)
	for _, eff := range effects {
		switch eff := eff.(type) {
		case iface.Desire:
			if eff.Op.IsDelete() {
				e.fib.Delete(eff.Op.Key)
			} else {
				e.fib.Put(eff.Op.Object)
			}
		case iface.Changed:
			e.lineProtocol(eff.Interface)
			e.rib.Step(e.Now(), rib.InterfaceChanged{Interface: eff.Interface})
			e.hub.Broadcast(librib.InterfaceChanged{Interface: eff.Interface})
		case iface.Gone:
			delete(e.lines, eff.Name)
			e.rib.Step(e.Now(), rib.InterfaceGone{Name: eff.Name})
			e.hub.Broadcast(librib.InterfaceGone{Name: eff.Name})
		}
	}
	e.retap = e.retap || len(effects) > 0
	e.relink = e.relink || len(effects) > 0
	return len(effects) > 0
}

func (e *Engine) settleRIB() bool {
	e.effects = e.rib.Drain(e.effects[:0])
	e.results = e.results[:0]
	for _, eff := range e.effects {
		switch eff := eff.(type) {
		case rib.FIBPut:
			if o, ok := e.route(eff); ok {
				e.change.put(o)
			}
		case rib.NeighborPut:
			e.change.put(e.neighbor(eff))
		case rib.PeerPut:
			e.change.put(e.peer(eff))
		case rib.ShaperPut:
			e.change.put(e.shaper(eff))
		case rib.FIBDelete:
			if k, ok := e.routeGone(eff); ok {
				e.change.delete(k)
			}
		case rib.NeighborDelete:
			e.change.delete(e.neighborKey(eff))
		case rib.PeerDelete:
			e.change.delete(e.peerKey(eff))
		case rib.LinePut:
			e.iface.SetLineProtocol(eff.Line.Interface, eff.Line.Down)
			e.results = append(e.results, rib.Result{Key: eff.Key(), Gen: eff.Gen})
		case rib.LineDelete:
			e.iface.ClearLineProtocol(eff.Interface)
			e.results = append(e.results, rib.Result{Key: eff.Key(), Gen: eff.Gen})
		case rib.ShaperDelete:
			e.change.delete(e.shaperKey(eff))
		case rib.SAPut:
			e.change.put(e.sa(eff))
		case rib.SADelete:
			e.change.delete(e.saKey(eff))
		case rib.PolicyPut:
			e.change.put(e.policy(eff))
		case rib.PolicyDelete:
			e.change.delete(e.policyKey(eff))
		case rib.ToOwner:
			e.tell(eff.Owner, eff.Event)
		case rib.Trace:
			e.log.Debug("rib "+eff.Event.String(), "owner", eff.Owner, "vrf", eff.VRF, "prefix", eff.Prefix, "text", eff.Text)
		}
	}
	e.change.hand(e.fib)
	if len(e.results) > 0 {
		e.rib.Step(e.Now(), rib.Installed{Results: e.results})
	}
	return len(e.effects) > 0
}

// change gathers what one settlement changes in the data plane. Only the last
// word on each key counts: fib works while the engine does, and a route that goes
// and comes back within one settlement must not be seen to go.
type change struct {
	at  map[dataplane.Key]int // place in ops
	ops []dataplane.Op
}

func (c *change) put(o dataplane.Object) { c.add(dataplane.Put(o)) }

func (c *change) delete(k dataplane.Key) { c.add(dataplane.Delete(k)) }

func (c *change) add(op dataplane.Op) {
	if i, ok := c.at[op.Key]; ok {
		c.ops[i] = op
		return
	}
	if c.at == nil {
		c.at = map[dataplane.Key]int{}
	}
	c.at[op.Key] = len(c.ops)
	c.ops = append(c.ops, op)
}

// hand gives the changes to fib and is empty again.
func (c *change) hand(f FIB) {
	var puts []dataplane.Object
	var deletes []dataplane.Key
	for _, op := range c.ops {
		if op.IsDelete() {
			deletes = append(deletes, op.Key)
		} else {
			puts = append(puts, op.Object)
		}
	}
	if len(puts) > 0 {
		f.Put(puts...)
	}
	if len(deletes) > 0 {
		f.Delete(deletes...)
	}
	clear(c.at)
	c.ops = c.ops[:0]
}
