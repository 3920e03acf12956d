package vrfsock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

// Precedence is the type of service of routing protocols: precedence 6, internetwork
// control (RFC 791 section 3.1).
const Precedence = 0xc0

// reopenAfter is the pause after an error that is not about a device.
const reopenAfter = 10 * time.Second

// Config is what a protocol wants.
type Config struct {
	Network    rawsock.Network
	IPv4, IPv6 rawsock.IPConfig // of the sockets; the device is filled in
	MaxPacket  int              // octets; of a longer packet comes one octet more
	MaxWaiting int              // packets that may wait for room on an interface
	Protocol   string           // "EIGRP", for complaints
	Service    string           // "IP protocol 88"
	// AnyInterface gives the protocol also what comes by interfaces without a Listen, to
	// addresses of the router: it may be a remote neighbour's, or is counted.
	AnyInterface bool
	// Receive takes a packet, which becomes its own. It is called by a goroutine for each
	// socket.
	Receive func(ifname string, m rawsock.Meta, b []byte)
	// Complain tells the operator of an error ("NOSOCKET", "EIGRP cannot use …"), at most
	// once a minute of each.
	Complain func(mnemonic, text string)
	// Room is told when packets begin to wait on an interface (full), and when none
	// waits any more. It may be nil.
	Room func(ifname string, full bool)
}

// Listen asks for the packets of an interface, and to be in groups there. Without an
// Interface it only has the VRF's socket open.
type Listen struct {
	Interface string
	VRF       string
	Family    rib.Family
	Groups    []netip.Addr
}

// key names a Listen. A later one with the same key takes its place.
func (l Listen) key() listenKey {
	if l.Interface != "" {
		return listenKey{name: l.Interface, family: l.Family}
	}
	return listenKey{vrf: l.VRF, family: l.Family}
}

type listenKey struct {
	name   string
	vrf    string // where there is no name
	family rib.Family
}

// place is where a socket is.
type place struct {
	vrf    string
	family rib.Family
}

// member is a membership of a socket.
type member struct {
	name  string // of the interface
	group netip.Addr
}

// Sockets are the sockets of a protocol. Their methods may be called concurrently, but
// for Send and SendWithin.
type Sockets struct {
	cfg   Config
	life  context.Context
	limit *telemetry.Limiter // of complaints

	mu      sync.RWMutex // guards the following
	links   map[string]rib.Interface
	byIndex map[int]rib.Interface // the same, by kernel index
	wanted  map[listenKey]Listen
	open    map[place]*socket
	waiting map[line][]Packet // for room to be sent; absent where none waits
	wait    sync.WaitGroup
}

// socket is the socket of a place, or the attempts to open it. The mutex of Sockets
// guards what changes.
type socket struct {
	place  place
	device string // kernel name of the VRF; "" for the default one
	index  int    // of that device
	cancel context.CancelFunc

	conn   rawsock.IPConn // nil while there is none
	joined map[member]int // index of the interface on which conn is in the group
}

// New returns the sockets of a protocol, of which none is open yet. They end with life;
// then Close has to be called.
func New(life context.Context, cfg Config) *Sockets {
	return &Sockets{cfg: cfg, life: life, limit: telemetry.NewLimiter(1, time.Minute),
		links: map[string]rib.Interface{}, wanted: map[listenKey]Listen{}, open: map[place]*socket{}, waiting: map[line][]Packet{}}
}

// InterfaceChanged tells of the present state of an interface, new or changed.
func (s *Sockets) InterfaceChanged(i rib.Interface) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links[i.Name] = i
	s.reconcile()
}

// InterfaceGone says that an interface does not exist any more.
func (s *Sockets) InterfaceGone(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.links, name)
	s.reconcile()
}

// Listen begins to listen; what the protocol sends from then on is not lost for want of a
// socket. It takes the place of an earlier one for the same interface and family, or,
// without an interface, for the same VRF and family.
func (s *Sockets) Listen(l Listen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted[l.key()] = l
	s.reconcile()
}

// Unlisten takes a Listen back, for which interface and family are enough, or, without
// an interface, VRF and family.
func (s *Sockets) Unlisten(l Listen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.wanted, l.key())
	s.reconcile()
}

// Retry does again what failed. It is to be called now and then.
func (s *Sockets) Retry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reconcile()
}

// reconcile opens and closes sockets, joins and leaves groups. s.mu is held.
func (s *Sockets) reconcile() {
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
func (s *Sockets) device(vrf string) (i rib.Interface, ok bool) {
	if vrf == "" {
		return i, true
	}
	i = s.links[vrf]
	return i, i.Type == rib.TypeVRF && i.Index != 0
}

// join brings the memberships of a socket in line with what is wanted. s.mu is
// held.
func (s *Sockets) join(sock *socket) {
	if sock.conn == nil {
		return
	}
	for m, index := range sock.joined {
		l := s.wanted[listenKey{name: m.name, family: sock.place.family}]
		if l.VRF != sock.place.vrf || !slices.Contains(l.Groups, m.group) || s.links[m.name].Index != index {
			_ = sock.conn.Leave(m.group, index) // at worst it hears what the protocol drops
			delete(sock.joined, m)
		}
	}
	for _, l := range s.wanted {
		index := s.links[l.Interface].Index
		if index == 0 || sock.place != (place{l.VRF, l.Family}) {
			continue
		}
		for _, group := range l.Groups {
			s.joinGroup(sock, member{l.Interface, group}, index)
		}
	}
}

// joinGroup joins a group, unless the socket is in it. s.mu is held.
func (s *Sockets) joinGroup(sock *socket, m member, index int) {
	if _, in := sock.joined[m]; in {
		return
	}
	switch err := sock.conn.Join(m.group, index); {
	case err == nil:
		sock.joined[m] = index
	case !rawsock.Retryable(err) && !errors.Is(err, net.ErrClosed): // otherwise zebra will tell
		s.complain(fmt.Sprintf("join %s %v", m.name, m.group), "NOGROUP", "no multicasts for %v are received on %s: %v", m.group, m.name, err)
	}
}

// start opens the socket of a place, now or as soon as possible. s.mu is held.
func (s *Sockets) start(p place, device rib.Interface) {
	ctx, cancel := context.WithCancel(s.life)
	sock := &socket{place: p, device: device.KernelName, index: device.Index, cancel: cancel}
	s.open[p] = sock
	cfg := s.cfg.IPv4
	if p.family == rib.IPv6 {
		cfg = s.cfg.IPv6
		cfg.IPv6 = true
	}
	cfg.Device = sock.device
	// The first one is there when this returns: what the protocol sends as soon as it
	// listens is not lost.
	first, err := s.cfg.Network.ListenIP(cfg)
	if err == nil {
		sock.conn, sock.joined = first, map[member]int{}
	}
	s.wait.Go(func() {
		defer cancel()
		s.run(ctx, sock, func() (rawsock.IPConn, error) {
			if c, e := first, err; c != nil || e != nil {
				first, err = nil, nil
				return c, e
			}
			return s.cfg.Network.ListenIP(cfg)
		})
	})
}

// run keeps a socket open until ctx ends.
func (s *Sockets) run(ctx context.Context, sock *socket, open func() (rawsock.IPConn, error)) {
	for ctx.Err() == nil {
		if err := rawsock.Keep(ctx, open, func(c rawsock.IPConn) error { return s.serve(sock, c) }); err != nil {
			where := ""
			if sock.place.vrf != "" {
				where = " in VRF " + sock.place.vrf
			}
			s.complain(fmt.Sprint("socket ", sock.place), "NOSOCKET", "%s cannot use %s%s: %v", s.cfg.Protocol, s.cfg.Service, where, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(reopenAfter):
		}
	}
}

// serve reads packets until the socket fails.
func (s *Sockets) serve(sock *socket, c rawsock.IPConn) error {
	s.use(sock, c)
	defer s.use(sock, nil)
	buf := make([]byte, s.cfg.MaxPacket+1)
	for {
		n, m, err := c.ReadFrom(buf)
		if err != nil {
			return err
		}
		if ifname, ok := s.heard(sock, m.Index); ok {
			s.cfg.Receive(ifname, m, slices.Clone(buf[:n]))
		}
	}
}

// heard returns the interface with an index, if what a socket got from there is the
// protocol's.
func (s *Sockets) heard(sock *socket, index int) (ifname string, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	link, ok := s.byIndex[index]
	if !ok || link.VRF != sock.place.vrf || s.open[sock.place] != sock {
		return "", false
	}
	l, listens := s.wanted[listenKey{name: link.Name, family: sock.place.family}]
	return link.Name, s.cfg.AnyInterface || listens && l.VRF == link.VRF
}

// use makes c the connection of a socket.
func (s *Sockets) use(sock *socket, c rawsock.IPConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sock.conn == c {
		return
	}
	sock.conn, sock.joined = c, map[member]int{}
	s.join(sock)
}

// forget ends a socket. s.mu is held.
func (s *Sockets) forget(sock *socket) {
	sock.cancel()
	delete(s.open, sock.place)
}

// Unread returns how many packets for the sockets that are open the kernel dropped,
// since they were not read in time.
func (s *Sockets) Unread() (n uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, sock := range s.open {
		n += rawsock.Overrun(sock.conn)
	}
	return n
}

// complain tells of a trouble at most once a minute, and how often it was there.
func (s *Sockets) complain(about, mnemonic, format string, args ...any) {
	ok, more := s.limit.Allow(about)
	if !ok {
		return
	}
	text := fmt.Sprintf(format, args...)
	if more > 0 {
		text += fmt.Sprintf(" (and %d times before)", more)
	}
	s.cfg.Complain(mnemonic, text)
}

// Close ends all sockets and waits for their goroutines.
func (s *Sockets) Close() {
	s.mu.Lock()
	for _, sock := range s.open {
		s.forget(sock)
	}
	s.mu.Unlock()
	s.wait.Wait()
}
