package packet

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/lib/wire"
)

// Offsets of the fields of the header (RFC 7868 section 6.5).
const (
	offVersion  = 0
	offOpcode   = 1
	offChecksum = 2
	offVRID     = 16
	offAS       = 18
)

// Parse returns the message in b, the whole payload of an IP packet. It keeps no
// reference to b. The error is an *Error.
func Parse(b []byte) (*Message, error) {
	m := new(Message)
	if err := m.Decode(b); err != nil {
		return nil, err
	}
	return m, nil
}

// Decode is Parse into m, whose former content it overwrites and whose memory it
// uses again: in the long run it does not allocate. It keeps no reference to b.
// After an error m is not usable, but for another Decode. Nothing in m may be
// believed where authentication is configured before Verify said so.
func (m *Message) Decode(b []byte) error {
	own := &m.own
	*m = Message{own: storage{
		b: own.b[:0], addrs: own.addrs[:0], tids: own.tids[:0], routes: own.routes[:0],
		lists: own.lists[:0], tlvs: own.tlvs[:0], prefixes: own.prefixes[:0],
		communities: own.communities[:0], paths: own.paths[:0], attributes: own.attributes[:0],
	}}
	if e := checkEnvelope(b); e.Reason != 0 {
		return &Error{Reason: e.Reason, Offset: e.Offset} // here, so that the good case does not allocate
	}
	m.own.b = append(m.own.b, b...)
	d := decoder{m: m}
	d.message(m.own.b)
	if d.failed() {
		e := d.err
		return &e
	}
	return nil
}

// checkEnvelope checks what must hold before anything else can be read.
func checkEnvelope(b []byte) Error {
	switch {
	case len(b) < HeaderLen:
		return Error{ReasonTruncated, len(b)}
	case len(b) > MaxPacketSize:
		return Error{ReasonTooLong, MaxPacketSize}
	case b[offVersion] != Version:
		return Error{ReasonVersion, offVersion}
	case !wire.ChecksumOK(b):
		return Error{ReasonChecksum, offChecksum}
	}
	return Error{}
}

// decoder fills a Message. The first error sticks.
type decoder struct {
	m    *Message
	seen uint16 // bits of the general TLVs that were there
	err  Error
}

func (d *decoder) fail(r Reason, off int) {
	if d.err.Reason == 0 {
		d.err = Error{Reason: r, Offset: off}
	}
}

func (d *decoder) failed() bool { return d.err.Reason != 0 }

// readOK turns a failure of the reader into a ReasonTruncated.
func (d *decoder) readOK(r *wire.Reader) bool {
	if r.Failed() {
		d.fail(ReasonTruncated, r.Offset())
	}
	return !d.failed()
}

// message decodes b, which is one whole packet.
func (d *decoder) message(b []byte) {
	m := d.m
	r := wire.NewReader(b)
	r.Skip(offOpcode)
	m.Opcode = Opcode(r.U8())
	r.Skip(2)
	m.Flags = Flags(r.U32())
	m.Sequence, m.Ack = r.U32(), r.U32()
	m.VRID, m.AS = r.U16(), r.U16()
	switch {
	case !m.Opcode.Known():
		d.fail(ReasonOpcode, offOpcode)
	case m.VRID != VRIDUnicast && m.VRID != VRIDMulticast && m.VRID != VRIDService:
		d.fail(ReasonVRID, offVRID)
	case m.AS == 0:
		d.fail(ReasonAS, offAS)
	}
	for r.Len() > 0 && !d.failed() {
		d.tlv(&r)
	}
	own := &m.own
	m.Routes, m.Communities, m.Unknown = nilIfEmpty(own.routes), nilIfEmpty(own.lists), nilIfEmpty(own.tlvs)
}

// nilIfEmpty lets what is absent be the same for a Message that was read and one
// that was made.
func nilIfEmpty[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s[:len(s):len(s)]
}

// tlv decodes one TLV.
func (d *decoder) tlv(r *wire.Reader) {
	at := r.Offset()
	typ, n := TLVType(r.U16()), int(r.U16())
	switch {
	case !d.readOK(r):
		return
	case n < tlvHeader:
		d.fail(ReasonTLVLength, at+2)
		return
	case n-tlvHeader > r.Len():
		d.fail(ReasonTruncated, at+2)
		return
	}
	v := r.Sub(n - tlvHeader)
	switch {
	case typ.IsRoute():
		d.route(typ, &v)
	case typ.community():
		d.communities(typ, &v)
	case typ.known():
		d.general(typ, at, &v)
	default:
		d.m.own.tlvs = append(d.m.own.tlvs, TLV{Type: typ, Value: nilIfEmpty(v.Rest())})
	}
	if d.readOK(&v) && v.Len() > 0 {
		d.fail(ReasonTLVLength, at+2)
	}
}

// general decodes the TLVs of RFC 7868 section 6.7, each of which may be there once.
// What is left of v, or is missing in it, is found by the caller.
func (d *decoder) general(typ TLVType, at int, v *wire.Reader) {
	m := d.m
	if d.seen&(1<<typ) != 0 {
		d.fail(ReasonDuplicate, at)
		return
	}
	d.seen |= 1 << typ
	switch typ {
	case TypeParameter:
		p := &m.own.parameters
		p.Weights = metric.Weights{K1: v.U8(), K2: v.U8(), K3: v.U8(), K4: v.U8(), K5: v.U8(), K6: v.U8()}
		p.HoldTime = v.U16()
		m.Parameters = p
	case TypeAuthentication:
		d.auth(v)
	case TypeSequence:
		m.SequenceAddrs = d.addrs(v)
	case TypeSoftwareVersion:
		m.own.software = Software{v.U8(), v.U8(), v.U8(), v.U8()}
		m.Software = &m.own.software
	case TypeMulticastSequence:
		m.MulticastSequence = v.U32()
	case TypePeerInformation:
		m.Stub = StubFlags(v.U16())
	case TypePeerTermination:
		m.Terminated = d.addrs(v)
	case TypeTIDList:
		m.TIDs = d.tids(v)
	}
}

// addrs decodes addresses, each with its length before it (RFC 7868 section 6.7.3).
func (d *decoder) addrs(v *wire.Reader) []netip.Addr {
	own := &d.m.own
	first := len(own.addrs)
	for v.Len() > 0 {
		at := v.Offset()
		n := int(v.U8())
		if n != AFIPv4.addrLen() && n != AFIPv6.addrLen() {
			d.fail(ReasonAddressLength, at)
			return nil
		}
		a, ok := netip.AddrFromSlice(v.Bytes(n))
		if !ok {
			break // the reader failed
		}
		own.addrs = append(own.addrs, a)
	}
	return nilIfEmpty(own.addrs[first:])
}

// tids decodes the TID list: flags, the octets of the list, the list.
func (d *decoder) tids(v *wire.Reader) []uint16 {
	v.Skip(2)
	at := v.Offset()
	n := int(v.U16())
	if !d.readOK(v) {
		return nil
	}
	if n != v.Len() || n%2 != 0 {
		d.fail(ReasonTIDs, at)
		return nil
	}
	for v.Len() > 0 {
		d.m.own.tids = append(d.m.own.tids, v.U16())
	}
	return nilIfEmpty(d.m.own.tids)
}

// communities decodes a Community TLV (RFC 7868 sections 6.8.5.3 and 6.8.6.3).
func (d *decoder) communities(typ TLVType, v *wire.Reader) {
	f := AFIPv4
	if typ == TypeIPv6Community {
		f = AFIPv6
	}
	dst, _ := netip.AddrFromSlice(v.Bytes(f.addrLen()))
	v.Skip(2)
	at := v.Offset()
	n := int(v.U16())
	if !d.readOK(v) {
		return
	}
	if n != v.Len() {
		d.fail(ReasonCommunity, at)
		return
	}
	d.m.own.lists = append(d.m.own.lists, Communities{Destination: dst, List: d.communityList(v)})
}

// communityList decodes communities up to the end of v; there has to be one.
func (d *decoder) communityList(v *wire.Reader) []Community {
	own := &d.m.own
	first := len(own.communities)
	if v.Len() == 0 || v.Len()%communityLen != 0 {
		d.fail(ReasonCommunity, v.Offset())
		return nil
	}
	for v.Len() > 0 {
		own.communities = append(own.communities, Community(v.Bytes(communityLen)))
	}
	return nilIfEmpty(own.communities[first:])
}
