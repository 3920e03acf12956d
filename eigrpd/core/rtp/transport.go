package rtp

import (
	"cmp"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// Transport is the reliable transport of one EIGRP process. It is not safe for
// concurrent use.
type Transport struct {
	options Options
	links   map[InterfaceID]*link
	peers   map[PeerID]*peer
	last    uint32 // the sequence number used last

	now     clock.Instant
	timers  clock.Heap[timer]
	owing   []*peer // who may be owed an acknowledgment
	effects []Effect
}

// timer is what a deadline is for.
type timer struct {
	kind timerKind
	id   uint32 // of the neighbour or the interface
}

type timerKind uint8

const (
	retransmit timerKind = iota // of a neighbour: RTO
	flow                        // of an interface: multicast flow timer
	patience                    // of an interface: how long a multicast packet waits for receivers
	pacing                      // of an interface: the next packet may go
)

// outgoing is a packet on its way, shared by the queues of its receivers.
type outgoing struct {
	Packet
	seq     uint32
	waiting bool // to be multicast; it stands in the queue of its interface
	// While it is waiting:
	group int // receivers that it may reach by multicast
	ready int // those of them that have nothing before it
}

// peer is a neighbour, with its transmission queue. Of that the first packet only
// is under way.
type peer struct {
	id      PeerID
	link    *link
	unicast bool // multicast packets do not reach it, or nobody knows
	up      bool // packets for all are for it as well
	lost    bool
	gone    bool
	skip    bool // while Send looks for receivers: not this one
	hold    time.Duration

	queue  fifo[*outgoing]
	sent   bool          // the first packet of the queue was sent
	inFlow bool          // by multicast, and the flow timer runs
	first  clock.Instant // when it was sent first
	sends  int           // how often
	tries  int           // how often because the timer expired
	queued bool          // it stands in the queue of its interface

	srtt     time.Duration
	measured bool
	rto      time.Duration // with back-off

	greeting        *outgoing // our INIT, when it was acknowledged
	beyond          bool      // it has acknowledged more than that
	met             bool      // its INIT was received
	init            uint32    // the sequence number of that
	last            uint32    // the sequence number that was delivered last
	owed            bool      // that is to be acknowledged
	accept          bool      // Conditionally Received mode
	next            uint32    // for this sequence number, or 0: any
	retransmissions uint64
}

// New returns a transport without interfaces.
func New(o Options) *Transport {
	o = o.filled()
	return &Transport{options: o, links: map[InterfaceID]*link{}, peers: map[PeerID]*peer{}, last: before(o.First)}
}

// before returns the sequence number before one: there is no 0.
func before(seq uint32) uint32 {
	if seq == 1 {
		return 1<<32 - 1
	}
	return seq - 1
}

// after returns the sequence number after one (RFC 7868 section 5.2: it wraps around
// to one).
func after(seq uint32) uint32 {
	if seq == 1<<32-1 {
		return 1
	}
	return seq + 1
}

// newer reports whether sequence number a is newer than b: less than half of the
// space after it.
func newer(a, b uint32) bool { return int32(a-b) > 0 }

// SetLink enters an interface, or changes it.
func (t *Transport) SetLink(now clock.Instant, l Link) {
	t.now = now
	i := t.links[l.ID]
	if i == nil {
		i = &link{}
		t.links[l.ID] = i
	}
	i.Link = l.filled()
	i.free = min(i.free, now.Add(i.gap(largest))) // of a slower link
	if !l.Multicast {
		for i.waiting.len() > 0 {
			t.scatter(i, i.waiting.pop())
		}
	}
	for _, p := range i.peers {
		if p.tries == 0 {
			p.rto = p.timeout()
		}
	}
	t.forward(i)
}

// RemoveLink removes an interface, and the neighbours on it.
func (t *Transport) RemoveLink(now clock.Instant, id InterfaceID) {
	t.now = now
	l := t.links[id]
	if l == nil {
		return
	}
	l.waiting, l.xmit, l.offered = fifo[*outgoing]{}, fifo[*peer]{}, false // nothing goes out any more
	for len(l.peers) > 0 {
		t.PeerDown(now, l.peers[0].id)
	}
	for _, kind := range []timerKind{flow, patience, pacing} {
		t.timers.Clear(timer{kind, uint32(id)})
	}
	delete(t.links, id)
}

// PeerUp enters a neighbour with an empty queue, of whom nothing was received. It is
// pending: only what is sent to it by name goes to it, until SetMulticast. unicast
// says that multicasts do not reach it for sure: a static or remote neighbour. One
// that is there already is removed first.
func (t *Transport) PeerUp(now clock.Instant, id PeerID, on InterfaceID, unicast bool) {
	t.PeerDown(now, id)
	l := t.links[on]
	if l == nil || id == 0 {
		return
	}
	p := &peer{id: id, link: l, unicast: unicast, hold: holdTime}
	p.rto = p.timeout()
	i, _ := l.find(id)
	l.peers = slices.Insert(l.peers, i, p)
	t.peers[id] = p
}

// SetMulticast says whether packets for all on its interface are for a neighbour as
// well: from when it is no longer pending.
func (t *Transport) SetMulticast(now clock.Instant, id PeerID, ok bool) {
	t.now = now
	if p := t.peers[id]; p != nil {
		p.up = ok
	}
}

// SetHold sets the Hold Time of a neighbour, 15 s otherwise: it is not lost before a
// packet was retransmitted for so long.
func (t *Transport) SetHold(id PeerID, hold time.Duration) {
	if p := t.peers[id]; p != nil {
		p.hold = hold
	}
}

// PeerDown removes a neighbour, with its queue.
func (t *Transport) PeerDown(now clock.Instant, id PeerID) {
	t.now = now
	p := t.peers[id]
	if p == nil {
		return
	}
	p.gone = true
	l := p.link
	if i, ok := l.find(id); ok {
		l.peers = slices.Delete(l.peers, i, i+1)
	}
	delete(t.peers, id)
	t.drop(p)
}

// lose gives a neighbour up.
func (t *Transport) lose(p *peer, why Loss) {
	p.lost = true
	t.effect(PeerLost{p.id, why})
	t.drop(p)
}

// drop empties the queue of a neighbour; nobody waits for it any longer.
func (t *Transport) drop(p *peer) {
	for i, o := range p.queue.all() {
		if o.waiting && !p.unicast {
			o.group--
			if i == 0 {
				o.ready--
			}
		}
	}
	p.queue = fifo[*outgoing]{}
	p.sent, p.owed, p.tries = false, false, 0
	t.timers.Clear(timer{retransmit, uint32(p.id)})
	t.leaveFlow(p)
	t.forward(p.link)
}

// Wake returns when the transport wants its next Tick.
func (t *Transport) Wake() (clock.Instant, bool) {
	if len(t.owing) > 0 {
		return t.now, true
	}
	return t.timers.Next()
}

// Tick says that time has passed, and flushes.
func (t *Transport) Tick(now clock.Instant) {
	t.now = now
	for {
		key, ok := t.timers.PopDue(now)
		if !ok {
			break
		}
		switch key.kind {
		case retransmit:
			t.expired(t.peers[PeerID(key.id)])
		case flow:
			t.flowExpired(t.links[InterfaceID(key.id)])
		case patience:
			l := t.links[InterfaceID(key.id)]
			l.impatient = true
			t.forward(l)
		case pacing:
			t.forward(t.links[InterfaceID(key.id)])
		}
	}
	t.Flush(now)
}

// Drain appends the effects since the last Drain.
func (t *Transport) Drain(dst []Effect) []Effect {
	dst = append(dst, t.effects...)
	clear(t.effects)
	t.effects = t.effects[:0]
	return dst
}

func (t *Transport) effect(e Effect) { t.effects = append(t.effects, e) }

// link is an interface, with its queues.
type link struct {
	Link
	peers     []*peer         // sorted
	waiting   fifo[*outgoing] // packets for all that were not multicast yet
	xmit      fifo[*peer]     // who is to be sent something by unicast
	offered   bool            // the first of waiting is to be multicast
	turn      bool            // the last was a multicast
	impatient bool            // the first of waiting has waited for receivers long enough
	awaited   int             // receivers of the last multicast that have not acknowledged it, while the flow timer runs
	free      clock.Instant   // when pacing lets the next packet go
	debt      time.Duration   // what acknowledgments and Hellos took since the last packet
	counters
}

func (l Link) filled() Link {
	if l.Percent <= 0 {
		l.Percent = percent
	}
	if l.MTU <= 0 {
		l.MTU = largest
	}
	l.Bandwidth = min(l.Bandwidth, maxBandwidth)
	return l
}

func (l *link) find(id PeerID) (int, bool) {
	return slices.BinarySearchFunc(l.peers, id, func(p *peer, id PeerID) int { return cmp.Compare(p.id, id) })
}

// isInit reports whether the first packet of the queue is an INIT.
func (p *peer) isInit() bool {
	return p.queue.len() > 0 && p.queue.front().Flags&packet.FlagInit != 0
}
