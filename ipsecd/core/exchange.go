package core

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// Retransmission (RFC 7296 section 2.4): after a second, and twice as long after each; an
// IKE SA is given up a minute after the first.
const (
	firstResend = time.Second
	maxResend   = 16 * time.Second
	maxTries    = 7
	toldAfter   = 2 // tries it is said that a negotiation does not get on, which is after 3 s
	probeTries  = 6 // of liveness, each after the retry time of DPD
	deleteTries = 3
	maxQueue    = 64 // tasks of an IKE SA
)

// task is a request of ours that is to be made.
type task interface {
	// request returns the exchange and what its message contains; ok is false if it is
	// not needed any more.
	request(c *Core, now clock.Instant, sa *ikeSA) (x packet.ExchangeType, ps []packet.Payload, ok bool)
	// answered takes the contents of the answer.
	answered(c *Core, now clock.Instant, sa *ikeSA, ps []packet.Payload)
}

// request is one that was not answered yet.
type request struct {
	task     task
	exchange packet.ExchangeType
	id       uint32
	messages [][]byte
	tries    int
	wait     time.Duration
	limit    int  // tries after which the IKE SA is given up
	hurried  bool // always after the same wait
}

// enqueue puts a task in line and sends its request if it can be sent now.
func (c *Core) enqueue(now clock.Instant, sa *ikeSA, t task) {
	if !c.alive(sa) || len(sa.queue) >= maxQueue {
		return
	}
	sa.queue = append(sa.queue, t)
	c.pump(now, sa)
}

// pump sends the next request if the last was answered: the window is 1.
func (c *Core) pump(now clock.Instant, sa *ikeSA) {
	for c.alive(sa) && sa.request == nil && len(sa.queue) > 0 {
		t := sa.queue[0]
		sa.queue = sa.queue[1:]
		x, ps, ok := t.request(c, now, sa)
		if !ok || !c.alive(sa) {
			continue
		}
		r := &request{task: t, exchange: x, id: sa.nextID, wait: firstResend, limit: maxTries}
		switch t := t.(type) {
		case *probe:
			r.wait, r.limit, r.hurried = t.retry, probeTries, true
		case *deleteIKE:
			r.limit = deleteTries
		}
		r.messages = c.compose(sa, x, sa.nextID, 0, ps)
		if r.messages == nil {
			c.fail(now, sa, "message cannot be written")
			return
		}
		sa.request = r
		c.transmit(sa, r.messages)
		c.timers.Set(timerKey{kind: timerResend, sa: sa}, now.Add(r.wait))
	}
}

// noAnswer is the reason where a peer says nothing.
const noAnswer = "no answer"

// resend sends a request that was not answered once more, octet by octet the same, or
// gives the IKE SA up.
func (c *Core) resend(now clock.Instant, sa *ikeSA) {
	r := sa.request
	r.tries++
	if r.tries >= r.limit {
		c.lost(now, sa)
		return
	}
	c.counters.Resent++
	c.trace(c.tracing.Packets, Trace{Event: TraceResent, SPI: uint64(sa.spi), Remote: sa.remote, Text: r.exchange.String()})
	c.transmit(sa, r.messages)
	if sa.nego != nil && sa.peer != nil && sa.peer.nego == sa && r.tries == toldAfter {
		c.stuck(now, sa.peer, SecurityIKE, cmp.Or(sa.nego.hint, noAnswer))
	}
	if !r.hurried {
		r.wait = min(2*r.wait, maxResend)
	}
	c.timers.Set(timerKey{kind: timerResend, sa: sa}, now.Add(r.wait))
}

// lost gives up an IKE SA whose peer does not answer (RFC 7296 section 2.4).
func (c *Core) lost(now clock.Instant, sa *ikeSA) {
	reason := noAnswer
	if sa.reason != "" {
		reason = sa.reason
	}
	if sa.doubted && sa.state == StateReady && sa.reason == "" && len(sa.peer.children) == len(sa.children) {
		c.orphan(now, sa)
	}
	c.fail(now, sa, reason)
}

// compose writes a message: of IKE_SA_INIT in clear, others encrypted and, if need be, in
// fragments. It returns nil if that is not possible.
func (c *Core) compose(sa *ikeSA, x packet.ExchangeType, id uint32, flags packet.Flags, ps []packet.Payload) [][]byte {
	h := packet.Header{SPIi: sa.spi, SPIr: sa.peerSPI, Exchange: x, Flags: flags | packet.FlagInitiator, MessageID: id}
	if !sa.initiator {
		h.SPIi, h.SPIr, h.Flags = sa.peerSPI, sa.spi, flags
	}
	m := &packet.Message{Header: h}
	c.count(&c.counters.Sent, x)
	if x == packet.IKESAInit {
		m.Payloads = ps
		b, err := m.AppendBinary(nil)
		if err != nil {
			return nil
		}
		return [][]byte{b}
	}
	size := packet.MaxMessageSize
	if mtu := c.config.Global.Fragmentation; sa.fragments && mtu > 0 {
		size = mtu - ipUDP(sa.remote.Addr())
	}
	out, err := sa.out.Fragments(m, ps, size, c.random)
	if err != nil || x == packet.IKEIntermediate && !c.protect(sa, out, ps) {
		return nil
	}
	return out
}

// ipUDP returns the octets before an IKE message in a datagram, with the marker.
func ipUDP(a netip.Addr) int {
	if a.Is4() {
		return 20 + 8 + packet.MarkerLen
	}
	return 40 + 8 + packet.MarkerLen
}

// protect takes a message of IKE_INTERMEDIATE of ours in, for the AUTH payloads (RFC 9242
// section 3.3.2).
func (c *Core) protect(sa *ikeSA, out [][]byte, ps []packet.Payload) bool {
	plain, err := packet.AppendPayloads(nil, ps)
	if err != nil {
		return false
	}
	head := packet.HeaderLen + 4
	if len(out) > 1 {
		head += 4
	}
	sa.nego.intermedial = true
	return sa.ownInt().Add(sa.suite.PRF, sa.ownP(), out[0][:head], len(out) > 1, plain)
}

// transmit sends messages from where the IKE SA has its end to that of the peer.
func (c *Core) transmit(sa *ikeSA, messages [][]byte) {
	for _, m := range messages {
		c.sendTo(sa.vrf, sa.local, sa.remote, m)
	}
}

// sendTo sends one message, behind the marker on port 4500.
func (c *Core) sendTo(vrf string, local, remote netip.AddrPort, m []byte) {
	var b []byte
	if local.Port() == packet.PortNAT {
		b = packet.AppendMarker(b)
	}
	c.trace(c.tracing.Packets, Trace{Event: TraceSent, Remote: remote})
	c.emit(TxPacket{vrf, local, remote, append(b, m...)})
}

// count counts a message of an exchange.
func (c *Core) count(of *[numExchanges]uint64, x packet.ExchangeType) {
	if i := int(x) - int(packet.IKESAInit); i >= 0 && i < len(of) {
		of[i]++
	}
}

func notify(kind packet.NotifyType, data ...byte) *packet.Notify {
	return &packet.Notify{Kind: kind, Data: data}
}

// failure returns the first notification of an error, nil if there is none.
func failure(ps []packet.Payload) *packet.Notify {
	for _, p := range ps {
		if n, ok := p.(*packet.Notify); ok && n.Kind.IsError() {
			return n
		}
	}
	return nil
}
