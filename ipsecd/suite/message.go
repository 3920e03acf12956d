package suite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// Append appends message m to b, with the payloads inner in an Encrypted payload, and
// returns the longer slice. m.Encrypted is ignored. The error is an *packet.Error, or
// that of random.
func (c *Cipher) Append(b []byte, m *packet.Message, inner []packet.Payload, random io.Reader) ([]byte, error) {
	plain, err := packet.AppendPayloads(nil, inner)
	if err != nil {
		return b, err
	}
	return c.append(b, m, packet.Encrypted{First: packet.First(inner)}, plain, random)
}

// append writes m with e, whose contents will be plain, and seals it.
func (c *Cipher) append(b []byte, m *packet.Message, e packet.Encrypted, plain []byte, random io.Reader) ([]byte, error) {
	e.Data = make([]byte, c.SealedLen(len(plain)))
	whole := packet.Message{Header: m.Header, Payloads: m.Payloads, Encrypted: &e}
	out, err := whole.AppendBinary(b)
	if err != nil {
		return b, err
	}
	if err := c.Seal(out[len(b):], plain, random); err != nil {
		return b, err
	}
	return out, nil
}

// ErrFragments says that a message cannot be cut into fragments of the size wanted.
var ErrFragments = errors.New("suite: message does not fit fragments")

// fragmentHeader are the octets of a fragment before its contents: the header, that of
// the payload, the numbers.
const fragmentHeader = packet.HeaderLen + 8

// Fragments returns message m, with the payloads inner, as messages of at most size
// octets (RFC 7383 section 2.5): one that is whole, if that fits. size is that of an
// IKE message, without what is before it in UDP and IP. A message with payloads in
// clear is not cut: there is none that is large. Errors are those of Append, and
// ErrFragments.
func (c *Cipher) Fragments(m *packet.Message, inner []packet.Payload, size int, random io.Reader) ([][]byte, error) {
	plain, err := packet.AppendPayloads(nil, inner)
	if err != nil {
		return nil, err
	}
	e := packet.Encrypted{First: packet.First(inner)}
	if len(m.Payloads) > 0 || packet.HeaderLen+4+c.SealedLen(len(plain)) <= size {
		b, err := c.append(nil, m, e, plain, random)
		if err != nil {
			return nil, err
		}
		return [][]byte{b}, nil
	}
	chunk := max(0, size-fragmentHeader-c.SealedLen(0))
	for fragmentHeader+c.SealedLen(chunk+1) <= size { // what padding leaves room for
		chunk++
	}
	if chunk == 0 || len(plain) > chunk*packet.MaxFragments {
		return nil, ErrFragments
	}
	e.Total = uint16((len(plain) + chunk - 1) / chunk)
	var out [][]byte
	for rest := plain; len(rest) > 0; e.First = packet.NoNextPayload {
		n := min(chunk, len(rest))
		e.Number++
		b, err := c.append(nil, m, e, rest[:n], random)
		if err != nil {
			return nil, err
		}
		out, rest = append(out, b), rest[n:]
	}
	return out, nil
}

// Reassembly puts the fragments of one message together (RFC 7383 section 2.6). The zero
// value is ready; there is one for each message that is expected, so that there is
// nothing in it which others could fill. Only what Open returned may be added.
type Reassembly struct {
	First packet.PayloadType // that of the first fragment, once it is there
	// Head is the first fragment up to its contents, as received: what IntAuth needs.
	Head   []byte
	header [offLength - offVersion]byte // version to Message ID, the same in all
	chunks [][]byte
	have   int
	octets int
}

// Add takes in a fragment: message b with its Encrypted payload e, and what that
// contained. It returns the contents of the whole once all are there. A fragment that is
// there already changes nothing, and so does one of fewer fragments than were
// announced before, or of another exchange; one of more starts all over, since the peer
// sends in smaller pieces now (RFC 7383 section 2.6). What would be larger than
// packet.MaxMessageSize is dropped.
func (r *Reassembly) Add(b []byte, e *packet.Encrypted, plain []byte) (whole []byte, done bool) {
	switch total := int(e.Total); {
	case total < len(r.chunks):
		return nil, false
	case total > len(r.chunks):
		*r = Reassembly{chunks: make([][]byte, total), header: [offLength - offVersion]byte(b[offVersion:offLength])}
	}
	i := int(e.Number) - 1
	if !bytes.Equal(r.header[:], b[offVersion:offLength]) || i < 0 || i >= len(r.chunks) || r.chunks[i] != nil || len(plain) == 0 || r.octets+len(plain) > packet.MaxMessageSize {
		return nil, false
	}
	r.chunks[i] = append([]byte(nil), plain...)
	r.have++
	r.octets += len(plain)
	if i == 0 {
		r.First = e.First
		r.Head = append([]byte(nil), b[:e.Offset]...)
	}
	if r.have < len(r.chunks) {
		return nil, false
	}
	whole = make([]byte, 0, r.octets)
	for _, c := range r.chunks {
		whole = append(whole, c...)
	}
	return whole, true
}

// offNext, offVersion and offLength are where a message has the type of its first payload,
// its version and its length (RFC 7296 section 3.1).
const (
	offNext    = 16
	offVersion = 17
	offLength  = 24
)

// wholeHead turns the start of a message, up to the contents of its Encrypted payload,
// into that of the unfragmented message with n octets of contents and nothing else
// (RFC 9242 section 3.3.2). It returns nil for what is no such start.
func wholeHead(head []byte, fragment bool, n int) []byte {
	h := append([]byte(nil), head...)
	if fragment {
		if len(h) < fragmentHeader || h[offNext] != byte(packet.TypeSKF) {
			return nil
		}
		h = h[:len(h)-4]
		h[offNext] = byte(packet.TypeSK)
	}
	if len(h) < packet.HeaderLen+4 {
		return nil
	}
	binary.BigEndian.PutUint32(h[offLength:], uint32(len(h)+n))
	binary.BigEndian.PutUint16(h[len(h)-2:], uint16(4+n))
	return h
}
