package core

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// Bounds and times of CREATE_CHILD_SA.
const (
	maxChildren  = 16               // of an IKE SA
	retryRekey   = 3 * time.Second  // after TEMPORARY_FAILURE
	retryRefused = 30 * time.Second // after any other refusal
	outboundWait = 5 * time.Second  // until a responder sends by a child SA whose forerunner nobody deletes
)

// createTask makes a child SA, or one that replaces old (RFC 7296 sections 1.3.1 and
// 1.3.3).
type createTask struct {
	old    *child
	policy []proposal.ESP
	group  packet.Group
	wrong  int
	ke     *suite.Exchange
	spi    uint32
	offer  *packet.SA
	nonce  []byte
	terms  *childTerms
	// rival is what the peer made meanwhile for the same purpose, nil if that waits for
	// additional key exchanges, and lowest the lower of its nonces, nil if it did not begin.
	rival  *child
	lowest []byte
}

func (t *createTask) request(c *Core, now clock.Instant, sa *ikeSA) (packet.ExchangeType, []packet.Payload, bool) {
	switch {
	case sa.state != StateReady, t.old == nil && len(sa.peer.children) > 0:
		return 0, nil, false
	case t.old != nil && (c.children[t.old.in.SPI] != t.old || t.old.successor != nil || t.old.deleting || t.old.sa != sa):
		return 0, nil, false
	}
	if t.offer == nil {
		tun := c.tunnelAt(sa.domain())
		if tun == nil || c.ipsec(tun) == nil {
			return 0, nil, false
		}
		if t.policy = c.transforms(c.ipsec(tun)); len(t.policy) == 0 {
			return 0, nil, false
		}
		if len(t.policy[0].Groups) > 0 {
			t.group = t.policy[0].Groups[0]
		}
		t.spi = c.newChildSPI()
		t.offer, t.nonce = proposal.OfferESP(t.policy, t.spi, false), c.bytes(nonceLen)
	}
	var ps []packet.Payload
	if t.old != nil {
		ps = append(ps, &packet.Notify{Protocol: packet.ProtocolESP, SPI: t.old.in.SPI, Kind: packet.RekeySA})
	}
	ps = append(ps, notify(packet.UseTransportMode), t.offer, &packet.Nonce{Data: t.nonce})
	if t.group != packet.NoGroup {
		x, err := suite.Start(t.group, c.random)
		if err != nil {
			return 0, nil, false
		}
		t.ke = x
		ps = append(ps, &packet.KE{Group: t.group, Data: x.Public()})
	}
	return packet.CreateChildSA, append(ps, c.ownTS(sa, false), c.peerTS(sa, true)), true
}

func (t *createTask) answered(c *Core, now clock.Instant, sa *ikeSA, ps []packet.Payload) {
	if f := failure(ps); f != nil {
		t.refused(c, now, sa, f)
		return
	}
	nonce, _ := packet.Find(ps, packet.TypeNonce).(*packet.Nonce)
	terms, why := c.readChild(sa, t.offer, t.group, ps)
	if why == "" && nonce == nil {
		why = "malformed answer"
	}
	if why == "" && terms.Group != packet.NoGroup {
		ke, _ := packet.Find(ps, packet.TypeKE).(*packet.KE)
		if ke == nil || ke.Group != t.group {
			why = "malformed answer"
		} else if secret, err := t.ke.Secret(ke.Data); err != nil {
			why = "invalid public value"
		} else {
			terms.secret = secret
		}
	}
	if why != "" { // the peer has it all the same
		c.enqueue(now, sa, &deleteChild{spi: t.spi})
		t.failed(c, now, sa, why)
		return
	}
	terms.spi, terms.nonces = t.spi, suite.Nonces{Ni: t.nonce, Nr: nonce.Data}
	t.terms = terms
	switch {
	case len(terms.Additional) == 0:
		t.completed(c, now, sa, [][]byte{terms.secret})
	case t.lost(c): // nothing was made yet that could go (RFC 9370 section 2.2.4)
		t.failed(c, now, sa, "")
	case !c.follow(sa, t, terms.Additional, terms.secret, ps):
		t.failed(c, now, sa, "malformed answer")
	}
}

// lost reports whether the peer asked for the same, and ours has the lowest nonce (section
// 2.8.1).
func (t *createTask) lost(c *Core) bool {
	return t.lowest != nil && (t.rival == nil || c.children[t.rival.in.SPI] == t.rival) &&
		bytes.Compare(lower(t.terms.nonces.Ni, t.terms.nonces.Nr), t.lowest) < 0
}

func (t *createTask) completed(c *Core, now clock.Instant, sa *ikeSA, secrets [][]byte) {
	if c.children[t.spi] != nil {
		return
	}
	t.terms.secret, t.terms.more = secrets[0], secrets[1:]
	ch := c.makeChild(now, sa, t.terms)
	if t.old != nil {
		c.counters.ChildRekeyed++
	}
	if t.lost(c) {
		c.remove(now, ch)
		if t.rival == nil {
			t.failed(c, now, sa, "")
		}
		return
	}
	if t.old != nil && c.children[t.old.in.SPI] == t.old {
		t.old.successor = ch
		c.timers.Clear(timerKey{kind: timerRekey, child: t.old})
		c.remove(now, t.old)
	}
}

// refused follows what the peer has against a child SA (RFC 7296 section 2.25).
func (t *createTask) refused(c *Core, now clock.Instant, sa *ikeSA, f *packet.Notify) {
	if g, ok := f.Group(); ok && f.Kind == packet.InvalidKEPayload && g != t.group && t.wrong < maxWrong && offered(t.offer, g) {
		t.wrong++
		t.group = g
		c.enqueue(now, sa, t)
		return
	}
	if f.Kind == packet.ChildSANotFound && t.old != nil {
		c.endChild(now, t.old, "peer does not have it")
		return
	}
	if f.Kind == packet.NoAdditionalSAs && t.old == nil { // it has to be a new IKE SA
		sa.reason = "peer makes no more child SAs"
		c.enqueue(now, sa, &deleteIKE{})
	}
	why := "refused: " + f.Kind.String()
	if f.Kind == packet.TemporaryFailure {
		why = ""
	}
	t.failed(c, now, sa, why)
}

// failed tries again later; why is "" for what is a matter of a moment.
func (t *createTask) failed(c *Core, now clock.Instant, sa *ikeSA, why string) {
	wait := retryRefused
	if why == "" {
		wait = retryRekey
	}
	switch {
	case t.old == nil && why == "":
		c.timers.Set(timerKey{kind: timerTry, peer: sa.peer}, now.Add(c.jitter(wait)))
	case t.old == nil:
		c.failedChild(now, sa.peer, why)
	case c.children[t.old.in.SPI] == t.old && t.old.successor == nil:
		c.timers.Set(timerKey{kind: timerRekey, child: t.old}, now.Add(c.jitter(wait)))
	}
}

func lower(a, b []byte) []byte {
	if bytes.Compare(a, b) < 0 {
		return a
	}
	return b
}

// remove deletes a child SA at both ends; it takes packets until the peer has answered.
func (c *Core) remove(now clock.Instant, ch *child) {
	if ch.deleting {
		return
	}
	ch.deleting = true
	c.enqueue(now, ch.sa, &deleteChild{ch.in.SPI, ch})
}

// rekeyDue replaces a child SA before its lifetime is over, if it is still wanted here: else
// that is the peer's to do, or nobody's.
func (c *Core) rekeyDue(now clock.Instant, ch *child) {
	if ch.successor == nil && !ch.deleting && ch.peer.needed(now) {
		c.enqueue(now, ch.sa, &createTask{old: ch})
	}
}

// createRequest answers CREATE_CHILD_SA: for a child SA, or for another IKE SA in place
// of this one.
func (c *Core) createRequest(now clock.Instant, sa *ikeSA, ps []packet.Payload) reply {
	offer, _ := packet.Find(ps, packet.TypeSA).(*packet.SA)
	if offer == nil {
		return refusal(packet.InvalidSyntax)
	}
	if sa.state != StateReady {
		return refusal(packet.TemporaryFailure)
	}
	if offer.Proposals[0].Protocol == packet.ProtocolIKE {
		return c.rekeyRequest(now, sa, offer, ps)
	}
	own, following := sa.asked()
	if _, ok := own.(*rekeyTask); ok {
		return refusal(packet.TemporaryFailure)
	}
	var old *child
	if n := packet.FindNotify(ps, packet.RekeySA); n != nil {
		for _, ch := range sa.children {
			if ch.out.SPI == n.SPI && n.Protocol == packet.ProtocolESP {
				old = ch
			}
		}
		switch {
		case old == nil:
			return reply{payloads: []packet.Payload{&packet.Notify{Protocol: packet.ProtocolESP, SPI: n.SPI, Kind: packet.ChildSANotFound}}}
		case old.deleting || old.successor != nil:
			return refusal(packet.TemporaryFailure)
		}
	}
	if t, ok := own.(*createTask); ok && following && t.old == old { // RFC 9370 section 2.2.4
		return refusal(packet.TemporaryFailure)
	}
	if len(sa.children) >= maxChildren {
		return refusal(packet.NoAdditionalSAs)
	}
	return c.answerCreate(now, sa, old, ps)
}

func refusal(kind packet.NotifyType) reply {
	return reply{payloads: []packet.Payload{notify(kind)}}
}

// answerCreate makes a child SA that the peer asked for, in place of old if that is not
// nil. If we asked for the same, the nonces decide when our answer is there.
func (c *Core) answerCreate(now clock.Instant, sa *ikeSA, old *child, ps []packet.Payload) reply {
	nonce, _ := packet.Find(ps, packet.TypeNonce).(*packet.Nonce)
	if nonce == nil {
		return refusal(packet.InvalidSyntax)
	}
	own := c.bytes(nonceLen)
	out, terms := c.respondChild(sa, ps, &suite.Nonces{Ni: nonce.Data, Nr: own}, old)
	if terms == nil {
		return reply{payloads: out}
	}
	out = append(out, &packet.Nonce{Data: own})
	var ch *child
	if len(terms.Additional) > 0 {
		out = append(out, c.awaitChild(now, sa, terms, old))
	} else if ch = c.responded(now, sa, terms); old != nil {
		old.successor = ch
	}
	asked, _ := sa.asked()
	if t, ok := asked.(*createTask); ok && t.old == old {
		t.rival, t.lowest = ch, lower(nonce.Data, own)
	}
	return reply{payloads: out}
}

// awaitChild keeps the terms of a child SA until its additional key exchanges are done.
func (c *Core) awaitChild(now clock.Instant, sa *ikeSA, terms *childTerms, old *child) *packet.Notify {
	return c.await(now, sa, &followup{groups: terms.Additional, secrets: [][]byte{terms.secret}, old: old, finish: func(now clock.Instant, secrets [][]byte) reply {
		if c.children[terms.spi] != nil || old != nil && (c.children[old.in.SPI] != old || old.deleting || old.successor != nil) {
			return refusal(packet.TemporaryFailure)
		}
		terms.secret, terms.more = secrets[0], secrets[1:]
		ch := c.responded(now, sa, terms)
		if old != nil {
			old.successor = ch
		}
		return reply{}
	}})
}

// lifetimeDue replaces an IKE SA before its lifetime is over, if its peer is still wanted
// here.
func (c *Core) lifetimeDue(now clock.Instant, sa *ikeSA) {
	if sa.state == StateReady && sa.peer.needed(now) {
		if sa.reauth || !c.stillBelieved(now, sa) {
			c.reauthenticate(now, sa)
			return
		}
		c.enqueue(now, sa, &rekeyTask{})
	}
}

func spiOf(b []byte) packet.SPI { return packet.SPI(binary.BigEndian.Uint64(b)) }
