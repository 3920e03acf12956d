package eigrp

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// peer is a neighbour that the test plays: it sends Hellos, tells its routes when it is
// asked for them, and acknowledges all, but answers no QUERY unless it is told to.
type peer struct {
	t      testing.TB
	conn   rawsock.IPConn
	index  int
	addr   netip.Addr
	router netip.Addr
	routes []packet.Route
	key    *packet.Key // of what the peer sends; nil for none
	done   chan struct{}

	mu      sync.Mutex // guards the following
	seq     uint32
	queue   []*packet.Message // reliable ones, of which the first was sent
	init    uint32            // number of the router's INIT
	heard   []*packet.Message
	answers bool // QUERYs: it has no way to anywhere
}

// helloEvery is how often a peer sends Hellos; it asks to be kept for peerHold seconds.
const (
	helloEvery = time.Second
	peerHold   = 15
)

// newPeer has a node play a neighbour of a router, on a device with an address.
func newPeer(t testing.TB, n *harness.Node, device, addr, router string, key *packet.Key, routes ...packet.Route) *peer {
	t.Helper()
	p := &peer{t: t, addr: netip.MustParseAddr(addr), router: netip.MustParseAddr(router), key: key, routes: routes, done: make(chan struct{})}
	l, err := n.Netlink().LinkByName(device)
	if err != nil {
		t.Fatal(err)
	}
	p.index = l.Attrs().Index
	err = n.Do(func() (err error) {
		p.conn, err = rawsock.Kernel{}.ListenIP(rawsock.IPConfig{Protocol: packet.Protocol, TTL: 2, TOS: 0xc0})
		return err
	})
	if err == nil {
		err = p.conn.Join(packet.GroupIPv4, p.index)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go p.read()
	go p.greet(ctx)
	t.Cleanup(func() { cancel(); p.conn.Close(); <-p.done })
	return p
}

// network is a route to a prefix with a delay in tens of microseconds, by a link of
// 1 Gbit/s.
func network(prefix string, delay uint32) packet.Route {
	return packet.Route{Type: packet.TypeIPv4Internal, Destinations: []netip.Prefix{netip.MustParsePrefix(prefix)},
		Classic: metric.Classic{Delay: delay * 256, Bandwidth: 2560, MTU: 1500, Reliability: 255, Load: 1}}
}

// greet sends Hellos.
func (p *peer) greet(ctx context.Context) {
	ticker := time.NewTicker(helloEvery)
	defer ticker.Stop()
	for {
		p.send(packet.GroupIPv4, &packet.Message{Opcode: packet.Hello, Software: &packet.Software{OSMajor: 15, OSMinor: 2, TLVMajor: 1, TLVMinor: 2},
			Parameters: &packet.Parameters{Weights: metric.DefaultWeights, HoldTime: peerHold}})
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			p.first()
		}
	}
}

// read takes in what the router sends.
func (p *peer) read() {
	defer close(p.done)
	buf := make([]byte, packet.MaxPacketSize)
	for {
		n, m, err := p.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if msg, err := packet.Parse(buf[:n]); err == nil && m.Src.Addr() == p.router {
			p.take(msg)
		}
	}
}

// take acknowledges a message, and answers an Update that asks for the table.
func (p *peer) take(m *packet.Message) {
	p.mu.Lock()
	p.heard = append(p.heard, m)
	answers, again := p.answers, m.Sequence == p.init
	acked := len(p.queue) > 0 && m.Ack == p.queue[0].Sequence
	if acked {
		p.queue = p.queue[1:]
	}
	p.mu.Unlock()
	if acked {
		p.first()
	}
	switch {
	case m.Sequence == 0:
		return
	case m.Opcode == packet.Update && m.Flags&packet.FlagInit != 0 && !again:
		p.mu.Lock()
		p.init, p.queue = m.Sequence, nil
		p.mu.Unlock()
		p.reliably(&packet.Message{Opcode: packet.Update, Flags: packet.FlagInit, Ack: m.Sequence})
		p.reliably(&packet.Message{Opcode: packet.Update, Flags: packet.FlagEndOfTable, Routes: p.routes})
	default:
		p.send(p.router, &packet.Message{Opcode: packet.Hello, Ack: m.Sequence})
	}
	if m.Opcode == packet.Query && answers {
		reply := &packet.Message{Opcode: packet.Reply}
		for _, r := range m.Routes {
			for _, d := range r.Destinations {
				reply.Routes = append(reply.Routes, unreachable(d.String()))
			}
		}
		p.reliably(reply)
	}
}

// reliably sends a message with the next sequence number to the router, when those
// before it are acknowledged, and again every second until it is.
func (p *peer) reliably(m *packet.Message) {
	p.mu.Lock()
	p.seq++
	m.Sequence = p.seq
	p.queue = append(p.queue, m)
	alone := len(p.queue) == 1
	p.mu.Unlock()
	if alone {
		p.first()
	}
}

// first sends the first message that is not acknowledged, if there is one.
func (p *peer) first() {
	p.mu.Lock()
	var m *packet.Message
	if len(p.queue) > 0 {
		m = p.queue[0]
	}
	p.mu.Unlock()
	if m != nil {
		p.send(p.router, m)
	}
}

// send sends a message.
func (p *peer) send(to netip.Addr, m *packet.Message) {
	out := *m.Clone()
	out.AS = 100
	b, err := out.Append(nil, p.key, p.addr)
	if err != nil {
		p.t.Errorf("peer: %v", err)
		return
	}
	p.raw(to, b)
}

// raw sends octets.
func (p *peer) raw(to netip.Addr, b []byte) {
	err := p.conn.WriteTo(b, rawsock.Meta{Src: netip.AddrPortFrom(p.addr, 0), Dst: netip.AddrPortFrom(to, 0), Index: p.index})
	if err != nil && !rawsock.Retryable(err) {
		select {
		case <-p.done: // the socket is closed
		default:
			p.t.Logf("peer: %v", err)
		}
	}
}

// has tells whether the router has sent a message that matches.
func (p *peer) has(match func(*packet.Message) bool) bool { return p.count(match) > 0 }

func (p *peer) count(match func(*packet.Message) bool) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.heard {
		if match(m) {
			n++
		}
	}
	return n
}

// asksFor matches messages of a type about a prefix.
func asksFor(o packet.Opcode, prefix string) func(*packet.Message) bool {
	want := netip.MustParsePrefix(prefix)
	return func(m *packet.Message) bool {
		for _, r := range m.Routes {
			for _, d := range r.Destinations {
				if m.Opcode == o && d == want {
					return true
				}
			}
		}
		return false
	}
}

// forget forgets what was heard.
func (p *peer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = nil
}

// sequence is the number of the last reliable packet.
func (p *peer) sequence() uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seq
}

// last is the highest number of a reliable packet of the router.
func (p *peer) last() (seq uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.heard {
		seq = max(seq, m.Sequence)
	}
	return seq
}

// answer has the peer answer QUERYs from now on.
func (p *peer) answer() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = true
}

// settled tells whether the router has acknowledged all.
func (p *peer) settled() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) > 0 {
		return fmt.Errorf("%d packets of %v are not acknowledged", len(p.queue), p.addr)
	}
	return nil
}
