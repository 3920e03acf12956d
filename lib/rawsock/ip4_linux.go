package rawsock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// ipv4Socket is an IPv4 socket.
type ipv4Socket struct{ c *ipv4.PacketConn }

func (s ipv4Socket) configure(cfg IPConfig) error {
	ttl := cfg.TTL
	if ttl == 0 {
		ttl = 1
	}
	return errors.Join(
		s.c.SetControlMessage(ipv4.FlagDst|ipv4.FlagInterface|ipv4.FlagTTL, true),
		s.c.SetTTL(ttl),
		s.c.SetMulticastTTL(ttl),
		s.c.SetMulticastLoopback(false),
		s.c.SetTOS(cfg.TOS),
	)
}

func (s ipv4Socket) read(b []byte) (n int, m Meta, src net.Addr, err error) {
	n, cm, src, err := s.c.ReadFrom(b)
	if cm != nil {
		dst, _ := netip.AddrFromSlice(cm.Dst)
		m = Meta{Dst: netip.AddrPortFrom(dst.Unmap(), 0), Index: cm.IfIndex, TTL: cm.TTL}
	}
	return n, m, src, err
}

func (ipv4Socket) to(m Meta) (unix.Sockaddr, []byte, error) {
	dst, src := m.Dst.Addr().Unmap(), m.Src.Addr().Unmap()
	if !dst.Is4() || src.IsValid() && !src.Is4() {
		return nil, nil, fmt.Errorf("%w: from %v to %v", ErrAddress, src, dst)
	}
	var control []byte
	if m.Index != 0 || src.IsValid() {
		control = unix.PktInfo4(&unix.Inet4Pktinfo{Ifindex: int32(m.Index), Spec_dst: as4(src)})
	}
	if m.TTL != 0 {
		control = appendControl(control, unix.IPPROTO_IP, unix.IP_TTL, m.TTL)
	}
	// raw sockets do not look at the port
	return &unix.SockaddrInet4{Addr: dst.As4(), Port: int(m.Dst.Port())}, control, nil
}

// as4 returns an IPv4 address as the kernel has it, 0.0.0.0 for the zero Addr.
func as4(a netip.Addr) (b [4]byte) {
	if a.IsValid() {
		b = a.As4()
	}
	return b
}

// appendControl appends a control message with a number in it (cmsg(3)).
func appendControl(b []byte, level, kind int32, value int) []byte {
	m := make([]byte, unix.CmsgSpace(4))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&m[0]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(4))
	binary.NativeEndian.PutUint32(m[unix.CmsgLen(0):], uint32(value))
	return append(b, m...)
}

func (ipv4Socket) suits(group netip.Addr) bool { return group.Is4() }

func (s ipv4Socket) change(join bool, index int, group net.Addr) error {
	if join {
		return s.c.JoinGroup(&net.Interface{Index: index}, group)
	}
	return s.c.LeaveGroup(&net.Interface{Index: index}, group)
}

func (ipv4Socket) full() string { return "net.ipv4.igmp_max_memberships" }

func (s ipv4Socket) close() error { return s.c.Close() }
