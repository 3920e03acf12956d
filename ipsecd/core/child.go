package core

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

const protocolGRE = 47

// child is a pair of ESP SAs.
type child struct {
	sa                *ikeSA
	peer              *peer
	in, out           rib.ESP
	sending           bool // out is in force
	began             bool // this end asked for it: the peer had it first
	group             packet.Group
	additional        []packet.Group
	up                clock.Instant
	life              time.Duration
	localTS, remoteTS []packet.Selector
	deleting          bool   // a request to delete it is in line, or on its way
	successor         *child // that replaces it
	inCount, outCount rib.SACount
}

// gre is a selector for GRE of one address.
func gre(a netip.Addr) packet.Selector {
	kind := packet.SelectorIPv4
	if a.Is6() {
		kind = packet.SelectorIPv6
	}
	return packet.Selector{Kind: kind, IPProtocol: protocolGRE, EndPort: 65535, Start: a, End: a}
}

// ownTS and peerTS are what we want to be protected: GRE between the two ends (RFC 7296
// section 2.23.1). responder tells TSr from TSi.
func (c *Core) ownTS(sa *ikeSA, responder bool) *packet.TS {
	return &packet.TS{Responder: responder, Selectors: []packet.Selector{gre(sa.local.Addr())}}
}

func (c *Core) peerTS(sa *ikeSA, responder bool) *packet.TS {
	return &packet.TS{Responder: responder, Selectors: []packet.Selector{gre(sa.remote.Addr())}}
}

// narrow returns the part of a peer's selectors that is GRE of an end: of its address as
// it is seen here, or behind a NAT of whatever it has there (RFC 7296 sections 2.9 and
// 2.23.1). Selectors for single ports, which of GRE are keys, are passed over.
func narrow(ts *packet.TS, a netip.Addr, nat bool) (packet.Selector, bool) {
	for _, s := range ts.Selectors {
		if s.Kind != packet.SelectorIPv4 && s.Kind != packet.SelectorIPv6 || s.IPProtocol != 0 && s.IPProtocol != protocolGRE ||
			s.StartPort != 0 || s.EndPort != 65535 {
			continue
		}
		if s.Start.Compare(a) <= 0 && a.Compare(s.End) <= 0 && s.Start.Is4() == a.Is4() {
			return gre(a), true
		}
		if nat && s.Start == s.End {
			return gre(s.Start), true
		}
	}
	return packet.Selector{}, false
}

// childTerms are what both ends agreed on.
type childTerms struct {
	*proposal.Choice
	spi           uint32 // inbound
	initiator     bool   // of the exchange
	nonces        suite.Nonces
	secret        []byte
	more          [][]byte // secrets of additional key exchanges
	local, remote packet.Selector
	keepOutbound  bool // do not send by it yet
}

// childAnswered makes the child SA that the answer to IKE_AUTH accepts; or it returns why
// there is none.
func (c *Core) childAnswered(now clock.Instant, sa *ikeSA, n *negotiation, ps []packet.Payload) string {
	terms, why := c.readChild(sa, n.childOffer, packet.NoGroup, ps)
	if why != "" {
		return why
	}
	terms.spi, terms.nonces = n.childSPI, sa.nonces
	c.makeChild(now, sa, terms)
	return ""
}

// readChild reads the payloads that accept a child SA.
func (c *Core) readChild(sa *ikeSA, offer *packet.SA, ke packet.Group, ps []packet.Payload) (*childTerms, string) {
	answer, _ := packet.Find(ps, packet.TypeSA).(*packet.SA)
	tsi, _ := packet.Find(ps, packet.TypeTSi).(*packet.TS)
	tsr, _ := packet.Find(ps, packet.TypeTSr).(*packet.TS)
	if f := failure(ps); f != nil {
		return nil, "refused: " + f.Kind.String()
	}
	if answer == nil || tsi == nil || tsr == nil {
		return nil, "malformed answer"
	}
	if packet.FindNotify(ps, packet.UseTransportMode) == nil {
		return nil, "peer wants tunnel mode"
	}
	choice, err := proposal.Accept(offer, answer, ke)
	if err == nil && c.sends(sa.remote.Addr(), binary.BigEndian.Uint32(choice.SPI)) {
		return nil, "SPI of another SA"
	}
	local, ok1 := narrow(tsi, sa.local.Addr(), false)
	remote, ok2 := narrow(tsr, sa.remote.Addr(), false)
	if err != nil || !ok1 || !ok2 {
		return nil, "answer does not fit the offer"
	}
	return &childTerms{Choice: choice, initiator: true, local: local, remote: remote}, ""
}

// respondChild answers an offer of a child SA, in place of old if that is not nil; there are
// no terms if it is refused. nonces are nil in IKE_AUTH, where those of the IKE
// SA are used and there is no key exchange.
func (c *Core) respondChild(sa *ikeSA, ps []packet.Payload, nonces *suite.Nonces, old *child) ([]packet.Payload, *childTerms) {
	refuse := func(n *packet.Notify) ([]packet.Payload, *childTerms) {
		c.trace(c.tracing.IPsec, Trace{Event: TraceRefused, SPI: uint64(sa.spi), Remote: sa.remote, Text: n.Kind.String()})
		return []packet.Payload{n}, nil
	}
	offer, _ := packet.Find(ps, packet.TypeSA).(*packet.SA)
	tsi, _ := packet.Find(ps, packet.TypeTSi).(*packet.TS)
	tsr, _ := packet.Find(ps, packet.TypeTSr).(*packet.TS)
	if offer == nil || tsi == nil || tsr == nil {
		return refuse(notify(packet.InvalidSyntax))
	}
	t := c.tunnelAt(sa.domain())
	if t == nil || c.ipsec(t) == nil || packet.FindNotify(ps, packet.UseTransportMode) == nil {
		return refuse(notify(packet.NoProposalChosen))
	}
	if o := c.besides(sa); o != nil {
		c.sameAddress(sa, o)
		return refuse(notify(packet.TSUnacceptable))
	}
	ke, _ := packet.Find(ps, packet.TypeKE).(*packet.KE)
	if ke == nil || nonces == nil {
		ke = &packet.KE{}
	}
	choice, err := proposal.ChooseESP(offer, c.transforms(c.ipsec(t)), ke.Group, nonces == nil)
	if wrong, ok := err.(*proposal.WrongGroup); ok {
		return refuse(packet.NewInvalidKE(wrong.Want))
	} else if err != nil {
		return refuse(notify(packet.NoProposalChosen))
	}
	if c.sends(sa.remote.Addr(), binary.BigEndian.Uint32(choice.SPI)) {
		return refuse(notify(packet.NoProposalChosen))
	}
	remote, ok1 := narrow(tsi, sa.remote.Addr(), sa.natRemote)
	local, ok2 := narrow(tsr, sa.local.Addr(), sa.natLocal)
	if !ok1 || !ok2 {
		return refuse(notify(packet.TSUnacceptable))
	}
	terms := &childTerms{Choice: choice, spi: c.newChildSPI(), nonces: sa.nonces, local: local, remote: remote, keepOutbound: old != nil || sa.peer.secured(sa.born) || sa.peer.reached()}
	choice.Answer.SPI = binary.BigEndian.AppendUint32(nil, terms.spi)
	out := []packet.Payload{notify(packet.UseTransportMode), &packet.SA{Proposals: []packet.Proposal{choice.Answer}}}
	if nonces != nil {
		terms.nonces = *nonces
	}
	if choice.Group != packet.NoGroup {
		public, secret, err := suite.Respond(choice.Group, ke.Data, c.random)
		if err != nil {
			return refuse(notify(packet.InvalidSyntax))
		}
		terms.secret = secret
		out = append(out, &packet.KE{Group: choice.Group, Data: public})
	}
	return append(out, &packet.TS{Selectors: []packet.Selector{remote}}, &packet.TS{Responder: true, Selectors: []packet.Selector{local}}), terms
}

// responded makes a child SA that the peer asked for.
func (c *Core) responded(now clock.Instant, sa *ikeSA, terms *childTerms) *child {
	ch := c.makeChild(now, sa, terms)
	if terms.keepOutbound {
		c.timers.Set(timerKey{kind: timerOutbound, child: ch}, now.Add(outboundWait))
	}
	return ch
}

// ciphers and integrities are the names of algorithms for the kernel.
var (
	ciphers     = map[uint16]rib.Cipher{packet.EncrAESCBC: rib.AESCBC, packet.EncrAESGCM16: rib.AESGCM16, packet.EncrChaCha20: rib.ChaCha20Poly1305}
	integrities = map[uint16]rib.Integrity{
		packet.AuthHMACSHA1: rib.HMACSHA1x96, packet.AuthHMACSHA256: rib.HMACSHA256x128,
		packet.AuthHMACSHA384: rib.HMACSHA384x192, packet.AuthHMACSHA512: rib.HMACSHA512x256,
	}
)

// makeChild makes a child SA and puts it in force.
func (c *Core) makeChild(now clock.Instant, sa *ikeSA, t *childTerms) *child {
	keys := t.ESP.Derive(sa.suite.PRF, sa.keys.D, t.nonces, t.secret, t.more...)
	defer keys.Wipe()
	ours, ourInt, theirs, theirInt := keys.Ei, keys.Ai, keys.Er, keys.Ar
	if !t.initiator {
		ours, ourInt, theirs, theirInt = theirs, theirInt, ours, ourInt
	}
	ch := &child{sa: sa, peer: sa.peer, began: t.initiator, up: now, group: t.Group, additional: t.Additional, localTS: []packet.Selector{t.local}, remoteTS: []packet.Selector{t.remote}}
	esp := rib.ESP{Protocol: protocolGRE, Cipher: ciphers[t.ESP.Encryption.ID], Integrity: integrities[t.ESP.Integrity], ESN: t.ESN}
	ch.life, esp.Lifetime, esp.Window = c.limits(sa)
	ch.in, ch.out = esp, esp
	ch.in.Source, ch.in.Destination, ch.in.SPI = sa.remote.Addr(), sa.local.Addr(), t.spi
	ch.in.CipherKey, ch.in.IntegrityKey = rib.NewSecret(theirs), rib.NewSecret(theirInt)
	ch.out.Source, ch.out.Destination, ch.out.SPI = sa.local.Addr(), sa.remote.Addr(), binary.BigEndian.Uint32(t.SPI)
	ch.out.CipherKey, ch.out.IntegrityKey = rib.NewSecret(ours), rib.NewSecret(ourInt)
	ch.in.SourceAlias, ch.out.DestinationAlias = sa.alias(), sa.alias()
	ch.encapsulate()
	c.children[t.spi] = ch
	sa.children = append(sa.children, ch)
	ch.peer.children = append(ch.peer.children, ch)
	c.recognize(ch.peer, sa.peerID) // of those behind one address it is this one now
	c.placeAlias(ch.peer)
	c.emit(PutSA{ch.in})
	if !t.keepOutbound {
		c.useOutbound(ch)
	}
	c.timers.Set(timerKey{kind: timerRekey, child: ch}, now.Add(c.jitter(ch.life/10*9)))
	c.timers.Set(timerKey{kind: timerExpire, child: ch}, now.Add(ch.life))
	c.trace(c.tracing.IPsec, Trace{Event: TraceChildUp, SPI: uint64(sa.spi), Child: t.spi, Remote: sa.remote})
	c.crossed(now, ch)
	c.settle(now, ch.peer)
	return ch
}

// sends reports whether packets to an address go by this SPI already: a second SA with it
// would be the end of the first (RFC 4301 section 4.1). Peers behind one NAT address do not
// know of each other's.
func (c *Core) sends(to netip.Addr, spi uint32) bool {
	return c.childOf(to, spi) != nil || c.left[leftKey{to, spi}] != nil
}

// encapsulate has ESP go in UDP where there is a NAT (RFC 7296 section 2.23).
func (ch *child) encapsulate() {
	if sa := ch.sa; sa.natLocal || sa.natRemote {
		ch.in.UDP = rib.UDPEncap{Source: sa.remote.Port(), Destination: sa.local.Port()}
		ch.out.UDP = rib.UDPEncap{Source: sa.local.Port(), Destination: sa.remote.Port()}
	}
}

// useOutbound sends by a child SA from now on.
func (c *Core) useOutbound(ch *child) {
	c.timers.Clear(timerKey{kind: timerOutbound, child: ch})
	if !ch.sending && c.children[ch.in.SPI] == ch {
		ch.sending = true
		c.emit(PutSA{ch.out})
		c.endLeftovers(c.now, ch.peer, false, "replaced")
	}
}

// outboundDue sends by a child SA whose forerunner nobody has deleted, but not by one whose
// IKE SA the peer is about to delete while there is another.
func (c *Core) outboundDue(ch *child) {
	if !ch.sa.spare || !slices.ContainsFunc(ch.peer.children, func(o *child) bool { return o.sending }) {
		c.useOutbound(ch)
	}
}

// limits are the lifetime and the window of a child SA.
func (c *Core) limits(sa *ikeSA) (time.Duration, rib.Lifetime, uint32) {
	life, octets, window := c.config.Global.Lifetime, c.config.Global.LifetimeBytes, c.config.Global.ReplayWindow
	if t := c.tunnelAt(sa.domain()); t != nil {
		if p := c.ipsec(t); p != nil {
			life, octets, window = cmp.Or(p.Lifetime, life), cmp.Or(p.LifetimeBytes, octets), cmp.Or(p.ReplayWindow, window)
		}
	}
	window = min(max(window, 32), rib.MaxWindow)
	return life, rib.Lifetime{HardTime: uint64(life / time.Second), SoftBytes: octets / 10 * 9, HardBytes: octets}, window
}

// endChild takes a child SA out of force; one that replaces it is sent by from now on.
func (c *Core) endChild(now clock.Instant, ch *child, reason string) {
	if c.children[ch.in.SPI] != ch {
		return
	}
	c.forgetChild(ch)
	if others := ch.peer.children; len(others) > 0 && !slices.ContainsFunc(others, func(o *child) bool { return o.sending }) {
		c.useOutbound(others[len(others)-1])
	}
	c.emit(DelSA{ch.in.Destination, ch.in.SPI})
	if ch.sending {
		c.emit(DelSA{ch.out.Destination, ch.out.SPI})
	}
	c.trace(c.tracing.IPsec, Trace{Event: TraceChildDown, SPI: uint64(ch.sa.spi), Child: ch.in.SPI, Remote: ch.sa.remote, Text: reason})
	ch.peer.reason = reason
	c.settle(now, ch.peer)
}

// forgetChild has a child SA not be known any more.
func (c *Core) forgetChild(ch *child) {
	if ch.successor != nil {
		c.useOutbound(ch.successor)
	}
	delete(c.children, ch.in.SPI)
	is := func(o *child) bool { return o == ch }
	ch.sa.children = slices.DeleteFunc(ch.sa.children, is)
	ch.peer.children = slices.DeleteFunc(ch.peer.children, is)
	for _, k := range []timerKind{timerRekey, timerExpire, timerOutbound} {
		c.timers.Clear(timerKey{kind: k, child: ch})
	}
}

// childOf returns the child SA with an SPI in one of its directions.
func (c *Core) childOf(destination netip.Addr, spi uint32) *child {
	if ch := c.children[spi]; ch != nil && ch.in.Destination == destination {
		return ch
	}
	for _, sa := range c.order {
		for _, ch := range sa.children {
			if ch.out.SPI == spi && ch.out.Destination == destination {
				return ch
			}
		}
	}
	return nil
}

// expired takes in that an SA reached a limit.
func (c *Core) expired(now clock.Instant, in Expired) {
	ch, l := c.childOf(in.Destination, in.SPI), c.left[leftKey{in.Destination, in.SPI}]
	switch {
	case l != nil && in.Hard:
		c.endLeft(now, l, "lifetime over")
	case l != nil:
		c.try(now, l.peer)
	case ch == nil:
	case in.Hard:
		c.withdraw(now, ch, "lifetime over")
	default:
		c.rekeyDue(now, ch)
	}
}

// saGone takes in that an SA is not in force any more.
func (c *Core) saGone(now clock.Instant, in SAGone) {
	if ch := c.childOf(in.Destination, in.SPI); ch != nil {
		c.withdraw(now, ch, "SA removed")
		c.shun(now, ch)
	}
	if l := c.left[leftKey{in.Destination, in.SPI}]; l != nil {
		c.endLeft(now, l, "SA removed")
	}
}

// shun has a peer be negotiated with ever more slowly where its child SAs do not last: the
// kernel does not take them.
func (c *Core) shun(now clock.Instant, ch *child) {
	p, k := ch.peer, timerKey{kind: timerTry, peer: ch.peer}
	if now.Sub(ch.up) >= maxTry {
		p.shortLived = 0
		return
	}
	p.shortLived++
	if _, armed := c.timers.Deadline(k); armed {
		c.timers.Set(k, now.Add(c.jitter(min(firstTry<<min(p.shortLived-1, 10), maxTry))))
	}
}

// withdraw ends a child SA and tells the peer.
func (c *Core) withdraw(now clock.Instant, ch *child, reason string) {
	sa, spi := ch.sa, ch.in.SPI
	c.endChild(now, ch, reason)
	c.enqueue(now, sa, &deleteChild{spi: spi})
}

// mappingChanged takes in that the NAT before a peer gave it another port.
func (c *Core) mappingChanged(now clock.Instant, in MappingChanged) {
	if ch := c.childOf(in.Destination, in.SPI); ch != nil && ch.sa.natRemote {
		c.move(now, ch.sa, ch.sa.local, in.New)
	}
	if l := c.left[leftKey{in.Destination, in.SPI}]; l != nil {
		c.moveLeftovers(l.peer, in.New)
	}
}

// move has an IKE SA and its children use other ports. A peer with another address is
// another peer, and has to negotiate anew.
func (c *Core) move(_ clock.Instant, sa *ikeSA, local, remote netip.AddrPort) {
	if remote.Addr() != sa.remote.Addr() || local.Addr() != sa.local.Addr() || remote == sa.remote && local == sa.local {
		return
	}
	sa.local, sa.remote = local, remote
	for _, ch := range sa.children {
		ch.encapsulate()
		c.emit(PutSA{ch.in})
		if ch.sending {
			c.emit(PutSA{ch.out})
		}
	}
}
