package core

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Core is the protocol machine: an sm.Machine[Input, Effect]. Make it with New.
type Core struct {
	random  io.Reader
	config  Config
	links   map[string]rib.Interface
	served  map[domain]bool // the addresses of protected tunnels
	tunnels []*tunnel       // protected ones whose source is known, by name
	wants   []Secure        // what nhrpd asked for and did not take back

	sas      map[packet.SPI]*ikeSA // by our SPI
	order    []*ikeSA              // the values of sas, as they began
	half     map[halfKey]*ikeSA    // IKE SAs that others began, until they are authenticated
	children map[uint32]*child     // by inbound SPI
	left     map[leftKey]*leftover
	peers    map[peerKey]*peer
	listed   []*peer // the values of peers, sorted by key
	numbers  numbers // of the values of sas
	outgoing int     // IKE SAs under negotiation that we began

	known                  []rib.ESP // of an earlier life, until replay
	dumped, replayed       bool      // known has all of them; they were taken over
	waiting                bool      // for what an earlier life left: nothing is begun
	configured, interfaces bool      // all of it is known

	trustpoints []*trustpoint
	wall        time.Time // at wallAt; the zero Time if nobody said
	wallAt      clock.Instant

	cookies   suite.Cookies
	cookiesAt clock.Instant // when their secret was made
	alert     clock.Instant // until then cookies are wanted, however few are half-open
	timers    clock.Heap[timerKey]
	tracing   Tracing
	counters  Counters
	logged    int           // messages since window began
	window    clock.Instant // in which logBurst messages may be logged
	outside   int           // answers outside of IKE SAs since outsideAt
	outsideAt clock.Instant
	now       clock.Instant
	stopped   bool
	out       []Effect
}

// Options are what a Core is given at birth.
type Options struct {
	// Random is the only randomness: of keys, SPIs, nonces and jitter. It must not fail.
	// A Core with the same suite.Repeatable and the same inputs yields the same effects.
	Random io.Reader
	// Wall is the time of day at instant zero; see WallClock. The zero Time: it is not
	// known, and no certificate is believed until it is.
	Wall time.Time
}

// New returns a core that knows of no interface and has no configuration.
func New(o Options) *Core {
	return &Core{
		random:   o.Random,
		wall:     o.Wall,
		links:    map[string]rib.Interface{},
		served:   map[domain]bool{},
		sas:      map[packet.SPI]*ikeSA{},
		half:     map[halfKey]*ikeSA{},
		children: map[uint32]*child{},
		left:     map[leftKey]*leftover{},
		peers:    map[peerKey]*peer{},
	}
}

// timerKind tells the deadlines apart.
type timerKind uint8

const (
	timerResend    timerKind = 1 + iota // sa: its request was not answered
	timerHalf                           // sa: it was not authenticated in time
	timerLife                           // sa: it is to be replaced
	timerEnd                            // sa: it must end
	timerLiveness                       // sa: look whether the peer is alive
	timerKeepalive                      // sa: the NAT before us may forget us
	timerReap                           // sa: a duplicate, or one that was replaced, goes
	timerFragments                      // sa: fragments of a request that wait for others go
	timerRekey                          // child: it is to be replaced
	timerExpire                         // child: it must end
	timerOutbound                       // child: it may be used for sending
	timerTry                            // peer: negotiate (again)
	timerFollow                         // sa: the peer did not go on with additional key exchanges
	timerLeft                           // left: it must end
	timerLeave                          // peer: its leftovers are not needed any more
)

type timerKey struct {
	kind  timerKind
	sa    *ikeSA
	child *child
	peer  *peer
	left  *leftover
}

// Step implements sm.Machine.
func (c *Core) Step(now clock.Instant, in Input) {
	c.now = now
	c.tick(now)
	switch in := in.(type) {
	case RxPacket:
		c.receive(now, in)
	case ConfigSet:
		c.configure(now, in.Config)
		c.configured = true
		c.replay(now)
	case InterfaceChanged:
		c.links[in.Interface.Name] = in.Interface
		c.reconcile(now)
	case InterfaceGone:
		delete(c.links, in.Name)
		c.reconcile(now)
	case Secure:
		c.secure(now, in)
	case Unsecure:
		c.unsecure(now, in)
	case Acquire:
		c.acquire(now, in)
	case Expired:
		c.expired(now, in)
	case SAGone:
		c.saGone(now, in)
	case MappingChanged:
		c.mappingChanged(now, in)
	case SAKnown:
		c.saKnown(in)
	case SAsKnown:
		c.dumped = true
		c.replay(now)
	case Attached:
		c.attached(in)
	case InterfacesKnown:
		c.interfaces = true
		c.replay(now)
	case WallClock:
		c.wall, c.wallAt = in.Now, now
	case Clear:
		c.clear(now, in)
	case Query:
		c.emit(Answer{ID: in.ID, Report: c.answer(now, in)})
	case Tracing:
		c.tracing = in
	case Shutdown:
		c.shutdown(now)
	case Tick:
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

// Limits of what peers that are not authenticated can have logged.
const (
	logWindow = 10 * time.Second
	logBurst  = 8
)

// log tells the operator about a peer, unless there was too much of that.
func (c *Core) log(s Severity, mnemonic string, peer netip.Addr, text string) {
	c.logAs("IKEV2", s, mnemonic, peer, text)
}

func (c *Core) logAs(facility string, s Severity, mnemonic string, peer netip.Addr, text string) {
	if c.now.Sub(c.window) >= logWindow {
		c.window, c.logged = c.now, 0
	}
	if c.logged++; c.logged <= logBurst {
		c.emit(Log{facility, s, mnemonic, "peer " + peer.String() + ": " + text})
	}
}

// due is what is done at a deadline.
var due = map[timerKind]func(c *Core, now clock.Instant, k timerKey){}

func init() {
	due[timerResend] = func(c *Core, now clock.Instant, k timerKey) { c.resend(now, k.sa) }
	due[timerHalf] = func(c *Core, now clock.Instant, k timerKey) { c.fail(now, k.sa, "not authenticated in time") }
	due[timerLife] = func(c *Core, now clock.Instant, k timerKey) { c.lifetimeDue(now, k.sa) }
	due[timerEnd] = func(c *Core, now clock.Instant, k timerKey) { c.enqueue(now, k.sa, &deleteIKE{}) }
	due[timerLiveness] = func(c *Core, now clock.Instant, k timerKey) { c.livenessDue(now, k.sa) }
	due[timerKeepalive] = func(c *Core, now clock.Instant, k timerKey) { c.keepaliveDue(now, k.sa) }
	due[timerFragments] = func(c *Core, _ clock.Instant, k timerKey) { k.sa.inRequest = suite.Reassembly{} }
	due[timerReap] = func(c *Core, now clock.Instant, k timerKey) { c.reapDue(now, k.sa) }
	due[timerRekey] = func(c *Core, now clock.Instant, k timerKey) { c.rekeyDue(now, k.child) }
	due[timerExpire] = func(c *Core, now clock.Instant, k timerKey) { c.withdraw(now, k.child, "lifetime over") }
	due[timerOutbound] = func(c *Core, now clock.Instant, k timerKey) { c.outboundDue(k.child) }
	due[timerTry] = func(c *Core, now clock.Instant, k timerKey) { c.try(now, k.peer) }
	due[timerFollow] = func(c *Core, now clock.Instant, k timerKey) { c.followDue(now, k.sa) }
	due[timerLeft] = func(c *Core, now clock.Instant, k timerKey) { c.endLeft(now, k.left, "lifetime over") }
	due[timerLeave] = func(c *Core, now clock.Instant, k timerKey) { c.leaveDue(now, k.peer) }
}

// tick serves the deadlines that have come.
func (c *Core) tick(now clock.Instant) {
	for {
		k, ok := c.timers.PopDue(now)
		if !ok {
			return
		}
		due[k.kind](c, now, k)
	}
}

// bytes returns random octets.
func (c *Core) bytes(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(c.random, b); err != nil {
		panic("core: no randomness: " + err.Error()) // nothing that a peer can bring about
	}
	return b
}

// newSPI returns an SPI for an IKE SA that is not in use.
func (c *Core) newSPI() packet.SPI {
	for {
		spi := packet.SPI(binary.BigEndian.Uint64(c.bytes(8)))
		if c.sas[spi] == nil && spi != 0 {
			return spi
		}
	}
}

// reservedSPIs are those of ESP that are not free for use (RFC 4303 section 2.1).
const reservedSPIs = 256

// newChildSPI returns an SPI of ESP that is not in use.
func (c *Core) newChildSPI() uint32 {
	for {
		spi := binary.BigEndian.Uint32(c.bytes(4))
		if c.children[spi] == nil && spi >= reservedSPIs && !c.leftSPI(spi) {
			return spi
		}
	}
}

func (c *Core) leftSPI(spi uint32) bool {
	for d := range c.served { // unordered: any of them
		if c.left[leftKey{d.local, spi}] != nil {
			return true
		}
	}
	return false
}

// jitter returns a duration less up to a tenth of it, so that what began together does
// not go on together.
func (c *Core) jitter(d time.Duration) time.Duration {
	return d - time.Duration(uint64(d)/10*uint64(binary.BigEndian.Uint16(c.bytes(2)))>>16)
}

// domain is a transport address of ours; tunnels of the same one share their SAs.
type domain struct {
	vrf   string
	local netip.Addr
}
