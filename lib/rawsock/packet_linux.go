package rawsock

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Kernel is the network of the running kernel. It needs CAP_NET_RAW.
type Kernel struct{}

// ListenPacket implements Network by an AF_PACKET datagram socket (packet(7)):
// the kernel adds and removes the link-layer header.
func (Kernel) ListenPacket(cfg PacketConfig) (PacketConn, error) {
	if cfg.GRE6.Local.IsValid() {
		return listenGRE6(cfg)
	}
	var filter []bpf.RawInstruction
	if cfg.SendOnly {
		var err error
		if filter, err = bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: 0}}); err != nil {
			return nil, err
		}
	}
	c, err := packet.Listen(&net.Interface{Index: cfg.Index}, packet.Datagram, int(cfg.Protocol), &packet.Config{Filter: filter})
	if err != nil {
		return nil, typed(err)
	}
	return &packetConn{c: c}, nil
}

type packetConn struct {
	c      *packet.Conn
	closed atomic.Bool // a reader that Close wakes gets an error of no known type
}

func (p *packetConn) ReadFrom(b []byte) (int, netip.Addr, error) {
	n, from, err := p.c.ReadFrom(b)
	if err != nil {
		return 0, netip.Addr{}, p.typed(err)
	}
	return n, nbmaOf(from), nil
}

func (p *packetConn) WriteTo(b []byte, to netip.Addr) error {
	hw := net.HardwareAddr{} // not nil: no address, where the peer is implied
	if to.IsValid() {
		if to = to.Unmap(); !to.Is4() {
			// A multipoint device over IPv6 has its own kind of socket: GRE6.
			return fmt.Errorf("%w: NBMA address %v", ErrAddress, to)
		}
		hw = to.AsSlice()
	}
	_, err := p.c.WriteTo(b, &packet.Addr{HardwareAddr: hw})
	if errors.Is(err, unix.EINVAL) && !to.IsValid() {
		return fmt.Errorf("%w: no NBMA address on a multipoint device", ErrAddress)
	}
	return p.typed(err)
}

func (p *packetConn) Close() error {
	if p.closed.Swap(true) {
		return net.ErrClosed
	}
	return p.c.Close()
}

func (p *packetConn) typed(err error) error {
	if err != nil && p.closed.Load() {
		return net.ErrClosed
	}
	return typed(err)
}

// nbmaOf returns the IPv4 address that a link-layer address is, if it is one.
func nbmaOf(a net.Addr) netip.Addr {
	if pa, ok := a.(*packet.Addr); ok && pa != nil && len(pa.HardwareAddr) == 4 {
		return netip.AddrFrom4([4]byte(pa.HardwareAddr))
	}
	return netip.Addr{}
}

// typedAddr is typed for a socket that is bound to an address, which may not be there
// yet, or not any more.
func typedAddr(err error) error {
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("%w: %w", ErrDown, err)
	}
	return typed(err)
}

// typed gives the errors of sockets that pass their type, and one name to use
// after close.
func typed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%w: %w", ErrGone, err)
	case errors.Is(err, unix.ENETDOWN):
		return fmt.Errorf("%w: %w", ErrDown, err)
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS):
		return fmt.Errorf("%w: %w", ErrBusy, err)
	case errors.Is(err, net.ErrClosed):
		return net.ErrClosed
	}
	return err
}
