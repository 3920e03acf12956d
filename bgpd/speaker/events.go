package speaker

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// ErrStopped is returned once the speaker was stopped.
var ErrStopped = errors.New("speaker stopped")

// Batch is what happened since the last one. Sessions are told change by change;
// of a prefix only the present state, however often it changed.
type Batch struct {
	Sessions []Session
	Routes   []Route
}

// Session tells that a session came up or ended.
type Session struct {
	Neighbor netip.Addr
	Group    string // of a neighbour from a listen range
	RemoteAS uint32
	RouterID netip.Addr
	Up       bool
	Reason   string // why it ended, in GoBGP's words
	At       time.Time
}

// Route is the best route of a prefix.
type Route struct {
	Prefix netip.Prefix
	Paths  []Path // the best first, then with Multipath those equal to it; none: withdrawn
}

// maxBatch bounds the routes of a Batch.
const maxBatch = 4096

// queue holds what nobody has fetched yet: memory is bounded by the number of
// prefixes and by what sessions do.
type queue struct {
	mu       sync.Mutex
	sessions []Session
	routes   map[netip.Prefix]*bestRoute
	order    []netip.Prefix // keys of routes, in order of their first change
	closed   bool
	wake     chan struct{} // capacity 1
}

// bestRoute is a best path of GoBGP that waits to be read; nil is a withdrawal.
type bestRoute struct{ path *apiutil.Path }

func newQueue() *queue {
	return &queue{routes: map[netip.Prefix]*bestRoute{}, wake: make(chan struct{}, 1)}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.sessions, q.routes, q.order = nil, nil, nil
	q.signal()
}

// change notes the changes of a callback.
func (q *queue) change(paths []*apiutil.Path) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	for _, p := range paths {
		prefix, ok := prefixOf(p.Nlri)
		if !ok {
			continue
		}
		waiting := q.routes[prefix]
		if waiting == nil {
			waiting = &bestRoute{}
			q.routes[prefix] = waiting
			q.order = append(q.order, prefix)
		}
		waiting.path = p
		if p.Withdrawal {
			waiting.path = nil
		}
	}
	q.signal()
}

func (q *queue) session(s Session) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.sessions = append(q.sessions, s)
		q.signal()
	}
}

// take returns what is there, up to a batch.
func (q *queue) take() (sessions []Session, prefixes []netip.Prefix, paths []*apiutil.Path, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.signal() // for others who wait
		return nil, nil, nil, ErrStopped
	}
	sessions, q.sessions = q.sessions, nil
	n := min(len(q.order), maxBatch)
	prefixes, q.order = q.order[:n:n], q.order[n:]
	for _, p := range prefixes {
		paths = append(paths, q.routes[p].path)
		delete(q.routes, p)
	}
	if len(q.order) > 0 {
		q.signal()
	} else {
		q.order = nil
		q.routes = map[netip.Prefix]*bestRoute{} // a map does not shrink by itself
	}
	return sessions, prefixes, paths, nil
}

// Next waits for something to tell. One goroutine may call it at a time.
func (s *Speaker) Next(ctx context.Context) (Batch, error) {
	for {
		sessions, prefixes, paths, err := s.queue.take()
		if err != nil {
			return Batch{}, err
		}
		if len(sessions)+len(prefixes) > 0 {
			routes, err := s.routes(prefixes, paths)
			return Batch{Sessions: sessions, Routes: routes}, err
		}
		select {
		case <-s.queue.wake:
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		}
	}
}

// routes reads the best paths of prefixes. With multipath GoBGP reports what was
// added and removed, so the table is asked for the whole of each prefix; it is
// newer than the change, and what changed after will be told after.
func (s *Speaker) routes(prefixes []netip.Prefix, paths []*apiutil.Path) ([]Route, error) {
	out := make([]Route, len(prefixes))
	at := make(map[netip.Prefix]*Route, len(prefixes))
	for i, p := range prefixes {
		out[i].Prefix = p
		at[p] = &out[i]
		if !s.config.Process.Multipath && paths[i] != nil {
			out[i].Paths = []Path{s.path(paths[i])}
			out[i].Paths[0].Best = true
		}
	}
	if !s.config.Process.Multipath {
		return out, nil
	}
	for _, f := range families {
		lookup := exact(prefixes, f)
		if len(lookup) == 0 {
			continue
		}
		err := s.list(Table{Family: f}, lookup, func(prefix netip.Prefix, found []Path) {
			for _, p := range found {
				if r := at[prefix]; r != nil && p.Best {
					r.Paths = append(r.Paths, p)
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func exact(prefixes []netip.Prefix, f rib.Family) (out []*apiutil.LookupPrefix) {
	for _, p := range prefixes {
		if familyOf(p) == f {
			out = append(out, &apiutil.LookupPrefix{Prefix: p.String()})
		}
	}
	return out
}

// watch begins to note events. The callbacks run in a goroutine of GoBGP with an
// unbounded queue before it: they must not wait.
func (s *Speaker) watch(ctx context.Context) error {
	up := map[netip.Addr]bool{} // the callbacks' own
	return s.bgp.WatchEvent(ctx, server.WatchEventMessageCallbacks{
		OnBestPath: func(paths []*apiutil.Path, _ time.Time) { s.queue.change(paths) },
		OnPeerUpdate: func(e *apiutil.WatchEventMessage_PeerEvent, at time.Time) {
			st, a := &e.Peer.State, e.Peer.State.NeighborAddress
			now := st.SessionState == bgp.BGP_FSM_ESTABLISHED
			if e.Type != apiutil.PEER_EVENT_STATE || now == up[a] {
				return
			}
			event := Session{Neighbor: a, Group: st.PeerGroup, RemoteAS: st.PeerASN, RouterID: st.RouterID, Up: now, At: at}
			if now {
				up[a] = true
			} else {
				delete(up, a)
				event.Reason = st.DisconnectMessage
			}
			s.queue.session(event)
		},
	}, server.WatchBestPath(true), server.WatchPeer())
}
