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
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

const protocolUDP = 17

// ListenIP implements Network by a raw IP socket (raw(7)) or a UDP socket.
func (Kernel) ListenIP(cfg IPConfig) (IPConn, error) {
	network, address, err := place(cfg)
	if err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error { return prepare(rc, cfg) }}
	pc, err := lc.ListenPacket(context.Background(), network, address)
	if err != nil {
		return nil, typed(err)
	}
	c := &ipConn{family: ipv4Socket{ipv4.NewPacketConn(pc)}, joined: map[membership]bool{}}
	if cfg.IPv6 {
		c.family = ipv6Socket{ipv6.NewPacketConn(pc)}
	}
	if err := c.family.configure(cfg); err != nil {
		pc.Close()
		return nil, typed(err)
	}
	if c.rc, err = pc.(syscall.Conn).SyscallConn(); err != nil {
		pc.Close()
		return nil, err
	}
	return c, nil
}

// place returns what package net calls the socket.
func place(cfg IPConfig) (network, address string, err error) {
	switch {
	case cfg.Port != 0 && cfg.Protocol != 0 && cfg.Protocol != protocolUDP:
		return "", "", fmt.Errorf("IP protocol %d has no ports here", cfg.Protocol)
	case cfg.ESPinUDP && cfg.Port == 0:
		return "", "", errors.New("ESP in UDP needs a port")
	case cfg.Local.IsValid() && (cfg.Port == 0 || is6(cfg.Local) != cfg.IPv6):
		return "", "", fmt.Errorf("%w: local address %v", ErrAddress, cfg.Local)
	case cfg.Local.IsValid() && cfg.IPv6:
		return "udp6", netip.AddrPortFrom(cfg.Local, cfg.Port).String(), nil
	case cfg.Local.IsValid():
		return "udp4", netip.AddrPortFrom(cfg.Local, cfg.Port).String(), nil
	case cfg.Port != 0 && cfg.IPv6:
		return "udp6", net.JoinHostPort("::", strconv.Itoa(int(cfg.Port))), nil
	case cfg.Port != 0:
		return "udp4", net.JoinHostPort("0.0.0.0", strconv.Itoa(int(cfg.Port))), nil
	case cfg.Protocol < 1 || cfg.Protocol > 255:
		return "", "", fmt.Errorf("no IP protocol: %d", cfg.Protocol)
	case cfg.IPv6:
		return "ip6:" + strconv.Itoa(cfg.Protocol), "::", nil
	}
	return "ip4:" + strconv.Itoa(cfg.Protocol), "0.0.0.0", nil
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
		switch { // one socket for each VRF
		case cfg.ESPinUDP: // and that port is not privileged: nobody else may have it
			set(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		case cfg.Port != 0:
			set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		}
		switch {
		case cfg.Local.IsValid() && cfg.IPv6:
			set(unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1)
		case cfg.Local.IsValid():
			set(unix.IPPROTO_IP, unix.IP_FREEBIND, 1)
		}
		// Multicasts only of the groups that this socket joined, not of those
		// that any socket did: the default of ip(7) is the latter.
		if cfg.IPv6 {
			set(unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0)
		} else {
			set(unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0)
		}
		if cfg.ESPinUDP {
			set(unix.IPPROTO_UDP, unix.UDP_ENCAP, unix.UDP_ENCAP_ESPINUDP)
		}
		switch {
		case cfg.Fragment && cfg.IPv6:
			set(unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DONT)
		case cfg.Fragment:
			set(unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
		}
		if cfg.ReceiveBuffer != 0 {
			set(unix.SOL_SOCKET, unix.SO_RCVBUF, cfg.ReceiveBuffer)
		}
		if cfg.Device != "" && failed == nil {
			failed = unix.BindToDevice(int(fd), cfg.Device)
		}
	})
	return errors.Join(err, failed)
}

// family is what differs between the sockets of IPv4 and of IPv6.
type family interface {
	configure(IPConfig) error
	read(b []byte) (n int, m Meta, src net.Addr, err error)
	// to returns the address and the control message for sending.
	to(m Meta) (sa unix.Sockaddr, control []byte, err error)
	suits(group netip.Addr) bool
	change(join bool, index int, group net.Addr) error
	full() string // the sysctl that limits memberships
	close() error
}

type membership struct {
	group netip.Addr
	index int
}

type ipConn struct {
	family family
	rc     syscall.RawConn // of the same socket

	mu     sync.Mutex // guards joined
	joined map[membership]bool
}

func (c *ipConn) ReadFrom(b []byte) (int, Meta, error) {
	n, m, src, err := c.family.read(b)
	if err != nil {
		return 0, Meta{}, typed(err)
	}
	m.Src = addrPortOf(src)
	return n, m, nil
}

func (c *ipConn) WriteTo(b []byte, m Meta) error {
	to, control, err := c.family.to(m)
	if err != nil {
		return err
	}
	var failed error
	err = c.rc.Write(func(fd uintptr) bool {
		failed = unix.Sendmsg(int(fd), b, control, to, unix.MSG_DONTWAIT)
		return true // even where there is no room: the caller does not wait
	})
	if err == nil {
		err = failed
	}
	return typed(err)
}

func (c *ipConn) Join(group netip.Addr, index int) error {
	return c.change(group, index, true, unix.EADDRINUSE)
}

func (c *ipConn) Leave(group netip.Addr, index int) error {
	return c.change(group, index, false, unix.EADDRNOTAVAIL)
}

// change joins or leaves a group; already is the kernel's word for "nothing to
// do". A membership ends with its interface.
func (c *ipConn) change(group netip.Addr, index int, join bool, already error) error {
	if !c.family.suits(group) || !group.IsMulticast() {
		return fmt.Errorf("%w: group %v", ErrAddress, group)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := membership{group, index}
	if !join && !c.joined[key] {
		return nil
	}
	err := c.family.change(join, index, &net.IPAddr{IP: group.AsSlice()})
	switch {
	case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("the socket is in as many groups as %s allows: %w", c.family.full(), err)
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

func (c *ipConn) Close() error { return typed(c.family.close()) }

func addrPortOf(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.UDPAddr:
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	case *net.IPAddr:
		ip, _ := netip.AddrFromSlice(a.IP) // without its zone
		return netip.AddrPortFrom(ip.Unmap(), 0)
	}
	return netip.AddrPort{}
}
