package mss_test

import (
	"bytes"
	"encoding/binary"

	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/mss"
)

// model is what the program shall make of a frame, written from the RFCs. The
// checksum of TCP is left as it was; changed tells the offset of the TCP header if
// an option was rewritten, and is 0 otherwise.
func model(frame []byte, limit uint16, h mss.Header) (out []byte, changed int) {
	out = append([]byte(nil), frame...)
	ip, ok := ipHeader(frame, h)
	if !ok || len(frame) < ip+20 || frame[ip]>>4 != 4 || frame[ip+9] != 6 {
		return out, 0
	}
	head, total := int(frame[ip]&15)*4, int(be(frame[ip+2:]))
	if head < 20 || be(frame[ip+6:])&0x1fff != 0 {
		return out, 0
	}
	tcp := ip + head
	if len(frame) < tcp+14 || frame[tcp+13]&2 == 0 {
		return out, 0
	}
	end := tcp + int(frame[tcp+12]>>4)*4
	if end < tcp+20 || end > ip+total {
		return out, 0
	}
	for at := tcp + 20; at+4 <= min(end, len(frame)); {
		switch kind, size := frame[at], int(frame[at+1]); {
		case kind == 0:
			return out, changed
		case kind == 1:
			at++
		case size < 2:
			return out, changed
		default:
			if kind == 2 && size == 4 && be(frame[at+2:]) > limit {
				binary.BigEndian.PutUint16(out[at+2:], limit)
				changed = tcp
			}
			at += size
		}
	}
	return out, changed
}

// ipHeader finds the IPv4 header. In a test run the kernel takes what follows the
// 14 bytes of Ethernet for the network header.
func ipHeader(frame []byte, h mss.Header) (at int, ok bool) {
	typ := be(frame[12:])
	switch {
	case h == mss.Network:
		if typ != 0x0800 || len(frame) < 14+20 {
			return 0, false
		}
		at = len(frame) - int(be(frame[16:]))
		return at, at >= 0 && at%2 == 0 && at+20 <= len(frame) && bytes.Equal(frame[at:at+4], frame[14:18])
	case typ == 0x0800:
		return 14, true
	case typ == 0x8100 || typ == 0x88a8:
		return 18, len(frame) >= 18 && be(frame[16:]) == 0x0800
	}
	return 0, false
}

func be(b []byte) uint16 { return binary.BigEndian.Uint16(b) }

// sum is the one's complement sum of RFC 1071, folded; 0xffff stands for 0.
func sum(b []byte, start uint32) uint16 {
	s := uint64(start)
	for i := 0; i+1 < len(b); i += 2 {
		s += uint64(b[i])<<8 | uint64(b[i+1])
	}
	if len(b)%2 == 1 {
		s += uint64(b[len(b)-1]) << 8
	}
	if s %= 0xffff; s == 0 {
		return 0xffff
	}
	return uint16(s)
}

// pseudo is the sum of the pseudo-header (RFC 9293 section 3.1) for a segment of
// size bytes.
func pseudo(ip []byte, size int) uint32 {
	return uint32(be(ip[12:])) + uint32(be(ip[14:])) + uint32(be(ip[16:])) + uint32(be(ip[18:])) + 6 + uint32(size)
}
