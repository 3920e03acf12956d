package edge

import (
	"context"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
)

// routes are the watches of next hops. Several may want to know the same, and a watch
// is answered when it begins: so they are counted, and the last answer of each is kept.
type routes struct {
	mu sync.Mutex
	of map[rib.Watch]*route
}

type route struct {
	users  int
	answer rib.NextHopChanged // the last one, once known is closed
	known  chan struct{}
}

// watch asks to be told of w. Where somebody does already, the core is told at once
// what is known. Watches of other kinds than next hops have one user.
func (e *Edge) watch(w rib.Watch) error {
	if w.Kind != rib.WatchNextHop {
		return e.client.Watch(w)
	}
	e.routes.mu.Lock()
	defer e.routes.mu.Unlock()
	if r := e.routes.of[w]; r != nil {
		r.users++
		select {
		case <-r.known:
			e.nextHop(r.answer)
		default:
		}
		return nil
	}
	if err := e.client.Watch(w); err != nil {
		return err
	}
	if e.routes.of == nil {
		e.routes.of = map[rib.Watch]*route{}
	}
	e.routes.of[w] = &route{users: 1, known: make(chan struct{})}
	return nil
}

// unwatch ends a watch, once nobody else wants it.
func (e *Edge) unwatch(w rib.Watch) {
	if w.Kind == rib.WatchNextHop {
		e.routes.mu.Lock()
		defer e.routes.mu.Unlock()
		r := e.routes.of[w]
		if r == nil {
			return
		}
		if r.users--; r.users > 0 {
			return
		}
		delete(e.routes.of, w)
	}
	e.client.Unwatch(w)
}

// answered keeps what zebra says of a next hop.
func (r *routes) answered(ev rib.NextHopChanged) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.of[ev.Watch]
	if one == nil {
		return
	}
	one.answer = ev
	select {
	case <-one.known:
	default:
		close(one.known)
	}
}

// routesWithin bounds how long zebra's answers are waited for.
const routesWithin = 2 * time.Second

// Routes asks zebra how addresses are reached. What is not answered in time is not in
// the result.
func (e *Edge) Routes(ctx context.Context, questions []cli.Question) map[cli.Question]rib.NextHopChanged {
	ctx, cancel := context.WithTimeout(ctx, routesWithin)
	defer cancel()
	for _, q := range questions {
		w := rib.Watch{Kind: rib.WatchNextHop, VRF: q.VRF, Addr: q.Addr}
		if err := e.watch(w); err == nil {
			defer e.unwatch(w)
		}
	}
	out := map[cli.Question]rib.NextHopChanged{}
	for _, q := range questions {
		if answer, ok := e.routes.wait(ctx, rib.Watch{Kind: rib.WatchNextHop, VRF: q.VRF, Addr: q.Addr}); ok {
			out[q] = answer
		}
	}
	return out
}

// wait returns the last answer to a watch, once there is one.
func (r *routes) wait(ctx context.Context, w rib.Watch) (rib.NextHopChanged, bool) {
	r.mu.Lock()
	one := r.of[w]
	r.mu.Unlock()
	if one == nil {
		return rib.NextHopChanged{}, false
	}
	select {
	case <-one.known:
	case <-ctx.Done():
		return rib.NextHopChanged{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return one.answer, true
}
