package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

// Of the sockets.
const (
	// typeOfService is precedence 6, internetwork control (RFC 791 section 3.1).
	typeOfService = 0xc0
	// hops is the TTL of packets: peers are anywhere.
	hops = 64
	// receiveBuffer has room for what some thousand peers send at once; see
	// rawsock.IPConfig for what the kernel grants.
	receiveBuffer = 4 << 20
	// reopenAfter is the pause after an error that is not about a device.
	reopenAfter = 10 * time.Second
)

// ports are those of IKE (RFC 7296 section 2.23).
var ports = []uint16{packet.Port, packet.PortNAT}

// place is where a socket is: at an address, so that it goes before the socket that zebra
// has for all addresses.
type place struct {
	vrf   string
	local netip.Addr
	port  uint16
}

// sockets holds the sockets of each address at which the core listens.
type sockets struct {
	network rawsock.Network
	receive func(core.RxPacket)
	say     func(core.Log)
	life    context.Context
	limit   *telemetry.Limiter // of complaints

	mu     sync.RWMutex             // guards the following
	vrfs   map[string]rib.Interface // devices of VRFs by name
	wanted map[core.Listen]bool
	open   map[place]*socket
	wait   sync.WaitGroup
}

// socket is the socket of a place, or the attempts to open it. The mutex of sockets
// guards conn.
type socket struct {
	place  place
	device string // kernel name of the VRF; "" for the default one
	index  int    // of that device
	cancel context.CancelFunc
	conn   rawsock.IPConn // nil while there is none
}

func newSockets(life context.Context, n rawsock.Network, receive func(core.RxPacket), say func(core.Log)) *sockets {
	return &sockets{network: n, receive: receive, say: say, life: life, limit: telemetry.NewLimiter(1, time.Minute),
		vrfs: map[string]rib.Interface{}, wanted: map[core.Listen]bool{}, open: map[place]*socket{}}
}

func (s *sockets) interfaceChanged(i rib.Interface) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i.Type != rib.TypeVRF {
		return
	}
	s.vrfs[i.Name] = i
	s.reconcile()
}

func (s *sockets) interfaceGone(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.vrfs, name)
	s.reconcile()
}

func (s *sockets) listen(l core.Listen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted[l] = true
	s.reconcile()
}

func (s *sockets) unlisten(u core.Unlisten) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.wanted, core.Listen(u))
	s.reconcile()
}

// reconcile opens and closes sockets. s.mu is held.
func (s *sockets) reconcile() {
	needed := map[place]bool{}
	for l := range s.wanted {
		for _, port := range ports {
			needed[place{l.VRF, l.Local, port}] = true
		}
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
}

// device returns the device of a VRF, if the kernel has it; that of the default VRF has
// no name.
func (s *sockets) device(vrf string) (i rib.Interface, ok bool) {
	if vrf == "" {
		return i, true
	}
	i = s.vrfs[vrf]
	return i, i.Index != 0
}

// start opens the socket of a place, now or as soon as possible. s.mu is held.
func (s *sockets) start(p place, device rib.Interface) {
	ctx, cancel := context.WithCancel(s.life)
	sock := &socket{place: p, device: device.KernelName, index: device.Index, cancel: cancel}
	s.open[p] = sock
	cfg := rawsock.IPConfig{IPv6: p.local.Is6(), Port: p.port, Local: p.local, Device: sock.device, TTL: hops, TOS: typeOfService,
		ReceiveBuffer: receiveBuffer, ESPinUDP: p.port == packet.PortNAT, Fragment: true}
	// The first one is there when this returns: what the core sends as soon as it
	// listens is not lost.
	first, err := s.network.ListenIP(cfg)
	if err == nil {
		sock.conn = first
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
			s.complain(fmt.Sprint("socket ", sock.place), "NOSOCKET", "cannot use UDP port %d of %v%s: %v", sock.place.port, sock.place.local, inVRF(sock.place.vrf), err)
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

// serve reads datagrams until the socket fails.
func (s *sockets) serve(sock *socket, c rawsock.IPConn) error {
	s.use(sock, c)
	defer s.use(sock, nil)
	buf := make([]byte, packet.MaxMessageSize)
	for {
		n, m, err := c.ReadFrom(buf)
		if err != nil {
			return err
		}
		s.receive(core.RxPacket{VRF: sock.place.vrf, Local: netip.AddrPortFrom(m.Dst.Addr(), sock.place.port), Remote: m.Src, Packet: slices.Clone(buf[:n])})
	}
}

// use makes c the connection of a socket.
func (s *sockets) use(sock *socket, c rawsock.IPConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sock.conn = c
}

// forget ends a socket. s.mu is held.
func (s *sockets) forget(sock *socket) {
	sock.cancel()
	delete(s.open, sock.place)
}

// send sends a datagram. What cannot be sent is lost, as on any link: IKE says again what
// was not answered.
func (s *sockets) send(p core.TxPacket) {
	s.mu.RLock()
	var c rawsock.IPConn
	if sock := s.open[place{p.VRF, p.Local.Addr(), p.Local.Port()}]; sock != nil {
		c = sock.conn
	}
	s.mu.RUnlock()
	if c == nil {
		return
	}
	err := c.WriteTo(p.Packet, rawsock.Meta{Src: netip.AddrPortFrom(p.Local.Addr(), 0), Dst: p.Remote})
	if err != nil && !rawsock.Retryable(err) && !errors.Is(err, net.ErrClosed) {
		s.complain("send "+err.Error(), "NOTSENT", "a datagram for %v was not sent from %v%s: %v", p.Remote, p.Local, inVRF(p.VRF), err)
	}
}

// unread returns how many datagrams for the sockets that are open the kernel dropped,
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
	s.say(core.Log{Facility: "IKEV2", Severity: core.SeverityError, Mnemonic: mnemonic, Text: text})
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
