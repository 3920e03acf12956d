package rtp

import (
	"encoding/binary"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

var simSeeds = flag.Int("sim-seeds", 30, "networks that TestSim draws")

const segment InterfaceID = 1

// network is routers on one segment that loses, doubles and reorders.
type network struct {
	rng      *rand.Rand
	loss     int // percent
	double   int // percent
	delay    time.Duration
	link     Link
	star     bool // all but the first reach only the first, and packets keep their order
	nodes    []*node
	now      clock.Instant
	timers   clock.Heap[int] // events, and below 0 the ticks of the nodes
	events   map[int]func()
	number   int // of the last event
	payloads uint32
	trace    interface {
		Write([]byte) (int, error)
		Sum64() uint64
	}
	delivered, restarts, lost int
	err                       error
}

// node is a router: a transport, and as much of a core as the transport wants.
type node struct {
	id    PeerID
	net   *network
	t     *Transport
	lives map[PeerID][][]uint32 // of each neighbour: what it was to be sent, in each life of the adjacency
	taken map[PeerID]place      // of each neighbour: what was delivered last
	stats LinkStats             // of former lives

	heard  map[PeerID]clock.Instant // when the last packet of a neighbour comes in
	silent bool                     // what it sends gets lost
	other  bool                     // of another make: acknowledges an INIT alone
	octets int                      // sent, as pacing counts them
}

// place is a packet in what is to be sent to a neighbour.
type place struct{ life, index int }

func newNetwork(seed uint64, n int) *network {
	r := rand.New(rand.NewPCG(seed, 1))
	net := &network{rng: r, events: map[int]func(){}, trace: fnv.New64a(),
		loss: r.IntN(4) * 10, double: r.IntN(3) * 10, delay: time.Duration(1+r.IntN(40)) * time.Millisecond,
		link: Link{ID: segment, Multicast: r.IntN(5) > 0}}
	if r.IntN(4) == 0 {
		net.link.Bandwidth = 10_000
	}
	for i := range n {
		net.join(PeerID(i + 1))
	}
	net.boot()
	return net
}

func (net *network) join(id PeerID) {
	net.nodes = append(net.nodes, &node{id: id, net: net, other: !net.star && net.rng.IntN(4) == 0, lives: map[PeerID][][]uint32{}, taken: map[PeerID]place{}, heard: map[PeerID]clock.Instant{}})
}

// boot starts all routers.
func (net *network) boot() {
	for _, n := range net.nodes {
		n.birth()
	}
	for _, n := range net.nodes {
		n.greetAll()
	}
}

// hears reports whether a router hears the multicasts of another.
func (net *network) hears(to, from *node) bool {
	return to != from && (!net.star || to.id == 1 || from.id == 1)
}

// at lets something happen later.
func (net *network) at(d time.Duration, do func()) {
	net.number++
	net.events[net.number] = do
	net.timers.Set(net.number, net.now.Add(d))
}

// run lets time pass.
func (net *network) run(end clock.Instant) {
	for net.err == nil {
		at, ok := net.timers.Next()
		if !ok || at > end {
			break
		}
		net.now = at
		key, _ := net.timers.PopDue(at)
		if key < 0 {
			n := net.nodes[-key-1]
			n.t.Tick(net.now)
			n.work()
			continue
		}
		do := net.events[key]
		delete(net.events, key)
		do()
	}
	net.now = end
}

// carry brings a packet to a router: not always, not once, not in order.
func (net *network) carry(from, to *node, do func()) {
	times := 1
	if net.rng.IntN(100) < net.double {
		times = 2
	}
	for range times {
		if !from.silent && net.rng.IntN(100) >= net.loss {
			old, t := from.t, to.t
			at := net.now.Add(time.Duration(net.rng.Int64N(int64(net.delay))))
			if net.star {
				at = max(at, to.heard[from.id]) // in order
				to.heard[from.id] = at
			}
			net.at(at.Sub(net.now), func() {
				if from.t == old && to.t == t { // a restart takes longer than a packet is on its way
					do()
				}
			})
		}
	}
}

// boot starts a router, anew if it runs.
func (n *node) boot() {
	n.birth()
	n.greetAll()
}

func (n *node) birth() {
	if n.t != nil {
		n.add()
	}
	n.t = New(Options{First: n.net.rng.Uint32()})
	n.t.SetLink(n.net.now, n.net.link)
}

func (n *node) greetAll() {
	for _, p := range n.net.nodes {
		if n.net.hears(p, n) {
			n.greet(p.id)
		}
	}
	n.work()
}

// add adds the figures of the life that ends.
func (n *node) add() {
	s, _ := n.t.LinkStats(segment)
	n.stats.ReliableMulticasts += s.ReliableMulticasts
	n.stats.ReliableUnicasts += s.ReliableUnicasts
	n.stats.CRPackets += s.CRPackets
	n.stats.MulticastExceptions += s.MulticastExceptions
	n.stats.Retransmissions += s.Retransmissions
	n.stats.AcksSuppressed += s.AcksSuppressed
}

// greet begins a life of an adjacency.
func (n *node) greet(p PeerID) {
	n.t.PeerUp(n.net.now, p, segment, false)
	n.lives[p] = append(n.lives[p], nil)
	delete(n.taken, p)
	n.send([]PeerID{p}, nil, packet.Update, packet.FlagInit)
}

// send sends a payload that nobody has sent before, and notes who is to get it.
func (n *node) send(to, except []PeerID, op packet.Opcode, f packet.Flags) {
	n.net.payloads++
	size := 4
	if f&packet.FlagInit == 0 {
		size += n.net.rng.IntN(600)
	}
	b := binary.BigEndian.AppendUint32(make([]byte, 0, size), n.net.payloads)[:size]
	for _, q := range n.t.links[segment].peers {
		p := n.net.nodes[q.id-1]
		if q.lost || slices.Contains(except, p.id) || to != nil && !slices.Contains(to, p.id) || to == nil && !q.up {
			continue
		}
		life := len(n.lives[p.id]) - 1
		n.lives[p.id][life] = append(n.lives[p.id][life], n.net.payloads)
	}
	n.t.Send(n.net.now, segment, to, except, Packet{Opcode: op, Flags: f, TLVs: b})
}

// work does what the transport wants, until it wants no more.
func (n *node) work() {
	for flushed := false; ; {
		effects := n.t.Drain(nil)
		if len(effects) == 0 {
			if flushed {
				break
			}
			n.t.Flush(n.net.now)
			flushed = true
			continue
		}
		for _, e := range effects {
			fmt.Fprintf(n.net.trace, "%v %d %s\n", n.net.now, n.id, print(e))
			n.do(e)
		}
	}
	if at, ok := n.t.Wake(); ok {
		n.net.timers.Set(-int(n.id), max(at, n.net.now))
	} else {
		n.net.timers.Clear(-int(n.id))
	}
}

func (n *node) do(e Effect) {
	net := n.net
	switch e := e.(type) {
	case Transmit:
		n.octets += smallest + len(e.TLVs)
		if n.other && e.Flags&packet.FlagInit != 0 && e.Ack != 0 {
			n.do(SendAck{e.Interface, e.Peer, e.Ack})
			if e.Ack = 0; e.Attempt > 1 && net.rng.IntN(2) == 0 {
				return
			}
		}
		h := Header{Opcode: e.Opcode, Flags: e.Flags, Seq: e.Seq, Ack: e.Ack, Multicast: e.Peer == 0}
		to := net.nodes
		if e.Peer != 0 {
			to = net.nodes[e.Peer-1 : e.Peer]
		}
		for _, to := range to {
			if net.hears(to, n) {
				net.carry(n, to, func() { to.receive(n.id, h, e.TLVs) })
			}
		}
	case SequenceHello:
		n.octets += smallest + 5*len(e.Lagging)
		for _, to := range net.nodes {
			if net.hears(to, n) {
				net.carry(n, to, func() { to.t.HelloSequence(net.now, n.id, slices.Contains(e.Lagging, to.id), e.Next) })
			}
		}
	case SendAck:
		n.octets += smallest
		to := net.nodes[e.Peer-1]
		net.carry(n, to, func() { to.receive(n.id, Header{Opcode: packet.Hello, Ack: e.Ack}, nil) })
	case Acked:
		if e.Flags&packet.FlagInit != 0 {
			n.t.SetMulticast(net.now, e.Peer, true)
		}
	case PeerLost:
		net.lost++
		n.greet(e.Peer)
	}
}

func (n *node) receive(from PeerID, h Header, b []byte) {
	v := n.t.Received(n.net.now, from, h)
	if v == Restarted {
		n.net.restarts++
		n.greet(from)
		v = n.t.Received(n.net.now, from, h)
	}
	if v == Deliver {
		n.deliver(from, h, binary.BigEndian.Uint32(b))
	}
	n.work()
}

// deliver wants a packet to be the one after that before.
func (n *node) deliver(from PeerID, h Header, payload uint32) {
	n.net.delivered++
	sender := n.net.nodes[from-1]
	for life, list := range slices.Backward(sender.lives[n.id]) {
		i := slices.Index(list, payload)
		if i < 0 {
			continue
		}
		last, any := n.taken[from]
		init := h.Flags&packet.FlagInit != 0
		if init != (i == 0) || !init && (!any || last != (place{life, i - 1})) {
			n.net.err = fmt.Errorf("%v: %d took packet %d of life %d from %d after %v", n.net.now, n.id, i, life, from, last)
		}
		n.taken[from] = place{life, i}
		break
	}
	if h.Opcode == packet.Query {
		n.send([]PeerID{from}, nil, packet.Reply, 0)
	}
}

// chatter sends something from somebody.
func (net *network) chatter() {
	n := net.nodes[net.rng.IntN(len(net.nodes))]
	var some []PeerID
	for _, p := range net.nodes {
		if p != n && net.rng.IntN(4) == 0 {
			some = append(some, p.id)
		}
	}
	switch {
	case net.rng.IntN(100) == 0: // it has not heard of one for too long
		if p := net.nodes[net.rng.IntN(len(net.nodes))]; p != n {
			n.greet(p.id)
		}
	case net.rng.IntN(100) == 0:
		n.t.SetLink(net.now, Link{ID: segment, Bandwidth: uint64(net.rng.IntN(3)) * 5000, Multicast: net.rng.IntN(2) == 0})
	case net.rng.IntN(3) > 0:
		n.send(nil, nil, packet.Update, 0)
	case net.rng.IntN(2) == 0:
		n.send(nil, some, packet.Query, 0)
	case some != nil:
		n.send(some, nil, packet.Update, 0)
	}
	n.work()
}

// complete wants all to have been delivered that was to be.
func (net *network) complete() error {
	for _, n := range net.nodes {
		for _, p := range net.nodes {
			if p == n {
				continue
			}
			lives := n.lives[p.id]
			last := place{len(lives) - 1, len(lives[len(lives)-1]) - 1}
			if p.taken[n.id] != last {
				return fmt.Errorf("%d has taken up to %v of %d, want %v (queue %d)", p.id, p.taken[n.id], n.id, last, n.t.peers[p.id].queue.len())
			}
		}
	}
	return nil
}

// simulate lets routers talk for 20 s, some of which are restarted meanwhile, and
// gives them ten minutes to finish.
func simulate(seed uint64) (*network, error) {
	size := 2 + int(seed*7%20)
	if seed%10 == 9 {
		size = 50
	}
	net := newNetwork(seed, size)
	for i := range 200 {
		net.at(time.Duration(i)*100*time.Millisecond, net.chatter)
		if net.rng.IntN(100) == 0 {
			net.at(time.Duration(i)*100*time.Millisecond, net.nodes[net.rng.IntN(size)].boot)
		}
	}
	net.run(clock.Instant(20 * time.Second))
	for range 60 {
		if net.err != nil {
			return net, net.err
		}
		if err := net.complete(); err == nil {
			break
		}
		net.run(net.now.Add(10 * time.Second))
	}
	return net, net.complete()
}

// TestSim wants of each packet that it is delivered once, in the order in which it was
// sent, to each receiver (RFC 7868 section 5.2), and that a run is repeatable.
func TestSim(t *testing.T) {
	for seed := range uint64(*simSeeds) {
		net, err := simulate(seed)
		var s node
		for _, n := range net.nodes {
			n.add()
			s.stats.ReliableMulticasts += n.stats.ReliableMulticasts
			s.stats.ReliableUnicasts += n.stats.ReliableUnicasts
			s.stats.CRPackets += n.stats.CRPackets
			s.stats.MulticastExceptions += n.stats.MulticastExceptions
			s.stats.Retransmissions += n.stats.Retransmissions
			s.stats.AcksSuppressed += n.stats.AcksSuppressed
		}
		t.Logf("seed %d: %d routers, loss %d%%, doubled %d%%, up to %v: %d delivered by %d multicasts (%d CR, %d exceptions) and %d unicasts (%d again), %d acks rode, %d restarts seen, %d lost, ended at %v",
			seed, len(net.nodes), net.loss, net.double, net.delay, net.delivered, s.stats.ReliableMulticasts, s.stats.CRPackets, s.stats.MulticastExceptions,
			s.stats.ReliableUnicasts, s.stats.Retransmissions, s.stats.AcksSuppressed, net.restarts, net.lost, net.now)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if seed < 3 {
			if again, _ := simulate(seed); again.trace.Sum64() != net.trace.Sum64() {
				t.Fatalf("seed %d: another run is different", seed)
			}
		}
	}
}
