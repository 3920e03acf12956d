package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

// Of the sockets.
const (
	// typeOfService is precedence 6, internetwork control (RFC 791 section 3.1).
	typeOfService = 0xc0
	// The TTL, and the hop limit, of packets: what Cisco's routers send.
	ttl, hopLimit = 2, 255
	// receiveBuffer has room for the acknowledgments of more than 3,000 spokes; see
	// rawsock.IPConfig for what the kernel grants.
	receiveBuffer = 4 << 20
	// reopenAfter is the pause after an error that is not about a device.
	reopenAfter = 10 * time.Second
)

// place is where a socket is: the core listens with one in each.
type place struct {
	vrf    string
	family rib.Family
}

// membership is an interface on which the core listens to a family.
type membership struct {
	name   string
	family rib.Family
}

// sockets holds a raw socket for each VRF and family that the core listens in.
type sockets struct {
	network rawsock.Network
	receive func(ifname string, m rawsock.Meta, b []byte)
	say     func(core.Log)
	life    context.Context
	limit   *telemetry.Limiter // of complaints

	mu      sync.RWMutex // guards the following
	links   map[string]rib.Interface
	byIndex map[int]rib.Interface // the same, by kernel index
	wanted  map[membership]core.Listen
	open    map[place]*socket
	wait    sync.WaitGroup
}

// socket is the socket of a place, or the attempts to open it. The mutex of sockets
// guards what changes.
type socket struct {
	place  place
	device string // kernel name of the VRF; "" for the default one
	index  int    // of that device
	cancel context.CancelFunc

	conn    rawsock.IPConn // nil while there is none
	joined  map[string]int // interface → index on which conn is in the group
	waiting []core.TxPacket
}

func newSockets(life context.Context, n rawsock.Network, receive func(string, rawsock.Meta, []byte), say func(core.Log)) *sockets {
	return &sockets{network: n, receive: receive, say: say, life: life, limit: telemetry.NewLimiter(1, time.Minute),
		links: map[string]rib.Interface{}, wanted: map[membership]core.Listen{}, open: map[place]*socket{}}
}

func (s *sockets) interfaceChanged(i rib.Interface) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links[i.Name] = i
	s.reconcile()
}

func (s *sockets) interfaceGone(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.links, name)
	s.reconcile()
}

func (s *sockets) listen(l core.Listen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted[membership{l.Interface, l.Family}] = l
	s.reconcile()
}

func (s *sockets) unlisten(u core.Unlisten) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.wanted, membership{u.Interface, u.Family})
	s.reconcile()
}

// retry does again what failed.
func (s *sockets) retry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reconcile()
}

// reconcile opens and closes sockets, joins and leaves groups. s.mu is held.
func (s *sockets) reconcile() {
	s.byIndex = make(map[int]rib.Interface, len(s.links))
	for _, l := range s.links {
		if l.Index != 0 {
			s.byIndex[l.Index] = l
		}
	}
	needed := map[place]bool{}
	for _, l := range s.wanted {
		needed[place{l.VRF, l.Family}] = true
	}
	for p, sock := range s.open {
		if device, ok := s.device(p.vrf); !ok || !needed[p] || device.Index != sock.index || device.KernelName != sock.device {
			s.forget(sock)
		}
	}
	for p := range needed {
		if device, ok := s.device(p.vrf); ok && s.open[p] == nil && s.life.Err() == nil {
			s.start(p, device)
		}
	}
	for _, sock := range s.open {
		s.join(sock)
	}
}

// device returns the device of a VRF, if the kernel has it; that of the default
// VRF has no name.
func (s *sockets) device(vrf string) (i rib.Interface, ok bool) {
	if vrf == "" {
		return i, true
	}
	i = s.links[vrf]
	return i, i.Type == rib.TypeVRF && i.Index != 0
}

// join brings the memberships of a socket in line with what is wanted. s.mu is
// held.
func (s *sockets) join(sock *socket) {
	if sock.conn == nil {
		return
	}
	group := packet.GroupIPv4
	if sock.place.family == rib.IPv6 {
		group = packet.GroupIPv6
	}
	for name, index := range sock.joined {
		l := s.wanted[membership{name, sock.place.family}]
		if !l.Group || l.VRF != sock.place.vrf || s.links[name].Index != index {
			_ = sock.conn.Leave(group, index) // at worst it hears what the core drops
			delete(sock.joined, name)
		}
	}
	for m, l := range s.wanted {
		index := s.links[m.name].Index
		_, in := sock.joined[m.name]
		if in || !l.Group || index == 0 || sock.place != (place{l.VRF, l.Family}) {
			continue
		}
		switch err := sock.conn.Join(group, index); {
		case err == nil:
			sock.joined[m.name] = index
		case !rawsock.Retryable(err) && !errors.Is(err, net.ErrClosed): // otherwise zebra will tell
			s.complain(fmt.Sprintf("join %s %d", m.name, m.family), "NOGROUP", "no multicasts are received on %s: %v", m.name, err)
		}
	}
}

// start opens the socket of a place, now or as soon as possible. s.mu is held.
func (s *sockets) start(p place, device rib.Interface) {
	ctx, cancel := context.WithCancel(s.life)
	sock := &socket{place: p, device: device.KernelName, index: device.Index, cancel: cancel}
	s.open[p] = sock
	cfg := rawsock.IPConfig{IPv6: p.family == rib.IPv6, Protocol: packet.Protocol, Device: sock.device,
		TTL: ttl, TOS: typeOfService, ReceiveBuffer: receiveBuffer}
	if cfg.IPv6 {
		cfg.TTL = hopLimit
	}
	// The first one is there when this returns: what the core sends as soon as it
	// listens is not lost.
	first, err := s.network.ListenIP(cfg)
	if err == nil {
		sock.conn, sock.joined = first, map[string]int{}
	}
	s.wait.Go(func() {
		defer cancel()
		s.run(ctx, sock, func() (rawsock.IPConn, error) {
			if c, e := first, err; c != nil || e != nil {
				first, err = nil, nil
				return c, e
			}
			return s.network.ListenIP(cfg)
		})
	})
}

// run keeps a socket open until ctx ends.
func (s *sockets) run(ctx context.Context, sock *socket, open func() (rawsock.IPConn, error)) {
	for ctx.Err() == nil {
		if err := rawsock.Keep(ctx, open, func(c rawsock.IPConn) error { return s.serve(sock, c) }); err != nil {
			s.complain(fmt.Sprint("socket ", sock.place), "NOSOCKET", "EIGRP cannot use IP protocol %d%s: %v",
				packet.Protocol, inVRF(sock.place.vrf), err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(reopenAfter):
		}
	}
}

func inVRF(name string) string {
	if name == "" {
		return ""
	}
	return " in VRF " + name
}

// serve reads packets until the socket fails.
func (s *sockets) serve(sock *socket, c rawsock.IPConn) error {
	s.use(sock, c)
	defer s.use(sock, nil)
	buf := make([]byte, packet.MaxPacketSize+1) // one octet more than fits tells what is too long
	for {
		n, m, err := c.ReadFrom(buf)
		if err != nil {
			return err
		}
		s.mu.RLock()
		link, ok := s.byIndex[m.Index]
		ok = ok && link.VRF == sock.place.vrf && s.open[sock.place] == sock
		s.mu.RUnlock()
		if ok {
			s.receive(link.Name, m, slices.Clone(buf[:n]))
		}
	}
}

// use makes c the connection of a socket.
func (s *sockets) use(sock *socket, c rawsock.IPConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sock.conn == c {
		return
	}
	sock.conn, sock.joined = c, map[string]int{}
	s.join(sock)
}

// forget ends a socket. s.mu is held.
func (s *sockets) forget(sock *socket) {
	sock.cancel()
	delete(s.open, sock.place)
}

// unread returns how many packets for the sockets that are open the kernel dropped,
// since they were not read in time.
func (s *sockets) unread() (n uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, sock := range s.open {
		n += rawsock.Overrun(sock.conn)
	}
	return n
}

// complain logs a trouble at most once a minute, and how often it was there.
func (s *sockets) complain(about, mnemonic, format string, args ...any) {
	ok, more := s.limit.Allow(about)
	if !ok {
		return
	}
	text := fmt.Sprintf(format, args...)
	if more > 0 {
		text += fmt.Sprintf(" (and %d times before)", more)
	}
	s.say(core.Log{Facility: "EIGRP", Severity: core.SeverityError, Mnemonic: mnemonic, Text: text})
}

// close ends all sockets and waits for their goroutines.
func (s *sockets) close() {
	s.mu.Lock()
	for _, sock := range s.open {
		s.forget(sock)
	}
	s.mu.Unlock()
	s.wait.Wait()
}
