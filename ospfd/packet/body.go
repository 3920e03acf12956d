package packet

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// RouterFlags are the flags of a router-LSA.
type RouterFlags uint8

// Flags of a router-LSA (RFC 2328 section A.4.2, RFC 3101 section 2.4 for Nt,
// draft-ietf-ospf-shortcut-abr-02 for S, where FRR has it). Bits without a name survive.
const (
	RouterB  RouterFlags = 0x01 // area border router
	RouterE  RouterFlags = 0x02 // AS boundary router
	RouterV  RouterFlags = 0x04 // endpoint of a virtual link
	RouterNt RouterFlags = 0x10 // translates type-7 LSAs always
	RouterS  RouterFlags = 0x20 // takes shortcuts through the area
)

// Router is the body of a router-LSA (RFC 2328 section A.4.2).
type Router struct {
	Flags RouterFlags
	Links []RouterLink
}

// LinkType is the type of a link in a router-LSA.
type LinkType uint8

// Types of links.
const (
	LinkPointToPoint LinkType = 1
	LinkTransit      LinkType = 2
	LinkStub         LinkType = 3
	LinkVirtual      LinkType = 4
)

// RouterLink is a link of a router-LSA:
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          Link ID                              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Link Data                             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Type      |     # TOS     |            metric             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Metrics of other types of service, which follow it, are passed over (appendix E of
// RFC 2328 took them out of the protocol).
type RouterLink struct {
	// ID is the neighbour's router ID, the address of the designated router, or the
	// network number of a stub.
	ID ID
	// Data is the interface's address, its MIB-II index if unnumbered, or the mask of a
	// stub.
	Data   uint32
	Type   LinkType
	Metric uint16
}

// Router decodes the body of a router-LSA.
func (l LSA) Router() (body Router, err error) {
	r := wire.NewReader(l.Body())
	body.Flags = RouterFlags(r.U8())
	r.Skip(1)
	n := int(r.U16())
	if n*routerLinkLen > r.Len() {
		return Router{}, l.refuse(ReasonLinks, routerLinksAt)
	}
	body.Links = make([]RouterLink, 0, n)
	for range n {
		k := RouterLink{ID: ID(r.U32()), Data: r.U32(), Type: LinkType(r.U8())}
		tos := int(r.U8())
		k.Metric = r.U16()
		r.Skip(tos * 4)
		body.Links = append(body.Links, k)
	}
	if r.Failed() || r.Len() > 0 {
		return Router{}, l.refuse(ReasonLSALength, LSAHeaderLen+r.Offset())
	}
	return body, nil
}

const (
	routerLinkLen = 12
	routerLinksAt = LSAHeaderLen + 2
)

// Append appends the body. More links than an LSA has room for are refused by NewLSA.
func (t Router) Append(b []byte) []byte {
	b = append(b, uint8(t.Flags), 0)
	b = wire.AppendU16(b, uint16(len(t.Links)))
	for _, k := range t.Links {
		b = wire.AppendU32(b, uint32(k.ID))
		b = wire.AppendU32(b, k.Data)
		b = append(b, uint8(k.Type), 0)
		b = wire.AppendU16(b, k.Metric)
	}
	return b
}

// Network is the body of a network-LSA (RFC 2328 section A.4.3).
type Network struct {
	Mask    uint32
	Routers []ID // fully adjacent to the designated router, which is one of them
}

// Network decodes the body of a network-LSA.
func (l LSA) Network() (body Network, err error) {
	r := wire.NewReader(l.Body())
	body.Mask = r.U32()
	if r.Failed() || r.Len()%4 != 0 {
		return Network{}, l.refuse(ReasonLSALength, lsaLengthOffset)
	}
	body.Routers = make([]ID, 0, r.Len()/4)
	for r.Len() > 0 {
		body.Routers = append(body.Routers, ID(r.U32()))
	}
	return body, nil
}

// Append appends the body.
func (n Network) Append(b []byte) []byte {
	b = wire.AppendU32(b, n.Mask)
	for _, id := range n.Routers {
		b = wire.AppendU32(b, uint32(id))
	}
	return b
}

// Summary is the body of a summary-LSA, of either type (RFC 2328 section A.4.4). In those
// of AS boundary routers the mask means nothing.
type Summary struct {
	Mask   uint32
	Metric uint32 // 24 bits; LSInfinity is unreachable
}

// Summary decodes the body of a summary-LSA.
func (l LSA) Summary() (body Summary, err error) {
	r := wire.NewReader(l.Body())
	body.Mask = r.U32()
	r.Skip(1)
	body.Metric = r.U24()
	if r.Failed() || r.Len()%4 != 0 { // metrics of other types of service may follow
		return Summary{}, l.refuse(ReasonLSALength, lsaLengthOffset)
	}
	return body, nil
}

// Append appends the body.
func (s Summary) Append(b []byte) []byte {
	b = wire.AppendU32(b, s.Mask)
	return wire.AppendU32(b, s.Metric&LSInfinity)
}

// External is the body of an AS-external-LSA (RFC 2328 section A.4.5) or of a type-7 LSA
// (RFC 3101 section 2.4).
type External struct {
	Mask       uint32
	Type2      bool       // E: the metric counts more than any way to the router
	Metric     uint32     // 24 bits; LSInfinity is unreachable
	Forwarding netip.Addr // where packets go; the zero Addr, on the wire zeros, is the originator
	Tag        uint32
}

// External decodes the body of an AS-external-LSA or type-7 LSA.
func (l LSA) External() (body External, err error) {
	r := wire.NewReader(l.Body())
	body.Mask = r.U32()
	body.Type2 = r.U8()&0x80 != 0
	body.Metric = r.U24()
	body.Forwarding = addrFrom(r.U32())
	body.Tag = r.U32()
	if r.Failed() || r.Len()%12 != 0 { // metrics of other types of service may follow
		return External{}, l.refuse(ReasonLSALength, lsaLengthOffset)
	}
	return body, nil
}

// Append appends the body.
func (e External) Append(b []byte) []byte {
	b = wire.AppendU32(b, e.Mask)
	metric := e.Metric & LSInfinity
	if e.Type2 {
		metric |= 0x80000000
	}
	b = wire.AppendU32(b, metric)
	b = wire.AppendU32(b, addrTo(e.Forwarding))
	return wire.AppendU32(b, e.Tag)
}

// Opaque decodes the body of an opaque LSA (RFC 5250 section 3) as TLVs, which is what
// grace-LSAs and router information have in them.
func (l LSA) Opaque() ([]TLV, error) {
	r := wire.NewReader(l.Body())
	tlvs, ok := readTLVs(&r)
	if !ok {
		return nil, l.refuse(ReasonTLV, LSAHeaderLen+r.Offset())
	}
	return tlvs, nil
}

// OpaqueType returns the opaque type, the upper 8 bits of the Link State ID of an opaque
// LSA, and the opaque ID, the other 24 (RFC 5250 section 3).
func (k LSAKey) OpaqueType() (typ uint8, id uint32) {
	return uint8(k.ID >> 24), uint32(k.ID) & 0xffffff
}

// AppendTLVs appends TLVs, filled up with zeros.
func AppendTLVs(b []byte, tlvs []TLV) []byte {
	for _, t := range tlvs {
		b = wire.AppendU16(b, t.Type)
		b = wire.AppendU16(b, uint16(len(t.Value)))
		b = append(b, t.Value...)
		b = wire.AppendZeros(b, padding(len(t.Value)))
	}
	return b
}

// padding is how many octets fill n up to a multiple of four.
func padding(n int) int { return -n & 3 }

// readTLVs reads all of r as TLVs. The last one may come without the zeros.
func readTLVs(r *wire.Reader) (tlvs []TLV, ok bool) {
	for r.Len() > 0 {
		t := TLV{Type: r.U16()}
		n := int(r.U16())
		t.Value = append([]byte(nil), r.Bytes(n)...)
		if r.Failed() {
			return nil, false
		}
		r.Skip(min(padding(n), r.Len()))
		tlvs = append(tlvs, t)
	}
	return tlvs, true
}

// refuse makes an error of an LSA; the offset counts from the start of the LSA.
func (l LSA) refuse(why Reason, at int) error { return &Error{why, at} }

// addrFrom makes an address; zeros are the zero Addr.
func addrFrom(v uint32) netip.Addr {
	if v == 0 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// addrTo is its opposite. An address that is not IPv4 is none.
func addrTo(a netip.Addr) uint32 {
	if !a.Is4() {
		return 0
	}
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
