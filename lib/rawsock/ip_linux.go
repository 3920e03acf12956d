package rawsock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

const protocolUDP = 17

// ListenIP implements Network by a raw IP socket (raw(7)) or a UDP socket.
func (Kernel) ListenIP(cfg IPConfig) (IPConn, error) {
	network, address := "ip4:"+strconv.Itoa(cfg.Protocol), "0.0.0.0"
	if cfg.Port != 0 {
		if cfg.Protocol != 0 && cfg.Protocol != protocolUDP {
			return nil, fmt.Errorf("IP protocol %d has no ports here", cfg.Protocol)
		}
		network, address = "udp4", net.JoinHostPort("0.0.0.0", strconv.Itoa(int(cfg.Port)))
	} else if cfg.Protocol < 1 || cfg.Protocol > 255 {
		return nil, fmt.Errorf("no IP protocol: %d", cfg.Protocol)
	}
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error { return prepare(rc, cfg) }}
	pc, err := lc.ListenPacket(context.Background(), network, address)
	if err != nil {
		return nil, typed(err)
	}
	c := ipv4.NewPacketConn(pc)
	if err := configure(c, cfg); err != nil {
		pc.Close()
		return nil, typed(err)
	}
	return &ipConn{c: c, raw: cfg.Port == 0, joined: map[membership]bool{}}, nil
}

// prepare sets what must be set before the socket is bound.
func prepare(rc syscall.RawConn, cfg IPConfig) error {
	var failed error
	err := rc.Control(func(fd uintptr) {
		set := func(level, option, value int) {
			if err := unix.SetsockoptInt(int(fd), level, option, value); err != nil && failed == nil {
				failed = err
			}
		}
		if cfg.Port != 0 { // one socket for each VRF
			set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		}
		// Multicasts only of the groups that this socket joined, not of those
		// that any socket did: the default of ip(7) is the latter.
		set(unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0)
		if cfg.Device != "" && failed == nil {
			failed = unix.BindToDevice(int(fd), cfg.Device)
		}
	})
	return errors.Join(err, failed)
}

func configure(c *ipv4.PacketConn, cfg IPConfig) error {
	ttl := cfg.TTL
	if ttl == 0 {
		ttl = 1
	}
	return errors.Join(
		c.SetControlMessage(ipv4.FlagDst|ipv4.FlagInterface|ipv4.FlagTTL, true),
		c.SetTTL(ttl),
		c.SetMulticastTTL(ttl),
		c.SetMulticastLoopback(false),
		c.SetTOS(cfg.TOS),
	)
}

type membership struct {
	group netip.Addr
	index int
}

type ipConn struct {
	c   *ipv4.PacketConn
	raw bool

	mu     sync.Mutex // guards joined
	joined map[membership]bool
}

func (c *ipConn) ReadFrom(b []byte) (int, Meta, error) {
	n, cm, src, err := c.c.ReadFrom(b)
	if err != nil {
		return 0, Meta{}, typed(err)
	}
	m := Meta{Src: addrPortOf(src)}
	if cm != nil {
		dst, _ := netip.AddrFromSlice(cm.Dst)
		m.Dst = netip.AddrPortFrom(dst.Unmap(), 0)
		m.Index, m.TTL = cm.IfIndex, cm.TTL
	}
	return n, m, nil
}

func (c *ipConn) WriteTo(b []byte, m Meta) error {
	dst, src := m.Dst.Addr().Unmap(), m.Src.Addr().Unmap()
	if !dst.Is4() || src.IsValid() && !src.Is4() {
		return fmt.Errorf("%w: from %v to %v", ErrAddress, src, dst)
	}
	var cm *ipv4.ControlMessage
	if m.Index != 0 || src.IsValid() {
		cm = &ipv4.ControlMessage{IfIndex: m.Index, Src: src.AsSlice()}
	}
	var to net.Addr = &net.IPAddr{IP: dst.AsSlice()}
	if !c.raw {
		to = &net.UDPAddr{IP: dst.AsSlice(), Port: int(m.Dst.Port())}
	}
	_, err := c.c.WriteTo(b, cm, to)
	return typed(err)
}

func (c *ipConn) Join(group netip.Addr, index int) error {
	return c.change(group, index, true, c.c.JoinGroup, unix.EADDRINUSE)
}

func (c *ipConn) Leave(group netip.Addr, index int) error {
	return c.change(group, index, false, c.c.LeaveGroup, unix.EADDRNOTAVAIL)
}

// change joins or leaves a group; already is the kernel's word for "nothing to
// do". A membership ends with its interface.
func (c *ipConn) change(group netip.Addr, index int, join bool, do func(*net.Interface, net.Addr) error, already error) error {
	if !group.Is4() || !group.IsMulticast() {
		return fmt.Errorf("%w: group %v", ErrAddress, group)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := membership{group, index}
	if !join && !c.joined[key] {
		return nil
	}
	err := do(&net.Interface{Index: index}, &net.IPAddr{IP: group.AsSlice()})
	if err != nil && !errors.Is(err, already) && (join || !errors.Is(err, unix.ENODEV)) {
		return typed(err)
	}
	if join {
		c.joined[key] = true
	} else {
		delete(c.joined, key)
	}
	return nil
}

func (c *ipConn) Close() error { return typed(c.c.Close()) }

func addrPortOf(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.UDPAddr:
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	case *net.IPAddr:
		ip, _ := netip.AddrFromSlice(a.IP)
		return netip.AddrPortFrom(ip.Unmap(), 0)
	}
	return netip.AddrPort{}
}
