package harness

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// Protocol numbers that matchers speak of.
const (
	protoUDP      = 17
	protoGRE      = 47
	protoESP      = 50
	etherTypeIPv4 = 0x0800
	etherTypeIPv6 = 0x86dd
	EtherTypeNHRP = 0x2001 // GRE's protocol type of NHRP, RFC 2332 section 5.2.2
)

// Frame is one captured packet.
type Frame struct {
	At   time.Time
	Data []byte // from the link-layer header on; on a tunnel device that is one of zeros
	decoded
}

// decoded is what matchers see: the outer IP header and, in GRE, its header and the
// inner packet.
type decoded struct {
	IP       bool
	Src, Dst netip.Addr
	Protocol int // of IPv4; of IPv6 that behind its extension headers
	GRE      bool
	GREKey   uint32
	HasKey   bool
	GREProto int    // 0x0800, 0x2001 …
	Payload  []byte // what IP, or GRE, carries
}

// Capture records what passes a device.
type Capture struct {
	node   *Node
	device string
	tunnel bool // the device has no link-layer header
	conn   *packet.Conn
	raw    syscall.RawConn // of conn
	mu     sync.Mutex
	frames []Frame
	done   chan struct{}
	once   sync.Once
}

// maxFrames bounds a capture; later packets are not kept.
const maxFrames = 100_000

// captureBuffer is what the socket keeps while this process does not run: what the kernel
// gives by itself is full after some hundred packets.
const captureBuffer = 64 << 20

// ethernetAll is ETH_P_ALL: every protocol, both directions.
const ethernetAll = 0x0003

// Capture starts recording what passes an Ethernet device of the node, or a tunnel
// (GRE), in both directions, until [Capture.Stop] or the end of the test. On a
// tunnel that is the packet that it carries.
func (n *Node) Capture(device string) *Capture {
	n.t.Helper()
	c := &Capture{node: n, device: device, done: make(chan struct{})}
	c.tunnel = n.link(device).Attrs().EncapType != "ether"
	kind := packet.Raw
	if c.tunnel {
		kind = packet.Datagram
	}
	err := n.Do(func() error {
		ifi, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		if c.conn, err = packet.Listen(ifi, kind, ethernetAll, nil); err != nil {
			return err
		}
		c.raw, err = c.conn.SyscallConn()
		return errors.Join(err, KeepAll(c.conn, captureBuffer))
	})
	n.check("capture on "+device, err)
	go c.run()
	n.captures = append(n.captures, c)
	n.background = append(n.background, c.Stop)
	return c
}

// KeepAll gives a socket a buffer of this size, whatever the kernel allows by itself: for what
// comes while this process does not run.
func KeepAll(conn syscall.Conn, size int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size)
	})
	return errors.Join(err, cerr)
}

func (c *Capture) run() {
	defer close(c.done)
	_ = c.raw.Read(func(fd uintptr) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return !c.take(fd)
	})
}

// take keeps what the socket has; open is false if it has failed. The caller holds the lock.
func (c *Capture) take(fd uintptr) (open bool) {
	buf := make([]byte, 65536)
	for {
		k, _, err := unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENETDOWN) { // a device that was down goes on when it is up
			continue
		}
		if err != nil {
			return errors.Is(err, unix.EAGAIN)
		}
		f := Frame{At: time.Now()}
		if c.tunnel {
			f.Data = zeroEthernet(buf[:k])
		}
		f.Data = append(f.Data, buf[:k]...)
		f.decoded = decodeEthernet(f.Data)
		if len(c.frames) < maxFrames {
			c.frames = append(c.frames, f)
		}
	}
}

// zeroEthernet is an Ethernet header of zeros, with the type of the IP packet that
// follows, so that captures of all devices are of one kind.
func zeroEthernet(ip []byte) []byte {
	header := make([]byte, 14)
	typ := uint16(etherTypeIPv4)
	if len(ip) > 0 && ip[0]>>4 == 6 {
		typ = etherTypeIPv6
	}
	binary.BigEndian.PutUint16(header[12:], typ)
	return header
}

// decodeEthernet reads Ethernet and what decodeIP reads.
func decodeEthernet(data []byte) decoded {
	if len(data) < 14 {
		return decoded{}
	}
	switch binary.BigEndian.Uint16(data[12:]) {
	case etherTypeIPv4, etherTypeIPv6:
		return decodeIP(data[14:])
	}
	return decoded{}
}

// decodeIP reads IPv4 or IPv6 and GRE (RFC 2784, RFC 2890, RFC 7676); what is
// malformed stays undecoded.
func decodeIP(ip []byte) decoded {
	var d decoded
	if len(ip) > 0 && ip[0]>>4 == 6 {
		return decodeIPv6(ip)
	}
	if len(ip) < 20 || ip[0]>>4 != 4 {
		return d
	}
	header, total := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if header < 20 || total < header || total > len(ip) {
		return d
	}
	d.IP, d.Protocol = true, int(ip[9])
	d.Src, _ = netip.AddrFromSlice(ip[12:16])
	d.Dst, _ = netip.AddrFromSlice(ip[16:20])
	d.Payload = ip[header:total]
	if d.Protocol == protoGRE {
		d.decodeGRE(d.Payload)
	}
	return d
}

// decodeIPv6 reads IPv6 (RFC 8200), beyond hop-by-hop and destination options.
func decodeIPv6(ip []byte) decoded {
	const header, hopByHop, options = 40, 0, 60
	if len(ip) < header || header+int(binary.BigEndian.Uint16(ip[4:])) > len(ip) {
		return decoded{}
	}
	d := decoded{IP: true, Protocol: int(ip[6]), Payload: ip[header : header+int(binary.BigEndian.Uint16(ip[4:]))]}
	d.Src, _ = netip.AddrFromSlice(ip[8:24])
	d.Dst, _ = netip.AddrFromSlice(ip[24:40])
	for d.Protocol == hopByHop || d.Protocol == options {
		if len(d.Payload) < 8 || len(d.Payload) < 8*(1+int(d.Payload[1])) {
			return decoded{}
		}
		d.Protocol, d.Payload = int(d.Payload[0]), d.Payload[8*(1+int(d.Payload[1])):]
	}
	if d.Protocol == protoGRE {
		d.decodeGRE(d.Payload)
	}
	return d
}

func (d *decoded) decodeGRE(b []byte) {
	if len(b) < 4 {
		return
	}
	flags := binary.BigEndian.Uint16(b)
	at := 4
	if flags&0x8000 != 0 { // checksum and reserved
		at += 4
	}
	if flags&0x2000 != 0 {
		if len(b) < at+4 {
			return
		}
		d.HasKey, d.GREKey = true, binary.BigEndian.Uint32(b[at:])
		at += 4
	}
	if flags&0x1000 != 0 { // sequence number
		at += 4
	}
	if len(b) < at {
		return
	}
	d.GRE, d.GREProto, d.Payload = true, int(binary.BigEndian.Uint16(b[2:])), b[at:]
}

// Match says which packets are meant.
type Match func(Frame) bool

// Matches of packets by what they are.
var (
	IsGRE  Match = func(f Frame) bool { return f.GRE }
	IsNHRP Match = func(f Frame) bool { return f.GRE && f.GREProto == EtherTypeNHRP }
	IsESP  Match = func(f Frame) bool { return f.IP && f.Protocol == protoESP }
	IsIKE  Match = func(f Frame) bool { return f.udpPort(500) || f.udpPort(4500) }
)

// PortRIP is the UDP port of RIP (RFC 2453 section 3.6).
const PortRIP = 520

// IsUDP matches UDP from or to a port, also inside of GRE.
func IsUDP(port uint16) Match { return func(f Frame) bool { return f.Inner().udpPort(port) } }

// IsProtocol matches an IP protocol number, such as 89 for OSPF and 88 for EIGRP,
// also inside of GRE.
func IsProtocol(number int) Match {
	return func(f Frame) bool { in := f.Inner(); return in.IP && in.Protocol == number }
}

// udpPort tells whether the packet is UDP from or to this port.
func (f Frame) udpPort(port uint16) bool {
	return f.IP && f.Protocol == protoUDP && len(f.Payload) >= 8 &&
		(binary.BigEndian.Uint16(f.Payload) == port || binary.BigEndian.Uint16(f.Payload[2:]) == port)
}

// Inner is the IP packet that the frame carries in GRE, and the frame itself where
// there is none: what a router on the overlay sends.
func (f Frame) Inner() Frame {
	if f.GRE && (f.GREProto == etherTypeIPv4 || f.GREProto == etherTypeIPv6) {
		return Frame{At: f.At, Data: f.Payload, decoded: decodeIP(f.Payload)}
	}
	return f
}

// UDP returns what a UDP packet carries, also inside of GRE; nil for others.
func (f Frame) UDP() []byte {
	in := f.Inner()
	if !in.IP || in.Protocol != protoUDP || len(in.Payload) < 8 {
		return nil
	}
	return in.Payload[8:]
}

// Inside matches packets whose inner packet ([Frame.Inner]) matches.
func Inside(m Match) Match { return func(f Frame) bool { return m(f.Inner()) } }

// Between matches packets from one outer address to another, "" standing for any.
func Between(src, dst string) Match {
	return func(f Frame) bool {
		return f.IP && (src == "" || f.Src.String() == src) && (dst == "" || f.Dst.String() == dst)
	}
}

// All matches what all of the matches match.
func All(ms ...Match) Match {
	return func(f Frame) bool {
		for _, m := range ms {
			if !m(f) {
				return false
			}
		}
		return true
	}
}

// Frames returns the packets that match of those that have passed until now.
func (c *Capture) Frames(m Match) []Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.raw.Control(func(fd uintptr) { c.take(fd) }) // nothing once it is stopped
	var out []Frame
	for _, f := range c.frames {
		if m == nil || m(f) {
			out = append(out, f)
		}
	}
	return out
}

// Count is the number of packets until now that match.
func (c *Capture) Count(m Match) int { return len(c.Frames(m)) }

// Clear forgets the packets that have passed until now.
func (c *Capture) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.raw.Control(func(fd uintptr) { c.take(fd) })
	c.frames = nil
}

// Stop ends the recording; what was recorded stays.
func (c *Capture) Stop() {
	c.once.Do(func() {
		c.mu.Lock()
		_ = c.raw.Control(func(fd uintptr) { c.take(fd) })
		c.mu.Unlock()
		c.conn.Close()
		<-c.done
	})
}

// String prints the packet in one line.
func (f Frame) String() string {
	switch {
	case f.GRE:
		key := ""
		if f.HasKey {
			key = fmt.Sprintf(" key %d", f.GREKey)
		}
		return fmt.Sprintf("%s > %s: GRE%s proto 0x%04x, %d bytes", f.Src, f.Dst, key, f.GREProto, len(f.Payload))
	case f.IP:
		return fmt.Sprintf("%s > %s: IP protocol %d, %d bytes", f.Src, f.Dst, f.Protocol, len(f.Payload))
	default:
		return hex.EncodeToString(f.Data[:min(len(f.Data), 32)])
	}
}
