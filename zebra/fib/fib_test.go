package fib

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const limit = 20 * time.Second

// started is a FIB at work over a fake data plane.
type started struct {
	*testing.T
	f    *FIB
	p    *fake.Provider
	ctx  context.Context
	stop func() error

	mu       sync.Mutex
	outcomes []Outcome
	events   []dataplane.Event
	told     chan struct{}
}

func start(t *testing.T, audit time.Duration, devices ...string) *started {
	return startOver(t, audit, fake.New(devices...))
}

func startOver(t *testing.T, audit time.Duration, p *fake.Provider) *started {
	s := &started{T: t, p: p, told: make(chan struct{}, 1)}
	s.f = New(Options{Provider: s.p, AuditEvery: audit, Report: s.report, Event: s.event})
	var cancel func()
	s.ctx, cancel = context.WithTimeout(context.Background(), limit)
	if err := s.f.Adopt(s.ctx); err != nil {
		t.Fatal(err)
	}
	run, end := context.WithCancel(s.ctx)
	done := make(chan error, 1)
	go func() { done <- s.f.Run(run) }()
	s.stop = sync.OnceValue(func() error { end(); return <-done })
	t.Cleanup(func() { s.stop(); cancel(); s.p.Close() })
	return s
}

func (s *started) report(os []Outcome) {
	s.mu.Lock()
	s.outcomes = append(s.outcomes, os...)
	s.mu.Unlock()
	s.signal()
}

func (s *started) event(ev dataplane.Event) {
	s.mu.Lock()
	s.events = append(s.events, ev)
	s.mu.Unlock()
	s.signal()
}

func (s *started) signal() {
	select {
	case s.told <- struct{}{}:
	default:
	}
}

// until waits, with a limit, until something that was told makes ok true.
func (s *started) until(what string, ok func() bool) {
	s.Helper()
	for {
		s.mu.Lock()
		done := ok()
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-s.told:
		case <-time.After(10 * time.Millisecond): // for what nobody is told of
		case <-s.ctx.Done():
			s.Fatalf("timeout: %s; %+v", what, s.f.Totals())
		}
	}
}

func (s *started) sync() {
	s.Helper()
	if err := s.f.Sync(s.ctx); err != nil {
		s.Fatal(err)
	}
}

func manyRoutes(n int) (rs []dataplane.Object) {
	for i := range n {
		r := aRoute("203.0.113.0/24", "eth0")
		r.Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
		rs = append(rs, r)
	}
	return rs
}

func TestList(t *testing.T) {
	s := start(t, -1, "eth0")
	s.f.Put(anSA(0x1000), anSA(0x2000))
	done := make(chan int, 1)
	s.f.List(dataplane.KindSA, func(have []dataplane.Object, err error) {
		if err != nil {
			t.Error(err)
		}
		done <- len(have)
	})
	select {
	case n := <-done:
		if n != 2 {
			t.Errorf("%d SAs are listed", n)
		}
	case <-s.ctx.Done():
		t.Error("no answer")
	}
}

// TestUnsure has events be lost, as told by the provider: what went is found.
func TestUnsure(t *testing.T) {
	s, sa := start(t, -1, "eth0"), anSA(0x1000)
	s.until("the first look", func() bool { return s.f.Totals().Audits > 0 })
	s.f.Put(sa)
	s.sync()
	s.p.Forget(func() { s.p.Expire(sa.Key(), true) })
	s.p.Tell(dataplane.Unsure{})
	s.until("it is gone", func() bool {
		return len(s.outcomes) > 0 && errors.Is(s.outcomes[len(s.outcomes)-1].Err, dataplane.ErrGone)
	})
}

func TestRun(t *testing.T) {
	s := start(t, -1, "eth0")
	s.f.Put(manyRoutes(3 * batch)...)
	s.sync()
	s.mu.Lock()
	n := len(s.outcomes)
	s.mu.Unlock()
	if n != 3*batch {
		t.Errorf("%d outcomes", n)
	}
	if tt := s.f.Totals(); tt.Installed != 3*batch || tt.Queued != 0 {
		t.Errorf("%+v", tt)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if err := s.f.Flush(s.ctx); err != nil {
		t.Error(err)
	}
	for o := range s.p.Dump(s.ctx, dataplane.KindRoute) {
		t.Fatalf("left after Flush: %v", o.Key())
	}
}

func TestRunKeepsWhenStopped(t *testing.T) {
	s := start(t, -1, "eth0")
	s.f.Put(manyRoutes(10)...)
	s.sync()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	n := 0
	for range s.p.Dump(s.ctx, dataplane.KindRoute) {
		n++
	}
	if n != 10 {
		t.Errorf("%d routes are left", n)
	}
}

func TestRunFollowsEvents(t *testing.T) {
	s := start(t, -1)
	s.f.Put(aRoute("203.0.113.0/24", "eth0"))
	s.sync()
	s.p.AddDevice("eth0")
	s.until("the route is put", func() bool {
		return len(s.outcomes) > 0 && s.outcomes[len(s.outcomes)-1].Err == nil
	})
	s.until("the device is told", func() bool {
		c, ok := s.events[len(s.events)-1].(dataplane.LinkChanged)
		return ok && c.Link.Name == "eth0"
	})
}

func TestRunRepairsAfterLoss(t *testing.T) {
	s := start(t, -1, "eth0")
	r := aRoute("203.0.113.0/24", "eth0")
	s.f.Put(r)
	s.sync()
	s.until("begin", func() bool { return len(s.events) > 0 && s.events[len(s.events)-1] == dataplane.Known{} })
	s.p.Lose(true)
	s.p.Steal(r.Key())
	s.p.Lose(false)
	s.until("repair", func() bool { t := s.f.Totals(); return t.Resyncs == 1 && t.Repaired == 1 && t.Installed == 1 })
}

func TestRunAudits(t *testing.T) {
	s := start(t, 10*time.Millisecond, "eth0")
	r := aRoute("203.0.113.0/24", "eth0")
	s.f.Put(r)
	s.sync()
	s.p.Forget(func() { s.p.Steal(r.Key()) })
	s.until("repair", func() bool { t := s.f.Totals(); return t.Audits > 0 && t.Repaired == 1 && t.Installed == 1 })
}

func TestRunEndsWithProvider(t *testing.T) {
	s := start(t, -1)
	s.p.Close()
	done := make(chan error, 1)
	go func() { done <- s.stop() }()
	select {
	case err := <-done:
		if err != nil && err != dataplane.ErrClosed {
			t.Error(err)
		}
	case <-s.ctx.Done():
		t.Fatal("it did not end")
	}
}

func TestFlushSaysWhatIsLeft(t *testing.T) {
	s := start(t, -1, "eth0")
	s.f.Put(manyRoutes(2)...)
	s.sync()
	s.stop()
	s.p.FailWith(func(dataplane.Op) error { return errBroken })
	if err := s.f.Flush(s.ctx); err == nil {
		t.Error("Flush said nothing")
	}
}

// TestTakeOver begins where an earlier life ended: what the kernel then tells of
// its devices must not take anything away that somebody may still want.
func TestTakeOver(t *testing.T) {
	p := fake.New("eth0")
	left := []dataplane.Object{tunnel0, address0, neighbor0}
	for _, o := range left {
		if r := p.Apply(t.Context(), []dataplane.Op{dataplane.Put(o)}); r[0].Err != nil {
			t.Fatal(r[0].Err)
		}
	}
	s := startOver(t, -1, p)
	s.until("the devices of the earlier life are told", func() bool {
		link, addr := false, false
		for _, ev := range s.events {
			l, isLink := ev.(dataplane.LinkChanged)
			_, isAddr := ev.(dataplane.AddrChanged)
			link, addr = link || isLink && l.Link.Name == tunnel0.Name, addr || isAddr
		}
		return link && addr
	})
	s.sync()
	if tt := s.f.Totals(); tt.Stale != len(left) || tt.Strays != 0 {
		t.Errorf("after the first picture: %+v", tt)
	}
	s.f.Put(left...)
	s.sync()
	if tt := s.f.Totals(); tt.Kept != uint64(len(left)) || tt.Puts != 0 || tt.Deletes != 0 {
		t.Errorf("after everything was repeated: %+v", tt)
	}
}
