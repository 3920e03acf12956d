package flood

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// world is routers whose adjacencies are full, joined by links that lose packets.
type world struct {
	r       *rand.Rand
	now     clock.Instant
	timers  clock.Heap[int] // events, and below 0 the routers
	events  map[int]func()
	number  int
	loss    int // percent
	routers []*router
	trace   uint64
	acks    map[Ack]int
	wrapped int
}

type router struct {
	w        *world
	index    int
	db       *lsdb.Database
	ports    []*port
	wanted   map[packet.ID]uint32 // own LSAs: metric by Link State ID
	flushing []packet.LSAKey
}

// port is an interface: of a point-to-point link, or of a network whose first router is its
// designated router and whose second is the backup.
type port struct {
	owner   *router
	network []*port // all on the same link, this one too
	typ     fsm.NetworkType
	state   fsm.InterfaceState
	nbrs    map[*port]*Neighbor // only adjacent ones
	delayed []packet.LSAHeader
}

func newWorld(seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 6))
	w := &world{r: r, events: map[int]func(){}, loss: r.IntN(4) * 10, acks: map[Ack]int{}}
	n := 2 + r.IntN(9)
	for i := range n {
		w.routers = append(w.routers, &router{w: w, index: i, wanted: map[packet.ID]uint32{},
			db: lsdb.New(lsdb.Options{Router: packet.ID(i + 1), Scope: lsdb.ScopeAS})})
	}
	for i := 1; i < n; i++ { // a tree, and some links more
		w.join(w.routers[i], w.routers[r.IntN(i)])
	}
	for range r.IntN(3) {
		perm := r.Perm(n)
		var on []*router
		for _, i := range perm[:2+r.IntN(n-1)] {
			on = append(on, w.routers[i])
		}
		w.join(on...)
	}
	return w
}

func (w *world) join(routers ...*router) {
	typ := fsm.Broadcast
	if len(routers) == 2 && w.r.IntN(2) == 0 {
		typ = fsm.PointToPoint
	}
	var network []*port
	for i, r := range routers {
		p := &port{owner: r, typ: typ, state: fsm.InterfaceDROther, nbrs: map[*port]*Neighbor{}}
		switch {
		case typ == fsm.PointToPoint:
			p.state = fsm.InterfacePointToPoint
		case i == 0:
			p.state = fsm.InterfaceDR
		case i == 1:
			p.state = fsm.InterfaceBackup
		}
		r.ports, network = append(r.ports, p), append(network, p)
	}
	window := 1 + w.r.IntN(5)
	for _, p := range network {
		p.network = network
		for _, q := range network {
			if p != q && fsm.Adjacent(typ, p.state, q.state == fsm.InterfaceDR, q.state == fsm.InterfaceBackup) {
				p.nbrs[q] = &Neighbor{State: fsm.NeighborFull, List: NewList(Options{Window: window})}
			}
		}
	}
}

func (w *world) at(d time.Duration, do func()) {
	w.number++
	w.events[w.number] = do
	w.timers.Set(w.number, w.now.Add(d))
}

func (w *world) run(end clock.Instant) {
	for {
		at, ok := w.timers.Next()
		if !ok || at > end {
			w.now = end
			return
		}
		w.now = max(w.now, at)
		key, _ := w.timers.PopDue(at)
		if key < 0 {
			w.routers[-key-1].tick()
			continue
		}
		do := w.events[key]
		delete(w.events, key)
		do()
	}
}

// send sends updates or acknowledgments to some on the link, or, without receivers, to the group.
func (p *port) send(updates []packet.LSA, acks []packet.LSAHeader, to ...*port) {
	w := p.owner.w
	if len(to) == 0 {
		group, _ := Group(p.typ, p.state)
		for _, q := range p.network {
			if q != p && (group == packet.AllSPFRouters || q.state >= fsm.InterfaceBackup) {
				to = append(to, q)
			}
		}
	}
	for _, q := range to {
		if w.r.IntN(100) < w.loss {
			continue
		}
		w.at(time.Duration(1+w.r.IntN(50))*time.Millisecond, func() {
			h := fnv.New64a()
			fmt.Fprint(h, w.trace, w.now, p.owner.index, q.owner.index, updates, acks)
			w.trace = h.Sum64()
			if n := q.nbrs[p]; n != nil {
				for _, lsa := range updates {
					q.update(p, n, lsa)
				}
				for _, a := range acks {
					n.List.Acked(a)
				}
				q.owner.settle()
			}
		})
	}
}

// update is section 13.
func (p *port) update(from *port, n *Neighbor, lsa packet.LSA) {
	r := p.owner
	receipt := r.db.Receive(r.w.now, lsa, false)
	c := Circumstance(0)
	switch receipt.Verdict {
	case lsdb.Newer:
		c = MoreRecent
		if r.flood(receipt.Change, p, from) {
			c = FloodedBack
		}
		if receipt.Self {
			r.state(lsa.ID)
		}
	case lsdb.Duplicate:
		c = Unexpected
		if same, _ := n.List.Acked(lsa.LSAHeader); same {
			c = Implied
		}
	case lsdb.Gone:
		c = UnknownFlush
	case lsdb.SendBack:
		r.db.Sent(r.w.now, lsa.LSAKey)
		p.send([]packet.LSA{lsdb.Delayed(receipt.Copy, 1)}, nil, from)
	}
	ack := Acknowledge(c, p.state, from.state == fsm.InterfaceDR)
	r.w.acks[ack]++
	switch ack {
	case DirectAck:
		p.send(nil, []packet.LSAHeader{lsa.LSAHeader}, from)
	case DelayedAck:
		if p.delayed = append(p.delayed, lsa.LSAHeader); len(p.delayed) == 1 {
			r.w.at(time.Second, func() {
				p.send(nil, p.delayed)
				p.delayed = nil
			})
		}
	}
}

// flood is section 13.3.
func (r *router) flood(c lsdb.Change, in, from *port) (back bool) {
	if c.LSA.IsMaxAge() && c.Kind != lsdb.Removed && !slices.Contains(r.flushing, c.LSA.LSAKey) {
		r.flushing = append(r.flushing, c.LSA.LSAKey)
	}
	if !c.Flood() {
		return false
	}
	for _, p := range r.ports {
		added := false
		for _, q := range p.network {
			if n := p.nbrs[q]; n != nil {
				n.List.Remove(c.LSA.LSAKey)
				added = n.Offer(r.w.now, c.LSA.LSAHeader, q == from) || added
			}
		}
		a := Arrival{Here: p == in}
		if a.Here {
			a.FromDesignated, a.FromBackup = from.state == fsm.InterfaceDR, from.state == fsm.InterfaceBackup
		}
		if SendOut(added, a, p.state) {
			back = back || a.Here
			r.db.Sent(r.w.now, c.LSA.LSAKey)
			p.send([]packet.LSA{lsdb.Delayed(c.LSA, 1)}, nil)
		}
	}
	return back
}

// state says what the router wants to say with an LSA of its own, or that it does not.
func (r *router) state(id packet.ID) {
	key := packet.LSAKey{Type: packet.ExternalLSA, ID: id, Router: packet.ID(r.index + 1)}
	metric, ok := r.wanted[id]
	if !ok {
		r.flood(r.db.Flush(r.w.now, key), nil, nil)
		return
	}
	c, err := r.db.Originate(r.w.now, lsdb.Statement{Type: packet.ExternalLSA, ID: id, Body: packet.External{Metric: metric}.Append(nil)})
	if err != nil {
		panic(err)
	}
	r.flood(c, nil, nil)
}

// settle removes what is flushed, and says when the router is to be woken.
func (r *router) settle() {
	for _, key := range slices.Clone(r.flushing) {
		listed := false
		for _, p := range r.ports {
			for _, q := range p.network {
				listed = listed || p.nbrs[q] != nil && p.nbrs[q].List.Has(key)
			}
		}
		if listed {
			continue
		}
		r.flushing = slices.DeleteFunc(r.flushing, func(k packet.LSAKey) bool { return k == key })
		for _, c := range r.db.Flushed(r.w.now, key, nil) {
			if c.Kind == lsdb.Originated {
				r.w.wrapped++
			}
			r.flood(c, nil, nil)
		}
	}
	wake := clock.Never
	note := func(at clock.Instant, ok bool) {
		if ok {
			wake = min(wake, at)
		}
	}
	note(r.db.Next())
	for _, p := range r.ports {
		for _, q := range p.network {
			if n := p.nbrs[q]; n != nil {
				note(n.List.Next())
			}
		}
	}
	r.w.timers.Set(-r.index-1, wake)
}

func (r *router) tick() {
	for _, c := range r.db.Tick(r.w.now, nil) {
		r.flood(c, nil, nil)
	}
	for _, p := range r.ports {
		for _, q := range p.network {
			if n := p.nbrs[q]; n != nil {
				for _, key := range n.List.Due(r.w.now, 0, nil) {
					lsa, _ := r.db.Get(r.w.now, key)
					p.send([]packet.LSA{lsdb.Delayed(lsa, 1)}, nil, q)
				}
			}
		}
	}
	r.settle()
}

// live lets routers originate, change and flush for a minute.
func (w *world) live(t *testing.T) {
	for _, r := range w.routers {
		if w.r.IntN(3) == 0 { // an LSA of a former life, whose sequence number is about to wrap
			key := packet.LSAKey{Type: packet.ExternalLSA, ID: 0, Router: packet.ID(r.index + 1)}
			lsa, err := packet.NewLSA(packet.LSAHeader{LSAKey: key, Sequence: packet.MaxSequence - 1}, packet.External{Metric: 99}.Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			r.flood(r.db.Receive(w.now, lsa, false).Change, nil, nil)
			r.settle()
		}
		for range 20 {
			w.at(time.Duration(w.r.IntN(60_000))*time.Millisecond, func() {
				id := packet.ID(w.r.IntN(4))
				if delete(r.wanted, id); w.r.IntN(3) > 0 {
					r.wanted[id] = uint32(w.r.IntN(1000))
				}
				r.state(id)
				r.settle()
			})
		}
	}
}

// check compares what every router has with what the routers want to say.
func (w *world) check() error {
	want := ""
	for id := range packet.ID(4) {
		for _, r := range w.routers {
			if metric, ok := r.wanted[id]; ok {
				want += fmt.Sprintf("%d/%d: %d\n", id, r.index+1, metric)
			}
		}
	}
	for _, r := range w.routers {
		got := ""
		for lsa := range r.db.All(w.now) {
			body, _ := lsa.External()
			got += fmt.Sprintf("%d/%d: %d\n", lsa.ID, lsa.LSAHeader.Router, body.Metric)
			if first, _ := w.routers[0].db.Get(w.now, lsa.LSAKey); lsa.Compare(first.LSAHeader) != 0 {
				return fmt.Errorf("router %d: %v is not the instance of router 1", r.index+1, lsa.LSAKey)
			}
		}
		if got != want {
			return fmt.Errorf("router %d has\n%swant\n%s", r.index+1, got, want)
		}
		for _, p := range r.ports {
			for _, q := range p.network {
				if n := p.nbrs[q]; n != nil && n.List.Len() != 0 {
					return fmt.Errorf("router %d has %d LSAs for router %d", r.index+1, n.List.Len(), q.owner.index+1)
				}
			}
		}
	}
	return nil
}

// Whatever is lost, in the end every router has what the originators say, and nothing waits.
func TestSim(t *testing.T) {
	acks, wrapped := map[Ack]int{}, 0
	for seed := range uint64(60) {
		var traces [2]uint64
		for i := range traces {
			w := newWorld(seed)
			w.live(t)
			for _, end := range []time.Duration{25 * time.Minute, 55 * time.Minute, 3 * time.Hour} { // refreshes as well
				w.run(clock.Instant(end))
				if err := w.check(); err != nil {
					t.Fatalf("seed %d, %d routers, loss %d %%, at %v: %v", seed, len(w.routers), w.loss, w.now, err)
				}
			}
			traces[i] = w.trace
			for a, n := range w.acks { // unordered: sums
				acks[a] += n
			}
			wrapped += w.wrapped
		}
		if traces[0] != traces[1] {
			t.Fatalf("seed %d: two runs differ", seed)
		}
	}
	if acks[NoAck] == 0 || acks[DelayedAck] == 0 || acks[DirectAck] == 0 || wrapped == 0 {
		t.Errorf("never happened: %v, wrapped %d", acks, wrapped)
	}
}
