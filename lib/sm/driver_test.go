package sm_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/sm"
)

// run starts a driver of a toy and returns it with what it handed over so far
// and a stop that waits for Run's end.
func run(t *testing.T, cfg sm.Config[input, string]) (d *sm.Driver[input, string], log func() []string, stop func()) {
	t.Helper()
	var mu sync.Mutex
	var got []string
	cfg.Tick = input{tick: true}
	if cfg.Machine == nil {
		cfg.Machine = &toy{}
	}
	cfg.Handle = func(out []string) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, out...)
	}
	d = sm.NewDriver(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.Run(ctx)
	}()
	log = func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
	return d, log, func() { cancel(); <-done }
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("effects (-want +got):\n%s", diff)
	}
}

func TestDriverTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, log, stop := run(t, sm.Config[input, string]{})
		defer stop()
		d.Post(input{name: 1, in: 10 * time.Second})
		d.Post(input{name: 2, in: 3 * time.Second})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		want(t, log(), "0s set 1", "0s set 2", "3s ring 2")
		d.Post(input{name: 1, in: time.Second}) // moves the alarm forward
		time.Sleep(10 * time.Second)
		synctest.Wait()
		want(t, log(), "0s set 1", "0s set 2", "3s ring 2", "5s set 1", "6s ring 1")
		if s := d.Stats(); s.Steps != 5 || s.Posted != 3 {
			t.Errorf("Stats() = %+v, want 5 steps, 3 posted: no idle ticks", s)
		}
	})
}

func TestDriverOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		origin := time.Now().Add(-time.Hour)
		d, log, stop := run(t, sm.Config[input, string]{Origin: origin})
		defer stop()
		d.Post(input{name: 1})
		synctest.Wait()
		want(t, log(), "1h0m0s set 1")
		if now := d.Now(); now != clock.Instant(time.Hour) || !d.Time(now).Equal(time.Now()) {
			t.Errorf("Now() = %v, Time(Now()) = %v", now, d.Time(now))
		}
	})
}

// TestDriverTicksBeforeInput holds the driver in its handler until both an
// alarm is due and an input waits: the alarm comes first.
func TestDriverTicksBeforeInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []input
		d, _, stop := run(t, sm.Config[input, string]{Observe: func(now clock.Instant, in input) {
			seen = append(seen, in)
			if in.name == 1 {
				time.Sleep(time.Minute)
			}
		}})
		d.Post(input{name: 2, in: time.Second})
		synctest.Wait()
		d.Post(input{name: 1})
		d.Post(input{name: 3})
		time.Sleep(2 * time.Minute)
		stop()
		// 1 is observed, then a minute passes, in which 2 becomes due.
		wantSeen := []input{{name: 2, in: time.Second}, {name: 1}, {tick: true}, {name: 3}}
		if !slices.Equal(seen, wantSeen) {
			t.Errorf("machine saw %+v, want %+v", seen, wantSeen)
		}
	})
}

func TestDriverOfferBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := sm.Config[input, string]{Machine: &toy{}, Tick: input{tick: true}, Queue: 2}
		var got []string
		cfg.Handle = func(out []string) { got = append(got, out...) }
		d := sm.NewDriver(cfg)
		var took []bool
		for name := uint32(1); name <= 4; name++ {
			took = append(took, d.Offer(input{name: name}))
		}
		d.Post(input{name: 5}) // never refused
		if !slices.Equal(took, []bool{true, true, false, false}) {
			t.Errorf("Offer = %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // Run steps what waits all the same
		d.Run(ctx)
		want(t, got, "0s set 1", "0s set 2", "0s set 5")
		d.Post(input{name: 6})
		if d.Offer(input{name: 7}) {
			t.Error("Offer after the end = true")
		}
		if s, w := d.Stats(), (sm.Stats{Steps: 3, Posted: 1, Offered: 2, Dropped: 3, MaxQueue: 3}); s != w {
			t.Errorf("Stats() = %+v, want %+v", s, w)
		}
	})
}

func TestDriverFreesQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, log, stop := run(t, sm.Config[input, string]{Queue: 1})
		defer stop()
		for range 3 {
			if !d.Offer(input{name: 1}) {
				t.Fatal("Offer to an empty queue = false")
			}
			synctest.Wait()
		}
		want(t, log(), "0s set 1", "0s set 1", "0s set 1")
	})
}

// TestDriverHandlerPosts lets the handler answer effects with inputs.
func TestDriverHandlerPosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d *sm.Driver[input, string]
		var got []string
		d = sm.NewDriver(sm.Config[input, string]{
			Machine: &toy{}, Tick: input{tick: true},
			Handle: func(out []string) {
				got = append(got, out...)
				if len(got) < 3 {
					d.Post(input{name: uint32(len(got) + 1)})
				}
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		go d.Run(ctx)
		d.Post(input{name: 1})
		synctest.Wait()
		cancel()
		synctest.Wait()
		want(t, got, "0s set 1", "0s set 2", "0s set 3")
	})
}

// TestDriverManyPosters has many goroutines post: nothing is lost, and each
// poster's order is kept.
func TestDriverManyPosters(t *testing.T) {
	const posters, each = 8, 2000
	next := make([]uint32, posters)
	var seen int
	d, _, stop := run(t, sm.Config[input, string]{Observe: func(_ clock.Instant, in input) {
		if in.tick {
			return
		}
		p, i := in.name>>16, in.name&0xffff
		if next[p]++; next[p] != i {
			t.Errorf("poster %d: input %d came as number %d", p, i, next[p])
		}
		seen++
	}})
	var wg sync.WaitGroup
	for p := range uint32(posters) {
		wg.Go(func() {
			for i := range uint32(each) {
				d.Post(input{name: p<<16 | (i + 1)})
			}
		})
	}
	wg.Wait()
	stop()
	if seen != posters*each {
		t.Errorf("stepped %d inputs, want %d", seen, posters*each)
	}
}

// TestDriverDoesNotRecover wants a panic of the machine to reach Run's caller.
func TestDriverDoesNotRecover(t *testing.T) {
	d := sm.NewDriver(sm.Config[input, string]{Machine: &toy{}, Handle: func([]string) {}})
	d.Post(input{}) // the toy panics
	defer func() {
		if r := recover(); fmt.Sprint(r) != "toy: input 0" {
			t.Errorf("recovered %v", r)
		}
	}()
	d.Run(t.Context())
}

// TestDriverBatches wants effects in batches, yet not held back for ever.
func TestDriverBatches(t *testing.T) {
	var sizes []int
	d := sm.NewDriver(sm.Config[input, string]{
		Machine: &toy{}, Handle: func(out []string) { sizes = append(sizes, len(out)) },
	})
	for range 300 {
		d.Post(input{name: 1})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.Run(ctx)
	if !slices.Equal(sizes, []int{128, 128, 44}) {
		t.Errorf("batches of %v", sizes)
	}
}

func BenchmarkDriver(b *testing.B) {
	d := sm.NewDriver(sm.Config[int, int]{Machine: &echo{}, Handle: func([]int) {}, Queue: 1 << 30})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	b.ReportAllocs()
	for i := range b.N {
		d.Offer(i)
	}
	cancel()
	<-done
}

// echo gives every input back.
type echo struct{ out []int }

func (e *echo) Step(_ clock.Instant, in int) { e.out = append(e.out, in) }
func (e *echo) Wake() (clock.Instant, bool)  { return 0, false }
func (e *echo) Drain(dst []int) []int        { dst = append(dst, e.out...); e.out = e.out[:0]; return dst }
