package core

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// receive takes a datagram.
func (c *Core) receive(now clock.Instant, rx RxPacket) {
	rx.Source = netip.AddrPortFrom(rx.Source.Addr().Unmap(), rx.Source.Port())
	in := c.instances[c.links.VRF(rx.Interface)]
	var i *iface
	if in != nil {
		i = in.ifaces[rx.Interface]
	}
	reason := c.check(now, i, rx)
	if reason == DropNone {
		c.traceMessage(TraceReceived, in.vrf, rx.Interface, rx.Source, &c.in)
		reason = c.dispatch(now, i, rx.Source)
	}
	if reason == DropNone {
		return
	}
	switch {
	case i != nil:
		i.drop(reason)
		if n := in.neighbors[neighborKey{i, rx.Source.Addr()}]; n != nil {
			n.badPackets++
		}
		c.reportAuth(now, i, rx.Source.Addr(), reason)
	case in != nil:
		in.counters.Dropped[reason]++
	}
	if c.tracing.Packets || c.tracing.Events {
		t := Trace{Event: TraceDropped, Interface: rx.Interface, Peer: rx.Source, Drop: reason}
		if in != nil {
			t.VRF = in.vrf
		}
		c.emit(t)
	}
}

// drop counts a packet or entry that is not used.
func (i *iface) drop(reason DropReason) {
	i.counters.Dropped[reason]++
	i.instance.counters.Dropped[reason]++
}

// check decodes a datagram into c.in and says whether the message may be
// believed (RFC 2453 sections 3.6 and 3.9).
func (c *Core) check(now clock.Instant, i *iface, rx RxPacket) DropReason {
	if err := c.in.Decode(rx.Packet); err != nil {
		return decodeReason(err)
	}
	from := rx.Source.Addr()
	switch {
	case i == nil || !i.active:
		return DropNotEnabled
	case !i.receives().has(c.in.Version):
		return DropVersion
	case c.isOwn(i.instance, from):
		return DropOwn
	case c.in.Command == packet.Response && rx.Source.Port() != packet.Port:
		return DropPort
	case !i.instance.cfg.NoValidateSource && !i.onSubnet(from), !from.Is4(), from.IsUnspecified(), from.IsMulticast():
		return DropSource
	}
	return i.auth.verify(c.wallTime(now), from, &c.in, rx.Packet)
}

// decodeReason tells why a datagram is no message.
func decodeReason(err error) DropReason {
	var e *packet.Error
	if errors.As(err, &e) {
		switch e.Reason {
		case packet.ReasonVersion:
			return DropVersion
		case packet.ReasonCommand:
			return DropCommand
		}
	}
	return DropMalformed
}

// dispatch handles an authentic message.
func (c *Core) dispatch(now clock.Instant, i *iface, from netip.AddrPort) DropReason {
	if c.in.Command == packet.Request {
		i.counters.ReceivedRequests++
		i.instance.counters.ReceivedRequests++
		return c.request(now, i, from)
	}
	i.counters.ReceivedResponses++
	i.instance.counters.ReceivedResponses++
	n := c.hear(now, i, from.Addr(), c.in.Version)
	if n == nil {
		i.auth.forget(from.Addr()) // nobody else would
		return DropTooManyNeighbors
	}
	c.response(now, i, n)
	return DropNone
}

// reportAuth logs a failure of authentication, seldom enough that it cannot be
// used to flood the log.
func (c *Core) reportAuth(now clock.Instant, i *iface, from netip.Addr, reason DropReason) {
	var why string
	switch reason {
	case DropAuthMissing:
		why = "the packet has none"
	case DropAuthUnexpected:
		why = "none is configured"
	case DropAuthMismatch:
		why = "mode, algorithm or key ID mismatch"
	case DropAuthFailed:
		why = "wrong digest or password"
	case DropAuthReplay:
		why = "old sequence number"
	default:
		return
	}
	if c.in.Auth.Type == packet.AuthCryptographic {
		why += fmt.Sprintf(", key ID %d", c.in.Auth.KeyID)
	}
	if i.badAuth.allow(now) {
		c.log(SeverityWarning, "AUTHFAIL", fmt.Sprintf("Authentication of packet from %v on %s%s failed: %s", from, i.name, inVRF(i.instance.vrf), why))
	}
}

func (c *Core) log(s Severity, mnemonic, text string) {
	c.emit(Log{Severity: s, Mnemonic: mnemonic, Text: text})
}

// inVRF names a VRF in a message.
func inVRF(vrf string) string {
	if vrf == "" {
		return ""
	}
	return " in VRF " + vrf
}

// traceMessage traces a whole packet, for `debug rip packets`.
func (c *Core) traceMessage(what TraceEvent, vrf, ifname string, peer netip.AddrPort, m *packet.Message) {
	if !c.tracing.Packets {
		return
	}
	copied := *m
	copied.Entries = slices.Clone(m.Entries)
	c.emit(Trace{Event: what, VRF: vrf, Interface: ifname, Peer: peer, Message: &copied})
}
