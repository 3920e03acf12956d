package speaker

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// ErrStopped is returned once the speaker was stopped.
var ErrStopped = errors.New("speaker stopped")

// Batch is what happened since the last one. Sessions, ends of RIB and notices are
// told one by one; of a prefix and of a next hop only the present state, however often
// it changed.
type Batch struct {
	Sessions []Session
	Routes   []Route
	NextHops []locrib.HopUse
	EndOfRIB []EndOfRIB
	Notices  []Notice
	Settled  bool // what came before Settle has been worked on, and told
}

func (b *Batch) empty() bool {
	return len(b.Sessions)+len(b.Routes)+len(b.NextHops)+len(b.EndOfRIB)+len(b.Notices) == 0 && !b.Settled
}

// Session tells that a session came up or ended.
type Session struct {
	Neighbor netip.Addr
	Group    string // of a neighbour from a listen range
	RemoteAS uint32
	RouterID netip.Addr
	Up       bool
	Reason   string // why it ended, in Cisco's words
	Detail   string // and in GoBGP's
	Graceful bool   // it ended, and the paths of the neighbour stay (RFC 4724)
	At       time.Time
}

// Route is the best route of a prefix.
type Route struct {
	Prefix netip.Prefix
	Paths  []Path // the best first, then those that share load with it; none: withdrawn
}

// EndOfRIB tells that a neighbour has sent all its routes of a family (RFC 4724,
// section 2), and that they have been told of: no route waits when it comes. One without graceful restart may never do so.
type EndOfRIB struct {
	Neighbor netip.Addr
	Family   rib.Family
}

// NoticeKind is the kind of a Notice.
type NoticeKind uint8

// The kinds.
const (
	ListenLimit   NoticeKind = iota + 1 // a dynamic neighbour was refused, Count are there
	PrefixWarning                       // Neighbor has sent Count prefixes, the threshold
	PrefixLimit                         // Neighbor has sent Count prefixes, more than the limit
	NotSent                             // Text says why Prefix, and maybe others, are not advertised
	WrongAS                             // Neighbor is of our own AS: remote-as external
)

// Notice is something for the log.
type Notice struct {
	Kind     NoticeKind
	Neighbor netip.Addr
	Family   rib.Family
	Count    int
	Limit    int
	Prefix   netip.Prefix
	Text     string
}

// maxBatch bounds the routes of a Batch, and maxNotices the notices that wait.
const (
	maxBatch   = 4096
	maxNotices = 1000
)

// queue holds what nobody has fetched yet: memory is bounded by the number of
// prefixes, that of next hops, and by what sessions do.
type queue struct {
	mu     sync.Mutex
	other  Batch // all but routes
	hops   map[netip.Addr]int
	routes map[netip.Prefix][]Path
	order  []netip.Prefix // keys of routes, in order of their first change
	closed bool
	wake   chan struct{} // capacity 1
}

func newQueue() *queue {
	return &queue{routes: map[netip.Prefix][]Path{}, hops: map[netip.Addr]int{}, wake: make(chan struct{}, 1)}
}

func (q *queue) signal() { wake(q.wake) }

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.other, q.routes, q.order = Batch{}, nil, nil
	q.signal()
}

// add notes what happened.
func (q *queue) add(b Batch) {
	if b.empty() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	for _, r := range b.Routes {
		if _, waits := q.routes[r.Prefix]; !waits {
			q.order = append(q.order, r.Prefix)
		}
		q.routes[r.Prefix] = r.Paths
	}
	for _, h := range b.NextHops {
		if at, waits := q.hops[h.Addr]; waits {
			q.other.NextHops[at] = h
			continue
		}
		q.hops[h.Addr] = len(q.other.NextHops)
		q.other.NextHops = append(q.other.NextHops, h)
	}
	q.other.Sessions = append(q.other.Sessions, b.Sessions...)
	q.other.EndOfRIB = append(q.other.EndOfRIB, b.EndOfRIB...)
	q.other.Settled = q.other.Settled || b.Settled
	if room := maxNotices - len(q.other.Notices); room > 0 {
		q.other.Notices = append(q.other.Notices, b.Notices[:min(room, len(b.Notices))]...)
	}
	q.signal()
}

// take returns what is there, up to a batch.
func (q *queue) take() (b Batch, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.signal() // for others who wait
		return b, ErrStopped
	}
	b, q.other = q.other, Batch{}
	clear(q.hops)
	n := min(len(q.order), maxBatch)
	b.Routes = make([]Route, n)
	for i, p := range q.order[:n] {
		b.Routes[i] = Route{p, q.routes[p]}
		delete(q.routes, p)
	}
	if q.order = q.order[n:]; len(q.order) > 0 {
		q.other.EndOfRIB, b.EndOfRIB = b.EndOfRIB, nil
		q.other.Settled, b.Settled = b.Settled, false
		q.signal()
	} else {
		q.order = nil
		q.routes = map[netip.Prefix][]Path{} // a map does not shrink by itself
	}
	return b, nil
}

// Settle asks for a Batch that is Settled: one that comes behind all that follows from
// what the speaker knows now.
func (s *Speaker) Settle() {
	s.mu.Lock()
	s.settling = true
	s.mu.Unlock()
	wake(s.wake)
}

// Next waits for something to tell. One goroutine may call it at a time.
func (s *Speaker) Next(ctx context.Context) (Batch, error) {
	for {
		b, err := s.queue.take()
		if err != nil {
			return Batch{}, err
		}
		if !b.empty() {
			return b, nil
		}
		select {
		case <-s.queue.wake:
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		}
	}
}
