package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// conn sends ICMP messages to one target and receives all that come in.
type conn interface {
	send(b []byte, hops int) error // hops is the time to live

	// receive waits for a message until then (os.ErrDeadlineExceeded) or until
	// ctx ends (its error).
	receive(ctx context.Context, until time.Time, b []byte) (n int, from netip.Addr, err error)

	Close() error
}

// socket is a raw ICMP socket (raw(7)).
type socket struct {
	pc   net.PacketConn
	to   *net.IPAddr
	hops func(int) error
}

// dial opens a socket. df forbids fragmentation, here and on the way.
func dial(ctx context.Context, p Path, df bool) (conn, error) {
	network, from := "ip4:icmp", netip.IPv4Unspecified()
	if p.Target.Is6() {
		network, from = "ip6:ipv6-icmp", netip.IPv6Unspecified()
	}
	if p.Source.IsValid() {
		from = p.Source
	}
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		var failed error
		err := rc.Control(func(fd uintptr) { failed = prepare(int(fd), p, df) })
		return errors.Join(err, failed)
	}}
	pc, err := lc.ListenPacket(ctx, network, from.String())
	if err != nil {
		return nil, fmt.Errorf("no socket for echo requests: %w", err)
	}
	s := &socket{pc: pc, to: &net.IPAddr{IP: p.Target.AsSlice(), Zone: p.Target.Zone()}}
	if p.Target.Is6() {
		c := ipv6.NewPacketConn(pc)
		s.hops = c.SetHopLimit
		var f ipv6.ICMPFilter
		f.SetAll(true)
		for _, t := range []ipv6.ICMPType{ipv6.ICMPTypeEchoReply, ipv6.ICMPTypeDestinationUnreachable,
			ipv6.ICMPTypePacketTooBig, ipv6.ICMPTypeTimeExceeded, ipv6.ICMPTypeParameterProblem} {
			f.Accept(t)
		}
		err = c.SetICMPFilter(&f)
	} else {
		c := ipv4.NewPacketConn(pc)
		s.hops = c.SetTTL
		var f ipv4.ICMPFilter
		f.SetAll(true)
		for _, t := range []ipv4.ICMPType{ipv4.ICMPTypeEchoReply, ipv4.ICMPTypeDestinationUnreachable,
			ipv4.ICMPTypeTimeExceeded, ipv4.ICMPTypeParameterProblem} {
			f.Accept(t)
		}
		err = c.SetICMPFilter(&f)
	}
	if err != nil {
		pc.Close()
		return nil, fmt.Errorf("socket for echo requests: %w", err)
	}
	return s, nil
}

// prepare sets what must be set before the socket is bound. With the DF bit each
// request tries the path anew: what the kernel has learned of its MTU does not
// count (ip(7), IP_PMTUDISC_PROBE).
func prepare(fd int, p Path, df bool) error {
	if p.Device != "" {
		if err := unix.BindToDevice(fd, p.Device); err != nil {
			return fmt.Errorf("VRF device %s: %w", p.Device, err)
		}
	}
	if p.Target.Is4() {
		discover := unix.IP_PMTUDISC_DONT
		if df {
			discover = unix.IP_PMTUDISC_PROBE
		}
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, discover)
	}
	if !df {
		return nil // only the source fragments (RFC 8200 section 5), to the MTU that it has learned
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
}

func (s *socket) send(b []byte, hops int) error {
	if err := s.hops(hops); err != nil {
		return err
	}
	_, err := s.pc.WriteTo(b, s.to)
	return err
}

func (s *socket) receive(ctx context.Context, until time.Time, b []byte) (int, netip.Addr, error) {
	// The deadline of the end of ctx is set after ours or seen by ctx.Err.
	stop := context.AfterFunc(ctx, func() { s.pc.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := s.pc.SetReadDeadline(until); err != nil {
		return 0, netip.Addr{}, err
	}
	if err := ctx.Err(); err != nil {
		return 0, netip.Addr{}, err
	}
	n, from, err := s.pc.ReadFrom(b)
	if ctx.Err() != nil {
		return 0, netip.Addr{}, ctx.Err()
	}
	if err != nil {
		return 0, netip.Addr{}, err
	}
	addr, ok := from.(*net.IPAddr)
	if !ok {
		return 0, netip.Addr{}, errors.New("probe: no address")
	}
	a, _ := netip.AddrFromSlice(addr.IP)
	return n, a.Unmap().WithZone(addr.Zone), nil
}

func (s *socket) Close() error { return s.pc.Close() }

// refused is what it means that the kernel did not send a request; ok is false if
// it says nothing about the target.
func refused(err error) (kind, bool) {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		switch errno {
		case unix.EMSGSIZE:
			return tooBig, true
		case unix.ENETUNREACH, unix.ENETDOWN, unix.EADDRNOTAVAIL:
			return noNet, true
		case unix.EHOSTUNREACH, unix.EHOSTDOWN, unix.EINVAL: // the last is a blackhole route
			return noHost, true
		case unix.EPERM, unix.EACCES: // a packet filter, a prohibit route
			return forbidden, true
		}
	}
	return silence, false
}

// outcome is what became of one request.
type outcome struct {
	kind kind
	from netip.Addr // who answered; zero: nobody, or this router refused to send
	rtt  time.Duration
}

// pause is the least time between two requests, so that answers of this machine
// itself do not become a flood.
const pause = time.Millisecond

// prober sends requests, one at a time.
type prober struct {
	c       conn
	echo    echo
	timeout time.Duration
	seq     uint16
	buf     []byte
}

// maxPacket is more than any IP packet.
const maxPacket = 1 << 16

func newProber(c conn, target netip.Addr, size int, timeout time.Duration) *prober {
	return &prober{c: c, echo: newEcho(target, size), timeout: timeout, buf: make([]byte, maxPacket)}
}

// try sends a request and waits for what becomes of it. The error is the end of
// ctx, or a trouble that will not pass.
func (p *prober) try(ctx context.Context, hops int) (outcome, error) {
	p.seq++
	if p.seq > 1 {
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	if err := ctx.Err(); err != nil {
		return outcome{}, err
	}
	b, err := p.echo.request(p.seq)
	if err != nil {
		return outcome{}, err
	}
	sent := time.Now()
	if err := p.c.send(b, hops); err != nil {
		if k, ok := refused(err); ok {
			return outcome{kind: k}, nil
		}
		return outcome{}, err
	}
	for until := sent.Add(p.timeout); ; {
		n, from, err := p.c.receive(ctx, until, p.buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return outcome{kind: silence}, nil
		case err != nil:
			return outcome{}, err
		}
		if k, ok := p.echo.match(p.seq, p.buf[:n]); ok {
			return outcome{k, from, time.Since(sent)}, nil
		}
	}
}
