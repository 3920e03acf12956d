package core

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// reply is what a request of the peer comes to.
type reply struct {
	payloads []packet.Payload
	// end is why the IKE SA ends once the answer was sent, "" if it does not.
	end string
	// after is done once the answer was sent, nil for nothing.
	after func(now clock.Instant)
}

// requests are the exchanges that a peer may begin, and the states in which it may. What
// is not here is dropped.
var requests = map[packet.ExchangeType]struct {
	states []State
	handle func(c *Core, now clock.Instant, sa *ikeSA, ps []packet.Payload) reply
}{}

func init() {
	type row = struct {
		states []State
		handle func(c *Core, now clock.Instant, sa *ikeSA, ps []packet.Payload) reply
	}
	requests[packet.IKEIntermediate] = row{[]State{StateInitAnswered, StateIntermediate}, (*Core).intermediateRequest}
	requests[packet.IKEAuth] = row{[]State{StateInitAnswered, StateIntermediate}, (*Core).authRequest}
	requests[packet.CreateChildSA] = row{[]State{StateReady, StateRekeyed, StateDeleting}, (*Core).createRequest}
	requests[packet.IKEFollowupKE] = row{[]State{StateReady, StateRekeyed, StateDeleting}, (*Core).followupRequest}
	requests[packet.Informational] = row{[]State{StateReady, StateRekeyed, StateDeleting}, (*Core).informationRequest}
}

func (c *Core) drop(in RxPacket, why DropReason) {
	c.counters.Dropped[why]++
	c.trace(c.tracing.Packets, Trace{Event: TraceDropped, Remote: in.Remote, Drop: why})
}

// receive takes in a datagram.
func (c *Core) receive(now clock.Instant, in RxPacket) {
	if c.stopped || !c.served[domain{in.VRF, in.Local.Addr()}] {
		c.drop(in, DropAddress)
		return
	}
	b := in.Packet
	if in.Local.Port() == packet.PortNAT {
		var kind packet.Encapsulated
		switch kind, b = packet.Decapsulate(b); kind {
		case packet.EncapsulatedNothing:
			return
		case packet.EncapsulatedIKE:
		default:
			c.drop(in, DropMalformed)
			return
		}
	}
	m, err := packet.Parse(b)
	if err != nil {
		c.refused(now, in, b, err)
		return
	}
	c.trace(c.tracing.Packets, Trace{Event: TraceReceived, Remote: in.Remote, Text: m.Exchange.String()})
	c.count(&c.counters.Received, m.Exchange)
	if m.Exchange == packet.IKESAInit && !m.Response() {
		c.initRequest(now, in, m, b)
		return
	}
	c.dispatch(now, in, m, b)
}

// dispatch hands a message to its IKE SA.
func (c *Core) dispatch(now clock.Instant, in RxPacket, m *packet.Message, b []byte) {
	own, peer := m.SPIr, m.SPIi
	if !m.FromInitiator() {
		own, peer = m.SPIi, m.SPIr
	}
	sa := c.sas[own]
	switch {
	case sa == nil:
		c.unknown(now, in, m)
	case sa.initiator == m.FromInitiator(), sa.domain() != domain{in.VRF, in.Local.Addr()}:
		c.drop(in, DropUnknownSA)
	case m.Exchange == packet.IKESAInit:
		c.initAnswer(now, in, sa, m, b)
	case sa.peerSPI != peer || sa.in == nil:
		c.drop(in, DropUnknownSA)
	case m.Encrypted == nil && m.Response():
		c.hinted(now, in, sa, m)
	case m.Encrypted == nil: // nothing that is not protected is believed (RFC 7296 section 2.21)
		c.drop(in, DropIntegrity)
	case m.Response():
		c.takeAnswer(now, in, sa, m, b)
	default:
		c.takeRequest(now, in, sa, m, b)
	}
}

// takeAnswer takes in an answer to the request that waits for one.
func (c *Core) takeAnswer(now clock.Instant, in RxPacket, sa *ikeSA, m *packet.Message, b []byte) {
	r := sa.request
	if r == nil || r.id != m.MessageID || r.exchange != m.Exchange {
		c.drop(in, DropMessageID)
		return
	}
	got := c.open(in, sa, m, b)
	if got == nil {
		return
	}
	c.hear(now, in, sa)
	ps, err := got.payloads(c, sa, m)
	c.timers.Clear(timerKey{kind: timerResend, sa: sa})
	sa.request = nil
	sa.nextID++
	sa.inAnswer = suite.Reassembly{}
	if err != nil {
		c.fail(now, sa, "malformed answer")
		return
	}
	if sa.state >= StateReady && packet.FindNotify(ps, packet.InvalidSyntax) != nil {
		c.fail(now, sa, "refused: "+packet.InvalidSyntax.String())
		return
	}
	r.task.answered(c, now, sa, ps)
	c.pump(now, sa)
}

// takeRequest takes in a request: the next one, or the last one again, which is answered
// by the same octets (RFC 7296 section 2.1), in fragments once for all of them (RFC 7383
// section 2.6.1).
func (c *Core) takeRequest(now clock.Instant, in RxPacket, sa *ikeSA, m *packet.Message, b []byte) {
	again := sa.answer != nil && m.MessageID == sa.expectedID-1
	if !again && m.MessageID != sa.expectedID {
		c.drop(in, DropMessageID)
		return
	}
	if again {
		if _, err := sa.answerIn.Open(b, m.Encrypted.Offset); err != nil {
			c.drop(in, DropIntegrity)
		} else if m.Encrypted.Number <= 1 {
			c.transmit(sa, sa.answer)
		}
		return
	}
	row, ok := requests[m.Exchange]
	if !ok || !slices.Contains(row.states, sa.state) {
		c.drop(in, DropState)
		return
	}
	got := c.open(in, sa, m, b)
	if got == nil {
		return
	}
	c.hear(now, in, sa)
	ps, err := got.payloads(c, sa, m)
	sa.inRequest, sa.answerIn = suite.Reassembly{}, sa.in
	c.timers.Clear(timerKey{kind: timerFragments, sa: sa})
	var out reply
	if err != nil {
		out = malformed(err)
	} else if out = row.handle(c, now, sa, ps); !c.alive(sa) {
		return
	}
	if out.end == "" && fatal(out.payloads, sa.state) {
		out.end = "malformed request"
	}
	sa.answer = c.compose(sa, m.Exchange, m.MessageID, packet.FlagResponse, out.payloads)
	sa.expectedID++
	if sa.answer == nil {
		c.fail(now, sa, "message cannot be written")
		return
	}
	if out.end != "" { // the SAs first: once the peer has the answer it takes nothing by them any more
		c.fail(now, sa, out.end)
		c.transmit(sa, sa.answer)
		return
	}
	c.transmit(sa, sa.answer)
	if out.after != nil {
		out.after(now)
	}
	c.pump(now, sa)
}

// fatal reports whether an answer ends its IKE SA at both ends without a Delete payload:
// INVALID_SYNTAX always does, a payload that is not known in IKE_AUTH (RFC 7296 sections
// 2.21.2 and 2.21.3).
func fatal(ps []packet.Payload, s State) bool {
	return packet.FindNotify(ps, packet.InvalidSyntax) != nil ||
		s < StateReady && packet.FindNotify(ps, packet.UnsupportedCriticalPayload) != nil
}

// malformed answers a request that cannot be read.
func malformed(err error) reply {
	var e *packet.Error
	if !errors.As(err, &e) {
		return reply{end: "malformed request"}
	}
	kind, data, ok := e.Notify()
	if !ok {
		return reply{end: "malformed request"}
	}
	return reply{payloads: []packet.Payload{notify(kind, data...)}}
}

// opened is what an encrypted message contained.
type opened struct {
	first    packet.PayloadType
	plain    []byte
	head     []byte
	fragment bool
}

// open decrypts a message; it returns nil if that fails, or fragments are missing yet.
func (c *Core) open(in RxPacket, sa *ikeSA, m *packet.Message, b []byte) *opened {
	e := m.Encrypted
	if e.Fragment() && !sa.fragments {
		c.drop(in, DropFragment)
		return nil
	}
	plain, err := sa.in.Open(b, e.Offset)
	if err != nil {
		c.drop(in, DropIntegrity)
		return nil
	}
	if !e.Fragment() {
		return &opened{e.First, plain, bytes.Clone(b[:e.Offset]), false}
	}
	r := &sa.inRequest
	if m.Response() {
		r = &sa.inAnswer
	}
	whole, done := r.Add(b, e, plain)
	if !done {
		k := timerKey{kind: timerFragments, sa: sa}
		if _, armed := c.timers.Deadline(k); !armed && !m.Response() {
			c.timers.Set(k, c.now.Add(reassemblyTime))
		}
		return nil
	}
	return &opened{r.First, whole, r.Head, true}
}

// reassemblyTime is how long fragments of a request wait for the others: as long as a peer
// goes on to send it (RFC 7383 section 2.6). Those of an answer wait as long as we ask.
const reassemblyTime = time.Minute

// payloads reads what was opened, and takes in messages of IKE_INTERMEDIATE for the AUTH
// payloads.
func (o *opened) payloads(c *Core, sa *ikeSA, m *packet.Message) ([]packet.Payload, error) {
	if m.Exchange == packet.IKEIntermediate && sa.nego != nil {
		if !sa.peerInt().Add(sa.suite.PRF, sa.peerP(), o.head, o.fragment, o.plain) {
			return nil, errHead
		}
	}
	return packet.ParsePayloads(o.first, o.plain)
}

var errHead = errors.New("core: no start of a message")

// hear notes that something authentic and new arrived, and from where: until the IKE SA
// is established it may float to port 4500, afterwards a NAT before the peer may have
// given it another address (RFC 7296 section 2.23).
func (c *Core) hear(now clock.Instant, in RxPacket, sa *ikeSA) {
	sa.heard, sa.doubted = now, false
	if in.Remote == sa.remote && in.Local == sa.local || sa.initiator && sa.state < StateReady {
		return
	}
	switch {
	case sa.state < StateReady && in.Remote.Addr() == sa.remote.Addr():
		sa.local, sa.remote = in.Local, in.Remote
	case sa.natRemote && !sa.natLocal && in.Local.Port() == packet.PortNAT:
		c.move(now, sa, in.Local, in.Remote)
	}
}
