package rawsock

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// ipv6Socket is an IPv6 socket.
type ipv6Socket struct{ c *ipv6.PacketConn }

func (s ipv6Socket) configure(cfg IPConfig) error {
	hops := cfg.TTL
	if hops == 0 {
		hops = 1
	}
	return errors.Join(
		s.c.SetControlMessage(ipv6.FlagDst|ipv6.FlagInterface|ipv6.FlagHopLimit, true),
		s.c.SetHopLimit(hops),
		s.c.SetMulticastHopLimit(hops),
		s.c.SetMulticastLoopback(false),
		s.c.SetTrafficClass(cfg.TOS),
	)
}

func (s ipv6Socket) read(b []byte) (n int, m Meta, src net.Addr, err error) {
	n, cm, src, err := s.c.ReadFrom(b)
	if cm != nil {
		dst, _ := netip.AddrFromSlice(cm.Dst)
		m = Meta{Dst: netip.AddrPortFrom(dst, 0), Index: cm.IfIndex, TTL: cm.HopLimit}
	}
	return n, m, src, err
}

func (ipv6Socket) to(m Meta) (unix.Sockaddr, []byte, error) {
	dst, src := m.Dst.Addr(), m.Src.Addr()
	if !is6(dst) || src.IsValid() && !is6(src) {
		return nil, nil, fmt.Errorf("%w: from %v to %v", ErrAddress, src, dst)
	}
	var control []byte
	if m.Index != 0 || src.IsValid() {
		info := unix.Inet6Pktinfo{Ifindex: uint32(m.Index)}
		if src.IsValid() {
			info.Addr = src.As16()
		}
		control = unix.PktInfo6(&info)
	}
	if m.TTL != 0 {
		control = appendControl(control, unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, m.TTL)
	}
	// a raw socket wants no port, and Meta has none then
	return &unix.SockaddrInet6{Addr: dst.As16(), Port: int(m.Dst.Port()), ZoneId: uint32(m.Index)}, control, nil
}

func is6(a netip.Addr) bool { return a.Is6() && !a.Is4In6() }

func (ipv6Socket) suits(group netip.Addr) bool { return is6(group) }

func (s ipv6Socket) change(join bool, index int, group net.Addr) error {
	if join {
		return s.c.JoinGroup(&net.Interface{Index: index}, group)
	}
	return s.c.LeaveGroup(&net.Interface{Index: index}, group)
}

func (ipv6Socket) full() string { return "net.core.optmem_max" }

func (s ipv6Socket) close() error { return s.c.Close() }
