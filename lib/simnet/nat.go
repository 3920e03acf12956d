package simnet

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// StaticNAT is a NAT that maps one private address to one public one and lets
// everything through.
type StaticNAT struct {
	Private, Public netip.Addr
}

// Out implements NAT.
func (s StaticNAT) Out(_ clock.Instant, p *Packet) bool {
	if p.Src.Addr() != s.Private {
		return false
	}
	p.Src = netip.AddrPortFrom(s.Public, p.Src.Port())
	return true
}

// In implements NAT.
func (s StaticNAT) In(_ clock.Instant, p *Packet) bool {
	p.Dst = netip.AddrPortFrom(s.Private, p.Dst.Port())
	return true
}

// Masquerade is a NAT that hides many private addresses behind one public one.
// A flow must be opened from inside. Packets with ports get a public port for
// each private address and port, whatever the peer, and peers may answer where
// the flow was opened to (RFC 4787: endpoint-independent mapping, address and
// port-dependent filtering). Packets without ports (GRE, ESP) are told apart by
// the peer's address alone, so that of two private addresses that talk to the
// same peer the later one takes over the answers, as with many home routers.
type Masquerade struct {
	public   netip.Addr
	idle     time.Duration
	nextPort uint16
	byInner  map[netip.AddrPort]uint16
	byOuter  map[uint16]netip.AddrPort
	flows    map[flow]mapping
}

// flow names a flow as it is seen from outside.
type flow struct {
	protocol uint32
	port     uint16 // public, or 0
	peer     netip.AddrPort
}

type mapping struct {
	private netip.AddrPort
	until   clock.Instant
}

// NewMasquerade returns a NAT behind the public address that forgets a flow in
// which nothing was sent or received for the time given.
func NewMasquerade(public netip.Addr, idle time.Duration) *Masquerade {
	m := &Masquerade{public: public, idle: idle}
	m.Forget()
	return m
}

// Forget forgets all flows, as a rebooted NAT does. Ports are not reused at once.
func (m *Masquerade) Forget() {
	if m.nextPort < 1024 {
		m.nextPort = 1024
	}
	m.byInner = map[netip.AddrPort]uint16{}
	m.byOuter = map[uint16]netip.AddrPort{}
	m.flows = map[flow]mapping{}
}

// Out implements NAT.
func (m *Masquerade) Out(now clock.Instant, p *Packet) bool {
	private, port := p.Src, uint16(0)
	if private.Port() != 0 {
		var ok bool
		if port, ok = m.publicPort(private); !ok {
			return false
		}
	}
	m.flows[flow{p.Protocol, port, p.Dst}] = mapping{private, now.Add(m.idle)}
	p.Src = netip.AddrPortFrom(m.public, port)
	return true
}

// In implements NAT.
func (m *Masquerade) In(now clock.Instant, p *Packet) bool {
	f := flow{p.Protocol, p.Dst.Port(), p.Src}
	known, ok := m.flows[f]
	if !ok {
		return false
	}
	if known.until.Before(now) {
		delete(m.flows, f)
		return false
	}
	m.flows[f] = mapping{known.private, now.Add(m.idle)}
	p.Dst = known.private
	return true
}

// publicPort returns the public port of a private address and port, a new one
// if it has none; false if all are in use.
func (m *Masquerade) publicPort(private netip.AddrPort) (uint16, bool) {
	if port, ok := m.byInner[private]; ok {
		return port, true
	}
	for range 1 << 16 {
		port := m.nextPort
		if m.nextPort++; m.nextPort < 1024 {
			m.nextPort = 1024
		}
		if _, used := m.byOuter[port]; !used {
			m.byInner[private], m.byOuter[port] = port, private
			return port, true
		}
	}
	return 0, false
}
