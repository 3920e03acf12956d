package eigrpd_test

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
)

// puppet is a machine on a wire that sends what a test wants. It acknowledges
// everything that it is sent.
type puppet struct {
	t    *testing.T
	addr netip.Addr
	conn rawsock.IPConn

	mu       sync.Mutex
	heard    map[netip.Addr]uint32 // last sequence number of each router
	sequence uint32
	deaf     bool
}

func newPuppet(t *testing.T, n *memnet.Net, w *memnet.Wire, addr string) *puppet {
	p := &puppet{t: t, addr: netip.MustParseAddr(addr), heard: map[netip.Addr]uint32{}}
	host := n.Host()
	host.Add(w, memnet.Spec{Index: 1, Name: "eth0", Addrs: []netip.Addr{p.addr}})
	var err error
	if p.conn, err = host.ListenIP(rawsock.IPConfig{Protocol: packet.Protocol}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.conn.Close() })
	go p.listen()
	return p
}

func (p *puppet) listen() {
	b := make([]byte, packet.MaxPacketSize)
	for {
		n, meta, err := p.conn.ReadFrom(b)
		if err != nil {
			return
		}
		m, err := packet.Parse(b[:n])
		if err != nil || m.Sequence == 0 {
			continue
		}
		p.mu.Lock()
		p.heard[meta.Src.Addr()] = m.Sequence
		deaf := p.deaf
		p.mu.Unlock()
		if deaf || m.Flags&packet.FlagInit != 0 { // its own INIT acknowledges an INIT
			continue
		}
		p.send(meta.Src.Addr(), &packet.Message{Opcode: packet.Hello, AS: 100, Ack: m.Sequence})
	}
}

// mute ends the acknowledgments.
func (p *puppet) mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = true
}

// send sends a message from the puppet's address.
func (p *puppet) send(to netip.Addr, m *packet.Message) { p.raw(p.addr, to, encoded(p.t, m)) }

func encoded(t *testing.T, m *packet.Message) []byte {
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Error(err)
	}
	return b
}

// raw sends anything from any address.
func (p *puppet) raw(from, to netip.Addr, b []byte) {
	p.t.Helper()
	if err := p.conn.WriteTo(b, rawsock.Meta{Src: netip.AddrPortFrom(from, 0), Dst: netip.AddrPortFrom(to, 0), Index: 1, TTL: 2}); err != nil {
		p.t.Error(err)
	}
}

// hello sends a Hello to all.
func (p *puppet) hello() { p.send(packet.GroupIPv4, helloMessage()) }

func helloMessage() *packet.Message {
	return &packet.Message{Opcode: packet.Hello, AS: 100, Parameters: &packet.Parameters{Weights: metric.DefaultWeights, HoldTime: 60}}
}

// update sends a reliable UPDATE to a router, which acknowledges what came from there.
func (p *puppet) update(to netip.Addr, flags packet.Flags, routes ...packet.Route) {
	p.mu.Lock()
	p.sequence++
	m := &packet.Message{Opcode: packet.Update, AS: 100, Flags: flags, Sequence: p.sequence, Ack: p.heard[to], Routes: routes}
	p.mu.Unlock()
	p.send(to, m)
}

// meet makes the puppet a neighbour of a router.
func (p *puppet) meet(router netip.Addr) {
	p.hello()
	settle()
	p.update(router, packet.FlagInit)
	settle()
	p.update(router, packet.FlagEndOfTable)
	settle()
}

// settle lets what is under way arrive.
func settle() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// route is a classic route of which a puppet tells.
func route(prefixes ...string) packet.Route {
	r := packet.Route{Type: packet.TypeIPv4Internal, Classic: metric.Wide{Delay: 10_000_000, Bandwidth: 1_000_000, MTU: 1500, Reliability: 255, Load: 1}.Classic()}
	for _, p := range prefixes {
		r.Destinations = append(r.Destinations, netip.MustParsePrefix(p))
	}
	return r
}

// has reports whether a line of an output has words, whatever the spaces are.
func has(out, words string) bool {
	for line := range strings.Lines(out) {
		if strings.Contains(strings.Join(strings.Fields(line), " "), words) {
			return true
		}
	}
	return false
}
