package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/telemetry"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// Of the sockets.
const (
	// typeOfService is precedence 6, internetwork control (RFC 791 section 3.1).
	typeOfService = 0xc0
	// receiveBuffer has room for more than 400 packets, the table of a neighbour
	// with 10,000 routes; see rawsock.IPConfig for what the kernel grants.
	receiveBuffer = 1 << 20
	// reopenAfter is the pause after an error that is not about a device.
	reopenAfter = 10 * time.Second
)

// sockets holds one UDP socket for each VRF that the core listens in.
type sockets struct {
	network rawsock.Network
	receive func(ifname string, m rawsock.Meta, b []byte)
	say     func(core.Log)
	room    func(core.SendRoom)
	life    context.Context
	limit   *telemetry.Limiter // of complaints

	mu      sync.RWMutex // guards the following
	links   map[string]rib.Interface
	wanted  map[string]core.Listen     // by interface
	byIndex map[int]core.Listen        // the same, by kernel index
	open    map[string]*socket         // by VRF
	waiting map[string][]core.TxPacket // by interface, for room to be sent; absent where none waits
	patient time.Time                  // until then send paces, and waits for room
	wait    sync.WaitGroup

	farewell int // packets of the farewell that were sent; the core's goroutine only
}

// socket is the socket of a VRF, or the attempts to open it. The mutex of sockets
// guards what changes.
type socket struct {
	vrf    string
	device string // kernel name of the VRF; "" for the default one
	index  int    // of that device
	cancel context.CancelFunc

	conn   rawsock.IPConn // nil while there is none
	joined map[string]int // interface → index on which conn is in the group
}

func newSockets(life context.Context, n rawsock.Network, receive func(string, rawsock.Meta, []byte), say func(core.Log), room func(core.SendRoom)) *sockets {
	return &sockets{network: n, receive: receive, say: say, room: room, life: life, limit: telemetry.NewLimiter(1, time.Minute),
		links: map[string]rib.Interface{}, wanted: map[string]core.Listen{}, open: map[string]*socket{},
		waiting: map[string][]core.TxPacket{}}
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
	s.wanted[l.Interface] = l
	s.reconcile()
}

func (s *sockets) unlisten(ifname string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.wanted, ifname)
	s.reconcile()
}

// retry does again what failed.
func (s *sockets) retry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reconcile()
}

// reconcile opens and closes sockets, joins and leaves the group. s.mu is held.
func (s *sockets) reconcile() {
	s.byIndex = make(map[int]core.Listen, len(s.wanted))
	needed := map[string]bool{}
	for name, l := range s.wanted {
		if i := s.links[name].Index; i != 0 {
			s.byIndex[i] = l
		}
		needed[l.VRF] = true
	}
	for vrf, sock := range s.open {
		if device, ok := s.device(vrf); !ok || !needed[vrf] || device.Index != sock.index || device.KernelName != sock.device {
			sock.cancel()
			delete(s.open, vrf)
		}
	}
	for vrf := range needed {
		if device, ok := s.device(vrf); ok && s.open[vrf] == nil && s.life.Err() == nil {
			s.start(vrf, device)
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
	for name, index := range sock.joined {
		if l := s.wanted[name]; !l.Group || l.VRF != sock.vrf || s.links[name].Index != index {
			_ = sock.conn.Leave(packet.Group, index) // at worst it hears what the core drops
			delete(sock.joined, name)
		}
	}
	for name, l := range s.wanted {
		index := s.links[name].Index
		if _, in := sock.joined[name]; in || !l.Group || l.VRF != sock.vrf || index == 0 {
			continue
		}
		switch err := sock.conn.Join(packet.Group, index); {
		case err == nil:
			sock.joined[name] = index
		case !rawsock.Retryable(err) && !errors.Is(err, net.ErrClosed): // otherwise zebra will tell
			s.complain("join "+name, "NOGROUP", "no multicasts are received on %s: %v", name, err)
		}
	}
}

// start opens the socket of a VRF, now or as soon as possible. s.mu is held.
func (s *sockets) start(vrf string, device rib.Interface) {
	ctx, cancel := context.WithCancel(s.life)
	sock := &socket{vrf: vrf, device: device.KernelName, index: device.Index, cancel: cancel}
	s.open[vrf] = sock
	listen := func() (rawsock.IPConn, error) {
		return s.network.ListenIP(rawsock.IPConfig{Port: packet.Port, Device: sock.device, TTL: 1, TOS: typeOfService, ReceiveBuffer: receiveBuffer})
	}
	// The first one is there when this returns: what the core sends as soon as it
	// listens is not lost.
	first, err := listen()
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
			return listen()
		})
	})
}

// run keeps a socket open until ctx ends.
func (s *sockets) run(ctx context.Context, sock *socket, open func() (rawsock.IPConn, error)) {
	for ctx.Err() == nil {
		if err := rawsock.Keep(ctx, open, func(c rawsock.IPConn) error { return s.serve(sock, c) }); err != nil {
			s.complain("vrf "+sock.vrf, "NOSOCKET", "RIP cannot use UDP port %d%s: %v", packet.Port, inVRF(sock.vrf), err)
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
	buf := make([]byte, packet.MaxDatagram+1) // one octet more than fits tells what is too long
	for {
		n, m, err := c.ReadFrom(buf)
		if err != nil {
			return err
		}
		s.mu.RLock()
		l, ok := s.byIndex[m.Index]
		ok = ok && s.open[l.VRF] == sock
		s.mu.RUnlock()
		if ok {
			s.receive(l.Interface, m, slices.Clone(buf[:n]))
		}
	}
}

// use makes c the connection of a socket.
func (s *sockets) use(sock *socket, c rawsock.IPConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sock.conn != c {
		sock.conn, sock.joined = c, map[string]int{}
		s.join(sock)
	}
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
	s.say(core.Log{Severity: core.SeverityError, Mnemonic: mnemonic, Text: text})
}

// close ends all sockets and waits for their goroutines.
func (s *sockets) close() {
	s.mu.Lock()
	for vrf, sock := range s.open {
		sock.cancel()
		delete(s.open, vrf)
	}
	s.mu.Unlock()
	s.wait.Wait()
}
