package packet

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/wire"
)

func (d *decoder) sa(v *wire.Reader) Payload {
	p := &SA{}
	for more := true; more && !d.failed(); {
		at := v.Offset()
		s, following := d.substructure(moreProposals, proposalLen, v)
		if d.failed() {
			break
		}
		if more = following; more == (v.Len() == 0) || len(p.Proposals) == MaxProposals {
			d.fail(ReasonProposal, at)
			break
		}
		p.Proposals = append(p.Proposals, d.proposal(&s))
	}
	return p
}

// substructure reads the head of a proposal or transform and returns what is behind
// it. more is Last Substruc where another one follows.
func (d *decoder) substructure(more uint8, least int, v *wire.Reader) (s wire.Reader, following bool) {
	at := v.Offset()
	last := v.U8()
	v.Skip(1)
	n := int(v.U16())
	if v.Failed() || last != 0 && last != more || n < least || n-4 > v.Len() {
		d.fail(ReasonProposal, at)
		return wire.Reader{}, false
	}
	return v.Sub(n - 4), last != 0
}

func (d *decoder) proposal(s *wire.Reader) Proposal {
	p := Proposal{Number: s.U8(), Protocol: Protocol(s.U8())}
	at := s.Offset()
	size, n := int(s.U8()), int(s.U8())
	if size > s.Len() || !spiFits(p.Protocol, size) {
		d.fail(ReasonSPI, at)
		return p
	}
	if size > 0 {
		p.SPI = s.Bytes(size)
	}
	if n > MaxTransforms || n == 0 && s.Len() > 0 {
		d.fail(ReasonProposal, at+1)
	}
	for i := 0; i < n && !d.failed(); i++ {
		at := s.Offset()
		t, following := d.substructure(moreTransforms, transformLen, s)
		if d.failed() {
			break
		}
		if last := i == n-1; following == last || last != (s.Len() == 0) {
			d.fail(ReasonProposal, at)
			break
		}
		p.Transforms = append(p.Transforms, d.transform(&t))
	}
	return p
}

func (d *decoder) transform(s *wire.Reader) Transform {
	t := Transform{Type: TransformType(s.U8())}
	s.Skip(1)
	t.ID = s.U16()
	for s.Len() > 0 && !d.failed() {
		at := s.Offset()
		typ := s.U16()
		a := Attribute{Type: typ &^ shortBit, Short: typ&shortBit != 0}
		if a.Short {
			a.Value = s.Bytes(2)
		} else if n := int(s.U16()); n > 0 {
			a.Value = s.Bytes(n)
		}
		if s.Failed() {
			d.fail(ReasonAttribute, at)
			break
		}
		if k := a.keyLength(); k != 0 && t.KeyLength == 0 {
			t.KeyLength = k
			continue
		}
		if len(t.Attributes) == MaxAttributes {
			d.fail(ReasonTooMany, at)
			break
		}
		t.Attributes = append(t.Attributes, a)
	}
	return t
}

func (d *decoder) ts(t PayloadType, v *wire.Reader) Payload {
	p := &TS{Responder: t == TypeTSr}
	at := v.Offset()
	n := int(v.U8())
	v.Skip(3)
	if v.Failed() {
		return p
	}
	if n == 0 {
		d.fail(ReasonSelector, at)
	}
	for i := 0; i < n && !d.failed(); i++ {
		p.Selectors = append(p.Selectors, d.selector(v))
	}
	return p
}

// selectorLen is the length of a selector before its ports.
const selectorLen = 4

func (d *decoder) selector(v *wire.Reader) Selector {
	at := v.Offset()
	s := Selector{Kind: SelectorType(v.U8()), IPProtocol: v.U8()}
	n := int(v.U16()) - selectorLen
	if v.Failed() || n < 0 || n > v.Len() {
		d.fail(ReasonSelector, at)
		return s
	}
	b := v.Sub(n)
	size := s.Kind.addrLen()
	if size == 0 {
		s.Data = rest(&b)
		return s
	}
	s.StartPort, s.EndPort = b.U16(), b.U16()
	s.Start, _ = netip.AddrFromSlice(b.Bytes(size))
	s.End, _ = netip.AddrFromSlice(b.Bytes(size))
	if b.Failed() || b.Len() > 0 || !s.ordered() {
		d.fail(ReasonSelector, at)
	}
	return s
}

// addrLen returns the octets of an address, 0 if the type is not known.
func (t SelectorType) addrLen() int {
	switch t {
	case SelectorIPv4:
		return 4
	case SelectorIPv6:
		return 16
	}
	return 0
}

// ordered reports whether ranges end where they start or behind that. The ports are
// OPAQUE from 65535 to 0 (RFC 7296 section 3.13.1).
func (s *Selector) ordered() bool {
	opaque := s.StartPort == 65535 && s.EndPort == 0
	return (s.StartPort <= s.EndPort || opaque) && s.Start.Compare(s.End) <= 0
}
