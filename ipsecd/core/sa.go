package core

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// halfOpen is how long an IKE SA that another began may take to be authenticated.
const halfOpen = 30 * time.Second

// halfKey is what tells requests to begin an IKE SA apart (RFC 7296 section 2.1).
type halfKey struct {
	remote netip.AddrPort
	spi    packet.SPI
}

// ikeSA is an IKE SA.
type ikeSA struct {
	number        int
	state         State
	initiator     bool
	spare         bool // another stays where both ends began one: the peer deletes this one
	vrf           string
	local, remote netip.AddrPort
	spi, peerSPI  packet.SPI
	born, up      clock.Instant
	peer          *peer // that it was begun for, or that was authenticated
	profile       string
	id, peerID    Identity
	method        Method // by which we authenticated ourselves
	peerMethod    Method

	suite      suite.IKE
	group      packet.Group
	additional []packet.Group
	keys       *suite.Keys
	in, out    *suite.Cipher
	nonces     suite.Nonces
	nego       *negotiation // until it is established

	nextID, expectedID      uint32
	request                 *request
	queue                   []task
	answer                  [][]byte      // to the request before expectedID
	answerIn                *suite.Cipher // opens the request that answer is for
	inRequest, inAnswer     suite.Reassembly
	heard                   clock.Instant // when something authentic came last
	doubted                 bool          // the peer may have lost it, and nothing authentic came since
	nextHint                clock.Instant // until then no hint counts that it has
	natLocal, natRemote     bool
	fragments, intermediate bool
	childless               bool
	children                []*child
	followups               []*followup   // of the peer
	probed                  bool          // an answer is waited for to know that the peer is alive
	seenIn, seenOut         uint64        // packets of the children when that was looked at
	successor               *ikeSA        // that replaces it
	replaces                *ikeSA        // whose place it takes once it has a child SA
	reauth                  bool          // CREATE_CHILD_SA cannot replace it
	peerCerts               [][]byte      // DER of those by which the peer was authenticated
	reason                  string        // why it ends
	ends                    clock.Instant // its lifetime
}

// negotiation is what an IKE SA needs until it is established.
type negotiation struct {
	offer       *packet.SA
	group       packet.Group // of the KE payload
	exchange    *suite.Exchange
	cookie      []byte
	cookies     int // how often one was asked for
	wrong       int // how often another group was
	init        [2][]byte
	intI, intR  suite.IntAuth
	round       int // additional key exchanges that are done
	childSPI    uint32
	childOffer  *packet.SA
	hint        string // an error that nobody has authenticated
	intermedial bool   // there were intermediate exchanges
	announced   announced
}

func (sa *ikeSA) domain() domain { return domain{sa.vrf, sa.local.Addr()} }

// add makes an IKE SA known.
func (c *Core) add(now clock.Instant, sa *ikeSA) {
	sa.number = c.numbers.take()
	sa.born, sa.heard = now, now
	c.sas[sa.spi] = sa
	c.order = append(c.order, sa)
}

// numbers are those by which the operator is told of IKE SAs, from 1 on.
type numbers struct {
	used   map[int]bool
	lowest int // all up to this one are used
}

// take takes the lowest number that is free.
func (n *numbers) take() int {
	if n.used == nil {
		n.used = map[int]bool{}
	}
	for n.lowest++; n.used[n.lowest]; n.lowest++ {
	}
	n.used[n.lowest] = true
	return n.lowest
}

func (n *numbers) giveBack(number int) {
	delete(n.used, number)
	n.lowest = min(n.lowest, number-1)
}

func (c *Core) alive(sa *ikeSA) bool { return c.sas[sa.spi] == sa }

// others returns the other IKE SAs with the same peer, by the same identity.
func (c *Core) others(sa *ikeSA) (out []*ikeSA) {
	for _, o := range c.order {
		if o != sa && o.peer == sa.peer && o.peerID == sa.peerID {
			out = append(out, o)
		}
	}
	return out
}

// setState changes the state of an IKE SA.
func (c *Core) setState(sa *ikeSA, s State) {
	sa.state = s
	c.trace(c.tracing.Internal, Trace{Event: TraceState, SPI: uint64(sa.spi), Remote: sa.remote, Text: s.String()})
}

// fail ends an IKE SA that did not get established, or whose peer is gone.
func (c *Core) fail(now clock.Instant, sa *ikeSA, reason string) {
	if sa.state < StateReady {
		if sa.initiator {
			c.counters.Failed++
		} else {
			c.counters.Refused++
		}
		if sa.nego != nil && sa.nego.hint != "" {
			reason = sa.nego.hint
		}
	}
	c.end(now, sa, reason)
}

// end forgets an IKE SA and ends its child SAs; nothing is sent.
func (c *Core) end(now clock.Instant, sa *ikeSA, reason string) {
	if !c.alive(sa) {
		return
	}
	if sa.state >= StateReady {
		c.trace(c.tracing.IKEv2, Trace{Event: TraceSADown, SPI: uint64(sa.spi), Remote: sa.remote, Text: reason})
	}
	c.settled(sa)
	c.notReplaced(now, sa)
	delete(c.sas, sa.spi)
	c.numbers.giveBack(sa.number)
	c.order = slices.DeleteFunc(c.order, func(o *ikeSA) bool { return o == sa })
	for _, k := range []timerKind{timerResend, timerHalf, timerLife, timerEnd, timerLiveness, timerKeepalive, timerReap, timerFragments, timerFollow} {
		c.timers.Clear(timerKey{kind: k, sa: sa})
	}
	for _, ch := range slices.Clone(sa.children) {
		c.endChild(now, ch, reason)
	}
	sa.drop(func(*followup) bool { return true })
	if sa.keys != nil {
		sa.keys.Wipe()
	}
	if p := sa.peer; p != nil && p.nego == sa {
		p.nego = nil
		c.failed(now, p, reason)
	} else if p != nil {
		c.settle(now, p)
	}
}

// settled forgets that an IKE SA is under negotiation.
func (c *Core) settled(sa *ikeSA) {
	if sa.nego == nil {
		return
	}
	if sa.initiator {
		c.outgoing--
	} else {
		delete(c.half, halfKey{c.halfRemote(sa), sa.peerSPI})
	}
	c.timers.Clear(timerKey{kind: timerHalf, sa: sa})
	sa.nego = nil
}

// halfRemote returns the address that an IKE SA of another began from; later messages may
// come from port 4500.
func (c *Core) halfRemote(sa *ikeSA) netip.AddrPort {
	for k, o := range c.half { // unordered: there is one at most
		if o == sa {
			return k.remote
		}
	}
	return sa.remote
}

// established is when both ends are authenticated.
func (c *Core) established(now clock.Instant, sa *ikeSA) {
	c.settled(sa)
	sa.up = now
	c.setState(sa, StateReady)
	c.trace(c.tracing.IKEv2, Trace{Event: TraceSAUp, SPI: uint64(sa.spi), Remote: sa.remote, Text: sa.peerID.String()})
	life := DefaultIKELifetime
	if p := c.profile(sa.profile); p != nil && p.Lifetime > 0 {
		life = p.Lifetime
	}
	sa.ends = now.Add(life)
	c.timers.Set(timerKey{kind: timerLife, sa: sa}, now.Add(c.jitter(life/10*9)))
	c.timers.Set(timerKey{kind: timerEnd, sa: sa}, sa.ends)
	c.watchLiveness(now, sa)
	if sa.natLocal && c.config.Global.NATKeepalive > 0 {
		c.timers.Set(timerKey{kind: timerKeepalive, sa: sa}, now.Add(c.config.Global.NATKeepalive))
	}
}

// derive makes the ciphers of an IKE SA from its keys.
func (sa *ikeSA) derive() error {
	k := sa.keys
	i, err := sa.suite.NewCipher(k.Ei, k.Ai)
	if err != nil {
		return err
	}
	r, err := sa.suite.NewCipher(k.Er, k.Ar)
	if err != nil {
		return err
	}
	sa.in, sa.out = i, r
	if sa.initiator {
		sa.in, sa.out = r, i
	}
	return nil
}

// ownP and peerP return SK_pi and SK_pr by who we are (RFC 7296 section 2.15).
func (sa *ikeSA) ownP() []byte {
	if sa.initiator {
		return sa.keys.Pi
	}
	return sa.keys.Pr
}

func (sa *ikeSA) peerP() []byte {
	if sa.initiator {
		return sa.keys.Pr
	}
	return sa.keys.Pi
}

var stateNames = [...]string{
	StateInitSent: "INIT_SENT", StateInitAnswered: "INIT_ANSWERED", StateIntermediate: "INTERMEDIATE", StateAuthSent: "AUTH_SENT",
	StateReady: "READY", StateRekeyed: "REKEYED", StateDeleting: "DELETING",
}

// String names the state.
func (s State) String() string {
	if int(s) < len(stateNames) && stateNames[s] != "" {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

func (c *Core) trace(on bool, t Trace) {
	if on {
		c.emit(t)
	}
}
