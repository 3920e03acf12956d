package edge

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// sockets holds one packet socket for each tunnel that the configuration names
// and the kernel has.
type sockets struct {
	log     *slog.Logger
	network rawsock.Network
	receive func(ifname string, nbma netip.Addr, b []byte)
	life    context.Context

	mu     sync.Mutex // guards the following
	wanted map[string]bool
	links  map[string]rib.Interface
	open   map[string]*socket
	wait   sync.WaitGroup
}

// socket is the socket of a tunnel, or the attempts to open it.
type socket struct {
	config rawsock.PacketConfig
	peer   netip.Addr // of a point-to-point tunnel
	cancel context.CancelFunc

	mu   sync.Mutex
	conn rawsock.PacketConn // nil while there is none
}

func (s *sockets) configure(cfg core.Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = map[string]bool{}
	for _, i := range cfg.Interfaces {
		s.wanted[i.Name] = s.wanted[i.Name] || i.NetworkID != 0
	}
	s.reconcile()
}

func (s *sockets) interfaceChanged(i rib.Interface) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.links == nil {
		s.links = map[string]rib.Interface{}
	}
	s.links[i.Name] = i
	s.reconcile()
}

func (s *sockets) interfaceGone(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.links, name)
	s.reconcile()
}

// reconcile opens and closes sockets. A tunnel on which NHRP is not enabled has
// a socket as well if its interface is configured for NHRP at all, so that the
// core can report what arrives there.
func (s *sockets) reconcile() {
	for name, sock := range s.open {
		link := s.links[name]
		if _, ok := s.wanted[name]; !ok || configOf(link) != sock.config || peerOf(link) != sock.peer {
			sock.cancel()
			delete(s.open, name)
		}
	}
	for name := range s.wanted {
		link, ok := s.links[name]
		if ok && link.Index != 0 && reachable(link) && s.open[name] == nil && s.life.Err() == nil {
			s.start(link)
		}
	}
}

func peerOf(i rib.Interface) netip.Addr {
	if i.Tunnel == nil || i.Tunnel.Mode != rib.TunnelGRE {
		return netip.Addr{}
	}
	return i.Tunnel.Destination
}

// reachable reports whether there can be a socket: over IPv6 it needs the source.
func reachable(i rib.Interface) bool {
	return i.Tunnel != nil && (!i.Tunnel.IPv6Transport || i.Tunnel.Source.IsValid())
}

// configOf is what a tunnel's socket is opened with.
func configOf(i rib.Interface) rawsock.PacketConfig {
	cfg := rawsock.PacketConfig{Index: i.Index, Protocol: rawsock.EtherTypeNHRP}
	if t := i.Tunnel; t != nil && t.IPv6Transport {
		cfg.GRE6 = rawsock.GRE6{Local: t.Source, Remote: peerOf(i), HasKey: t.HasKey, Key: t.Key, Device: t.VRF}
	}
	return cfg
}

func (s *sockets) start(link rib.Interface) {
	ctx, cancel := context.WithCancel(s.life)
	sock := &socket{config: configOf(link), peer: peerOf(link), cancel: cancel}
	s.open[link.Name] = sock
	listen := func() (rawsock.PacketConn, error) {
		return s.network.ListenPacket(sock.config)
	}
	// The first one is there when this returns: what the core sends as soon as it
	// knows of the tunnel is not lost.
	first, firstErr := listen()
	if firstErr == nil {
		sock.set(first)
	}
	s.wait.Go(func() {
		defer cancel()
		err := rawsock.Keep(ctx, func() (rawsock.PacketConn, error) {
			if c, err := first, firstErr; c != nil || err != nil {
				first, firstErr = nil, nil
				return c, err
			}
			return listen()
		}, func(c rawsock.PacketConn) error { return s.serve(link.Name, sock, c) })
		if err != nil {
			s.log.Error("no NHRP on the tunnel", "interface", link.Name, "error", err)
		}
	})
}

// serve reads packets until the socket fails.
func (s *sockets) serve(ifname string, sock *socket, c rawsock.PacketConn) error {
	sock.set(c)
	defer sock.set(nil)
	// One octet more than fits tells what is oversized.
	buf := make([]byte, packet.MaxPacketSize+1)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return err
		}
		if !from.IsValid() {
			from = sock.peer
		}
		s.receive(ifname, from, slices.Clone(buf[:n]))
	}
}

func (s *socket) set(c rawsock.PacketConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = c
}

// send sends a packet, if the tunnel has a socket now. What cannot be sent is
// lost, as on any link: the core repeats what matters.
func (s *sockets) send(ifname string, nbma netip.Addr, b []byte) {
	s.mu.Lock()
	sock := s.open[ifname]
	s.mu.Unlock()
	if sock == nil {
		return
	}
	sock.mu.Lock()
	defer sock.mu.Unlock()
	if sock.conn == nil {
		return
	}
	if sock.peer.IsValid() && !sock.config.GRE6.Local.IsValid() {
		nbma = netip.Addr{}
	}
	if err := sock.conn.WriteTo(b, nbma); err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Debug("packet not sent", "interface", ifname, "nbma", nbma, "error", err)
	}
}

// close ends all sockets and waits for their goroutines.
func (s *sockets) close() {
	s.mu.Lock()
	for name, sock := range s.open {
		sock.cancel()
		delete(s.open, name)
	}
	s.mu.Unlock()
	s.wait.Wait()
}
