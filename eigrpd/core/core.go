package core

import (
	"math/rand/v2"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// Core is the protocol machine: an sm.Machine[Input, Effect]. Make it with New.
type Core struct {
	rng       *rand.Rand
	instances map[Key]*instance
	order     []*instance // the values of instances, sorted
	policy    *policy.Set
	out       []Effect
}

// Options are what a Core is given at birth.
type Options struct {
	// Source is the only randomness: jitter of timers. A Core made with the
	// same options and inputs yields the same effects.
	Source rand.Source
	// Wall is the time of day at instant zero; see WallClock.
	Wall time.Time
}

// New returns a core that knows of no interface and has no configuration.
func New(o Options) *Core {
	return &Core{rng: rand.New(o.Source), instances: make(map[Key]*instance)}
}

// Step implements sm.Machine.
func (c *Core) Step(now clock.Instant, in Input) {}

// Wake implements sm.Machine.
func (c *Core) Wake() (at clock.Instant, ok bool) { return 0, false }

// Drain implements sm.Machine.
func (c *Core) Drain(dst []Effect) []Effect {
	dst = append(dst, c.out...)
	clear(c.out)
	c.out = c.out[:0]
	return dst
}

func (c *Core) emit(e Effect) { c.out = append(c.out, e) }
