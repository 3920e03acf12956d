package fib

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

const (
	// batch is the number of operations given to the provider at a time.
	// Events are looked at in between.
	batch = 4096
	// AuditDefault is the time between audits if Options does not say.
	AuditDefault = 5 * time.Minute
	// compareRetry is the pause after a dump that failed.
	compareRetry = time.Second
)

// Options say how a FIB works.
type Options struct {
	Provider dataplane.Provider
	// Report is told the outcomes, in batches; Event every event of the
	// provider, after the FIB has taken it. Both are called by the goroutine of
	// Run and Flush, may call Put, Delete and Sweep, and should not block.
	// Either may be nil.
	Report func([]Outcome)
	Event  func(dataplane.Event)
	// AuditEvery is the time between comparisons with a dump; 0 is
	// AuditDefault, less is never.
	AuditEvery time.Duration
	Logger     *slog.Logger // nil is silence
}

// Totals are what a FIB did, beyond its Core.
type Totals struct {
	Stats
	Audits  uint64 // comparisons with a dump
	Resyncs uint64 // of these, the ones after lost events
	Errors  uint64 // dumps that failed
}

// FIB drives a Core with a provider and the time of day. Its methods may be
// called by any goroutine; Run and Flush by one at a time.
type FIB struct {
	opt    Options
	origin time.Time
	wake   chan struct{}

	mu      sync.Mutex // guards what follows
	core    *Core
	waiters []chan struct{}
	lists   []list
	totals  Totals

	// Run's own
	audit    clock.Instant
	begun    bool // the provider told the first Known
	outcomes []Outcome
}

// New returns a FIB that wants nothing.
func New(opt Options) *FIB {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Report == nil {
		opt.Report = func([]Outcome) {}
	}
	if opt.Event == nil {
		opt.Event = func(dataplane.Event) {}
	}
	if opt.AuditEvery == 0 {
		opt.AuditEvery = AuditDefault
	}
	f := &FIB{opt: opt, origin: time.Now(), wake: make(chan struct{}, 1), core: NewCore()}
	f.planAudit()
	return f
}

func (f *FIB) now() clock.Instant { return clock.Instant(time.Since(f.origin)) }

func (f *FIB) planAudit() {
	f.audit = clock.Never
	if f.opt.AuditEvery > 0 {
		f.audit = f.now().Add(f.opt.AuditEvery)
	}
}

// Put makes objects wanted.
func (f *FIB) Put(objects ...dataplane.Object) {
	f.change(func() {
		for _, o := range objects {
			f.core.Put(o)
		}
	})
}

// Delete makes the objects with these keys not wanted.
func (f *FIB) Delete(keys ...dataplane.Key) {
	f.change(func() {
		for _, k := range keys {
			f.core.Delete(k)
		}
	})
}

// Sweep removes the stale objects for which filter holds, all if it is nil, and
// returns their number.
func (f *FIB) Sweep(filter func(dataplane.Object) bool) (n int) {
	f.change(func() { n = f.core.Sweep(filter) })
	return n
}

func (f *FIB) change(do func()) {
	f.mu.Lock()
	do()
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Totals returns a picture of the present.
func (f *FIB) Totals() Totals {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.totals
	t.Stats = f.core.Stats()
	return t
}

// list is a question of List.
type list struct {
	kind dataplane.Kind
	done func([]dataplane.Object, error)
}

// List asks what is in force of a kind, ours and what is like ours, and returns at once.
// done is called by the goroutine of Run, and should not block.
func (f *FIB) List(kind dataplane.Kind, done func([]dataplane.Object, error)) {
	f.change(func() { f.lists = append(f.lists, list{kind, done}) })
}

// answer answers the questions of List.
func (f *FIB) answer(ctx context.Context) {
	f.mu.Lock()
	lists := f.lists
	f.lists = nil
	f.mu.Unlock()
	for _, l := range lists {
		l.done(f.dump(ctx, l.kind))
	}
}

func (f *FIB) dump(ctx context.Context, kind dataplane.Kind) (have []dataplane.Object, err error) {
	for o, err := range f.opt.Provider.Dump(ctx, kind) {
		if err != nil {
			return nil, fmt.Errorf("listing each %v: %w", kind, err)
		}
		have = append(have, o)
	}
	return have, nil
}

// Adopt takes over what an earlier life left installed. It is called before Run
// and before the first Put.
func (f *FIB) Adopt(ctx context.Context) error { return f.compare(ctx, true) }

// compare dumps everything and compares.
func (f *FIB) compare(ctx context.Context, adopt bool) error {
	for _, kind := range dataplane.Kinds() {
		have, err := f.dump(ctx, kind)
		if err != nil {
			return err
		}
		f.mu.Lock()
		f.core.BeginDump(kind, adopt)
		for _, o := range have {
			f.core.Dumped(o)
		}
		f.core.EndDump(f.now())
		f.mu.Unlock()
	}
	return nil
}

// Sync waits until every difference that exists now was tried at least once and
// reported.
func (f *FIB) Sync(ctx context.Context) error {
	done := make(chan struct{})
	f.change(func() { f.waiters = append(f.waiters, done) })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run works until ctx ends, and then leaves everything as it is. It returns
// dataplane.ErrClosed if the provider was closed.
func (f *FIB) Run(ctx context.Context) error {
	events := f.opt.Provider.Events()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		if !f.drainEvents(ctx, events) {
			return dataplane.ErrClosed
		}
		worked := f.work(ctx)
		f.answer(ctx)
		if worked {
			continue
		}
		timer.Reset(f.idle())
		select {
		case <-ctx.Done():
		case <-f.wake:
		case <-timer.C:
			if !f.audit.After(f.now()) {
				f.inspect(ctx, false)
			}
		case ev, ok := <-events:
			if !ok {
				return dataplane.ErrClosed
			}
			f.event(ctx, ev)
		}
	}
	return nil
}

// drainEvents takes the events that are there, up to a limit.
func (f *FIB) drainEvents(ctx context.Context, events <-chan dataplane.Event) bool {
	for range batch {
		select {
		case ev, ok := <-events:
			if !ok {
				return false
			}
			f.event(ctx, ev)
		default:
			return true
		}
	}
	return true
}

func (f *FIB) event(ctx context.Context, ev dataplane.Event) {
	f.mu.Lock()
	f.core.Event(f.now(), ev)
	f.mu.Unlock()
	f.opt.Event(ev)
	switch ev.(type) {
	case dataplane.Unsure:
		f.inspect(ctx, true)
	case dataplane.Known:
		// The first one too: a device may have gone down between Adopt and
		// its first event, which then does not look like a change.
		f.inspect(ctx, f.begun)
		f.begun = true
	}
}

// inspect compares with a dump, and does it again soon if that failed.
func (f *FIB) inspect(ctx context.Context, resync bool) {
	f.planAudit()
	err := f.compare(ctx, !f.begun) // until then, what is not known is of an earlier life
	f.mu.Lock()
	f.totals.Audits++
	if resync {
		f.totals.Resyncs++
	}
	if err != nil {
		f.totals.Errors++
	}
	f.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		f.opt.Logger.Warn("comparison with the data plane failed", "error", err)
		f.audit = f.now().Add(compareRetry)
	}
}

// idle returns the time until something is to be done.
func (f *FIB) idle() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	return max(0, min(f.core.Wake(now), f.audit).Sub(now))
}

// work does one batch and reports; false means that there was nothing to do.
func (f *FIB) work(ctx context.Context) bool {
	f.mu.Lock()
	ops := f.core.Next(f.now(), batch)
	f.mu.Unlock()
	var results []dataplane.Result
	if len(ops) > 0 {
		results = f.opt.Provider.Apply(ctx, ops)
	}
	f.mu.Lock()
	if len(ops) > 0 {
		f.core.Done(f.now(), results)
	}
	f.outcomes = f.core.Drain(f.outcomes[:0])
	f.mu.Unlock()
	if len(f.outcomes) > 0 {
		f.opt.Report(f.outcomes)
	}
	f.settle()
	return len(ops) > 0 || len(f.outcomes) > 0
}

// settle lets those go who wait for everything to be tried.
func (f *FIB) settle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.core.Pending() > 0 || len(f.core.outcomes) > 0 {
		return
	}
	for _, w := range f.waiters {
		close(w)
	}
	f.waiters = nil
}

// Flush removes everything of ours, stale or wanted, and returns what could not
// be removed. It is called when Run has returned.
func (f *FIB) Flush(ctx context.Context) error {
	f.mu.Lock()
	f.core.DeleteAll()
	f.mu.Unlock()
	for f.work(ctx) && ctx.Err() == nil {
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for _, e := range f.core.pick(func(e *entry) bool { return e.doomed }) {
		errs = append(errs, fmt.Errorf("%v was not removed", e.key))
	}
	return errors.Join(errs...)
}
