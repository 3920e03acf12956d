package core

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// origin says whose packet is sent.
type origin uint8

const (
	sendOwn       origin = iota // made here, reply included
	sendForwarded               // of another station
)

// send fills in what every packet of an instance has, encodes it and emits it,
// unless that would exceed max-send. To who is not secured it is sent later, if at all.
func (c *Core) send(now clock.Instant, i *iface, to netip.Addr, m *packet.Message, o origin) {
	m.Protocol = i.protocol()
	if o == sendOwn {
		m.NBMA = familyNumber(i.source)
		if !m.Type.IsReply() {
			m.SrcNBMA = i.source
		}
	}
	if !i.secured(to) {
		c.hold(now, i, to, m, o)
		return
	}
	if !i.take(now) {
		c.unsent(i, to, m, DropMaxSend)
		return
	}
	b, err := m.AppendBinary(make([]byte, 0, m.Len()))
	if err != nil {
		c.unsent(i, to, m, DropEncode)
		return
	}
	c.transmit(i, to, m, b, o)
}

// transmit emits a packet that was encoded. Of the message only its type, its Request ID
// and its addresses need be there.
func (c *Core) transmit(i *iface, to netip.Addr, m *packet.Message, b []byte, o origin) {
	if o == sendForwarded {
		i.counters.Forwarded[m.Type]++
		c.tracePacket(TraceForwarded, i, to, m)
	} else {
		i.counters.Sent[m.Type]++
		c.tracePacket(TraceSent, i, to, m)
	}
	c.emit(TxPacket{Interface: i.key.name, NBMA: to, Packet: b})
}

func (c *Core) unsent(i *iface, to netip.Addr, m *packet.Message, reason DropReason) {
	i.counters.Drops[reason]++
	c.trace(Trace{
		Event: TraceDropped, Interface: i.key.name, Peer: m.DstProtocol, NBMA: to, Message: uint8(m.Type), Drop: reason,
		RequestID: m.RequestID,
	})
}

// take accounts a packet to the present interval of max-send, and reports
// whether it may be sent.
func (i *iface) take(now clock.Instant) bool {
	if now.Sub(i.windowStart) >= i.cfg.MaxSendInterval {
		i.windowStart, i.windowSent = now, 0
	}
	if i.windowSent >= i.cfg.MaxSend {
		return false
	}
	i.windowSent++
	return true
}

// usage returns the share of max-send that is used up, in per cent.
func (i *iface) usage(now clock.Instant) int {
	if now.Sub(i.windowStart) >= i.cfg.MaxSendInterval {
		return 0
	}
	return i.windowSent * 100 / i.cfg.MaxSend
}

// familyNumber returns ar$afn for an NBMA address.
func familyNumber(a netip.Addr) packet.AddressFamily {
	if a.Is6() {
		return packet.AFNIPv6
	}
	return packet.AFNIPv4
}
