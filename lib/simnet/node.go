package simnet

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/sm"
)

// Packet is what travels on a link.
type Packet struct {
	Src, Dst netip.AddrPort // the port is 0 where the protocol has none
	Protocol uint32         // what the payload is; nodes agree on the numbers
	Payload  []byte         // not changed by anyone once it was sent
}

// Addr returns an address as a Packet carries it where there are no ports.
func Addr(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, 0) }

// Behavior says how a core is born and how it meets the network.
type Behavior[In, Out any] struct {
	// New gives birth to the machine: at Add and at each Restart. The seed
	// differs at each birth and follows from the network's.
	New func(seed uint64) sm.Machine[In, Out]
	// Tick is the input that says nothing but that time has passed.
	Tick In
	// Receive makes an input of a packet; false drops it. nil drops all.
	Receive func(port *Port, p Packet) (in In, ok bool)
	// Effect carries out one effect. nil ignores all.
	Effect func(e *Env[In, Out], out Out)
}

// Env is a node as the effects of its machine see it.
type Env[In, Out any] struct {
	node *Node[In, Out]
}

// Now returns the virtual time.
func (e *Env[In, Out]) Now() clock.Instant { return e.node.net.now }

// Node returns the node.
func (e *Env[In, Out]) Node() *Node[In, Out] { return e.node }

// Send sends a packet by the node's port of that number. Where p.Src has no
// address, it gets the port's.
func (e *Env[In, Out]) Send(port int, p Packet) { e.node.ports[port].send(p) }

// After hands the node an input after d, unless it crashed in between: the
// answer of a part of the router that is not simulated.
func (e *Env[In, Out]) After(d time.Duration, in In) { e.node.PostAt(e.Now().Add(d), in) }

// Note adds a value to the network's trace hash, for effects that send nothing.
func (e *Env[In, Out]) Note(v uint64) { e.node.net.hash.add(uint64(e.node.id), v) }

// Node is a router in the network.
type Node[In, Out any] struct {
	node
	behavior Behavior[In, Out]
	machine  sm.Machine[In, Out] // nil while crashed
	env      Env[In, Out]
	out      []Out
}

// node is the part of Node that does not depend on the types of its machine.
type node struct {
	net    *Network
	name   string
	id     int
	ports  []*Port
	typed  typedNode
	alive  bool
	life   uint32        // counts births
	armed  clock.Instant // the earliest timer event in the queue
	queued int           // packets and inputs on their way
	stats  NodeStats

	ticked clock.Instant // last tick, and how often at that instant
	ticks  int
}

// typedNode is what node asks of the Node that it is part of.
type typedNode interface {
	wake() (clock.Instant, bool)
	tick()
	stepInput(in any)
	stepPacket(port *Port, p Packet)
	drain()
}

// maxTicks is how often a machine may ask to be ticked again at once.
const maxTicks = 10000

// Add adds a node and gives birth to its machine, whose first effects are
// carried out and whose first timer is armed when the network next runs.
func Add[In, Out any](n *Network, name string, b Behavior[In, Out]) *Node[In, Out] {
	v := &Node[In, Out]{behavior: b}
	v.node = node{net: n, name: name, id: len(n.nodes), typed: v}
	v.env.node = v
	n.nodes = append(n.nodes, &v.node)
	v.Restart()
	return v
}

// Name returns the name given at Add.
func (v *node) Name() string { return v.name }

// ID returns the number of nodes that were added before this one.
func (v *node) ID() int { return v.id }

// Alive reports whether the node is not crashed.
func (v *node) Alive() bool { return v.alive }

// Stats returns the node's counters.
func (v *node) Stats() NodeStats { return v.stats }

// Port returns the port of that number; ports are numbered from 0 in the order
// of their Attach.
func (v *node) Port(i int) *Port { return v.ports[i] }

// base lets Link.Attach take any Node.
func (v *node) base() *node { return v }

// Machine returns the machine for looking at; nil while the node is crashed.
func (v *Node[In, Out]) Machine() sm.Machine[In, Out] { return v.machine }

// Post hands the node an input as soon as the network runs.
func (v *Node[In, Out]) Post(in In) { v.PostAt(v.net.now, in) }

// PostAt hands the node an input at an instant. The input is lost if the node
// crashes before.
func (v *Node[In, Out]) PostAt(at clock.Instant, in In) {
	if !v.alive {
		return
	}
	v.enqueued()
	v.net.queue.push(max(at, v.net.now), event{kind: kindInput, node: &v.node, life: v.life, input: in})
}

// Crash ends the node's machine. Its timers and inputs die with it; packets on
// their way to it arrive at nobody, unless it is restarted in time.
func (v *Node[In, Out]) Crash() {
	v.alive, v.machine = false, nil
}

// Restart gives birth to a new machine in place of the present or the crashed
// one.
func (v *Node[In, Out]) Restart() {
	v.life++
	v.alive, v.armed, v.ticks = true, clock.Never, 0
	v.machine = v.behavior.New(v.net.rng.Uint64())
	v.armed = v.net.now
	v.net.queue.push(v.net.now, event{kind: kindTimer, node: &v.node})
}

func (v *Node[In, Out]) wake() (clock.Instant, bool) { return v.machine.Wake() }

func (v *Node[In, Out]) tick() { v.step(v.behavior.Tick) }

func (v *Node[In, Out]) stepInput(in any) { v.step(in.(In)) }

func (v *Node[In, Out]) stepPacket(port *Port, p Packet) {
	if v.behavior.Receive == nil {
		return
	}
	if in, ok := v.behavior.Receive(port, p); ok {
		v.step(in)
	}
}

func (v *Node[In, Out]) step(in In) {
	v.stats.Steps++
	v.machine.Step(v.net.now, in)
	v.drain()
}

func (v *Node[In, Out]) drain() {
	out := v.machine.Drain(v.out[:0])
	if v.behavior.Effect != nil {
		for _, o := range out {
			v.behavior.Effect(&v.env, o)
		}
	}
	clear(out)
	v.out = out[:0]
}

// timer is the event that a timer of the machine may be due.
func (v *node) timer(now clock.Instant) {
	if !v.alive || now != v.armed {
		return // of an earlier life, or another event came to stand for it
	}
	v.armed = clock.Never
	v.tickIfDue()
	if v.alive {
		v.typed.drain() // what a machine has to say at birth
	}
	v.arm()
}

func (v *node) input(life uint32, in any) {
	v.queued--
	if !v.alive || life != v.life {
		return
	}
	v.tickIfDue()
	if v.alive {
		v.typed.stepInput(in)
	}
	v.arm()
}

func (v *node) packet(port *Port, p Packet) {
	v.queued--
	if v.alive {
		v.tickIfDue()
	}
	if !v.alive {
		v.net.stats.ToDead++
		return
	}
	v.net.stats.Delivered++
	v.stats.Received++
	v.stats.ReceivedBytes += uint64(len(p.Payload))
	v.typed.stepPacket(port, p)
	v.arm()
}

// tickIfDue ticks the machine once if its earliest timer is due.
func (v *node) tickIfDue() {
	now := v.net.now
	at, ok := v.typed.wake()
	if !ok || at.After(now) {
		return
	}
	if v.ticked != now {
		v.ticked, v.ticks = now, 0
	}
	if v.ticks++; v.ticks > maxTicks {
		v.net.fail(fmt.Errorf("%s: still wants to be woken at %v after %d ticks at that instant", v.name, at, maxTicks))
	}
	v.typed.tick()
}

// arm has an event in the queue at or before the machine's earliest timer.
func (v *node) arm() {
	if !v.alive {
		return
	}
	at, ok := v.typed.wake()
	if !ok || at == clock.Never {
		return
	}
	if at = max(at, v.net.now); at < v.armed {
		v.armed = at
		v.net.queue.push(at, event{kind: kindTimer, node: v})
	}
}

func (v *node) enqueued() {
	v.queued++
	v.stats.MaxQueue = max(v.stats.MaxQueue, v.queued)
}
