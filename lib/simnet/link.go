package simnet

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// Quality says what a link does to packets. The zero value is a perfect link
// without delay.
type Quality struct {
	Latency   time.Duration // one way
	Jitter    time.Duration // up to so much is added, evenly distributed; packets may overtake each other
	Loss      float64       // probability that a packet is lost
	Duplicate float64       // probability that a packet arrives twice
	Reorder   float64       // probability that a packet is held back for HoldBack
	HoldBack  time.Duration
}

// Link joins ports.
type Link struct {
	// Quality applies where Between says nothing else. It may be changed at any
	// time and then applies to packets sent from then on.
	Quality Quality
	// Multicast has packets to multicast addresses and to 255.255.255.255
	// delivered to all other ports; without it they are unreachable.
	Multicast bool
	// Hub is the port that alone hears packets to groups of all others, who hear its own:
	// the link is a multipoint tunnel. nil: all hear all.
	Hub *Port

	net     *Network
	ports   []*Port
	reach   map[netip.Addr]place
	between map[pair]Quality
	cut     bool // some port has a side other than 0
}

// place is what an address on a link leads to: a port, or a NAT with the ports
// behind it.
type place struct {
	port *Port
	gate *gate
}

type pair struct{ from, to *Port }

// Port is where a node is attached to a link.
type Port struct {
	link *Link
	node *node
	id   int // number within the node
	addr netip.Addr
	gate *gate // NAT in front of it, or nil
	side int   // of a partition
}

// AnyNode is any Node, whatever its machine.
type AnyNode interface{ base() *node }

// Link adds a link of that quality.
func (n *Network) Link(q Quality) *Link {
	return &Link{Quality: q, net: n, reach: map[netip.Addr]place{}, between: map[pair]Quality{}}
}

// Attach gives a node its next port, with an address that is unique on the link.
func (l *Link) Attach(v AnyNode, addr netip.Addr) *Port {
	if _, taken := l.reach[addr]; taken {
		panic(fmt.Sprintf("simnet: address %v is taken", addr))
	}
	node := v.base()
	p := &Port{link: l, node: node, id: len(node.ports), addr: addr}
	node.ports = append(node.ports, p)
	l.ports = append(l.ports, p)
	l.reach[addr] = place{port: p}
	return p
}

// Index returns the port's number within its node.
func (p *Port) Index() int { return p.id }

// Addr returns the port's address.
func (p *Port) Addr() netip.Addr { return p.addr }

// Renumber gives the port another address; packets on their way to the old one
// still arrive. A port behind a NAT cannot be renumbered.
func (p *Port) Renumber(addr netip.Addr) {
	if _, taken := p.link.reach[addr]; taken || p.gate != nil {
		panic(fmt.Sprintf("simnet: %v cannot become %v", p.addr, addr))
	}
	delete(p.link.reach, p.addr)
	p.addr = addr
	p.link.reach[addr] = place{port: p}
}

// Between sets the quality from one port to another, in that direction only.
func (l *Link) Between(from, to *Port, q Quality) { l.between[pair{from, to}] = q }

// Partition puts ports on a side of their own: they reach each other, and
// nobody else on the link reaches them. Side 0 is where all ports are at first.
func (l *Link) Partition(side int, ports ...*Port) {
	for _, p := range ports {
		p.side = side
	}
	l.cut = true
}

// Heal ends all partitions of the link.
func (l *Link) Heal() {
	for _, p := range l.ports {
		p.side = 0
	}
	l.cut = false
}

// send puts a packet on the link.
func (p *Port) send(pkt Packet) {
	l, stats := p.link, &p.link.net.stats
	if !pkt.Src.Addr().IsValid() {
		pkt.Src = netip.AddrPortFrom(p.addr, pkt.Src.Port())
	}
	stats.Sent++
	stats.SentBytes += uint64(len(pkt.Payload))
	p.node.stats.Sent++
	p.node.stats.SentBytes += uint64(len(pkt.Payload))
	if isGroup(pkt.Dst.Addr()) {
		l.flood(p, pkt)
		return
	}
	if p.gate != nil {
		if to, ok := p.gate.inside[pkt.Dst.Addr()]; ok {
			l.carry(p, to, pkt) // does not leave the site
			return
		}
		if !p.gate.nat.Out(l.net.now, &pkt) {
			stats.Filtered++
			return
		}
	}
	l.route(p, pkt)
}

// route finds the port that a packet's destination leads to.
func (l *Link) route(from *Port, pkt Packet) {
	to, ok := l.reach[pkt.Dst.Addr()]
	if !ok {
		l.net.stats.Unreachable++
		return
	}
	if to.gate == nil {
		l.carry(from, to.port, pkt)
		return
	}
	if !to.gate.nat.In(l.net.now, &pkt) {
		l.net.stats.Filtered++
		return
	}
	port, ok := to.gate.inside[pkt.Dst.Addr()]
	if !ok {
		l.net.stats.Unreachable++
		return
	}
	l.carry(from, port, pkt)
}

// flood carries a packet to all other ports on the same side of a NAT.
func (l *Link) flood(from *Port, pkt Packet) {
	if !l.Multicast {
		l.net.stats.Unreachable++
		return
	}
	for _, to := range l.ports {
		if l.Hub != nil && from != l.Hub && to != l.Hub {
			continue
		}
		if to != from && to.gate == from.gate {
			l.carry(from, to, pkt)
		}
	}
}

// carry takes a packet from port to port as the quality says.
func (l *Link) carry(from, to *Port, pkt Packet) {
	if l.cut && from.side != to.side {
		l.net.stats.Partitioned++
		return
	}
	q := l.Quality
	if len(l.between) > 0 {
		if special, ok := l.between[pair{from, to}]; ok {
			q = special
		}
	}
	if l.chance(q.Loss) {
		l.net.stats.Lost++
		return
	}
	l.deliver(to, pkt, q)
	if l.chance(q.Duplicate) {
		l.net.stats.Duplicated++
		l.deliver(to, pkt, q)
	}
}

func (l *Link) deliver(to *Port, pkt Packet, q Quality) {
	d := q.Latency
	if q.Jitter > 0 {
		d += time.Duration(l.net.rng.Int64N(int64(q.Jitter) + 1))
	}
	if l.chance(q.Reorder) {
		l.net.stats.HeldBack++
		d += q.HoldBack
	}
	to.node.enqueued()
	l.net.queue.push(l.net.now.Add(d), event{kind: kindPacket, to: to, packet: pkt})
}

func (l *Link) chance(p float64) bool { return p > 0 && l.net.rng.Float64() < p }

func isGroup(a netip.Addr) bool {
	return a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// NAT rewrites packets between the ports behind it and the rest of a link.
type NAT interface {
	// Out rewrites a packet that leaves, and returns false to drop it.
	Out(now clock.Instant, p *Packet) bool
	// In rewrites the destination of a packet that came to a public address to
	// that of a port behind the NAT, and returns false to drop it.
	In(now clock.Instant, p *Packet) bool
}

// gate is a NAT in its place.
type gate struct {
	nat    NAT
	inside map[netip.Addr]*Port
}

// Behind puts ports behind a NAT whose public address is given. Their own
// addresses are reached from the other ports behind it only. Ports of several
// sites may have the same private addresses if each is put behind its NAT before
// the next is attached.
func (l *Link) Behind(nat NAT, public netip.Addr, ports ...*Port) {
	g := &gate{nat: nat, inside: map[netip.Addr]*Port{}}
	if _, taken := l.reach[public]; taken {
		panic(fmt.Sprintf("simnet: address %v is taken", public))
	}
	for _, p := range ports {
		delete(l.reach, p.addr)
		p.gate = g
		g.inside[p.addr] = p
	}
	l.reach[public] = place{gate: g}
}

// Rebind gives a NAT another public address, and what translates to it: what is sent
// to the old address from then on is unreachable.
func (l *Link) Rebind(old, public netip.Addr, nat NAT) {
	at := l.reach[old]
	if _, taken := l.reach[public]; taken || at.gate == nil {
		panic(fmt.Sprintf("simnet: NAT at %v cannot become %v", old, public))
	}
	delete(l.reach, old)
	at.gate.nat = nat
	l.reach[public] = at
}
