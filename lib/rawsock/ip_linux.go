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
	rc, err := pc.(syscall.Conn).SyscallConn()
	if err != nil {
		pc.Close()
		return nil, err
	}
	return &ipConn{c: c, rc: rc, joined: map[membership]bool{}}, nil
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
		if cfg.ReceiveBuffer != 0 {
			set(unix.SOL_SOCKET, unix.SO_RCVBUF, cfg.ReceiveBuffer)
		}
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
	c  *ipv4.PacketConn
	rc syscall.RawConn // of c

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
	var info []byte
	if m.Index != 0 || src.IsValid() {
		info = unix.PktInfo4(&unix.Inet4Pktinfo{Ifindex: int32(m.Index), Spec_dst: as4(src)})
	}
	to := unix.SockaddrInet4{Addr: dst.As4(), Port: int(m.Dst.Port())} // raw sockets do not look at the port
	var failed error
	err := c.rc.Write(func(fd uintptr) bool {
		failed = unix.Sendmsg(int(fd), b, info, &to, unix.MSG_DONTWAIT)
		return true // even where there is no room: the caller does not wait
	})
	if err == nil {
		err = failed
	}
	return typed(err)
}

// as4 returns an IPv4 address as the kernel has it, 0.0.0.0 for the zero Addr.
func as4(a netip.Addr) (b [4]byte) {
	if a.IsValid() {
		b = a.As4()
	}
	return b
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
	switch {
	case errors.Is(err, unix.ENOBUFS):
		return fmt.Errorf("the socket is in as many groups as net.ipv4.igmp_max_memberships allows: %w", err)
	case err != nil && !errors.Is(err, already) && (join || !errors.Is(err, unix.ENODEV)):
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
