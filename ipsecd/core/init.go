package core

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// Bounds of what an answer to IKE_SA_INIT that nobody has authenticated can bring about.
const (
	maxCookies = 8 // rounds
	maxWrong   = 3 // other groups
	nonceLen   = 32
)

// alertTime is how long cookies are wanted after an invalid public value.
const alertTime = 10 * time.Second

// childlessLen are the octets of CHILDLESS_IKEV2_SUPPORTED (RFC 6023 section 3), which an
// answer leaves out where there is no room.
const childlessLen = 8

// begin begins an IKE SA with a peer; it returns nil if that is not possible now.
func (c *Core) begin(now clock.Instant, p *peer) *ikeSA {
	t := c.tunnelAt(p.domain())
	prof := c.profileTowards(t, p.remote)
	offers := c.proposals(p.domain())
	switch {
	case prof == nil:
		c.failed(now, p, "no IKEv2 profile")
		return nil
	case len(offers) == 0 || len(offers[0].Groups) == 0:
		c.failed(now, p, "no IKEv2 proposal")
		return nil
	case c.outgoing >= c.config.Global.MaxOutgoing || c.full():
		c.failed(now, p, "too many IKE SAs")
		return nil
	}
	sa := &ikeSA{
		initiator: true, vrf: p.vrf, peer: p, profile: prof.Name, state: StateInitSent, spi: c.newSPI(),
		local: netip.AddrPortFrom(p.local, packet.Port), remote: netip.AddrPortFrom(p.remote, packet.Port),
	}
	sa.nonces = suite.Nonces{Ni: c.bytes(nonceLen), SPIi: sa.spi}
	sa.nego = &negotiation{offer: proposal.OfferIKE(offers, 0), group: offers[0].Groups[0]}
	c.add(now, sa)
	c.outgoing++
	p.nego = sa
	c.enqueue(now, sa, initTask{})
	return sa
}

// full reports whether there are as many IKE SAs as there may be. Those that others began
// count once they are authenticated: else who is nobody could use the number up.
func (c *Core) full() bool {
	return c.config.Global.MaxSAs > 0 && len(c.sas)-len(c.half) >= c.config.Global.MaxSAs
}

// initTask is the request of IKE_SA_INIT (RFC 7296 section 1.2). Its answer goes to
// initAnswer.
type initTask struct{}

func (initTask) request(c *Core, now clock.Instant, sa *ikeSA) (packet.ExchangeType, []packet.Payload, bool) {
	n := sa.nego
	if n.exchange == nil {
		x, err := suite.Start(n.group, c.random)
		if err != nil {
			c.fail(now, sa, "key exchange not possible")
			return 0, nil, false
		}
		n.exchange = x
	}
	var ps []packet.Payload
	if n.cookie != nil {
		ps = append(ps, notify(packet.Cookie, n.cookie...))
	}
	ps = append(ps, n.offer, &packet.KE{Group: n.group, Data: n.exchange.Public()}, &packet.Nonce{Data: sa.nonces.Ni})
	ps = append(append(ps, c.features(sa, wantsMore(n.offer))...), c.announceHashes(sa.domain())...)
	m := packet.Message{Header: packet.Header{SPIi: sa.spi, Exchange: packet.IKESAInit, Flags: packet.FlagInitiator}, Payloads: ps}
	n.init[0], _ = m.AppendBinary(nil) // what compose writes
	return packet.IKESAInit, ps, true
}

func (initTask) answered(*Core, clock.Instant, *ikeSA, []packet.Payload) {}

// features are the notifications of both messages of IKE_SA_INIT: NAT detection (RFC 7296
// section 2.23), fragmentation (RFC 7383 section 2.3), IKE_INTERMEDIATE (RFC 9242 section
// 3.1).
func (c *Core) features(sa *ikeSA, intermediate bool) []packet.Payload {
	ps := []packet.Payload{
		notify(packet.NATDetectionSourceIP, suite.NATHash(sa.nonces.SPIi, sa.nonces.SPIr, sa.local)...),
		notify(packet.NATDetectionDestinationIP, suite.NATHash(sa.nonces.SPIi, sa.nonces.SPIr, sa.remote)...),
	}
	if c.config.Global.Fragmentation > 0 {
		ps = append(ps, notify(packet.FragmentationSupported))
	}
	if intermediate {
		ps = append(ps, notify(packet.IntermediateExchangeSupported))
	}
	return ps
}

// wantsMore reports whether an offer has additional key exchanges.
func wantsMore(offer *packet.SA) bool {
	return slices.ContainsFunc(offer.Proposals, func(p packet.Proposal) bool {
		return slices.ContainsFunc(p.Transforms, func(t packet.Transform) bool { return t.Type >= packet.AddKE1 && t.Type <= packet.AddKE7 })
	})
}

// detect reads the notifications of the other end.
func (c *Core) detect(sa *ikeSA, m *packet.Message) {
	sa.fragments = c.config.Global.Fragmentation > 0 && packet.FindNotify(m.Payloads, packet.FragmentationSupported) != nil
	sa.intermediate = packet.FindNotify(m.Payloads, packet.IntermediateExchangeSupported) != nil
	var source, destination, seen bool
	for _, p := range m.Payloads {
		n, ok := p.(*packet.Notify)
		if !ok {
			continue
		}
		switch n.Kind {
		case packet.NATDetectionSourceIP:
			seen = true
			source = source || bytes.Equal(n.Data, suite.NATHash(m.SPIi, m.SPIr, sa.remote))
		case packet.NATDetectionDestinationIP:
			seen = true
			destination = destination || bytes.Equal(n.Data, suite.NATHash(m.SPIi, m.SPIr, sa.local))
		}
	}
	sa.natRemote, sa.natLocal = seen && !source, seen && !destination
}

// initRequest answers a request to begin an IKE SA. Nothing is kept for who may not be
// where it says, once there are many (RFC 7296 section 2.6).
func (c *Core) initRequest(now clock.Instant, in RxPacket, m *packet.Message, b []byte) {
	if m.SPIr != 0 || m.SPIi == 0 || m.MessageID != 0 || !m.FromInitiator() || m.Encrypted != nil {
		c.drop(in, DropState)
		return
	}
	if own := c.sas[m.SPIi]; own != nil && own.initiator { // our own, reflected
		c.drop(in, DropState)
		return
	}
	if sa := c.half[halfKey{in.Remote, m.SPIi}]; sa != nil {
		if sa.nego == nil || !bytes.Equal(sa.nego.init[0], b) {
			c.drop(in, DropState)
			return
		}
		c.sendTo(in.VRF, in.Local, in.Remote, sa.nego.init[1])
		return
	}
	offer, _ := packet.Find(m.Payloads, packet.TypeSA).(*packet.SA)
	ke, _ := packet.Find(m.Payloads, packet.TypeKE).(*packet.KE)
	nonce, _ := packet.Find(m.Payloads, packet.TypeNonce).(*packet.Nonce)
	if offer == nil || ke == nil || nonce == nil {
		c.drop(in, DropMalformed)
		return
	}
	wary := c.wary(now)
	if wary && !c.cookie(now, in, m, nonce.Data) {
		return
	}
	if len(c.half) >= c.config.Global.MaxIncoming || c.full() || wary && c.crowded(in.Remote.Addr()) {
		c.drop(in, DropLimit)
		return
	}
	intermediate := packet.FindNotify(m.Payloads, packet.IntermediateExchangeSupported) != nil
	choice, err := proposal.ChooseIKE(offer, c.proposals(domain{in.VRF, in.Local.Addr()}), ke.Group, false, intermediate)
	if wrong, ok := err.(*proposal.WrongGroup); ok {
		c.refuse(in, m, packet.NewInvalidKE(wrong.Want))
		return
	} else if err != nil {
		c.counters.Refused++
		c.trace(c.tracing.IKEv2, Trace{Event: TraceRefused, Remote: in.Remote, Text: "no proposal chosen"})
		c.refuse(in, m, notify(packet.NoProposalChosen))
		return
	}
	// Who has not shown that it is where it says gets no more octets than it sent.
	room := len(b) - c.answerLen(in, choice, ke, intermediate)
	if room < 0 && !wary && !c.cookie(now, in, m, nonce.Data) {
		return
	}
	public, secret, err := suite.Respond(choice.Group, ke.Data, c.random)
	if err != nil {
		c.alert = now.Add(alertTime)
		c.drop(in, DropMalformed)
		return
	}
	c.accept(now, in, m, b, &accepted{choice, nonce.Data, public, secret, wary || room < 0 || room >= childlessLen})
}

// wary reports whether cookies are wanted: where many are half-open, at the latest with
// half of those that may be, and for a while after a public value that was none, since
// such cost work and leave no trace.
func (c *Core) wary(now clock.Instant) bool {
	return len(c.half) >= min(c.config.Global.CookieChallenge, c.config.Global.MaxIncoming/2) || now < c.alert
}

// crowded reports whether an address has its share of half-open IKE SAs: a quarter of all.
func (c *Core) crowded(a netip.Addr) bool {
	n := 0
	for k := range c.half { // unordered: a count
		if k.remote.Addr() == a {
			n++
		}
	}
	return n > c.config.Global.MaxIncoming/4
}

// answerLen returns the octets of the answer to a request to begin an IKE SA, without
// what may be left out.
func (c *Core) answerLen(in RxPacket, choice *proposal.Choice, ke *packet.KE, intermediate bool) int {
	ps := []packet.Payload{&packet.SA{Proposals: []packet.Proposal{choice.Answer}}, ke, &packet.Nonce{Data: make([]byte, nonceLen)}}
	ps = append(ps, c.features(&ikeSA{local: in.Local, remote: in.Remote}, intermediate)...)
	b, err := packet.AppendPayloads(nil, append(ps, c.askCerts(domain{in.VRF, in.Local.Addr()})...))
	if err != nil {
		return packet.MaxMessageSize
	}
	return packet.HeaderLen + len(b)
}

// cookie reports whether a request has the cookie that is wanted; else it asks for it.
func (c *Core) cookie(now clock.Instant, in RxPacket, m *packet.Message, nonce []byte) bool {
	if !c.cookies.Ready() || now.Sub(c.cookiesAt) > cookieLife {
		if err := c.cookies.Rotate(c.random); err != nil {
			return false
		}
		c.cookiesAt = now
	}
	n := packet.FindNotify(m.Payloads, packet.Cookie)
	if n == nil {
		c.refuse(in, m, notify(packet.Cookie, c.cookies.Make(nonce, in.Remote, m.SPIi)...))
		return false
	}
	if !c.cookies.Check(n.Data, nonce, in.Remote, m.SPIi) {
		c.counters.Dropped[DropCookie]++
		c.refuse(in, m, notify(packet.Cookie, c.cookies.Make(nonce, in.Remote, m.SPIi)...))
		return false
	}
	return true
}

// refuse answers a request to begin an IKE SA by a notification, keeping nothing. It is
// never longer than the request.
func (c *Core) refuse(in RxPacket, m *packet.Message, n *packet.Notify) {
	out := packet.Message{Header: packet.Header{SPIi: m.SPIi, Exchange: packet.IKESAInit, Flags: packet.FlagResponse}, Payloads: []packet.Payload{n}}
	b, err := out.AppendBinary(nil)
	size := len(in.Packet)
	if in.Local.Port() == packet.PortNAT {
		size -= packet.MarkerLen
	}
	if err != nil || len(b) > size {
		return
	}
	c.count(&c.counters.Sent, packet.IKESAInit)
	c.sendTo(in.VRF, in.Local, in.Remote, b)
}

// accepted is what follows from a request to begin an IKE SA.
type accepted struct {
	*proposal.Choice
	nonce, public, secret []byte
	childless             bool // there is room to say that there may be no child SA
}

// accept makes the half-open IKE SA of a responder and answers.
func (c *Core) accept(now clock.Instant, in RxPacket, m *packet.Message, b []byte, a *accepted) {
	sa := &ikeSA{vrf: in.VRF, local: in.Local, remote: in.Remote, spi: c.newSPI(), peerSPI: m.SPIi, state: StateInitAnswered, expectedID: 1}
	sa.suite, sa.group, sa.additional = a.IKE, a.Group, a.Additional
	c.detect(sa, m)
	sa.nonces = suite.Nonces{Ni: a.nonce, Nr: c.bytes(nonceLen), SPIi: m.SPIi, SPIr: sa.spi}
	sa.keys = sa.suite.Derive(a.secret, sa.nonces)
	if sa.derive() != nil {
		return
	}
	ps := []packet.Payload{&packet.SA{Proposals: []packet.Proposal{a.Answer}}, &packet.KE{Group: a.Group, Data: a.public}, &packet.Nonce{Data: sa.nonces.Nr}}
	ps = append(ps, c.features(sa, sa.intermediate)...)
	if a.childless {
		ps = append(ps, notify(packet.ChildlessSupported))
	}
	ps = append(ps, c.askCerts(sa.domain())...)
	out := c.compose(sa, packet.IKESAInit, 0, packet.FlagResponse, ps)
	if out == nil {
		return
	}
	sa.nego = &negotiation{init: [2][]byte{bytes.Clone(b), out[0]}}
	sa.nego.announced.note(c, m.Payloads)
	c.add(now, sa)
	c.half[halfKey{in.Remote, m.SPIi}] = sa
	c.timers.Set(timerKey{kind: timerHalf, sa: sa}, now.Add(halfOpen))
	c.transmit(sa, out)
	c.traceChosen(sa)
}

func (c *Core) traceChosen(sa *ikeSA) {
	c.trace(c.tracing.IKEv2, Trace{Event: TraceChosen, SPI: uint64(sa.spi), Remote: sa.remote, Text: fmt.Sprintf("%v %v %v", sa.suite.Encryption, sa.group, sa.additional)})
}

// initAnswer takes in what claims to be the answer to our IKE_SA_INIT.
func (c *Core) initAnswer(now clock.Instant, in RxPacket, sa *ikeSA, m *packet.Message, b []byte) {
	if !m.Response() || !sa.initiator || sa.state != StateInitSent || sa.request == nil || m.MessageID != 0 || in.Remote != sa.remote || m.Encrypted != nil {
		c.drop(in, DropState)
		return
	}
	n := sa.nego
	if f := packet.FindNotify(m.Payloads, packet.Cookie); f != nil {
		cookie, ok := f.Cookie()
		if n.cookies++; !ok || n.cookies > maxCookies {
			n.hint = "too many cookies"
			return
		}
		n.cookie = cookie
		c.restart(now, sa)
		return
	}
	if f := failure(m.Payloads); f != nil {
		c.initRefused(now, sa, f)
		return
	}
	answer, _ := packet.Find(m.Payloads, packet.TypeSA).(*packet.SA)
	ke, _ := packet.Find(m.Payloads, packet.TypeKE).(*packet.KE)
	nonce, _ := packet.Find(m.Payloads, packet.TypeNonce).(*packet.Nonce)
	if answer == nil || ke == nil || nonce == nil || m.SPIr == 0 || ke.Group != n.group {
		c.drop(in, DropMalformed)
		return
	}
	choice, err := proposal.Accept(n.offer, answer, n.group)
	if err == nil && len(choice.Additional) > 0 && packet.FindNotify(m.Payloads, packet.IntermediateExchangeSupported) == nil {
		err = proposal.ErrAnswer
	}
	if err != nil {
		n.hint = "answer does not fit the offer"
		c.drop(in, DropMalformed)
		return
	}
	secret, err := n.exchange.Secret(ke.Data)
	if err != nil {
		n.hint = "invalid public value"
		c.drop(in, DropMalformed)
		return
	}
	c.initDone(now, sa, m, b, &accepted{Choice: choice, nonce: nonce.Data, secret: secret})
}

// initRefused follows INVALID_KE_PAYLOAD to another group that we offered, and notes all
// other errors: they could be anybody's (RFC 7296 section 2.21.1).
func (c *Core) initRefused(now clock.Instant, sa *ikeSA, f *packet.Notify) {
	n := sa.nego
	if n.hint == "" {
		n.hint = "refused: " + f.Kind.String()
	}
	g, ok := f.Group()
	if f.Kind != packet.InvalidKEPayload || !ok || g == n.group || n.wrong >= maxWrong || !offered(n.offer, g) || suite.KEM(g) {
		return
	}
	n.hint = ""
	n.wrong++
	n.group, n.exchange = g, nil
	c.restart(now, sa)
}

func offered(offer *packet.SA, g packet.Group) bool {
	return slices.ContainsFunc(offer.Proposals, func(p packet.Proposal) bool {
		return slices.ContainsFunc(p.Transforms, func(t packet.Transform) bool { return t.Type == packet.KeyExchange && t.ID == uint16(g) })
	})
}

// restart sends IKE_SA_INIT again, changed.
func (c *Core) restart(now clock.Instant, sa *ikeSA) {
	c.timers.Clear(timerKey{kind: timerResend, sa: sa})
	sa.request = nil
	c.enqueue(now, sa, initTask{})
}

// initDone goes on to what follows IKE_SA_INIT.
func (c *Core) initDone(now clock.Instant, sa *ikeSA, m *packet.Message, b []byte, a *accepted) {
	n := sa.nego
	sa.peerSPI = m.SPIr
	sa.nonces.Nr, sa.nonces.SPIr = a.nonce, m.SPIr
	sa.suite, sa.group, sa.additional = a.IKE, a.Group, a.Additional
	sa.keys = sa.suite.Derive(a.secret, sa.nonces)
	n.init[1], n.hint, n.exchange = bytes.Clone(b), "", nil
	c.detect(sa, m)
	n.announced.note(c, m.Payloads)
	sa.childless = packet.FindNotify(m.Payloads, packet.ChildlessSupported) != nil
	c.timers.Clear(timerKey{kind: timerResend, sa: sa})
	sa.request = nil
	sa.nextID = 1
	if sa.derive() != nil {
		c.fail(now, sa, "no keys")
		return
	}
	if sa.natLocal || sa.natRemote { // RFC 7296 section 2.23
		sa.local = netip.AddrPortFrom(sa.local.Addr(), packet.PortNAT)
		sa.remote = netip.AddrPortFrom(sa.remote.Addr(), packet.PortNAT)
	}
	c.traceChosen(sa)
	c.proceed(now, sa)
}

// proceed makes the next exchange of an initiator: an additional key exchange, or
// IKE_AUTH.
func (c *Core) proceed(now clock.Instant, sa *ikeSA) {
	if sa.nego.round < len(sa.additional) {
		c.setState(sa, StateIntermediate)
		c.enqueue(now, sa, &intermediateTask{})
		return
	}
	c.setState(sa, StateAuthSent)
	c.enqueue(now, sa, authTask{})
}
