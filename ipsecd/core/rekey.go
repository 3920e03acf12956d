package core

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// redundantWait is how long the end that did not begin it keeps an IKE SA that lost
// against another.
const redundantWait = 30 * time.Second

// rekeyTask makes an IKE SA that replaces the present one (RFC 7296 section 1.3.2).
type rekeyTask struct {
	group packet.Group
	wrong int
	ke    *suite.Exchange
	spi   packet.SPI
	offer *packet.SA
	nonce []byte
	// rival is what the peer made meanwhile, and lowest the lower of its nonces.
	rival  *ikeSA
	lowest []byte
}

// withoutMore are proposals without additional key exchanges, which are made in
// IKE_INTERMEDIATE only. Those that cannot do without are left out.
func withoutMore(in []proposal.IKE) (out []proposal.IKE) {
	for _, p := range in {
		if !slices.ContainsFunc(p.Additional, func(a proposal.Additional) bool { return !a.Optional }) {
			p.Additional = nil
			out = append(out, p)
		}
	}
	return out
}

func (t *rekeyTask) request(c *Core, _ clock.Instant, sa *ikeSA) (packet.ExchangeType, []packet.Payload, bool) {
	if sa.state != StateReady {
		return 0, nil, false
	}
	if t.offer == nil {
		policy := withoutMore(c.proposals(sa.domain()))
		if len(policy) == 0 || len(policy[0].Groups) == 0 {
			return 0, nil, false
		}
		t.group, t.spi, t.nonce = policy[0].Groups[0], c.newSPI(), c.bytes(nonceLen)
		t.offer = proposal.OfferIKE(policy, t.spi)
	}
	x, err := suite.Start(t.group, c.random)
	if err != nil {
		return 0, nil, false
	}
	t.ke = x
	return packet.CreateChildSA, []packet.Payload{t.offer, &packet.Nonce{Data: t.nonce}, &packet.KE{Group: t.group, Data: x.Public()}}, true
}

func (t *rekeyTask) answered(c *Core, now clock.Instant, sa *ikeSA, ps []packet.Payload) {
	if f := failure(ps); f != nil {
		t.refused(c, now, sa, f)
		return
	}
	answer, _ := packet.Find(ps, packet.TypeSA).(*packet.SA)
	nonce, _ := packet.Find(ps, packet.TypeNonce).(*packet.Nonce)
	ke, _ := packet.Find(ps, packet.TypeKE).(*packet.KE)
	if answer == nil || nonce == nil || ke == nil || ke.Group != t.group {
		t.again(c, now, sa, retryRefused)
		return
	}
	choice, err := proposal.Accept(t.offer, answer, t.group)
	if err != nil || len(choice.SPI) != 8 || spiOf(choice.SPI) == 0 || c.sas[t.spi] != nil {
		t.again(c, now, sa, retryRefused)
		return
	}
	secret, err := t.ke.Secret(ke.Data)
	if err != nil {
		t.again(c, now, sa, retryRefused)
		return
	}
	c.counters.Rekeyed++
	n := suite.Nonces{Ni: t.nonce, Nr: nonce.Data, SPIi: t.spi, SPIr: spiOf(choice.SPI)}
	next := c.replacement(now, sa, choice, n, secret, true)
	switch {
	case next == nil:
		t.again(c, now, sa, retryRefused)
	case t.rival != nil && c.alive(t.rival) && bytes.Compare(lower(t.nonce, nonce.Data), t.lowest) < 0:
		c.adopt(now, sa, t.rival) // ours has the lowest nonce: it goes (section 2.8.2)
		next.reason = "redundant"
		c.enqueue(now, next, &deleteIKE{})
	default:
		c.adopt(now, sa, next)
		c.enqueue(now, sa, &deleteIKE{})
		if t.rival != nil && c.alive(t.rival) {
			t.rival.reason = "redundant"
			c.timers.Set(timerKey{kind: timerReap, sa: t.rival}, now.Add(redundantWait))
		}
	}
}

// refused follows what the peer has against it. What it made itself meanwhile stands.
func (t *rekeyTask) refused(c *Core, now clock.Instant, sa *ikeSA, f *packet.Notify) {
	if t.rival != nil && c.alive(t.rival) {
		c.adopt(now, sa, t.rival)
		return
	}
	if g, ok := f.Group(); ok && f.Kind == packet.InvalidKEPayload && g != t.group && t.wrong < maxWrong && offered(t.offer, g) {
		t.wrong++
		t.group = g
		c.enqueue(now, sa, t)
		return
	}
	wait := retryRefused
	if f.Kind == packet.TemporaryFailure {
		wait = retryRekey
	}
	t.again(c, now, sa, wait)
}

// again tries later, with everything new.
func (t *rekeyTask) again(c *Core, now clock.Instant, sa *ikeSA, wait time.Duration) {
	c.timers.Set(timerKey{kind: timerLife, sa: sa}, now.Add(c.jitter(wait)))
}

// rekeyRequest answers a request to replace an IKE SA. One that comes while we ask for the
// same is answered as usual, and the nonces decide (RFC 7296 section 2.25.2).
func (c *Core) rekeyRequest(now clock.Instant, sa *ikeSA, offer *packet.SA, ps []packet.Payload) reply {
	var own *rekeyTask
	if sa.request != nil {
		switch t := sa.request.task.(type) {
		case *rekeyTask:
			own = t
		case *createTask, *deleteChild:
			return refusal(packet.TemporaryFailure)
		}
	}
	if sa.successor != nil || own != nil && own.rival != nil {
		return refusal(packet.TemporaryFailure)
	}
	nonce, _ := packet.Find(ps, packet.TypeNonce).(*packet.Nonce)
	ke, _ := packet.Find(ps, packet.TypeKE).(*packet.KE)
	if nonce == nil || ke == nil {
		return refusal(packet.InvalidSyntax)
	}
	choice, err := proposal.ChooseIKE(offer, withoutMore(c.proposals(sa.domain())), ke.Group, true, false)
	if wrong, ok := err.(*proposal.WrongGroup); ok {
		return reply{payloads: []packet.Payload{packet.NewInvalidKE(wrong.Want)}}
	} else if err != nil {
		return refusal(packet.NoProposalChosen)
	}
	public, secret, err := suite.Respond(choice.Group, ke.Data, c.random)
	if err != nil {
		return refusal(packet.InvalidSyntax)
	}
	n := suite.Nonces{Ni: nonce.Data, Nr: c.bytes(nonceLen), SPIi: spiOf(choice.SPI), SPIr: c.newSPI()}
	next := c.replacement(now, sa, choice, n, secret, false)
	if next == nil {
		return refusal(packet.NoProposalChosen)
	}
	choice.Answer.SPI = binary.BigEndian.AppendUint64(nil, uint64(next.spi))
	out := reply{payloads: []packet.Payload{&packet.SA{Proposals: []packet.Proposal{choice.Answer}}, &packet.Nonce{Data: n.Nr}, &packet.KE{Group: choice.Group, Data: public}}}
	if own != nil {
		own.rival, own.lowest = next, lower(n.Ni, n.Nr)
	} else {
		out.after = func(now clock.Instant) { c.adopt(now, sa, next) }
	}
	return out
}

// replacement makes an IKE SA that has the ends of another, and keys of its own.
func (c *Core) replacement(now clock.Instant, old *ikeSA, choice *proposal.Choice, n suite.Nonces, secret []byte, initiator bool) *ikeSA {
	sa := &ikeSA{
		initiator: initiator, vrf: old.vrf, local: old.local, remote: old.remote, peer: old.peer, profile: old.profile, id: old.id, peerID: old.peerID,
		spi: n.SPIr, peerSPI: n.SPIi, suite: choice.IKE, group: choice.Group, nonces: n, natLocal: old.natLocal, natRemote: old.natRemote,
		fragments: old.fragments, intermediate: old.intermediate, childless: old.childless,
	}
	if initiator {
		sa.spi, sa.peerSPI = n.SPIi, n.SPIr
	}
	sa.keys = sa.suite.Rekey(old.suite.PRF, old.keys.D, n, secret)
	if sa.derive() != nil {
		return nil
	}
	c.add(now, sa)
	c.established(now, sa)
	return sa
}

// adopt gives the children of an IKE SA, and what is still to be done for them, to the one
// that replaces it.
func (c *Core) adopt(now clock.Instant, old, next *ikeSA) {
	old.successor = next
	c.setState(old, StateRekeyed)
	for _, k := range []timerKind{timerLife, timerLiveness, timerKeepalive} {
		c.timers.Clear(timerKey{kind: k, sa: old})
	}
	c.timers.Set(timerKey{kind: timerReap, sa: old}, now.Add(redundantWait))
	for _, ch := range old.children {
		ch.sa = next
	}
	next.children = append(next.children, old.children...)
	old.children = nil
	tasks := old.queue
	old.queue = nil
	for _, t := range tasks {
		switch t.(type) {
		case *createTask, *deleteChild:
			c.enqueue(now, next, t)
		}
	}
}
