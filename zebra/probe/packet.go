package probe

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// Protocol numbers and lengths of headers.
const (
	protocolICMP   = 1  // RFC 792
	protocolICMPv6 = 58 // RFC 4443
	fragmentHeader = 44 // RFC 8200 section 4.5

	ipv4Header = 20
	ipv6Header = 40
	echoHeader = 8
	cookieLen  = 8
)

// minSize is the least size of an IP packet with an echo request of ours.
func minSize(v6 bool) int {
	if v6 {
		return ipv6Header + echoHeader + cookieLen
	}
	return ipv4Header + echoHeader + cookieLen
}

// echo is the requests of one command, which differ by sequence number.
type echo struct {
	target  netip.Addr
	id      uint16
	payload []byte
}

// newEcho makes requests that are IP packets of size octets without options; size
// is at least minSize.
func newEcho(target netip.Addr, size int) echo {
	e := echo{target: target.WithZone("")}
	header := minSize(target.Is6()) - cookieLen
	e.payload = bytes.Repeat([]byte{0xab, 0xcd}, (size-header+1)/2)[:size-header] // the pattern of IOS
	var id [2]byte
	rand.Read(id[:]) // never fails
	rand.Read(e.payload[:cookieLen])
	e.id = binary.BigEndian.Uint16(id[:])
	return e
}

// request is an ICMP message. The kernel fills in the checksum of ICMPv6.
func (e echo) request(seq uint16) ([]byte, error) {
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: int(e.id), Seq: int(seq), Data: e.payload}}
	if e.target.Is6() {
		m.Type = ipv6.ICMPTypeEchoRequest
	}
	return m.Marshal(nil)
}

// kind is what became of a request.
type kind uint8

const (
	silence kind = iota // no answer in time
	reply
	noNet      // destination unreachable, by what the router says is not there
	noHost     //
	noProtocol //
	noPort     //
	forbidden  // administratively
	tooBig     // and must not be fragmented
	expired    // the time to live
	strange    // another error
)

// match tells what an ICMP message says about the request with this sequence
// number; ok is false if nothing.
func (e echo) match(seq uint16, b []byte) (k kind, ok bool) {
	protocol := protocolICMP
	if e.target.Is6() {
		protocol = protocolICMPv6
	} else if !wire.ChecksumOK(b) { // of ICMPv6 the kernel has checked it
		return 0, false
	}
	m, err := icmp.ParseMessage(protocol, b)
	if err != nil {
		return 0, false
	}
	switch body := m.Body.(type) {
	case *icmp.Echo:
		isReply := m.Type == ipv4.ICMPTypeEchoReply || m.Type == ipv6.ICMPTypeEchoReply
		return reply, isReply && body.ID == int(e.id) && body.Seq == int(seq) && bytes.Equal(body.Data, e.payload)
	case *icmp.TimeExceeded:
		return expired, e.quoted(seq, body.Data)
	case *icmp.PacketTooBig:
		return tooBig, e.quoted(seq, body.Data)
	case *icmp.ParamProb:
		return strange, e.quoted(seq, body.Data)
	case *icmp.DstUnreach:
		return unreachable(protocol, m.Code), e.quoted(seq, body.Data)
	}
	return 0, false
}

// unreachable is the kind of a Destination Unreachable by its code.
func unreachable(protocol, code int) kind {
	kinds := map[int]kind{ // RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1
		0: noNet, 6: noNet, 11: noNet, 1: noHost, 7: noHost, 8: noHost, 12: noHost,
		2: noProtocol, 3: noPort, 4: tooBig, 9: forbidden, 10: forbidden, 13: forbidden}
	if protocol == protocolICMPv6 { // RFC 4443 section 3.1
		kinds = map[int]kind{0: noNet, 1: forbidden, 2: noNet, 3: noHost, 4: noPort, 5: forbidden, 6: noNet}
	}
	if k, ok := kinds[code]; ok {
		return k
	}
	return strange
}

// quoted tells whether the start of a packet that an ICMP error quotes is that of
// the request with this sequence number.
func (e echo) quoted(seq uint16, b []byte) bool {
	var dst netip.Addr
	request := byte(ipv4.ICMPTypeEcho)
	if e.target.Is4() {
		if len(b) < ipv4Header || b[0]>>4 != 4 || b[9] != protocolICMP || b[6]&0x1f != 0 || b[7] != 0 {
			return false // not ICMP, or not the first fragment
		}
		header := int(b[0]&0xf) * 4
		if header < ipv4Header || len(b) < header {
			return false
		}
		dst, _ = netip.AddrFromSlice(b[16:20])
		b = b[header:]
	} else {
		if len(b) < ipv6Header || b[0]>>4 != 6 {
			return false
		}
		next := b[6]
		dst, _ = netip.AddrFromSlice(b[24:40])
		b = b[ipv6Header:]
		const fragmentLen = 8
		if next == fragmentHeader && len(b) >= fragmentLen && b[2] == 0 && b[3]>>3 == 0 {
			next, b = b[0], b[fragmentLen:]
		}
		if next != protocolICMPv6 {
			return false
		}
		request = byte(ipv6.ICMPTypeEchoRequest)
	}
	return dst == e.target && len(b) >= echoHeader && b[0] == request && b[1] == 0 &&
		binary.BigEndian.Uint16(b[4:]) == e.id && binary.BigEndian.Uint16(b[6:]) == seq
}
