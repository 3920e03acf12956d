// Package hub is zebra's half of the sessions with the daemons.
//
// For each attached daemon [Hub.Serve] runs two goroutines. One receives what the
// daemon wants and posts it, tagged with its owner, to zebra's single inbox; a
// full inbox makes it wait, and the daemon coalesces meanwhile. The other sends
// the events that zebra has queued with [Hub.Send].
//
// # Queues
//
// Send never blocks. What was not sent yet is coalesced by what it is about:
// interface events by name, next-hop events by watch, routes by watch and
// prefix, topic values by topic and key, acknowledgements by joining them. A
// later value takes the place of the earlier one and moves to the end; only where
// an InterfacesKnown or RoutesKnown was queued in between it stays before that
// one, so that these markers keep their promise. So a queue is bounded by the
// number of things there are to know. Hairpins, neighbour misses and acquires are
// samples of packets: they are bounded by number, and dropped (counted) beyond. Of
// answers to an SADump there is one at a time: the parts of a later one take the places
// of those of an earlier one.
//
// Nothing is sent to a daemon before rib.Attached, which zebra queues when it
// has taken notice of the attachment; earlier events of zebra's are dropped, since zebra tells
// the present state after it.
//
// # Topics
//
// Topic messages pass through the hub and not through zebra's inbox. The hub
// keeps the last value per topic, key and publisher, and tells it to every other
// daemon that watches the topic: at once, and when a watch begins. Values outlive
// their publisher as its routes do: they are swept if its next replay does not
// repeat them, or when zebra calls [Hub.Withdraw] at the end of its hold time. A
// daemon that watches a topic of its own is told what a former life of it has
// published, and so has a memory that outlives it.
// Payloads may hold keys; they are never logged.
package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
)

// Message is what the hub posts to zebra's inbox. The set is closed.
type Message interface{ message() }

// Attached says that a session with a daemon opened. zebra answers with
// Send(owner, rib.Attached{...}) and the present state.
type Attached struct {
	Owner string
	Epoch uint64 // larger at each attachment of any daemon
}

// Received has messages of a daemon in the order in which it sent them: all of
// session.Up but Publish and topic watches, which the hub serves itself.
type Received struct {
	Owner string
	Epoch uint64
	Ups   []session.Up
}

// Detached is the last message of an attachment. What the daemon put stays as
// it is; zebra decides how long.
type Detached struct {
	Owner string
	Epoch uint64
	Err   error // nil if the session ended in order
}

func (Attached) message() {}
func (Received) message() {}
func (Detached) message() {}

// Errors of Serve.
var (
	ErrAttached = errors.New("hub: the daemon is attached already")
	ErrProtocol = errors.New("hub: the daemon broke the protocol")
)

// Hub keeps the sessions. It is safe for use by several goroutines.
type Hub struct {
	post func(Message)

	mu     sync.Mutex // guards all below, and the queues of all attachments
	epoch  uint64
	peers  map[string]*peer // attached daemons by name
	topics topicStore
}

// peer is an attached daemon.
type peer struct {
	owner    string
	epoch    uint64
	queue    queue
	wake     chan struct{}
	watching map[string]bool // topics; false: not repeated yet in this replay
	replayed bool            // Begin has come
	received uint64
	sent     uint64
}

// New returns a hub that posts to zebra's inbox. post may block while the inbox
// is full, and must not for ever: zebra empties its inbox until all sessions
// have ended. The first attachment has the epoch after first; see NextGeneration.
func New(post func(Message), first uint64) *Hub {
	return &Hub{post: post, epoch: first, peers: map[string]*peer{}, topics: newTopicStore()}
}

// Serve serves one attachment of a daemon until ctx ends or the session does.
// It closes the stream. The error is nil if the session ended in order; it wraps
// ErrProtocol or session.ErrInvalid if the daemon misbehaved.
func (h *Hub) Serve(ctx context.Context, owner string, s session.HostStream) error {
	defer s.Close()
	p, err := h.attach(owner)
	if err != nil {
		return err
	}
	h.post(Attached{Owner: owner, Epoch: p.epoch})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		defer cancel()
		h.sendLoop(ctx, p, s)
	}()
	err = h.recvLoop(p, s)
	cancel()
	<-sent
	h.detach(p)
	h.post(Detached{Owner: owner, Epoch: p.epoch, Err: err})
	return err
}

func (h *Hub) attach(owner string) (*peer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.peers[owner] != nil {
		return nil, fmt.Errorf("%w: %s", ErrAttached, owner)
	}
	h.epoch++
	p := &peer{owner: owner, epoch: h.epoch, wake: make(chan struct{}, 1), watching: map[string]bool{}, queue: newQueue()}
	h.peers[owner] = p
	return p, nil
}

func (h *Hub) detach(p *peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.peers, p.owner)
}

// recvLoop posts what comes. It returns nil when the session ends in order.
func (h *Hub) recvLoop(p *peer, s session.HostStream) error {
	for {
		batch, err := s.Recv()
		if err != nil {
			return nil // the transport's own error is the supervisor's to tell
		}
		rest, err := h.filter(p, batch)
		if len(rest) > 0 {
			h.post(Received{Owner: p.owner, Epoch: p.epoch, Ups: rest})
		}
		if err != nil {
			return err
		}
	}
}

// filter serves what concerns topics and returns the rest.
func (h *Hub) filter(p *peer, batch []session.Up) ([]session.Up, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	rest := batch[:0]
	for _, m := range batch {
		p.received++
		if _, ok := m.(session.Begin); !ok && !p.replayed {
			return rest, fmt.Errorf("%w: %T before Begin", ErrProtocol, m)
		}
		switch m := m.(type) {
		case session.Publish:
			if err := h.publish(p, m); err != nil {
				return rest, err
			}
			continue
		case session.WatchAdd:
			if m.Watch.Kind == rib.WatchTopic {
				h.watchTopic(p, m.Watch.Topic)
				continue
			}
		case session.WatchDel:
			if m.Watch.Kind == rib.WatchTopic {
				delete(p.watching, m.Watch.Topic)
				continue
			}
		case session.Begin:
			h.begin(p)
		case session.EndOfReplay:
			h.end(p)
		}
		rest = append(rest, m)
	}
	return rest, nil
}

func (h *Hub) sendLoop(ctx context.Context, p *peer, s session.HostStream) {
	for {
		h.mu.Lock()
		batch := p.queue.take(session.MaxBatch)
		p.sent += uint64(len(batch))
		h.mu.Unlock()
		if len(batch) > 0 {
			if s.Send(batch) != nil {
				return
			}
			continue
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
			return
		}
	}
}

// Send queues events for a daemon, in this order. Events for a daemon that is
// not attached are dropped, as are those before rib.Attached.
func (h *Hub) Send(owner string, events ...rib.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.peers[owner]
	if p == nil {
		return
	}
	for _, e := range events {
		p.queue.put(e)
	}
	p.notify()
}

// Broadcast queues events for every attached daemon.
func (h *Hub) Broadcast(events ...rib.Event) {
	for _, i := range h.Peers() {
		h.Send(i.Owner, events...)
	}
}

// RequestReplay asks a daemon to repeat everything.
func (h *Hub) RequestReplay(owner string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.peers[owner]; p != nil {
		p.queue.replay = true
		p.notify()
	}
}

// Info tells about an attached daemon.
type Info struct {
	Owner    string
	Epoch    uint64
	Received uint64 // messages
	Sent     uint64 // events
	Queued   int    // events that wait
	Dropped  uint64 // packet samples that found the queue full
}

// Peers returns what there is to know of all attached daemons, by name.
func (h *Hub) Peers() []Info {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]Info, 0, len(h.peers))
	for _, p := range h.peers {
		out = append(out, Info{p.owner, p.epoch, p.received, p.sent, p.queue.len(), p.queue.dropped})
	}
	slices.SortFunc(out, func(a, b Info) int { return strings.Compare(a.Owner, b.Owner) })
	return out
}

func (p *peer) notify() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}
