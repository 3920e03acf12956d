package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// Of the load.
const (
	window      = 24 // IKE SAs under negotiation at once
	resendAfter = time.Second
	maxResent   = 8
	loadLimit   = 2 * time.Minute
)

// generator plays all initiators from one socket, each with an address of its own.
type generator struct {
	conn rawsock.IPConn
	next uint32 // address of the next peer, in 10.0.0.0/8

	mu      sync.Mutex // guards the following
	peers   map[packet.SPI]*peer
	todo    int
	make    func() *peer
	done    []*peer
	failure error
	ended   chan struct{} // closed once nothing is left to do
}

// newGenerator opens the socket in a node.
func newGenerator(t harness.TB, n *harness.Node) *generator {
	g := &generator{next: 1, peers: map[packet.SPI]*peer{}}
	err := n.Do(func() (err error) {
		g.conn, err = rawsock.Kernel{}.ListenIP(rawsock.IPConfig{Port: packet.Port, TTL: 64, ReceiveBuffer: 4 << 20})
		return err
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { g.conn.Close() })
	go g.receive()
	return g
}

// address returns an address for one more peer.
func (g *generator) address() netip.AddrPort {
	g.next++
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(g.next >> 16), byte(g.next >> 8), byte(g.next)}), packet.Port)
}

// run makes IKE SAs with a group, so many, and so many at once, and returns their peers.
func (g *generator) run(group packet.Group, sas, atOnce int) ([]*peer, error) {
	x, err := suite.Start(group, random{})
	if err != nil {
		return nil, err
	}
	remote := netip.AddrPortFrom(netip.MustParseAddr(there), packet.Port)
	g.mu.Lock()
	g.peers, g.done, g.failure, g.todo, g.ended = map[packet.SPI]*peer{}, nil, nil, sas, make(chan struct{})
	g.make = func() *peer { return newPeer(g.address(), remote, group, x) }
	for range min(atOnce, sas) {
		g.begin()
	}
	ended := g.ended
	g.mu.Unlock()
	limit := time.After(loadLimit)
	for {
		select {
		case <-ended:
			g.mu.Lock()
			defer g.mu.Unlock()
			return g.done, g.failure
		case <-limit:
			g.mu.Lock()
			defer g.mu.Unlock()
			return g.done, fmt.Errorf("%d of %d IKE SAs within %v", len(g.done), sas, loadLimit)
		case <-time.After(resendAfter / 10):
			g.resend()
		}
	}
}

// random is a source of keys that protect nothing.
type random struct{}

func (random) Read(b []byte) (int, error) { return copy(b, noise(len(b))), nil }

// begin begins one more IKE SA. g.mu is held.
func (g *generator) begin() {
	if g.todo == 0 {
		return
	}
	g.todo--
	p := g.make()
	g.peers[p.nonces.SPIi] = p
	p.began = time.Now()
	b, err := p.request()
	if err != nil {
		g.fail(err)
		return
	}
	g.send(p, b)
}

// send sends a request. g.mu is held.
func (g *generator) send(p *peer, b []byte) {
	p.last, p.sent = b, time.Now()
	if err := g.conn.WriteTo(b, rawsock.Meta{Src: netip.AddrPortFrom(p.local.Addr(), 0), Dst: p.remote}); err != nil && !errors.Is(err, rawsock.ErrBusy) {
		g.fail(err)
	}
}

// fail notes an error and ends the run. g.mu is held.
func (g *generator) fail(err error) {
	if g.failure == nil && g.ended != nil {
		g.failure, g.todo = err, 0
		clear(g.peers)
		close(g.ended)
		g.ended = nil
	}
}

// resend repeats what is not answered.
func (g *generator) resend() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.peers { // unordered: each by itself
		if time.Since(p.sent) < resendAfter {
			continue
		}
		if p.resent++; p.resent > maxResent {
			g.fail(fmt.Errorf("%v got no answer", p.local))
			return
		}
		g.send(p, p.last)
	}
}

// receive takes in answers until the socket is closed.
func (g *generator) receive() {
	b := make([]byte, packet.MaxMessageSize)
	for {
		n, _, err := g.conn.ReadFrom(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			g.answer(append([]byte(nil), b[:n]...))
		}
	}
}

func (g *generator) answer(b []byte) {
	if len(b) < packet.HeaderLen {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.peers[spi(b)]
	if p == nil {
		return
	}
	next, done, err := p.take(b)
	switch {
	case err != nil:
		g.fail(err)
	case done:
		p.sent = time.Now()
		delete(g.peers, p.nonces.SPIi)
		p.init, p.last, p.keys, p.in, p.out = nil, nil, nil, nil, nil
		g.done = append(g.done, p)
		g.begin()
		if len(g.peers) == 0 && g.ended != nil {
			close(g.ended)
			g.ended = nil
		}
	case next != nil:
		g.send(p, next)
	}
}
