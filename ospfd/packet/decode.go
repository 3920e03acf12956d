package packet

import (
	"encoding/binary"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// Offsets in the header.
const (
	versionAt   = 0
	typeAt      = 1
	lengthAt    = 2
	checksumAt  = 12
	auTypeAt    = 14
	authFieldAt = 16
)

// Lengths, in octets.
const (
	helloLen       = 20 // of a Hello's body without neighbours
	descriptionLen = 8  // of a Database Description's without headers
	requestLen     = 12 // of a request for an LSA
	countLen       = 4  // of the number of LSAs in an update
	llsHeaderLen   = 4
	maxDigestLen   = 64
)

// Parse returns the message in b, the whole payload of an IP packet, to which it keeps no
// reference. The error is an *Error.
func Parse(b []byte) (*Message, error) {
	m := new(Message)
	d := decoder{m: m, b: b}
	if e := d.message(); e.Reason != 0 {
		return nil, &e
	}
	return m, nil
}

type decoder struct {
	m *Message
	b []byte
}

func (d *decoder) message() Error {
	m, b := d.m, d.b
	if len(b) < HeaderLen {
		return Error{ReasonTruncated, len(b)}
	}
	if b[versionAt] != Version {
		return Error{ReasonVersion, versionAt}
	}
	m.Type = Type(b[typeAt])
	n := int(binary.BigEndian.Uint16(b[lengthAt:]))
	switch {
	case m.Type < Hello || m.Type > LinkStateAck:
		return Error{ReasonType, typeAt}
	case n < HeaderLen:
		return Error{ReasonLength, lengthAt}
	case n > len(b):
		return Error{ReasonTruncated, len(b)}
	}
	m.RouterID, m.AreaID = ID(binary.BigEndian.Uint32(b[4:])), ID(binary.BigEndian.Uint32(b[8:]))
	end, e := d.auth(n)
	if e.Reason != 0 {
		return e
	}
	r := wire.NewReader(b[:n])
	r.Skip(HeaderLen)
	if e := d.body(&r); e.Reason != 0 {
		return e
	}
	if r.Failed() {
		return Error{ReasonLength, r.Offset()}
	}
	return d.signalling(end)
}

// auth decodes the authentication and checks the checksum (RFC 2328 section D.4). It
// returns where the trailer ends.
func (d *decoder) auth(n int) (end int, e Error) {
	a, b := &d.m.Auth, d.b
	a.Type = AuType(binary.BigEndian.Uint16(b[auTypeAt:]))
	field := b[authFieldAt:HeaderLen]
	switch a.Type {
	case AuthNull, AuthSimple:
		if a.Type == AuthSimple {
			copy(a.Password[:], field)
		}
		if !checksumOK(b[:n]) {
			return 0, Error{ReasonChecksum, checksumAt}
		}
		return n, Error{}
	case AuthCryptographic:
		a.KeyID, a.DigestLen, a.offset = uint32(field[2]), int(field[3]), n
		a.Sequence = uint64(binary.BigEndian.Uint32(field[4:]))
	case AuthExtended:
		a.KeyID, a.offset = binary.BigEndian.Uint32(field[4:]), n+extendedSequenceLen
		a.DigestLen = int(field[3]) - extendedSequenceLen
		if field[3]%16 == 0 || field[3] == 20 { // a length that does not count the sequence number
			a.DigestLen = int(field[3])
		}
		if len(b) < a.offset {
			return 0, Error{ReasonDigest, len(b)}
		}
		a.Sequence = binary.BigEndian.Uint64(b[n:])
	default:
		return 0, Error{ReasonAuthType, auTypeAt}
	}
	end = a.offset + a.DigestLen
	switch {
	case a.DigestLen < 1 || a.DigestLen > maxDigestLen:
		return 0, Error{ReasonDigest, authFieldAt + 3}
	case end > len(b):
		return 0, Error{ReasonDigest, len(b)}
	}
	return end, Error{}
}

// checksumOK checks the checksum, which does not cover the Authentication field.
func checksumOK(b []byte) bool {
	return wire.Fold(wire.Sum(wire.Sum(0, b[:authFieldAt]), b[HeaderLen:])) == 0xffff
}

func (d *decoder) body(r *wire.Reader) Error {
	switch d.m.Type {
	case Hello:
		return d.hello(r)
	case DatabaseDescription:
		t := &d.m.Description
		t.MTU = r.U16()
		t.Options, t.Flags = Options(r.U8()), DDFlags(r.U8())
		t.Sequence = r.U32()
		return headers(r, &t.Headers)
	case LinkStateRequest:
		return d.requests(r)
	case LinkStateUpdate:
		return d.updates(r)
	}
	return headers(r, &d.m.Acks)
}

func (d *decoder) hello(r *wire.Reader) Error {
	h := &d.m.HelloBody
	h.Mask, h.Interval = r.U32(), r.U16()
	h.Options, h.Priority = Options(r.U8()), r.U8()
	h.DeadInterval = r.U32()
	h.Designated, h.Backup = addrFrom(r.U32()), addrFrom(r.U32())
	if r.Failed() || r.Len()%4 != 0 {
		return Error{ReasonLength, lengthAt}
	}
	for r.Len() > 0 {
		h.Neighbors = append(h.Neighbors, ID(r.U32()))
	}
	return Error{}
}

// headers reads headers of LSAs to the end.
func headers(r *wire.Reader, out *[]LSAHeader) Error {
	if r.Failed() || r.Len()%LSAHeaderLen != 0 {
		return Error{ReasonLength, lengthAt}
	}
	for r.Len() > 0 {
		*out = append(*out, readLSAHeader(r))
	}
	return Error{}
}

func (d *decoder) requests(r *wire.Reader) Error {
	if r.Len()%requestLen != 0 {
		return Error{ReasonLength, lengthAt}
	}
	for r.Len() > 0 {
		at := r.Offset()
		typ := r.U32()
		if typ > 255 {
			return Error{ReasonLSAType, at}
		}
		d.m.Requests = append(d.m.Requests, LSAKey{Type: LSType(typ), ID: ID(r.U32()), Router: ID(r.U32())})
	}
	return Error{}
}

// updates reads LSAs. All their octets are copied at once.
func (d *decoder) updates(r *wire.Reader) Error {
	n := int(r.U32())
	if r.Failed() || n > r.Len()/LSAHeaderLen {
		return Error{ReasonLength, HeaderLen}
	}
	start := r.Offset()
	octets := append([]byte(nil), d.b[start:start+r.Len()]...)
	d.m.Updates = make([]LSA, 0, n)
	for range n {
		at := r.Offset()
		h := readLSAHeader(r)
		if r.Skip(int(h.Length) - LSAHeaderLen); r.Failed() {
			return Error{ReasonLSALength, at + lsaLengthOffset}
		}
		from := at - start
		d.m.Updates = append(d.m.Updates, LSA{LSAHeader: h, Octets: octets[from : from+int(h.Length) : from+int(h.Length)]})
	}
	if r.Len() > 0 {
		return Error{ReasonLength, lengthAt}
	}
	return Error{}
}

// signalling reads the LLS data block that begins at an offset (RFC 5613 section 2.2). What
// follows the packet without the L bit is ignored.
func (d *decoder) signalling(at int) Error {
	if d.m.signalOptions()&OptionL == 0 {
		return Error{}
	}
	b := d.b[at:]
	if len(b) < llsHeaderLen {
		return Error{ReasonLLS, len(d.b)}
	}
	n := 4 * int(binary.BigEndian.Uint16(b[2:]))
	if n < llsHeaderLen || n > len(b) {
		return Error{ReasonLLS, at + 2}
	}
	if t := d.m.Auth.Type; (t == AuthNull || t == AuthSimple) && !wire.ChecksumOK(b[:n]) {
		return Error{ReasonLLS, at}
	}
	r := wire.NewReader(b[llsHeaderLen:n])
	tlvs, ok := readTLVs(&r)
	if !ok {
		return Error{ReasonLLS, at + llsHeaderLen + r.Offset()}
	}
	d.m.LLS = &LLS{TLVs: tlvs}
	return Error{}
}

// signalOptions returns the options in which the L bit may be.
func (m *Message) signalOptions() Options {
	switch m.Type {
	case Hello:
		return m.HelloBody.Options
	case DatabaseDescription:
		return m.Description.Options
	}
	return 0
}
