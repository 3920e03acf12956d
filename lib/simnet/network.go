package simnet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// Network is a virtual network. It is not safe for concurrent use.
type Network struct {
	now    clock.Instant
	rng    *rand.Rand
	queue  queue
	nodes  []*node
	checks []check
	stats  Stats
	hash   hash
	failed error
}

// Stats counts what happened in a network.
type Stats struct {
	Events      uint64 // events carried out
	Sent        uint64 // packets that nodes sent
	SentBytes   uint64 // their payload bytes
	Delivered   uint64 // packets that nodes received; duplicates and copies of multicasts count
	Lost        uint64 // packets that a link lost
	Duplicated  uint64 // packets that a link doubled
	HeldBack    uint64 // packets that a link held back (Quality.Reorder)
	Partitioned uint64 // packets that met a partition
	Unreachable uint64 // packets to an address that no port of the link has
	Filtered    uint64 // packets that a NAT dropped
	ToDead      uint64 // packets that arrived at a crashed node
	MaxQueue    int    // the most events that waited at once
}

// NodeStats counts what one node did.
type NodeStats struct {
	Steps         uint64 // times that its machine was stepped
	Sent          uint64 // packets
	SentBytes     uint64
	Received      uint64 // packets
	ReceivedBytes uint64
	MaxQueue      int // the most packets and inputs that were on their way to it at once
}

type check struct {
	every uint64
	fn    func() error
}

// New returns an empty network at instant 0. All that is random in it follows
// from seed.
func New(seed uint64) *Network {
	return &Network{rng: rand.New(rand.NewPCG(seed, 0x676f646d76706e)), hash: newHash()}
}

// Now returns the virtual time.
func (n *Network) Now() clock.Instant { return n.now }

// Stats returns the counters.
func (n *Network) Stats() Stats {
	s := n.stats
	s.MaxQueue = n.queue.longest
	return s
}

// Hash returns a hash over all events so far: their instants, kinds, nodes and
// packets, and what Env.Note added. Equal runs have equal hashes. It is stable
// across processes and platforms, but no cryptographic hash.
func (n *Network) Hash() uint64 { return n.hash.sum() }

// Rand returns the network's random source, for test scripts that want their
// choices to follow from the seed as well.
func (n *Network) Rand() *rand.Rand { return n.rng }

// Check has fn called after every so many events and at the end of every run. An
// error of fn ends the run.
func (n *Network) Check(every int, fn func() error) {
	n.checks = append(n.checks, check{uint64(max(every, 1)), fn})
}

// At has fn called at an instant, or as soon as possible if that has passed: a
// link cut, a node crashed, a line of configuration posted.
func (n *Network) At(at clock.Instant, fn func()) {
	n.queue.push(max(at, n.now), event{kind: kindScript, script: fn})
}

// After has fn called after d.
func (n *Network) After(d time.Duration, fn func()) { n.At(n.now.Add(d), fn) }

// ErrNotReached says that a condition did not come true in time.
var ErrNotReached = errors.New("condition not reached")

// Run carries out all events until the instant, inclusively, and moves the time
// there. The error is that of a check, or of a machine that is never content;
// once there was one, the network stands still.
func (n *Network) Run(until clock.Instant) error {
	_, err := n.run(until, nil)
	return err
}

// RunFor is Run from now on for d.
func (n *Network) RunFor(d time.Duration) error { return n.Run(n.now.Add(d)) }

// RunUntil carries out events until cond is true, which it asks before each
// instant that has events, at most until limit. The error is ErrNotReached or
// as for Run.
func (n *Network) RunUntil(limit clock.Instant, cond func() bool) error {
	reached, err := n.run(limit, cond)
	if err == nil && !reached {
		return fmt.Errorf("%w by %v", ErrNotReached, limit)
	}
	return err
}

func (n *Network) run(until clock.Instant, cond func() bool) (reached bool, err error) {
	asked := clock.Instant(-1)
	for n.failed == nil {
		at, ok := n.queue.next()
		if !ok || at.After(until) {
			break
		}
		if cond != nil && at != asked {
			if asked = at; cond() {
				return true, n.checkAll()
			}
		}
		n.now = at
		n.carryOut(n.queue.pop())
		n.stats.Events++
		n.runChecks()
	}
	if n.failed != nil {
		return false, n.failed
	}
	if until != clock.Never {
		n.now = max(n.now, until)
	}
	return cond != nil && cond(), n.checkAll()
}

func (n *Network) carryOut(e event) {
	n.hash.add(uint64(n.now), uint64(e.kind))
	switch e.kind {
	case kindScript:
		e.script()
	case kindTimer:
		n.hash.add(uint64(e.node.id))
		e.node.timer(n.now)
	case kindInput:
		n.hash.add(uint64(e.node.id))
		e.node.input(e.life, e.input)
	case kindPacket:
		n.hash.addPacket(e.to.node.id, e.to.id, &e.packet)
		e.to.node.packet(e.to, e.packet)
	}
}

func (n *Network) runChecks() {
	for i := range n.checks {
		if n.failed == nil && n.stats.Events%n.checks[i].every == 0 {
			n.fail(n.checks[i].fn())
		}
	}
}

func (n *Network) checkAll() error {
	for i := range n.checks {
		n.fail(n.checks[i].fn())
	}
	return n.failed
}

// fail remembers the first error and where it came up.
func (n *Network) fail(err error) {
	if err != nil && n.failed == nil {
		n.failed = fmt.Errorf("at %v, after %d events: %w", n.now, n.stats.Events, err)
	}
}
