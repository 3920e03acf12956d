package ikefault

import (
	"encoding/binary"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// Part is a payload as it goes on the wire, right or wrong.
type Part struct {
	Type   packet.PayloadType
	Flags  byte // 0x80: critical; the others are reserved
	Body   []byte
	Length int                // of the generic header, if it is to be another than the right one
	Next   packet.PayloadType // that the header names, if it is to be another than the right one
}

// Draft is a message that is to be sent.
type Draft struct {
	SPIi, SPIr packet.SPI
	Version    byte
	Exchange   packet.ExchangeType
	Flags      byte
	ID         uint32
	Clear      []Part // not encrypted
	Sealed     bool   // there is an Encrypted payload, with:
	Parts      []Part
	Trailer    []byte // behind the parts
	Padding    []byte // with the pad length; nil: the right one
	Pieces     int    // number of fragments; 0: not fragmented
	Length     int    // is added to that of the header
	// Datagrams has the last word, on what is sealed already.
	Datagrams func([][]byte) [][]byte

	next func() // once it was sent
}

// Of returns a payload as a Part.
func Of(p packet.Payload) Part {
	b, err := packet.AppendPayloads(nil, []packet.Payload{p})
	if err != nil {
		panic(err) // a mistake in a test
	}
	return Part{Type: p.Type(), Body: b[4:]}
}

// Ofs returns payloads as Parts.
func Ofs(ps ...packet.Payload) (out []Part) {
	for _, p := range ps {
		out = append(out, Of(p))
	}
	return out
}

// Find returns the first part of a type.
func (d *Draft) Find(t packet.PayloadType) *Part {
	for _, list := range []*[]Part{&d.Clear, &d.Parts} {
		for i := range *list {
			if (*list)[i].Type == t {
				return &(*list)[i]
			}
		}
	}
	return &Part{}
}

// Drop leaves out all parts of a type.
func (d *Draft) Drop(t packet.PayloadType) {
	for _, list := range []*[]Part{&d.Clear, &d.Parts} {
		var out []Part
		for _, p := range *list {
			if p.Type != t {
				out = append(out, p)
			}
		}
		*list = out
	}
}

// Add puts parts at the end: of what is encrypted, if something is.
func (d *Draft) Add(ps ...Part) {
	if d.Sealed {
		d.Parts = append(d.Parts, ps...)
	} else {
		d.Clear = append(d.Clear, ps...)
	}
}

// chain writes parts; last is what follows them.
func chain(parts []Part, last packet.PayloadType) (first packet.PayloadType, b []byte) {
	first = last
	for i := len(parts) - 1; i >= 0; i-- {
		p, next := parts[i], first
		if p.Next != 0 {
			next = p.Next
		}
		n := 4 + len(p.Body)
		if p.Length != 0 {
			n = p.Length
		}
		h := binary.BigEndian.AppendUint16([]byte{byte(next), p.Flags}, uint16(n))
		first, b = p.Type, append(append(h, p.Body...), b...)
	}
	return first, b
}

// write returns the datagrams of a draft, sealed by c.
func (d *Draft) write(c *seal) [][]byte {
	var out [][]byte
	inner, plain := chain(d.Parts, packet.NoNextPayload)
	plain = append(plain, d.Trailer...)
	n := max(1, d.Pieces)
	for i := range n {
		kind, lo, hi := packet.NoNextPayload, len(plain)*i/n, len(plain)*(i+1)/n
		switch {
		case d.Pieces > 0:
			kind = packet.TypeSKF
		case d.Sealed:
			kind = packet.TypeSK
		}
		first, clear := chain(d.Clear, kind)
		b := binary.BigEndian.AppendUint64(nil, uint64(d.SPIi))
		b = binary.BigEndian.AppendUint64(b, uint64(d.SPIr))
		b = append(b, byte(first), d.Version, byte(d.Exchange), d.Flags)
		b = binary.BigEndian.AppendUint32(b, d.ID)
		b = append(append(b, 0, 0, 0, 0), clear...)
		if kind != packet.NoNextPayload {
			at := len(b)
			b = append(b, byte(inner), 0, 0, 0)
			if kind == packet.TypeSKF {
				b = binary.BigEndian.AppendUint16(b, uint16(i+1))
				b = binary.BigEndian.AppendUint16(b, uint16(n))
				inner = packet.NoNextPayload
			}
			body := c.room(plain[lo:hi], d.Padding)
			binary.BigEndian.PutUint16(b[at+2:], uint16(len(b)-at+body))
			binary.BigEndian.PutUint32(b[24:], uint32(len(b)+body+d.Length))
			b = c.seal(b, plain[lo:hi], d.Padding)
		} else {
			binary.BigEndian.PutUint32(b[24:], uint32(len(b)+d.Length))
		}
		out = append(out, b)
	}
	if d.Datagrams != nil {
		out = d.Datagrams(out)
	}
	return out
}

// Copy returns the same message once more, as a Peer that did not send it yet.
func (d *Draft) Copy() *Draft {
	out := *d
	clone := func(ps []Part) (out []Part) {
		for _, p := range ps {
			p.Body = append([]byte(nil), p.Body...)
			out = append(out, p)
		}
		return out
	}
	out.Clear, out.Parts, out.next = clone(d.Clear), clone(d.Parts), nil
	return &out
}

// With returns what right says, but does once it is sent what d does.
func (d *Draft) With(right *Draft) *Draft {
	out := right.Copy()
	out.next = d.next
	return out
}
