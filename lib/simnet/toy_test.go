package simnet_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/simnet"
	"github.com/godmvpn/godmvpn/lib/sm"
)

// The toy protocol: a client registers with a server at birth and every
// interval; a registration carries a number and is repeated every second until
// the server echoes that number.

type toyIn struct {
	from   netip.AddrPort
	number uint32
	rx     bool
}

type toyOut struct {
	to     netip.AddrPort
	number uint32
}

type client struct {
	server   netip.AddrPort
	interval time.Duration
	next     clock.Instant
	number   uint32
	acked    uint32
	resent   int
	first    clock.Instant // first acknowledgement
	out      []toyOut
}

func (c *client) Step(now clock.Instant, in toyIn) {
	if in.rx {
		if in.number == c.number && c.acked != c.number {
			if c.acked = c.number; c.number == 1 {
				c.first = now
			}
			c.next = now.Add(c.interval)
		}
		return
	}
	if now.Before(c.next) {
		return
	}
	if c.acked == c.number {
		c.number++
	} else {
		c.resent++
	}
	c.out = append(c.out, toyOut{c.server, c.number})
	c.next = now.Add(time.Second)
}

func (c *client) Wake() (clock.Instant, bool) { return c.next, true }
func (c *client) Drain(dst []toyOut) []toyOut {
	dst = append(dst, c.out...)
	c.out = c.out[:0]
	return dst
}

// server echoes, and remembers who it saw.
type server struct {
	seen map[netip.AddrPort]uint32
	out  []toyOut
}

func (s *server) Step(_ clock.Instant, in toyIn) {
	if in.rx {
		s.seen[in.from] = in.number
		s.out = append(s.out, toyOut{in.from, in.number})
	}
}
func (s *server) Wake() (clock.Instant, bool) { return 0, false }
func (s *server) Drain(dst []toyOut) []toyOut {
	dst = append(dst, s.out...)
	s.out = s.out[:0]
	return dst
}

type toyNode = *simnet.Node[toyIn, toyOut]

func behavior(newMachine func(seed uint64) sm.Machine[toyIn, toyOut]) simnet.Behavior[toyIn, toyOut] {
	return simnet.Behavior[toyIn, toyOut]{
		New: newMachine,
		Receive: func(_ *simnet.Port, p simnet.Packet) (toyIn, bool) {
			if len(p.Payload) != 4 {
				return toyIn{}, false
			}
			return toyIn{from: p.Src, number: binary.BigEndian.Uint32(p.Payload), rx: true}, true
		},
		Effect: func(e *simnet.Env[toyIn, toyOut], o toyOut) {
			e.Send(0, simnet.Packet{Dst: o.to, Protocol: 47, Payload: binary.BigEndian.AppendUint32(nil, o.number)})
		},
	}
}

func addServer(n *simnet.Network) toyNode {
	return simnet.Add(n, "hub", behavior(func(uint64) sm.Machine[toyIn, toyOut] {
		return &server{seen: map[netip.AddrPort]uint32{}}
	}))
}

func addClient(n *simnet.Network, name string, to netip.AddrPort, interval time.Duration) toyNode {
	return simnet.Add(n, name, behavior(func(seed uint64) sm.Machine[toyIn, toyOut] {
		start := rand.New(rand.NewPCG(seed, 0)).Int64N(int64(time.Second))
		return &client{server: to, interval: interval, next: n.Now().Add(time.Duration(start))}
	}))
}

var hubAddr = netip.MustParseAddr("203.0.113.1")

// spokeAddr returns the address of spoke i.
func spokeAddr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// cloud is a hub and spokes on one link.
type cloud struct {
	*simnet.Network
	link   *simnet.Link
	hub    toyNode
	spokes []toyNode
}

func newCloud(seed uint64, spokes int, q simnet.Quality, interval time.Duration) *cloud {
	c := &cloud{Network: simnet.New(seed)}
	c.link = c.Link(q)
	c.hub = addServer(c.Network)
	c.link.Attach(c.hub, hubAddr)
	for i := range spokes {
		v := addClient(c.Network, "spoke", simnet.Addr(hubAddr), interval)
		c.link.Attach(v, spokeAddr(i))
		c.spokes = append(c.spokes, v)
	}
	return c
}

func (c *cloud) registered() bool {
	return len(c.hub.Machine().(*server).seen) == len(c.spokes)
}

func clientOf(v toyNode) *client { return v.Machine().(*client) }
