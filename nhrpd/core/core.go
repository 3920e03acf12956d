package core

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/tunnelpeer"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// Core is the protocol machine: an sm.Machine[Input, Effect]. Make it with New.
type Core struct {
	rng       *rand.Rand
	requestID uint32
	spread    uint32 // odd: see resolutionID
	offset    uint32

	config    map[ifaceKey]InterfaceConfig // normal, of the last ConfigSet
	links     map[string]rib.Interface
	ifaces    map[ifaceKey]*iface
	multicast map[multicastKey]int // how many reasons there are for each
	policies  map[string]Policy    // by name
	shapers   map[shaperKey]*shaping
	lines     map[string]bool // tunnels: whether their line protocol may be up, as stated
	watched   map[string]int  // instances that want to hear of misses, by tunnel
	order     []*iface        // the values of ifaces, sorted by key
	told      int             // stations that were told of entries
	toldSwept clock.Instant   // when room was last looked for
	timers    clock.Heap[timerKey]
	replay    replay
	errLimit  limiter // of error indications, by destination
	logLimit  limiter // of messages that a remote station can provoke
	askLimit  limiter // of first requests for an address, by that address

	routes          map[routeKey]*route
	relays          map[relayKey]*relay
	nexts           map[nextKey]map[*relay]bool     // the relays, by the station that they went to
	shortcuts       map[rib.Key]*entry              // as stated
	hairpins        map[hairpinKey]int              // instances that want to hear of hairpins
	uses            map[string]int                  // entries whose use matters, by tunnel
	peerTable       map[string]map[netip.Addr]*peer // other ends, by tunnel and NBMA address
	peerCount       int
	touched         map[*peer]bool // in this step
	stations        map[tunnelpeer.Peer]*station
	stationsTouched map[tunnelpeer.Peer]bool // in this step
	heldCount       int                      // packets that wait for peers
	redirected      map[pair]redirected      // when who was told of it
	other           Counters
	tracing         bool           // Tracing: the events of every packet as well
	in              packet.Message // decoded anew for each packet
	decode          func(*packet.Message, []byte) error
	out             []Effect
}

// Options are what a Core is given at birth.
type Options struct {
	// Source is the only randomness: jitter of retries. A Core made with the
	// same source, Request ID and inputs yields the same effects.
	Source rand.Source
	// RequestID is the first Request ID. A restarted daemon must go on above
	// the ones that it used before (RFC 2332 section 5.2.3), so that a late
	// reply to its former life does not match.
	RequestID uint32
	// Secret spreads the Request IDs of Resolution Requests, so that they cannot be
	// guessed from others. 0: they are in sequence.
	Secret uint64
}

// New returns a core that knows of no interface and has no configuration.
func New(o Options) *Core {
	return &Core{
		rng:       rand.New(o.Source),
		requestID: o.RequestID,
		spread:    uint32(o.Secret) | 1,
		offset:    uint32(o.Secret >> 32),
		decode:    (*packet.Message).Decode,
		config:    make(map[ifaceKey]InterfaceConfig),
		links:     make(map[string]rib.Interface),
		ifaces:    make(map[ifaceKey]*iface),
		multicast: make(map[multicastKey]int),
		shapers:   make(map[shaperKey]*shaping),
		watched:   make(map[string]int),
		lines:     make(map[string]bool),
		errLimit:  limiter{interval: errorInterval, burst: errorBurst},
		logLimit:  limiter{interval: logInterval, burst: logBurst},
		askLimit:  limiter{interval: askInterval, burst: askBurst},

		routes:          make(map[routeKey]*route),
		relays:          make(map[relayKey]*relay),
		nexts:           make(map[nextKey]map[*relay]bool),
		shortcuts:       make(map[rib.Key]*entry),
		hairpins:        make(map[hairpinKey]int),
		uses:            make(map[string]int),
		peerTable:       make(map[string]map[netip.Addr]*peer),
		touched:         make(map[*peer]bool),
		stations:        make(map[tunnelpeer.Peer]*station),
		stationsTouched: make(map[tunnelpeer.Peer]bool),
		redirected:      make(map[pair]redirected),
	}
}

// timerKind tells the deadlines apart.
type timerKind uint8

const (
	timerExpire    timerKind = 1 + iota // the holding time of entry ran out
	timerSend                           // server: registration is due, or was not answered
	timerResolve                        // server: its name is to be resolved (again)
	timerReplay                         // the longest holding time passed since Attached
	timerAsk                            // entry: a request for its address was not answered
	timerPurge                          // purge: it was not answered
	timerRoute                          // route: nothing may rest on it any more
	timerRefresh                        // entry: it is about to end, and may be in use
	timerRenew                          // entry: a request to renew it was not answered
	timerKeepalive                      // entry: the station is to be asked whether it is there
	timerFallback                       // server: enough better ones were connected for long enough
	timerHeld                           // peer: a packet that waits for it is too old
	timerSilence                        // peer: nobody speaks for it any more
	timerProven                         // peer: it is secured for long enough
	timerKnock                          // peer: it did not answer a knock
	timerLost                           // station: nobody needs to hear any more that it is lost
)

type timerKey struct {
	kind    timerKind
	entry   *entry
	server  *server
	purge   *purging
	route   *route
	peer    *peer
	station *station
}

// Step implements sm.Machine.
func (c *Core) Step(now clock.Instant, in Input) {
	c.tick(now)
	c.handle(now, in)
	c.settlePeers(now)
	c.settleStations(now)
}

// handle does what an input asks for.
func (c *Core) handle(now clock.Instant, in Input) {
	switch in := in.(type) {
	case RxPacket:
		c.receive(now, in)
	case Tick:
	case InterfaceChanged:
		c.links[in.Interface.Name] = in.Interface
		c.reconcileName(now, in.Interface.Name)
	case InterfaceGone:
		delete(c.links, in.Name)
		c.reconcileName(now, in.Name)
	case InterfacesKnown:
		c.replay.interfaces = true
		c.checkReplay(now)
	case Attached:
		c.attached(now, in)
	case ConfigSet:
		c.configure(now, in.Config)
	case RestoreEntry:
		c.restore(now, in)
	case NeighborMiss:
		c.neighborMiss(now, in)
	case NextHopChanged:
		c.nextHopChanged(now, in)
	case Hairpin:
		c.hairpin(now, in)
	case PeersUsed:
		c.peersUsed(now, in)
	case PeerSecured:
		c.peerSecured(now, in)
	case NameResolved:
		c.nameResolved(now, in)
	case Clear:
		c.clear(now, in)
	case Query:
		c.emit(Answer{ID: in.ID, Report: c.answer(now, in)})
	case Tracing:
		c.tracing = in.On
	case Shutdown:
		c.shutdown(now)
	}
}

// Wake implements sm.Machine.
func (c *Core) Wake() (at clock.Instant, ok bool) { return c.timers.Next() }

// Drain implements sm.Machine.
func (c *Core) Drain(dst []Effect) []Effect {
	dst = append(dst, c.out...)
	clear(c.out)
	c.out = c.out[:0]
	return dst
}

func (c *Core) emit(e Effect) { c.out = append(c.out, e) }

func (c *Core) trace(t Trace) { c.out = append(c.out, t) }

// tick serves the deadlines that have come.
func (c *Core) tick(now clock.Instant) {
	for {
		key, ok := c.timers.PopDue(now)
		if !ok {
			return
		}
		switch key.kind {
		case timerExpire:
			c.expire(now, key.entry)
		case timerSend:
			c.serverDue(now, key.server)
		case timerResolve:
			c.resolveDue(now, key.server)
		case timerFallback:
			c.fallbackDue(now, key.server)
		case timerReplay:
			c.endReplay(now)
		case timerAsk:
			c.askDue(now, key.entry)
		case timerPurge:
			c.purgeDue(now, key.purge)
		case timerRoute:
			c.routeIdleDue(now, key.route)
		case timerRefresh:
			c.refreshDue(now, key.entry)
		case timerRenew:
			c.renewDue(now, key.entry)
		case timerKeepalive:
			c.keepaliveDue(now, key.entry)
		case timerHeld:
			c.heldDue(now, key.peer)
		case timerSilence:
			c.silenceDue(now, key.peer)
		case timerProven:
			c.peerProven(now, key.peer)
		case timerKnock:
			c.knock(now, key.peer)
		case timerLost:
			c.dropStation(key.station)
		}
	}
}

// configure takes a whole configuration and changes what differs.
func (c *Core) configure(now clock.Instant, cfg Config) {
	next := make(map[ifaceKey]InterfaceConfig, len(cfg.Interfaces))
	for _, ic := range cfg.Interfaces {
		ic = ic.normal()
		if ic.NetworkID == 0 {
			continue // nothing works without a network-id
		}
		next[ifaceKey{ic.Name, ic.Family}] = ic
	}
	c.config = next
	policies := make(map[string]Policy, len(cfg.Policies))
	for _, p := range cfg.Policies {
		policies[p.Name] = p
	}
	changed := !maps.Equal(policies, c.policies)
	c.policies = policies
	for _, i := range slices.Clone(c.order) {
		if _, ok := next[i.key]; !ok {
			c.removeIface(now, i)
		}
	}
	keys := make([]ifaceKey, 0, len(next))
	for key := range next {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, ifaceKey.compare)
	for _, key := range keys {
		c.configureIface(now, key, next[key])
	}
	c.watchHairpins()
	if changed {
		for _, i := range c.order {
			c.syncShapers(i)
		}
	}
	c.replay.config = true
	c.checkReplay(now)
}

// nextRequestID returns the Request ID of a new request (RFC 2332 section
// 5.2.0.1).
func (c *Core) nextRequestID() uint32 {
	c.requestID++
	return c.requestID
}

// resolutionID returns the Request ID of a new Resolution Request: different for
// different requests of one life, since spread is odd.
func (c *Core) resolutionID() uint32 { return c.nextRequestID()*c.spread + c.offset }

func (k ifaceKey) compare(o ifaceKey) int {
	if n := cmp.Compare(k.name, o.name); n != 0 {
		return n
	}
	return cmp.Compare(k.family, o.family)
}

// shutdown takes back the registrations, and what others were told of this node.
func (c *Core) shutdown(now clock.Instant) {
	for _, i := range c.order {
		for _, s := range i.servers {
			c.deregister(now, s)
			c.timers.Clear(timerKey{kind: timerSend, server: s}) // or it would register again
			c.timers.Clear(timerKey{kind: timerFallback, server: s})
		}
		for _, e := range i.cache.sorted() {
			if e.kind == EntryLocal {
				c.removeEntry(now, e, TraceEntryDeleted, "Shutdown")
			}
		}
		c.farewell(now, i)
	}
}
