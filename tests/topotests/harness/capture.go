package harness

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/mdlayher/packet"
)

// Protocol numbers that matchers speak of.
const (
	protoGRE      = 47
	protoESP      = 50
	EtherTypeNHRP = 0x2001 // GRE's protocol type of NHRP, RFC 2332 section 5.2.2
)

// Frame is one captured packet.
type Frame struct {
	At   time.Time
	Data []byte // from the link-layer header on
	decoded
}

// decoded is what matchers see: the outer IPv4 header and, in GRE, its header and
// the inner packet.
type decoded struct {
	IP       bool
	Src, Dst netip.Addr
	Protocol int // of IPv4
	GRE      bool
	GREKey   uint32
	HasKey   bool
	GREProto int    // 0x0800, 0x2001 …
	Payload  []byte // what IPv4, or GRE, carries
}

// Capture records what passes a device.
type Capture struct {
	device string
	conn   *packet.Conn
	mu     sync.Mutex
	frames []Frame
	done   chan struct{}
	once   sync.Once
}

// maxFrames bounds a capture; later packets are not kept.
const maxFrames = 100_000

// ethernetAll is ETH_P_ALL: every protocol, both directions.
const ethernetAll = 0x0003

// Capture starts recording what passes an Ethernet device of the node, in both
// directions, until [Capture.Stop] or the end of the test.
func (n *Node) Capture(device string) *Capture {
	n.t.Helper()
	c := &Capture{device: device, done: make(chan struct{})}
	err := n.Do(func() error {
		ifi, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		c.conn, err = packet.Listen(ifi, packet.Raw, ethernetAll, nil)
		return err
	})
	n.check("capture on "+device, err)
	go c.run()
	n.captures = append(n.captures, c)
	n.background = append(n.background, c.Stop)
	return c
}

func (c *Capture) run() {
	defer close(c.done)
	buf := make([]byte, 65536)
	for {
		k, _, err := c.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		f := Frame{At: time.Now(), Data: append([]byte(nil), buf[:k]...)}
		f.decoded = decode(f.Data)
		c.mu.Lock()
		if len(c.frames) < maxFrames {
			c.frames = append(c.frames, f)
		}
		c.mu.Unlock()
	}
}

// decode reads Ethernet, IPv4 and GRE (RFC 2784, RFC 2890); what is malformed stays
// undecoded.
func decode(data []byte) decoded {
	var d decoded
	if len(data) < 14+20 || binary.BigEndian.Uint16(data[12:]) != 0x0800 || data[14]>>4 != 4 {
		return d
	}
	ip := data[14:]
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

// udpPort tells whether the packet is UDP from or to this port.
func (f Frame) udpPort(port uint16) bool {
	return f.IP && f.Protocol == 17 && len(f.Payload) >= 8 &&
		(binary.BigEndian.Uint16(f.Payload) == port || binary.BigEndian.Uint16(f.Payload[2:]) == port)
}

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

// Frames returns the packets so far that match.
func (c *Capture) Frames(m Match) []Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Frame
	for _, f := range c.frames {
		if m == nil || m(f) {
			out = append(out, f)
		}
	}
	return out
}

// Count is the number of packets so far that match.
func (c *Capture) Count(m Match) int { return len(c.Frames(m)) }

// Clear forgets the packets so far.
func (c *Capture) Clear() { c.mu.Lock(); c.frames = nil; c.mu.Unlock() }

// Stop ends the recording; what was recorded stays.
func (c *Capture) Stop() { c.once.Do(func() { c.conn.Close(); <-c.done }) }

// WriteFile writes what was recorded as a pcap file.
func (c *Capture) WriteFile(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := pcapgo.NewWriter(f)
	err = w.WriteFileHeader(65536, layers.LinkTypeEthernet)
	for _, fr := range c.Frames(nil) {
		if err != nil {
			break
		}
		err = w.WritePacket(gopacket.CaptureInfo{Timestamp: fr.At, CaptureLength: len(fr.Data),
			Length: len(fr.Data)}, fr.Data)
	}
	return errors.Join(err, f.Close())
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
