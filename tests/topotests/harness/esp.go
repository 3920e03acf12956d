package harness

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ESP is a security association in a node's kernel.
type ESP struct {
	Source, Destination netip.Addr
	SPI                 uint32
	Algorithm           string // as the kernel says: "rfc4106(gcm(aes))", or cipher and integrity with a blank between
	KeyBits             int    // of the cipher, with the salt of an AEAD
	Transport           bool   // mode transport
	ESN                 bool
	Window              uint32 // of replay protection, packets
	UDP                 bool   // encapsulated in UDP (RFC 3948)
	SourcePort          uint16 // of that UDP
	DestinationPort     uint16
	Packets, Bytes      uint64 // protected or opened so far
}

// String prints it in one line, without keys.
func (s ESP) String() string {
	return fmt.Sprintf("%s > %s spi %#x %s %d bits esn=%v window=%d udp=%v %d packets", s.Source, s.Destination, s.SPI,
		s.Algorithm, s.KeyBits, s.ESN, s.Window, s.UDP, s.Packets)
}

// Places in struct xfrm_usersa_info (include/uapi/linux/xfrm.h), and its size.
const (
	espDestination = 56
	espSPI         = 72
	espProtocol    = 76
	espSource      = 80
	espBytes       = 160
	espPackets     = 168
	espFamily      = 212
	espMode        = 214
	espWindow      = 215
	espFlags       = 216
	espLen         = 224

	espFlagESN   = 128 // XFRM_STATE_ESN
	espReplayESN = 23  // XFRMA_REPLAY_ESN_VAL
	algorithmLen = 64  // of a name
)

// ESP returns the kernel's ESP security associations, sorted; those that wait for a
// negotiation are not among them.
func (n *Node) ESP() []ESP {
	n.t.Helper()
	all, err := dump(func() (all []ESP, err error) {
		err = n.Do(func() error {
			req := nl.NewNetlinkRequest(nl.XFRM_MSG_GETSA, unix.NLM_F_DUMP)
			msgs, err := req.Execute(unix.NETLINK_XFRM, nl.XFRM_MSG_NEWSA)
			for _, m := range msgs {
				if s, ok := parseESP(m); ok {
					all = append(all, s)
				}
			}
			return err
		})
		return all, err
	})
	n.check("security associations", err)
	slices.SortFunc(all, func(a, b ESP) int {
		return cmp.Or(a.Source.Compare(b.Source), a.Destination.Compare(b.Destination), cmp.Compare(a.SPI, b.SPI))
	})
	return all
}

// parseESP reads one association of a dump.
func parseESP(b []byte) (s ESP, ok bool) {
	if len(b) < espLen || b[espProtocol] != protoESP {
		return s, false
	}
	native := binary.NativeEndian
	size := 4
	if native.Uint16(b[espFamily:]) == unix.AF_INET6 {
		size = 16
	}
	s.Source, _ = netip.AddrFromSlice(b[espSource:][:size])
	s.Destination, _ = netip.AddrFromSlice(b[espDestination:][:size])
	s.SPI = binary.BigEndian.Uint32(b[espSPI:])
	s.Bytes, s.Packets = native.Uint64(b[espBytes:]), native.Uint64(b[espPackets:])
	s.Transport, s.ESN, s.Window = b[espMode] == 0, b[espFlags]&espFlagESN != 0, uint32(b[espWindow])
	attrs, err := nl.ParseRouteAttr(b[espLen:])
	if err != nil {
		return s, false
	}
	for _, a := range attrs {
		switch v := a.Value; a.Attr.Type {
		case nl.XFRMA_ALG_AEAD, nl.XFRMA_ALG_CRYPT:
			s.KeyBits = int(native.Uint32(v[algorithmLen:]))
			s.Algorithm = algorithmName(v) + s.Algorithm
		case nl.XFRMA_ALG_AUTH_TRUNC:
			s.Algorithm += " " + algorithmName(v)
		case nl.XFRMA_ENCAP:
			s.UDP, s.SourcePort, s.DestinationPort = true, binary.BigEndian.Uint16(v[2:]), binary.BigEndian.Uint16(v[4:])
		case espReplayESN:
			s.Window = native.Uint32(v[20:])
		}
	}
	return s, s.Algorithm != ""
}

func algorithmName(v []byte) string {
	name, _, _ := bytes.Cut(v[:algorithmLen], []byte{0})
	return string(name)
}

// FlushESP takes all security associations away, as a loss of power does.
func (n *Node) FlushESP() {
	n.t.Helper()
	n.check("security associations", n.Do(func() error { return netlink.XfrmStateFlush(netlink.XFRM_PROTO_ESP) }))
}

// GRE adds a multipoint GRE tunnel with a key, up, and with an address in CIDR, for
// nodes without a zebra of ours.
func (n *Node) GRE(name, local string, key uint32, addr string) {
	n.t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = name, 1400
	n.check(name, n.nl.LinkAdd(&netlink.Gretun{LinkAttrs: attrs, Local: net.ParseIP(local).To4(), IKey: key, OKey: key, Ttl: 64}))
	n.Addr(name, addr)
	n.Up(name)
}

// GREPeer tells a tunnel where the station with an address in the tunnel is.
func (n *Node) GREPeer(name, addr, nbma string) {
	n.t.Helper()
	n.check(addr, n.nl.NeighSet(&netlink.Neigh{LinkIndex: n.link(name).Attrs().Index, State: netlink.NUD_PERMANENT,
		IP: net.ParseIP(addr), LLIPAddr: net.ParseIP(nbma).To4()}))
}

// WarmESP has the kernel make a security association of each algorithm and take it away
// again: the first one of a boot may take seconds.
func (n *Node) WarmESP() {
	n.t.Helper()
	aead := func(name string, key int) *netlink.XfrmState {
		return &netlink.XfrmState{Aead: &netlink.XfrmStateAlgo{Name: name, Key: make([]byte, key), ICVLen: 128}}
	}
	for i, s := range []*netlink.XfrmState{
		aead("rfc4106(gcm(aes))", 36), aead("rfc7539esp(chacha20,poly1305)", 36),
		{Crypt: &netlink.XfrmStateAlgo{Name: "cbc(aes)", Key: make([]byte, 32)},
			Auth: &netlink.XfrmStateAlgo{Name: "hmac(sha256)", Key: make([]byte, 32), TruncateLen: 128}},
	} {
		s.Src, s.Dst, s.Spi = net.IP{127, 0, 0, 1}, net.IP{127, 0, 0, 2}, 0x1000+i
		s.Proto, s.Mode = netlink.XFRM_PROTO_ESP, netlink.XFRM_MODE_TRANSPORT
		n.check("security association", n.nl.XfrmStateAdd(s))
		n.check("security association", n.nl.XfrmStateDel(s))
	}
}
