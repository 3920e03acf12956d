package edge

import (
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// watchedTopics are what this daemon told in an earlier life, which is to be known first,
// and what nhrpd wants.
var watchedTopics = []string{protection.TopicState, protection.TopicWanted}

// wantedHold is how long what nhrpd wanted holds after zebra was started again: nhrpd
// may have been too.
const wantedHold = 5 * time.Minute

// maxForgotten bounds for how many peers that are gone it is remembered how often they
// came up.
const maxForgotten = 1 << 14

// topics is what is told between nhrpd and the core.
type topics struct {
	publish func(topic, key string, payload []byte) error

	mu        sync.Mutex // guards the following
	epoch     uint64
	since     time.Time                  // of the attachment
	wanted    map[protection.Peer]uint64 // by nhrpd; the epoch in which it said so last
	states    map[protection.Peer]*told
	holding   map[protection.Peer]*told  // those of states that wait for SAs
	forgotten map[protection.Peer]uint32 // how often those that are gone came up
	complete  bool                       // this life's picture is
}

// lostHold is how long it is told that a peer is lost that there is not any more, so that
// nhrpd hears of it.
const lostHold = time.Minute

// told is what was told of a peer.
type told struct {
	state protection.State
	mine  bool   // this life told it; otherwise an earlier one did
	seq   uint64 // of the SAs that it waits for
	// since is when it was told that the peer is lost while there is more to say: next,
	// or with nil that there is no such peer. The zero Time if there is not.
	since time.Time
	next  *protection.State
}

func newTopics(publish func(topic, key string, payload []byte) error) topics {
	return topics{publish: publish, wanted: map[protection.Peer]uint64{}, states: map[protection.Peer]*told{}, holding: map[protection.Peer]*told{}, forgotten: map[protection.Peer]uint32{}}
}

func (t *topics) attached(epoch uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.epoch, t.since = epoch, time.Now()
}

// message takes in a message, and returns what the core is to know of it.
func (t *topics) message(m rib.TopicMessage) core.Input {
	p, err := protection.ParseKey(m.Key)
	if err != nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case m.Topic == protection.TopicState:
		s, err := protection.ParseState(m.Payload)
		if old := t.states[p]; err == nil && old == nil && !t.complete {
			t.states[p] = &told{state: s}
		}
	case m.Topic != protection.TopicWanted:
	case m.Payload == nil:
		delete(t.wanted, p)
		return core.Unsecure{Tunnel: p.Tunnel, Peer: p.NBMA}
	default:
		t.wanted[p] = t.epoch
		return core.Secure{Tunnel: p.Tunnel, Peer: p.NBMA}
	}
	return nil
}

// unwanted returns what nhrpd did not say again after zebra was started again.
func (t *topics) unwanted(now time.Time) (out []core.Unsecure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.since) < wantedHold {
		return nil
	}
	for p, epoch := range t.wanted {
		if epoch != t.epoch {
			delete(t.wanted, p)
			out = append(out, core.Unsecure{Tunnel: p.Tunnel, Peer: p.NBMA})
		}
	}
	return out
}

// securities are the core's states in the words of the topic.
var securities = [...]protection.Security{core.SecurityIKE: protection.IKE, core.SecurityIPsec: protection.IPsec,
	core.SecurityUp: protection.Up, core.SecurityLost: protection.Lost}

// tell tells of a peer; that it is up once seq is in force.
func (t *topics) tell(s core.PeerState, seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := protection.Peer{Tunnel: s.Tunnel, NBMA: s.Peer}
	now := protection.State{Security: securities[s.State], Identity: s.Identity, Reason: s.Reason, Generation: t.forgotten[p], Outer: s.Outer}
	old := t.states[p]
	if old != nil && !old.mine && old.state.Security == protection.Up && !t.complete && s.State != core.SecurityUp {
		now.Generation = old.state.Generation
		old.next = &now // it may be taken over yet
		return
	}
	stays, held := false, t.holding[p] != nil // it was up; and that was not told yet
	if old != nil {
		now.Generation = old.state.Generation
		// What an earlier life had up, and is up before this one's picture is complete,
		// was taken over.
		stays = old.state.Security == protection.Up && (old.mine || !t.complete)
	}
	if stays && now.Identity == "" {
		now.Identity = old.state.Identity // taken over, and with it what an earlier life knew
	}
	delete(t.forgotten, p)
	up := now.Security == protection.Up
	if up && !stays {
		now.Generation++
	}
	v := &told{state: now, mine: true, seq: seq}
	t.states[p] = v
	if up && (!stays || held) {
		t.holding[p] = v
		return
	}
	t.send(p, v)
}

// send publishes. t.mu is held.
func (t *topics) send(p protection.Peer, v *told) {
	delete(t.holding, p)
	_ = t.publish(protection.TopicState, p.Key(), v.state.Append(nil)) // refuses nothing that ParseKey takes
}

// inForce takes in that everything up to seq is in force, or has failed.
func (t *topics) inForce(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, v := range t.holding {
		if v.seq <= seq {
			t.send(p, v)
		}
	}
}

// forget withdraws what was told of a peer that is gone; that it was lost, a little later.
func (t *topics) forget(g core.PeerGone) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := protection.Peer{Tunnel: g.Tunnel, NBMA: g.Peer}
	switch v := t.states[p]; {
	case v == nil:
	case v.state.Security == protection.Lost:
		v.since, v.next = time.Now(), nil
	default:
		t.withdraw(p, v)
	}
}

// withdraw takes back what was told of a peer. t.mu is held.
func (t *topics) withdraw(p protection.Peer, v *told) {
	delete(t.states, p)
	delete(t.holding, p)
	if len(t.forgotten) < maxForgotten {
		t.forgotten[p] = v.state.Generation
	}
	_ = t.publish(protection.TopicState, p.Key(), nil)
}

// expire says of peers that were lost what else there is to say.
func (t *topics) expire(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, v := range t.states {
		switch {
		case v.since.IsZero() || now.Sub(v.since) < lostHold:
		case v.next == nil:
			t.withdraw(p, v)
		default:
			v.state, v.since, v.next = *v.next, time.Time{}, nil
			t.send(p, v)
		}
	}
}

// whole says that this life's picture is complete: what an earlier one had up and this
// one has not is lost.
func (t *topics) whole() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.complete {
		return
	}
	t.complete = true
	for p, v := range t.states {
		switch {
		case v.mine:
		case v.state.Security == protection.Up:
			v.mine, v.since, v.state.Security, v.state.Reason = true, time.Now(), protection.Lost, "ipsecd was started again"
			t.send(p, v)
		default:
			delete(t.states, p)
			t.forgotten[p] = v.state.Generation
		}
	}
}
