package core

import (
	"errors"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// Bounds of what is done about messages that nothing protects (RFC 7296 section 2.21.4).
const (
	outsideWindow = time.Second
	outsideBurst  = 20 // answers in a window, to all together
	hintEvery     = 10 * time.Second
	hintRetry     = time.Second
	hintTries     = 4
)

// answerOutside answers a request that is of no IKE SA by a notification, in clear and with
// the header of the request (RFC 7296 section 1.5), unless there were many. It is never
// longer than the request.
func (c *Core) answerOutside(now clock.Instant, in RxPacket, h packet.Header, n *packet.Notify) {
	if now.Sub(c.outsideAt) >= outsideWindow {
		c.outsideAt, c.outside = now, 0
	}
	if c.outside++; c.outside > outsideBurst {
		c.drop(in, DropRate)
		return
	}
	flags := packet.FlagResponse
	if !h.FromInitiator() {
		flags |= packet.FlagInitiator
	}
	h.Flags = flags
	out := packet.Message{Header: h, Payloads: []packet.Payload{n}}
	b, err := out.AppendBinary(nil)
	if err != nil || len(b) > len(in.Packet) {
		return
	}
	c.count(&c.counters.Sent, h.Exchange)
	c.sendTo(in.VRF, in.Local, in.Remote, b)
}

// refused takes in a message that cannot be read. Of requests to begin an IKE SA, whose
// errors nothing authenticates, those are answered that say what the peer may not know of
// us: our version, and a payload that we would have to know (RFC 7296 sections 2.5 and
// 3.10.1).
func (c *Core) refused(now clock.Instant, in RxPacket, b []byte, err error) {
	var e *packet.Error
	if errors.As(err, &e) && e.Reason == packet.ReasonIKEv1 {
		c.counters.IKEv1++
		c.drop(in, DropIKEv1)
		c.log(SeverityWarning, "IKEV1", in.Remote.Addr(), "sends IKEv1, which is not spoken here")
		return
	}
	c.drop(in, DropMalformed)
	h, _, _ := packet.ParseHeader(b)
	if e == nil || h.Response() || len(b) < packet.HeaderLen {
		return
	}
	switch e.Reason {
	case packet.ReasonVersion:
	case packet.ReasonCritical:
		if h.Exchange != packet.IKESAInit {
			return
		}
	default:
		return
	}
	kind, data, _ := e.Notify()
	c.answerOutside(now, in, h, notify(kind, data...))
}

// unknown takes in a message of an IKE SA that is not there. Requests are answered, so that
// a peer notices soon that we have begun anew.
func (c *Core) unknown(now clock.Instant, in RxPacket, m *packet.Message) {
	c.drop(in, DropUnknownSA)
	if !m.Response() && m.Encrypted != nil && m.SPIi != 0 && m.SPIr != 0 {
		c.answerOutside(now, in, m.Header, notify(packet.InvalidIKESPI))
	}
}

// hinted takes in what claims to be a peer that does not know an IKE SA. Anybody may have
// sent it who saw its SPIs: all that follows is that the peer is asked, or that a request
// which waits for its answer is sent again sooner, and given up sooner.
func (c *Core) hinted(now clock.Instant, in RxPacket, sa *ikeSA, m *packet.Message) {
	if packet.FindNotify(m.Payloads, packet.InvalidIKESPI) == nil || sa.state < StateReady || in.Remote != sa.remote || sa.nextHint > now {
		c.drop(in, DropIntegrity)
		return
	}
	c.doubt(now, sa)
}

// doubt has it be seen at once whether a peer still has an IKE SA.
func (c *Core) doubt(now clock.Instant, sa *ikeSA) {
	sa.doubted, sa.nextHint = true, now.Add(hintEvery)
	if sa.request == nil {
		sa.probed = true
		c.enqueue(now, sa, &probe{hintRetry})
	}
	r := sa.request
	if r == nil {
		return
	}
	r.wait, r.hurried = min(r.wait, hintRetry), true
	r.limit = min(r.limit, r.tries+hintTries)
	if at, ok := c.timers.Deadline(timerKey{kind: timerResend, sa: sa}); ok && at.After(now.Add(r.wait)) {
		c.timers.Set(timerKey{kind: timerResend, sa: sa}, now.Add(r.wait))
	}
}

// doubtOthers asks whether a peer, which began an IKE SA, still has those that were there
// before: it may have lost them, and not say so (RFC 7296 section 2.4) because GRE still
// passes by their children.
func (c *Core) doubtOthers(now clock.Instant, sa *ikeSA) {
	for _, o := range c.others(sa) {
		if o.state == StateReady && o.up <= sa.born {
			c.doubt(now, o)
		}
	}
}
