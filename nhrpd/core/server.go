package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// Timing of registrations, as measured on Cisco IOS-XE 17: a request that is
// not answered is repeated after 1, 2, 4 … 64 s, each interval shortened by 7
// to 25 per cent; when the interval of 8 s is armed, the server is down.
const (
	firstRetry   = time.Second
	downRetry    = 8 * time.Second
	lastRetry    = 64 * time.Second
	jitterLeast  = 7                // per cent
	jitterMost   = 25               // per cent
	firstResolve = 5 * time.Second  // between attempts to resolve a server's name,
	lastResolve  = 60 * time.Second // doubled up to this
)

// registrationHops is ar$hopcnt of a request of our own.
const registrationHops = 255

// server is a Next Hop Server that this node registers with: the client's half
// of RFC 2332 sections 5.2.3 and 5.2.4. See the state diagram in doc.go.
type server struct {
	iface *iface
	cfg   NHSConfig
	addr  netip.Addr // protocol address; zero while it is to be learnt (NHSConfig.Dynamic)
	nbma  netip.Addr // zero while unknown

	state     NHSState
	since     clock.Instant
	reason    string        // for the state
	announced bool          // that it is down was logged, and it was not up since
	served    bool          // it accepted a registration at this NBMA address, and refused none since
	surplus   bool          // connected, though enough better ones are
	surplusAt clock.Instant // since when
	rests     netip.Addr    // where packets have to pass for its sake, on a protected tunnel; zero if nowhere

	requestID uint32
	pending   bool          // requestID has no answer of any kind yet
	unsent    bool          // requestID waits for the server to be secured
	retry     time.Duration // nominal interval that is armed; 0: the period is armed, or nothing

	sent, failed, received uint64
	lastReply              clock.Instant
	asked                  clock.Instant // the first request since the last reply, if asking
	asking                 bool          // there was one
	heard                  clock.Instant // last packet from its NBMA address, whatever it was, if hearing
	hearing                bool          // there was one
	trouble                trouble
	translated             netip.Addr // own NBMA address as the server sees it
	registered             netip.Addr // own protocol address that it accepted; zero: none

	resolved    []netip.Addr  // of the last answer about cfg.Name
	resolveWait time.Duration // nominal interval until the next attempt; 0: nothing was asked
	rotate      bool          // the address in use does not answer: take the next
}

// stopServer is for a server that cannot be asked.
func (c *Core) stopServer(now clock.Instant, s *server, reason string) {
	c.timers.Clear(timerKey{kind: timerSend, server: s})
	if !s.iface.ready {
		c.timers.Clear(timerKey{kind: timerResolve, server: s})
		s.resolveWait = 0
	}
	s.pending, s.asking, s.retry, s.registered, s.served = false, false, 0, netip.Addr{}, false
	c.clearSurplus(s)
	if s.state == NHSResponding {
		c.serverDown(now, s, reason)
	}
	c.setServerState(now, s, NHSWaiting, reason)
	s.announced = false
}

// register sends a new request at once, or the one that waits for the server to be
// secured.
func (c *Core) register(now clock.Instant, s *server) {
	if !s.pending || !s.unsent {
		s.requestID = c.nextRequestID()
	}
	s.pending, s.retry = true, firstRetry
	c.sendRegistration(now, s)
	c.armRetry(now, s)
}

// serverDue serves timerSend: the period is over, or a request was not
// answered, or was refused.
func (c *Core) serverDue(now clock.Instant, s *server) {
	if s.retry == 0 {
		c.register(now, s)
		return
	}
	if s.pending {
		if !s.unsent {
			s.failed++ // a refusal was counted when it came
		}
	} else {
		s.requestID, s.pending = c.nextRequestID(), true
	}
	s.retry = min(2*s.retry, lastRetry)
	// The same Request ID is used when resending (RFC 2332 section 5.2.0.1).
	c.sendRegistration(now, s)
	c.armRetry(now, s)
	if s.retry < downRetry {
		return
	}
	if !s.announced {
		c.serverDown(now, s, "Registration Failure")
		c.serversChanged(now, s.iface)
		if s.retry == 0 {
			return // others are connected, and this one is none of the better ones
		}
	}
	if s.cfg.Name != "" && s.resolveWait == 0 && (s.retry == downRetry || s.retry == lastRetry) {
		c.resolve(now, s) // the name may stand for another address by now
	}
}

func (c *Core) armRetry(now clock.Instant, s *server) {
	c.timers.Set(timerKey{kind: timerSend, server: s}, now.Add(c.jitter(s.retry)))
}

// jitter shortens an interval as Cisco's routers do.
func (c *Core) jitter(d time.Duration) time.Duration {
	percent := 100_000 - jitterLeast*1000 - c.rng.Int64N((jitterMost-jitterLeast)*1000+1)
	return d * time.Duration(percent) / 100_000
}

// sendRegistration sends the Registration Request that Cisco's spokes send: one
// CIE without addresses, so that the client's are those of the common header
// (RFC 2332 section 5.2.3), the group of this node, and the NAT address extension
// with the server's own binding, to which the server adds how it sees the client.
func (c *Core) sendRegistration(now clock.Instant, s *server) {
	i := s.iface
	if s.unsent = !i.secured(s.nbma); s.unsent {
		return // as soon as it is
	}
	own := i.addr.Addr()
	cie := packet.CIE{PrefixLength: uint8(own.BitLen()), MTU: uint16(min(i.link.MTU, 0xffff)), HoldingTime: seconds(i.cfg.Holdtime)}
	m := packet.Message{
		Type: packet.RegistrationRequest, HopCount: registrationHops, RequestID: s.requestID,
		Flags: packet.FlagNAT, SrcProtocol: own, DstProtocol: s.addr,
		Extensions: make([]packet.Extension, 0, 6),
	}
	if !s.addr.IsValid() {
		m.DstProtocol = own // section 5.2.3: the client does not know its server's address
	}
	if i.cfg.RegisterUnique {
		m.Flags |= packet.FlagRegistrationUnique
		cie.PrefixLength = packet.PrefixHost
	}
	m.CIEs = []packet.CIE{cie}
	if !i.cfg.RegisterUnique { // with that bit there is but one CIE
		for _, a := range i.linkLocal() {
			cie.Protocol = a
			m.CIEs = append(m.CIEs, cie)
		}
	}
	m.Extensions = i.askExtensions(m.Extensions)
	m.Extensions = i.authenticate(m.Extensions)
	if group, err := packet.NewGroup(i.cfg.Group); err == nil { // no group is none that could be sent
		m.Extensions = append(m.Extensions, group)
	}
	nat := packet.Extension{Type: packet.NATAddress}
	if s.addr.IsValid() {
		nat.CIEs = []packet.CIE{{PrefixLength: uint8(own.BitLen()), MTU: cie.MTU, HoldingTime: cie.HoldingTime, NBMA: s.nbma, Protocol: s.addr}}
	}
	m.Extensions = append(m.Extensions, nat)
	s.sent++
	if !s.asking {
		s.asked, s.asking = now, true
	}
	c.send(now, i, s.nbma, &m, sendOwn)
}

// registrationReply handles the answer to a request of ours (RFC 2332 section
// 5.2.4).
func (c *Core) registrationReply(now clock.Instant, i *iface, in RxPacket) {
	m := &c.in
	s := i.pendingServer(m.RequestID)
	if s == nil || m.SrcProtocol != i.addr.Addr() || in.NBMA != s.nbma || len(m.CIEs) == 0 || !i.answers(m, s) {
		c.drop(i, in, DropUnexpectedReply)
		return
	}
	s.received++
	s.lastReply, s.pending, s.asking = now, false, false
	if code := m.CIEs[0].Code; code != packet.CodeSuccess {
		c.refused(now, s, code)
		return
	}
	for _, cie := range m.CIEs[1:] { // link-local addresses: the server serves without them
		if cie.Code != packet.CodeSuccess {
			c.trace(Trace{Event: TraceRefused, Interface: i.key.name, Peer: s.addr, NBMA: s.nbma, Code: uint16(cie.Code), RequestID: s.requestID})
		}
	}
	if !s.addr.IsValid() {
		s.addr = i.responder(m)
		c.syncStatic(now, i)
	}
	s.registered, s.retry, s.served = i.addr.Addr(), 0, true
	s.translated, s.trouble = c.translation(i), trouble{}
	c.timers.Set(timerKey{kind: timerSend, server: s}, now.Add(i.cfg.RegistrationTimeout))
	if s.state == NHSResponding {
		return
	}
	s.announced = false
	c.setServerState(now, s, NHSResponding, "Registration Reply")
	c.trace(Trace{Event: TraceNHSUp, Interface: i.key.name, Peer: s.addr, NBMA: s.nbma, RequestID: s.requestID, Reason: "Registration Reply"})
	c.logServer(s, "NHRP_NHS_UP", "is UP", "Registration Reply")
	c.serversChanged(now, i)
	c.revalidate(now, i)
}

// answers reports whether the reply in m can be that of a server: it has the
// server's protocol address, or one that can be learnt as that.
func (i *iface) answers(m *packet.Message, s *server) bool {
	if s.addr.IsValid() {
		return m.DstProtocol == s.addr
	}
	a := i.responder(m)
	return i.resolvable(a) && i.serverAt(a) == nil
}

// responder returns the protocol address of the server that a Registration Reply
// comes from, where the client does not know it and put its own address into the
// destination (RFC 2332 section 5.2.3): that of the Responder Address extension
// (5.3.1), unless the server put its address into the destination, as most do.
func (i *iface) responder(m *packet.Message) netip.Addr {
	if m.DstProtocol != m.SrcProtocol {
		return m.DstProtocol
	}
	if e := m.Extension(packet.ResponderAddress); e != nil && len(e.CIEs) == 1 {
		return e.CIEs[0].Protocol
	}
	return netip.Addr{}
}

// pendingServer returns the server that owes an answer to a request.
func (i *iface) pendingServer(id uint32) *server {
	for _, s := range i.servers {
		if s.pending && s.requestID == id {
			return s
		}
	}
	return nil
}

// translation returns the own NBMA address as the server sees it, if that is
// another than the tunnel's source: the server adds it to the NAT address
// extension under the client's protocol address.
func (c *Core) translation(i *iface) netip.Addr {
	e := c.in.Extension(packet.NATAddress)
	if e == nil {
		return netip.Addr{}
	}
	for _, cie := range e.CIEs {
		if cie.Protocol == i.addr.Addr() && cie.NBMA.IsValid() && cie.NBMA != i.source {
			return cie.NBMA
		}
	}
	return netip.Addr{}
}

// refused handles a NAK. The retry that is armed goes on, with a new request.
func (c *Core) refused(now clock.Instant, s *server, code packet.CIECode) {
	s.failed++
	s.registered, s.served = netip.Addr{}, false
	s.trouble.refused(now, code)
	c.trace(Trace{Event: TraceRefused, Interface: s.iface.key.name, Peer: s.addr, NBMA: s.nbma, Code: uint16(code), RequestID: s.requestID})
	c.logError(now, s.iface, s.nbma, packet.RegistrationReply, code.String(), uint16(code))
	if !s.announced {
		c.serverDown(now, s, "Registration Refused: "+s.trouble.text)
	}
	c.serversChanged(now, s.iface)
}

// serverDown declares a server down. What follows from that for others is
// serversChanged. An address that was learnt is forgotten: who comes back at the
// same NBMA address may have another.
func (c *Core) serverDown(now clock.Instant, s *server, reason string) {
	s.announced = true
	c.setServerState(now, s, NHSDown, reason)
	c.trace(Trace{Event: TraceNHSDown, Interface: s.iface.key.name, Peer: s.addr, NBMA: s.nbma, RequestID: s.requestID, Reason: reason})
	c.logServer(s, "NHRP_NHS_DOWN", "is DOWN", reason)
	c.unlearn(now, s)
}

// unlearn forgets the protocol address of a server that was learnt from it.
func (c *Core) unlearn(now clock.Instant, s *server) {
	if s.cfg.Dynamic && s.addr.IsValid() {
		c.touchStation(s.iface, s.addr)
		s.addr = netip.Addr{}
		c.syncStatic(now, s.iface)
	}
}

func (c *Core) setServerState(now clock.Instant, s *server, state NHSState, reason string) {
	if s.state != state {
		s.state, s.since = state, now
	}
	s.reason = reason
}

// deregister takes an accepted registration back by a Purge Request from client
// to server (RFC 2332 section 5.2.5). No reply is asked for: the client may be
// gone before it comes.
func (c *Core) deregister(now clock.Instant, s *server) {
	i := s.iface
	client := s.registered
	s.registered = netip.Addr{}
	if !client.IsValid() || !i.ready || !i.secured(s.nbma) {
		return
	}
	m := packet.Message{
		Type: packet.PurgeRequest, HopCount: registrationHops, RequestID: c.nextRequestID(),
		Flags: packet.FlagPurgeNoReply, SrcProtocol: client, DstProtocol: s.addr,
		CIEs: []packet.CIE{{PrefixLength: uint8(client.BitLen()), Protocol: client}},
	}
	if !s.addr.IsValid() {
		m.DstProtocol = client // section 5.2.5: the server's address is not known
	}
	for _, a := range i.linkLocal() {
		m.CIEs = append(m.CIEs, packet.CIE{PrefixLength: uint8(a.BitLen()), Protocol: a})
	}
	m.Extensions = i.authenticate(nil)
	c.send(now, i, s.nbma, &m, sendOwn)
}

// seconds returns a holding time as a CIE carries it.
func seconds(d time.Duration) uint16 {
	return uint16(min(max(d/time.Second, 0), 0xffff))
}
