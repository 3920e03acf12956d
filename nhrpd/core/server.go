package core

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
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
	nbma  netip.Addr // zero while unknown

	state     NHSState
	since     clock.Instant
	announced bool // that it is down was logged, and it was not up since

	requestID uint32
	pending   bool          // requestID has no answer of any kind yet
	retry     time.Duration // nominal interval that is armed; 0: the period is armed, or nothing

	sent, failed, received uint64
	lastReply              clock.Instant
	trouble                trouble
	translated             netip.Addr // own NBMA address as the server sees it
	registered             netip.Addr // own protocol address that it accepted; zero: none

	resolved    []netip.Addr  // of the last answer about cfg.Name
	resolveWait time.Duration // nominal interval until the next attempt; 0: nothing was asked
	rotate      bool          // the address in use does not answer: take the next
}

// syncServers brings the servers of an instance in line with configuration and
// tunnel. again makes all of them register at once.
func (c *Core) syncServers(now clock.Instant, i *iface, again bool) {
	want := make(map[netip.Addr]NHSConfig, len(i.cfg.NHSs))
	for _, n := range i.cfg.NHSs {
		if _, twice := want[n.Addr]; !twice && n.Addr.IsValid() && rib.FamilyOf(n.Addr) == i.key.family {
			want[n.Addr] = n
		}
	}
	for _, s := range slices.Clone(i.servers) {
		if _, ok := want[s.cfg.Addr]; !ok {
			c.removeServer(now, s)
		}
	}
	for _, n := range i.cfg.NHSs {
		if want[n.Addr] == n {
			c.setServer(now, i, n)
		}
	}
	fresh := make([]bool, len(i.servers))
	for k, s := range i.servers {
		fresh[k] = c.placeServer(now, s)
	}
	c.syncStatic(now, i)
	c.syncMulticast(i)
	for k, s := range i.servers {
		switch {
		case !i.ready:
			c.stopServer(now, s, "Interface Down")
		case !s.nbma.IsValid():
			c.stopServer(now, s, "NBMA Address Unknown")
		case i.own(s.cfg.Addr):
			c.stopServer(now, s, "Own Address") // a hub may share the lines of its spokes
		case fresh[k] && s.state == NHSResponding:
			c.setServerState(now, s, NHSExpecting)
			c.register(now, s)
		case again || fresh[k] || s.state == NHSWaiting:
			c.register(now, s)
		}
	}
	c.askAgain(now, i)
}

// setServer adds a server, or changes how it is configured.
func (c *Core) setServer(now clock.Instant, i *iface, n NHSConfig) {
	at, ok := slices.BinarySearchFunc(i.servers, n.Addr, func(s *server, a netip.Addr) int { return s.cfg.Addr.Compare(a) })
	if !ok {
		s := &server{iface: i, cfg: n, state: NHSWaiting, since: now}
		i.servers = slices.Insert(i.servers, at, s)
		return
	}
	s := i.servers[at]
	if s.cfg.Name != n.Name {
		s.resolved, s.resolveWait = nil, 0
		c.timers.Clear(timerKey{kind: timerResolve, server: s})
	}
	s.cfg = n
}

// placeServer finds out the NBMA address of a server, and reports whether it
// changed: the one that the tunnel leads to, the configured one, the one that
// its name stands for, or that of the map that covers its address.
func (c *Core) placeServer(now clock.Instant, s *server) (changed bool) {
	i := s.iface
	was := s.nbma
	switch {
	case i.linked && !i.multipoint && i.dest.IsValid():
		s.nbma = i.dest
	case s.cfg.NBMA.IsValid():
		s.nbma = s.cfg.NBMA
	case s.cfg.Name != "":
		s.pickResolved()
		if i.ready && !s.nbma.IsValid() && s.resolveWait == 0 {
			c.resolve(now, s)
		}
	default:
		s.nbma = mapped(i.cfg.Maps, s.cfg.Addr)
	}
	return s.nbma != was
}

// mapped returns the NBMA address of the longest map that covers a.
func mapped(maps []StaticMap, a netip.Addr) (nbma netip.Addr) {
	best := -1
	for _, m := range maps {
		if m.Prefix.Bits() > best && m.Prefix.Contains(a) {
			best, nbma = m.Prefix.Bits(), m.NBMA
		}
	}
	return nbma
}

// removeServer takes the registration back and forgets the server.
func (c *Core) removeServer(now clock.Instant, s *server) {
	c.deregister(now, s)
	c.timers.Clear(timerKey{kind: timerSend, server: s})
	c.timers.Clear(timerKey{kind: timerResolve, server: s})
	s.state = NHSWaiting // for those who still refer to it
	s.iface.servers = slices.DeleteFunc(s.iface.servers, func(o *server) bool { return o == s })
}

// stopServer is for a server that cannot be asked.
func (c *Core) stopServer(now clock.Instant, s *server, reason string) {
	c.timers.Clear(timerKey{kind: timerSend, server: s})
	if !s.iface.ready {
		c.timers.Clear(timerKey{kind: timerResolve, server: s})
		s.resolveWait = 0
	}
	s.pending, s.retry, s.registered = false, 0, netip.Addr{}
	if s.state == NHSResponding {
		c.serverDown(now, s, reason)
	}
	c.setServerState(now, s, NHSWaiting)
	s.announced = false
}

// register sends a new request at once.
func (c *Core) register(now clock.Instant, s *server) {
	if s.state == NHSWaiting {
		c.setServerState(now, s, NHSExpecting)
	}
	s.requestID, s.pending, s.retry = c.nextRequestID(), true, firstRetry
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
		s.failed++ // a refusal was counted when it came
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
	own := i.addr.Addr()
	cie := packet.CIE{PrefixLength: uint8(own.BitLen()), MTU: uint16(min(i.link.MTU, 0xffff)), HoldingTime: seconds(i.cfg.Holdtime)}
	m := packet.Message{
		Type: packet.RegistrationRequest, HopCount: registrationHops, RequestID: s.requestID,
		Flags: packet.FlagNAT, SrcProtocol: own, DstProtocol: s.cfg.Addr,
		Extensions: make([]packet.Extension, 0, 6),
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
	m.Extensions = append(m.Extensions,
		packet.Extension{Type: packet.ResponderAddress, Compulsory: true},
		packet.Extension{Type: packet.ForwardTransitNHS, Compulsory: true},
		packet.Extension{Type: packet.ReverseTransitNHS, Compulsory: true})
	m.Extensions = i.authenticate(m.Extensions)
	if group, err := packet.NewGroup(i.cfg.Group); err == nil { // no group is none that could be sent
		m.Extensions = append(m.Extensions, group)
	}
	m.Extensions = append(m.Extensions, packet.Extension{Type: packet.NATAddress, CIEs: []packet.CIE{{
		PrefixLength: uint8(own.BitLen()), MTU: cie.MTU, HoldingTime: cie.HoldingTime, NBMA: s.nbma, Protocol: s.cfg.Addr,
	}}})
	s.sent++
	c.send(now, i, s.nbma, &m, sendOwn)
}

// registrationReply handles the answer to a request of ours (RFC 2332 section
// 5.2.4).
func (c *Core) registrationReply(now clock.Instant, i *iface, in RxPacket) {
	m := &c.in
	s := i.pendingServer(m.RequestID)
	if s == nil || m.SrcProtocol != i.addr.Addr() || in.NBMA != s.nbma || m.DstProtocol != s.cfg.Addr || len(m.CIEs) == 0 {
		c.drop(i, in, DropUnexpectedReply)
		return
	}
	s.received++
	s.lastReply, s.pending = now, false
	if code := m.CIEs[0].Code; code != packet.CodeSuccess {
		c.refused(now, s, code)
		return
	}
	for _, cie := range m.CIEs[1:] { // link-local addresses: the server serves without them
		if cie.Code != packet.CodeSuccess {
			c.trace(Trace{Event: TraceRefused, Interface: i.key.name, Peer: s.cfg.Addr, NBMA: s.nbma, Code: uint16(cie.Code), RequestID: s.requestID})
		}
	}
	s.registered, s.retry = i.addr.Addr(), 0
	s.translated, s.trouble = c.translation(i), trouble{}
	c.timers.Set(timerKey{kind: timerSend, server: s}, now.Add(i.cfg.RegistrationTimeout))
	if s.state == NHSResponding {
		return
	}
	s.announced = false
	c.setServerState(now, s, NHSResponding)
	c.trace(Trace{Event: TraceNHSUp, Interface: i.key.name, Peer: s.cfg.Addr, NBMA: s.nbma, RequestID: s.requestID, Reason: "Registration Reply"})
	c.logServer(s, "NHRP_NHS_UP", "is UP", "Registration Reply")
	c.askAgain(now, i)
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
	s.registered = netip.Addr{}
	s.trouble.note(now, fmt.Sprintf("%v (%d)", code, uint8(code)))
	c.trace(Trace{Event: TraceRefused, Interface: s.iface.key.name, Peer: s.cfg.Addr, NBMA: s.nbma, Code: uint16(code), RequestID: s.requestID})
	c.logError(now, s.iface, s.nbma, packet.RegistrationReply, code.String(), uint16(code))
	if !s.announced {
		c.serverDown(now, s, "Registration Refused: "+s.trouble.text)
	}
}

// serverDown declares a server down.
func (c *Core) serverDown(now clock.Instant, s *server, reason string) {
	s.announced = true
	c.setServerState(now, s, NHSDown)
	c.trace(Trace{Event: TraceNHSDown, Interface: s.iface.key.name, Peer: s.cfg.Addr, NBMA: s.nbma, RequestID: s.requestID, Reason: reason})
	c.logServer(s, "NHRP_NHS_DOWN", "is DOWN", reason)
	c.askAgain(now, s.iface)
}

func (c *Core) setServerState(now clock.Instant, s *server, state NHSState) {
	if s.state != state {
		s.state, s.since = state, now
	}
}

// deregister takes an accepted registration back by a Purge Request from client
// to server (RFC 2332 section 5.2.5). No reply is asked for: the client may be
// gone before it comes.
func (c *Core) deregister(now clock.Instant, s *server) {
	i := s.iface
	client := s.registered
	s.registered = netip.Addr{}
	if !client.IsValid() || !i.ready {
		return
	}
	m := packet.Message{
		Type: packet.PurgeRequest, HopCount: registrationHops, RequestID: c.nextRequestID(),
		Flags: packet.FlagPurgeNoReply, SrcProtocol: client, DstProtocol: s.cfg.Addr,
		CIEs: []packet.CIE{{PrefixLength: uint8(client.BitLen()), Protocol: client}},
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
