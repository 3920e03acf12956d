package packet

import (
	"encoding/binary"
	"net/netip"
)

// AttributeType is the Opcode of an extended attribute (RFC 7868 section 6.9.3).
type AttributeType uint8

// Extended attributes. But for the scaled metric they have fields of their own: NoOp
// is padding that comes and goes, Jitter and the energies are in metric.Wide.
const (
	AttributeNoOp            AttributeType = 0 // section 6.9.3.1
	AttributeScaled          AttributeType = 1 // section 6.9.3.2
	AttributeTag             AttributeType = 2 // section 6.9.3.3
	AttributeCommunities     AttributeType = 3 // section 6.9.3.4
	AttributeJitter          AttributeType = 4 // section 6.9.3.5
	AttributeQuiescentEnergy AttributeType = 5 // section 6.9.3.6
	AttributeEnergy          AttributeType = 6 // section 6.9.3.7
	AttributeAddPath         AttributeType = 7 // section 6.9.3.8
)

// typed reports whether the attribute has a field of its own in Route or
// metric.Wide.
func (t AttributeType) typed() bool { return t != AttributeScaled && t <= AttributeAddPath }

// Attribute is one extended attribute that is kept as it is (RFC 7868 section
// 6.9.3):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Opcode    |      Offset   |              Data             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Attribute struct {
	Type AttributeType
	Data []byte // an even number of octets
}

// scaledLen is the length of the data of a Scaled Metric attribute: Reserved and two
// words. The RFC draws that and gives 4 as its number of 16-bit words, which are 5.
const scaledLen = 10

// NewScaledMetric returns the attribute that tells which classic metric came from a
// neighbour that sends no other (RFC 7868 section 6.9.3.2). It is for information.
func NewScaledMetric(bandwidth, delay uint32) Attribute {
	b := make([]byte, 2, scaledLen)
	b = binary.BigEndian.AppendUint32(b, bandwidth)
	return Attribute{Type: AttributeScaled, Data: binary.BigEndian.AppendUint32(b, delay)}
}

// ScaledMetric returns scaled bandwidth and delay of a Scaled Metric attribute. It
// reports false for others.
func (a Attribute) ScaledMetric() (bandwidth, delay uint32, ok bool) {
	if a.Type != AttributeScaled || len(a.Data) != scaledLen {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(a.Data[2:]), binary.BigEndian.Uint32(a.Data[6:]), true
}

// Path is an AddPath attribute: one more path to the destinations of the route, by
// another next hop (RFC 7868 section 6.9.3.8). With an IPv6 next hop the first field
// has 16 octets; only in external routes the last two octets are there.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|       0x07    |       Offset  | Next-Hop Addr. (Upper 2 bytes)|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| IPv4 Address (Lower 2 bytes)  |       RID (Upper 2 bytes)     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|        RID (Lower 2 bytes)    | Admin Tag (Upper 2 bytes)     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Admin Tag (Lower 2 bytes)     |Extern Protocol| Flags Field   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Path struct {
	NextHop  netip.Addr // the zero Addr, on the wire zeros, is the sender
	RouterID RouterID   // of the router that is the source
	Tag      uint32     // administrator's tag
	Protocol ExternalProtocol
	Flags    uint8 // as of the Exterior Section
}

// pathLen returns the length of the data of an AddPath attribute.
func (r *Route) pathLen() int {
	n := r.family().addrLen() + 8
	if r.Type.External() {
		n += 2
	}
	return n
}
