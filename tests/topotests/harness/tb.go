package harness

import (
	"fmt"
	"os"
	"time"
)

// TB is what the harness needs of a test; *testing.T is one.
type TB interface {
	Name() string
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
	Cleanup(func())
}

// pollInterval is the pause between two tries of Eventually.
const pollInterval = 100 * time.Millisecond

// Eventually calls f until it returns nil; after the limit the test ends with
// f's last error.
func Eventually(t TB, limit time.Duration, f func() error) {
	t.Helper()
	if err := Poll(limit, f); err != nil {
		t.Fatalf("not within %v: %v", limit, err)
	}
}

// Poll calls f until it returns nil, and returns f's last error after the limit.
func Poll(limit time.Duration, f func() error) error {
	end := time.Now().Add(limit)
	for {
		err := f()
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(pollInterval)
	}
}

// fatal is what Fatalf of a program throws.
type fatal struct{}

// program is the TB of something that is no test.
type program struct {
	name     string
	failed   bool
	cleanups []func()
}

func (p *program) Name() string                      { return p.name }
func (p *program) Helper()                           {}
func (p *program) Logf(format string, args ...any)   { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (p *program) Errorf(format string, args ...any) { p.failed = true; p.Logf(format, args...) }
func (p *program) Fatalf(format string, args ...any) { p.Errorf(format, args...); panic(fatal{}) }
func (p *program) Failed() bool                      { return p.failed }
func (p *program) Cleanup(f func())                  { p.cleanups = append(p.cleanups, f) }

// Program runs f with what a test has, outside of any test: failures go to
// standard error, everything registered is cleaned up at the end, also when f
// gives up. It returns the exit status. For demos and benchmarks.
func Program(name string, f func(TB)) int {
	p := &program{name: name}
	func() {
		defer func() {
			if r := recover(); r != nil {
				if _, own := r.(fatal); !own {
					p.cleanup()
					panic(r)
				}
			}
		}()
		f(p)
	}()
	p.cleanup()
	if p.failed {
		return 1
	}
	return 0
}

func (p *program) cleanup() {
	for i := len(p.cleanups) - 1; i >= 0; i-- {
		p.cleanups[i]()
	}
	p.cleanups = nil
}

// Await waits until all that is said is so; after the limit the test ends.
func Await(t TB, limit time.Duration, all ...func() error) {
	t.Helper()
	Eventually(t, limit, func() error {
		for _, f := range all {
			if err := f(); err != nil {
				return err
			}
		}
		return nil
	})
}
