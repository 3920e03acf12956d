package core_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/simnet"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

const (
	// simConverge is the longest time after which a router knows of a change of
	// routing; it is half of that at least.
	simConverge = 6 * time.Second
	// simRegister is how often spokes register.
	simRegister = 60 * time.Second
	// simUseReports is how often zebra tells which peers are in use.
	simUseReports = 10
	// simTTL is after how many routers a packet is dropped.
	simTTL = 16
)

// simWAN is a DMVPN cloud of Phase 3: two hubs, spokes with a LAN each, and a routing
// protocol that is played: LANs and adjacencies become known to a router some seconds
// after they changed. A router that loses a LAN or gets one knows that at once. The
// spokes have either the exact prefixes of all LANs or a summary, from the first hub if
// they have an adjacency to it. Every fourth spoke is behind a NAT of its own.
type simWAN struct {
	*simnet.Network
	link    *simnet.Link
	summary bool
	hubs    [2]*simRouter
	spokes  []*simRouter
	at      map[netip.Addr]*simRouter // who is at an NBMA address
	owner   []int                     // the spoke that each LAN is behind
	moved   []int                     // LANs that were moved, in this order
	flows   []simFlow
	watch   simWatch
	ipsec   *simIPsec // nil: the tunnels are not protected

	second           int // of the last count
	sent, this, peak int // messages: all, in this second, in the busiest
}

func simPrivate(k int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(k >> 16), byte(k >> 8), byte(k)})
}

// isNATed tells whether a spoke is behind a NAT.
func isNATed(k int) bool { return k%4 == 0 }

// newSimWAN has all routers start at once; half of the seeds have summaries.
func newSimWAN(seed uint64, spokes, flows int, loss float64) *simWAN {
	w := &simWAN{Network: simnet.New(seed), summary: seed%2 == 0, at: map[netip.Addr]*simRouter{}}
	return w.populate(spokes, flows, loss)
}

// newSecuredWAN is newSimWAN with tunnels that are protected.
func newSecuredWAN(seed uint64, spokes, flows int, loss float64) *simWAN {
	w := &simWAN{Network: simnet.New(seed), summary: seed%2 == 0, at: map[netip.Addr]*simRouter{}}
	w.ipsec = &simIPsec{wan: w, pairs: map[simPair]*simSession{}}
	return w.populate(spokes, flows, loss)
}

// populate adds the routers and what they send.
func (w *simWAN) populate(spokes, flows int, loss float64) *simWAN {
	w.link = w.Link(simnet.Quality{Latency: 20 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: loss, Duplicate: loss / 5})
	for h := range w.hubs {
		r := w.add(fmt.Sprintf("hub%d", h), h)
		r.hub, r.best, r.owners = true, -1, make([]int, spokes)
		r.overlay, r.nbma = netip.AddrFrom4([4]byte{172, 16, 0, byte(1 + h)}), netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + h)})
		w.hubs[h], w.at[r.nbma] = r, r
		w.link.Attach(r.node, r.nbma)
		for l := range r.owners {
			r.owners[l] = l
		}
		r.start(simHubConfig)
	}
	for k := range spokes {
		r := w.add(fmt.Sprintf("spoke%d", k), k)
		r.overlay, r.nbma, r.best = simOverlay(k), simPrivate(k), -1
		port := w.link.Attach(r.node, r.nbma)
		if isNATed(k) {
			public := simPublic(k)
			w.link.Behind(simnet.StaticNAT{Private: r.nbma, Public: public}, public, port)
			r.nbma = public
		}
		w.spokes, w.owner, w.at[r.nbma] = append(w.spokes, r), append(w.owner, k), r
		r.start(w.spokeConfig)
	}
	for len(w.flows) < flows {
		a, b := w.Rand().IntN(spokes), w.Rand().IntN(spokes)
		if a != b {
			w.flows = append(w.flows, simFlow{lan: [2]int{a, b}})
		}
	}
	return w
}

func (w *simWAN) add(name string, index int) *simRouter {
	r := &simRouter{wan: w, index: index, memory: map[string]savedAt{}}
	r.reset()
	r.node = simnet.Add(w.Network, name, r.behavior())
	return r
}

func simHubConfig(c *core.InterfaceConfig) { c.Redirect, c.MaxSend = true, 1<<20 }

func (w *simWAN) spokeConfig(c *core.InterfaceConfig) {
	c.RegistrationTimeout, c.Shortcut = simRegister, true
	for _, h := range w.hubs {
		c.NHSs = append(c.NHSs, core.NHSConfig{Addr: h.overlay, NBMA: h.nbma, Multicast: true})
	}
}

// count notes a message that is sent.
func (w *simWAN) count() {
	if s := int(w.Now() / simSecond); s != w.second {
		w.second, w.this = s, 0
	}
	w.sent++
	w.this++
	w.peak = max(w.peak, w.this)
}

// within is an instant at which a router knows of what changes now.
func (w *simWAN) within() clock.Instant {
	half := int64(simConverge / 2)
	return w.Now().Add(time.Duration(half + w.Rand().Int64N(half)))
}

// converge follows adjacencies, each second.
func (w *simWAN) converge() {
	for _, s := range w.spokes {
		for h, hub := range w.hubs {
			a := &s.adjacent[h]
			reach := s.node.Alive() && hub.node.Alive() && hub.neighbors[s.overlay] == s.nbma && s.neighbors[hub.overlay] == hub.nbma && w.passes(s, hub)
			switch {
			case reach == a.up:
				a.changes = 0
			case a.changes == 0:
				a.changes = w.within()
			case a.changes <= w.Now():
				a.up, a.changes = reach, 0
				w.adjacencyChanged(s, hub)
			}
		}
	}
}

// passes tells whether packets get over the tunnel from one router to another.
func (w *simWAN) passes(a, b *simRouter) bool { return w.ipsec == nil || w.ipsec.passes(a, b) }

// adjacencyChanged has a spoke choose its hub, and the hubs their way to its LANs.
func (w *simWAN) adjacencyChanged(s, hub *simRouter) {
	best := -1
	for h := range w.hubs {
		if s.adjacent[h].up {
			best = h
			break
		}
	}
	if best != s.best {
		s.best = best
		s.tellAll()
	}
	for _, h := range w.hubs { // the other one may have reached them by this one
		if h.owners[s.index] == s.index {
			h.tell(simHost(s.index))
		}
		for _, l := range w.moved {
			if l != s.index && h.owners[l] == s.index {
				h.tell(simHost(l))
			}
		}
	}
}

// allUp tells whether all adjacencies of living routers are up.
func (w *simWAN) allUp() bool {
	for _, s := range w.spokes {
		for h, hub := range w.hubs {
			if s.node.Alive() && hub.node.Alive() && !s.adjacent[h].up {
				return false
			}
		}
	}
	return true
}

// moveLAN puts a LAN behind another spoke. Both know at once, the hubs later.
func (w *simWAN) moveLAN(l, to int) {
	from := w.owner[l]
	w.owner[l] = to
	w.moved = append(w.moved, l)
	w.spokes[from].tell(simHost(l))
	w.spokes[to].tell(simHost(l))
	for _, h := range w.hubs {
		w.At(w.within(), func() {
			if w.owner[l] != to {
				return // moved on meanwhile
			}
			h.owners[l] = to
			for _, r := range []*simRouter{w.hubs[0], w.hubs[1], w.spokes[from], w.spokes[to]} {
				r.tell(simHost(l))
			}
		})
	}
}

// rebind gives the NAT of a spoke another public address.
func (w *simWAN) rebind(k, generation int) {
	s := w.spokes[k]
	public := netip.AddrFrom4([4]byte{100, 80 + byte(generation), byte(k >> 8), byte(k)})
	w.link.Rebind(s.nbma, public, simnet.StaticNAT{Private: simPrivate(k), Public: public})
	delete(w.at, s.nbma)
	s.nbma = public
	w.at[public] = s
}

// crash ends a router and what it has in its kernel.
func (w *simWAN) crash(r *simRouter) {
	r.node.Crash()
	r.reset()
}

// restart brings a hub back, with what zebra kept for it or without.
func (w *simWAN) restart(h *simRouter, remembers bool) {
	if !remembers {
		clear(h.memory)
	}
	copy(h.owners, w.owner)
	h.node.Restart()
	h.start(simHubConfig)
}
