package sm

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// DefaultQueue is the number of offered inputs that may wait in a Driver where
// Config.Queue is zero.
const DefaultQueue = 4096

// maxBatch is the number of inputs after which effects are handed over even if
// more inputs wait, so that a flood does not hold back what it caused.
const maxBatch = 128

// keepCapacity is the capacity of the inbox up to which it is kept for reuse.
const keepCapacity = 2 * DefaultQueue

// Config says what a Driver drives and how.
type Config[In, Out any] struct {
	// Machine is the core. After NewDriver only the driver may touch it.
	Machine Machine[In, Out]
	// Tick is the input that says nothing but that time has passed.
	Tick In
	// Handle carries out effects. It runs on the driver's goroutine, gets
	// effects in causal order and must not keep the slice. The machine stands
	// still while it runs. It may call Post and Offer.
	Handle func([]Out)
	// Observe, if set, sees each input, ticks included, on the driver's
	// goroutine just before the machine does: the place of a Recorder.
	Observe func(now clock.Instant, in In)
	// Queue bounds the offered inputs that wait; 0 means DefaultQueue.
	Queue int
	// Origin is the time that the machine knows as instant 0; the zero Time
	// means the moment of NewDriver. It should carry a monotonic clock reading.
	Origin time.Time
}

// Driver runs a machine in real time. Exactly one goroutine, that of Run, steps
// the machine; any goroutine may hand in inputs.
//
// Inputs are stepped in the order in which they were handed in. Before an
// input, the machine is ticked if its earliest timer is due. A panic of the
// machine is not recovered.
type Driver[In, Out any] struct {
	cfg    Config[In, Out]
	signal chan struct{} // has room for one: "the inbox is not empty"

	mu      sync.Mutex // guards the fields down to the blank line
	inbox   []In
	offered int // how many of inbox came by Offer
	ran     bool
	closed  bool

	spare []In  // the slice that inbox is swapped with; driver goroutine only
	out   []Out // driver goroutine only

	steps, posted, accepted, dropped atomic.Uint64
	longest                          atomic.Int64
}

// Stats counts what went through a Driver.
type Stats struct {
	Steps    uint64 // times that the machine was stepped, ticks included
	Posted   uint64 // inputs taken by Post
	Offered  uint64 // inputs taken by Offer
	Dropped  uint64 // inputs refused by Offer
	MaxQueue int    // the most inputs that waited at once
}

// NewDriver returns a driver that does not run yet; inputs may be handed in.
func NewDriver[In, Out any](cfg Config[In, Out]) *Driver[In, Out] {
	if cfg.Machine == nil || cfg.Handle == nil {
		panic("sm: a driver needs a machine and a handler")
	}
	if cfg.Queue <= 0 {
		cfg.Queue = DefaultQueue
	}
	if cfg.Origin.IsZero() {
		cfg.Origin = time.Now()
	}
	return &Driver[In, Out]{cfg: cfg, signal: make(chan struct{}, 1)}
}

// Now returns the present instant on the machine's scale.
func (d *Driver[In, Out]) Now() clock.Instant {
	return clock.Instant(time.Since(d.cfg.Origin))
}

// Time returns the wall-clock time of an instant, for showing it to people.
func (d *Driver[In, Out]) Time(at clock.Instant) time.Time {
	return d.cfg.Origin.Add(time.Duration(at))
}

// Post hands in an input that must not be lost: of a connection, a
// configuration, a query. It does not block, and what waits is not bounded. An
// input posted before the context of Run ends is still stepped; afterwards it
// is discarded.
func (d *Driver[In, Out]) Post(in In) {
	d.mu.Lock()
	if !d.closed {
		d.put(in)
		d.posted.Add(1)
	}
	d.mu.Unlock()
}

// Offer hands in an input that may be lost, such as a packet. It does not
// block; it returns false, and counts a drop, where Config.Queue offered inputs
// wait already or the driver has stopped.
func (d *Driver[In, Out]) Offer(in In) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.offered >= d.cfg.Queue {
		d.dropped.Add(1)
		return false
	}
	d.offered++
	d.put(in)
	d.accepted.Add(1)
	return true
}

// put appends to the inbox and wakes Run. d.mu is held.
func (d *Driver[In, Out]) put(in In) {
	d.inbox = append(d.inbox, in)
	if n := int64(len(d.inbox)); n > d.longest.Load() {
		d.longest.Store(n)
	}
	select {
	case d.signal <- struct{}{}:
	default:
	}
}

// Stats returns the counters.
func (d *Driver[In, Out]) Stats() Stats {
	return Stats{
		Steps:    d.steps.Load(),
		Posted:   d.posted.Load(),
		Offered:  d.accepted.Load(),
		Dropped:  d.dropped.Load(),
		MaxQueue: int(d.longest.Load()),
	}
}

// Run drives the machine until ctx ends. It first hands over the effects that
// the machine has had since its birth. When ctx ends, the inputs that were
// handed in before are stepped and their effects handled; then Run returns, and
// nothing touches the machine any more. Run may be called once.
func (d *Driver[In, Out]) Run(ctx context.Context) {
	d.mu.Lock()
	if d.ran {
		d.mu.Unlock()
		panic("sm: Run called twice")
	}
	d.ran = true
	d.mu.Unlock()

	timer := time.NewTimer(0)
	defer timer.Stop()
	d.handOver()
	for ctx.Err() == nil {
		d.stepAll(d.take(false))
		d.tickIfDue(d.Now())
		d.handOver()
		if d.pending() {
			continue
		}
		d.wait(ctx, timer)
	}
	d.stepAll(d.take(true))
	d.handOver()
}

// wait returns when an input waits, a timer of the machine is due, or ctx ends.
func (d *Driver[In, Out]) wait(ctx context.Context, timer *time.Timer) {
	var due <-chan time.Time
	if at, ok := d.cfg.Machine.Wake(); ok && at != clock.Never {
		timer.Reset(at.Sub(d.Now()))
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-d.signal:
	case <-due:
	}
}

// pending reports whether an input waits.
func (d *Driver[In, Out]) pending() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.inbox) > 0
}

// take empties the inbox; last closes it.
func (d *Driver[In, Out]) take(last bool) []In {
	d.mu.Lock()
	defer d.mu.Unlock()
	batch := d.inbox
	d.inbox, d.offered, d.spare = d.spare[:0], 0, nil
	d.closed = d.closed || last
	return batch
}

// stepAll steps the machine with each input and keeps the slice for reuse.
func (d *Driver[In, Out]) stepAll(batch []In) {
	for i, in := range batch {
		if i > 0 && i%maxBatch == 0 {
			d.handOver()
		}
		now := d.Now()
		d.tickIfDue(now)
		d.step(now, in)
	}
	clear(batch)
	if cap(batch) <= keepCapacity {
		d.spare = batch[:0]
	}
}

func (d *Driver[In, Out]) tickIfDue(now clock.Instant) {
	if at, ok := d.cfg.Machine.Wake(); ok && !at.After(now) {
		d.step(now, d.cfg.Tick)
	}
}

func (d *Driver[In, Out]) step(now clock.Instant, in In) {
	if d.cfg.Observe != nil {
		d.cfg.Observe(now, in)
	}
	d.steps.Add(1)
	d.cfg.Machine.Step(now, in)
}

// handOver gives the machine's effects to the handler.
func (d *Driver[In, Out]) handOver() {
	d.out = d.cfg.Machine.Drain(d.out[:0])
	if len(d.out) == 0 {
		return
	}
	d.cfg.Handle(d.out)
	clear(d.out)
	if cap(d.out) > keepCapacity {
		d.out = nil
	}
}
