package rawsock

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// GRE (RFC 2784, RFC 2890).
const (
	greMinLen   = 4
	greMostLen  = greMinLen + 3*4 // checksum, key, sequence number
	greChecksum = 0x8000
	greKey      = 0x2000
	greSequence = 0x1000
	greTypeAt   = 2
	gre6Hops    = 255 // hop limit, as of the tunnel's own packets
)

// gre6Conn is a raw socket (raw(7)) for GRE, bound to the tunnel's source. A filter in
// the kernel lets one protocol pass: the data packets of all tunnels come by here.
type gre6Conn struct {
	c      *net.IPConn
	cfg    PacketConfig
	closed atomic.Bool
}

func listenGRE6(cfg PacketConfig) (PacketConn, error) {
	filter, err := bpf.Assemble(gre6Filter(cfg))
	if err != nil {
		return nil, err
	}
	prog := make([]unix.SockFilter, len(filter))
	for i, f := range filter {
		prog[i] = unix.SockFilter{Code: f.Op, Jt: f.Jt, Jf: f.Jf, K: f.K}
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var attach error
		err := c.Control(func(fd uintptr) {
			attach = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
				&unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]})
			if attach == nil && cfg.GRE6.Device != "" {
				attach = unix.BindToDevice(int(fd), cfg.GRE6.Device)
			}
		})
		if err != nil {
			return err
		}
		return attach
	}}
	pc, err := lc.ListenPacket(context.Background(), fmt.Sprintf("ip6:%d", unix.IPPROTO_GRE), cfg.GRE6.Local.String())
	if err != nil {
		return nil, typedAddr(err)
	}
	c := pc.(*net.IPConn)
	if err := ipv6.NewPacketConn(c).SetHopLimit(gre6Hops); err != nil {
		c.Close()
		return nil, err
	}
	return &gre6Conn{c: c, cfg: cfg}, nil
}

// gre6Filter passes the protocol that the socket is for.
func gre6Filter(cfg PacketConfig) []bpf.Instruction {
	if cfg.SendOnly {
		return []bpf.Instruction{bpf.RetConstant{Val: 0}}
	}
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: greTypeAt, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(cfg.Protocol), SkipFalse: 1},
		bpf.RetConstant{Val: 1 << 18},
		bpf.RetConstant{Val: 0},
	}
}

func (g *gre6Conn) ReadFrom(b []byte) (int, netip.Addr, error) {
	buf := make([]byte, len(b)+greMostLen)
	for {
		n, from, err := g.c.ReadFromIP(buf)
		if err != nil {
			return 0, netip.Addr{}, g.typed(err)
		}
		payload, ok := g.payload(buf[:n])
		addr, _ := netip.AddrFromSlice(from.IP)
		if remote := g.cfg.GRE6.Remote; ok && (!remote.IsValid() || addr == remote) {
			return copy(b, payload), addr, nil
		}
	}
}

// payload returns what a GRE packet of this tunnel carries. A tunnel without a key
// takes key 0 for none, as Linux does.
func (g *gre6Conn) payload(b []byte) ([]byte, bool) {
	if len(b) < greMinLen {
		return nil, false
	}
	flags, at, key := binary.BigEndian.Uint16(b), greMinLen, uint32(0)
	if flags&^(greChecksum|greKey|greSequence) != 0 || binary.BigEndian.Uint16(b[greTypeAt:]) != g.cfg.Protocol {
		return nil, false
	}
	if flags&greChecksum != 0 {
		at += 4
	}
	if flags&greKey != 0 {
		if len(b) < at+4 {
			return nil, false
		}
		key = binary.BigEndian.Uint32(b[at:])
		at += 4
	}
	if flags&greSequence != 0 {
		at += 4
	}
	want := g.cfg.GRE6
	if len(b) < at || key != want.Key || want.HasKey && flags&greKey == 0 {
		return nil, false
	}
	return b[at:], true
}

func (g *gre6Conn) WriteTo(b []byte, to netip.Addr) error {
	if !to.Is6() || to.Is4In6() {
		return fmt.Errorf("%w: NBMA address %v", ErrAddress, to)
	}
	p := make([]byte, 0, greMostLen+len(b))
	if g.cfg.GRE6.HasKey {
		p = binary.BigEndian.AppendUint16(p, greKey)
	} else {
		p = binary.BigEndian.AppendUint16(p, 0)
	}
	p = binary.BigEndian.AppendUint16(p, g.cfg.Protocol)
	if g.cfg.GRE6.HasKey {
		p = binary.BigEndian.AppendUint32(p, g.cfg.GRE6.Key)
	}
	_, err := g.c.WriteToIP(append(p, b...), &net.IPAddr{IP: to.AsSlice()})
	return g.typed(err)
}

func (g *gre6Conn) Close() error {
	if g.closed.Swap(true) {
		return net.ErrClosed
	}
	return g.c.Close()
}

func (g *gre6Conn) typed(err error) error {
	if err != nil && g.closed.Load() {
		return net.ErrClosed
	}
	return typedAddr(err)
}
