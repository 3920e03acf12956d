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
	// choice and nonces are what both ends agreed on.
	choice *proposal.Choice
	nonces suite.Nonces
	// rival is what the peer made meanwhile, nil if that waits for additional key exchanges,
	// and lowest the lower of its nonces, nil if it did not begin.
	rival  *ikeSA
	lowest []byte
}

func (t *rekeyTask) request(c *Core, _ clock.Instant, sa *ikeSA) (packet.ExchangeType, []packet.Payload, bool) {
	if sa.state != StateReady {
		return 0, nil, false
	}
	if t.offer == nil {
		policy := c.proposals(sa.domain())
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
		c.again(now, sa, retryRefused)
		return
	}
	choice, err := proposal.Accept(t.offer, answer, t.group) // with an SPI, as the offer had one
	if err != nil || c.sas[t.spi] != nil {
		c.again(now, sa, retryRefused)
		return
	}
	secret, err := t.ke.Secret(ke.Data)
	if err != nil {
		c.again(now, sa, retryRefused)
		return
	}
	t.choice, t.nonces = choice, suite.Nonces{Ni: t.nonce, Nr: nonce.Data, SPIi: t.spi, SPIr: spiOf(choice.SPI)}
	switch {
	case len(choice.Additional) == 0:
		t.completed(c, now, sa, [][]byte{secret})
	case t.lost(c) && t.rival != nil:
		c.adopt(now, sa, t.rival)
	case t.lost(c): // nothing was made yet that could go (RFC 9370 section 2.2.4)
		c.again(now, sa, retryRekey)
	case !c.follow(sa, t, choice.Additional, secret, ps):
		c.again(now, sa, retryRefused)
	}
}

// lost reports whether the peer asked for the same, and ours has the lowest nonce (section
// 2.8.2).
func (t *rekeyTask) lost(c *Core) bool {
	return t.lowest != nil && (t.rival == nil || c.alive(t.rival)) && bytes.Compare(lower(t.nonces.Ni, t.nonces.Nr), t.lowest) < 0
}

func (t *rekeyTask) completed(c *Core, now clock.Instant, sa *ikeSA, secrets [][]byte) {
	if c.sas[t.spi] != nil || sa.state != StateReady {
		return
	}
	c.counters.Rekeyed++
	next := c.replacement(now, sa, t.choice, t.nonces, true, secrets)
	switch {
	case next == nil:
		c.again(now, sa, retryRefused)
	case t.lost(c) && t.rival == nil:
		next.reason = "redundant"
		c.enqueue(now, next, &deleteIKE{})
		c.again(now, sa, retryRekey)
	case t.lost(c):
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
	switch f.Kind {
	case packet.TemporaryFailure:
		c.again(now, sa, retryRekey)
	case packet.NoProposalChosen, packet.NoAdditionalSAs: // nor later
		sa.reauth = true
		c.reauthenticate(now, sa)
	default:
		c.again(now, sa, retryRefused)
	}
}

func (t *rekeyTask) failed(c *Core, now clock.Instant, sa *ikeSA, why string) {
	if why == "" {
		c.again(now, sa, retryRekey)
		return
	}
	c.again(now, sa, retryRefused)
}

// rekeyRequest answers a request to replace an IKE SA. One that comes while we ask for the
// same is answered as usual, and the nonces decide (RFC 7296 section 2.25.2).
func (c *Core) rekeyRequest(now clock.Instant, sa *ikeSA, offer *packet.SA, ps []packet.Payload) reply {
	if !c.stillBelieved(now, sa) {
		return refusal(packet.NoAdditionalSAs)
	}
	asked, following := sa.asked()
	own, _ := asked.(*rekeyTask)
	switch asked.(type) {
	case *createTask, *deleteChild:
		return refusal(packet.TemporaryFailure)
	}
	if sa.successor != nil || own != nil && (following || own.rival != nil) {
		return refusal(packet.TemporaryFailure)
	}
	nonce, _ := packet.Find(ps, packet.TypeNonce).(*packet.Nonce)
	ke, _ := packet.Find(ps, packet.TypeKE).(*packet.KE)
	if nonce == nil || ke == nil {
		return refusal(packet.InvalidSyntax)
	}
	choice, err := proposal.ChooseIKE(offer, c.proposals(sa.domain()), ke.Group, true, true)
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
	choice.Answer.SPI = binary.BigEndian.AppendUint64(nil, uint64(n.SPIr))
	out := []packet.Payload{&packet.SA{Proposals: []packet.Proposal{choice.Answer}}, &packet.Nonce{Data: n.Nr}, &packet.KE{Group: choice.Group, Data: public}}
	finish := func(now clock.Instant, secrets [][]byte) reply { return c.replaced(now, sa, choice, n, secrets) }
	if len(choice.Additional) > 0 {
		if own != nil {
			own.lowest = lower(n.Ni, n.Nr)
		}
		return reply{payloads: append(out, c.await(now, sa, &followup{groups: choice.Additional, secrets: [][]byte{secret}, ike: true, finish: finish}))}
	}
	last := finish(now, [][]byte{secret})
	if failure(last.payloads) == nil {
		last.payloads = out
	}
	return last
}

// replaced makes an IKE SA that the peer asked for. If we asked for the same, the nonces
// decide when our answer is there.
func (c *Core) replaced(now clock.Instant, sa *ikeSA, choice *proposal.Choice, n suite.Nonces, secrets [][]byte) reply {
	if sa.successor != nil || c.sas[n.SPIr] != nil {
		return refusal(packet.TemporaryFailure)
	}
	next := c.replacement(now, sa, choice, n, false, secrets)
	if next == nil {
		return refusal(packet.NoProposalChosen)
	}
	asked, _ := sa.asked()
	if own, ok := asked.(*rekeyTask); ok {
		own.rival, own.lowest = next, lower(n.Ni, n.Nr)
		return reply{}
	}
	return reply{after: func(now clock.Instant) { c.adopt(now, sa, next) }}
}

// replacement makes an IKE SA that has the ends of another, and keys of its own.
func (c *Core) replacement(now clock.Instant, old *ikeSA, choice *proposal.Choice, n suite.Nonces, initiator bool, secrets [][]byte) *ikeSA {
	sa := &ikeSA{
		initiator: initiator, vrf: old.vrf, local: old.local, remote: old.remote, peer: old.peer, profile: old.profile, id: old.id, peerID: old.peerID,
		spi: n.SPIr, peerSPI: n.SPIi, suite: choice.IKE, group: choice.Group, additional: choice.Additional, nonces: n, natLocal: old.natLocal, natRemote: old.natRemote,
		method: old.method, peerMethod: old.peerMethod, peerCerts: old.peerCerts, fragments: old.fragments, intermediate: old.intermediate, childless: old.childless,
	}
	if initiator {
		sa.spi, sa.peerSPI = n.SPIi, n.SPIr
	}
	sa.keys = sa.suite.Rekey(old.suite.PRF, old.keys.D, n, secrets[0], secrets[1:]...)
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
	old.drop(func(*followup) bool { return true })
	tasks := old.queue
	old.queue = nil
	for _, t := range tasks {
		switch t.(type) {
		case *createTask, *deleteChild:
			c.enqueue(now, next, t)
		}
	}
}
