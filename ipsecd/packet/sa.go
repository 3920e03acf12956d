package packet

// SA is a Security Association payload (RFC 7296 section 3.3): proposals, the best
// first; in an answer the one that was chosen.
type SA struct {
	Proposals []Proposal // 1 to MaxProposals
}

// Proposal is a proposal (RFC 7296 section 3.3.1):
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Last Substruc |   RESERVED    |         Proposal Length       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Proposal Num  |  Protocol ID  |    SPI Size   |Num  Transforms|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                        SPI (variable)                         ~
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                        <Transforms>                           ~
//	+---------------------------------------------------------------+
type Proposal struct {
	Number   uint8
	Protocol Protocol
	// SPI is the sender's: none for the first IKE SA, 8 octets for one that replaces
	// another, 4 for AH and ESP.
	SPI        []byte
	Transforms []Transform // up to MaxTransforms
}

// Transform is a transform (RFC 7296 section 3.3.2):
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Last Substruc |   RESERVED    |        Transform Length       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Transform Type |   RESERVED    |          Transform ID         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                      Transform Attributes                     ~
//	+---------------------------------------------------------------+
type Transform struct {
	Type      TransformType
	ID        uint16
	KeyLength uint16 // in bits; 0: there is no such attribute
	// Attributes are those that are no Key Length, or a second one, or one that is
	// malformed; up to MaxAttributes. Whoever finds one must not accept the transform (section 3.3.6).
	Attributes []Attribute
}

// Attribute is an attribute of a transform (RFC 7296 section 3.3.5).
type Attribute struct {
	Type  uint16 // 15 bits
	Short bool   // TV, not TLV: Value has two octets
	Value []byte
}

const (
	proposalLen  = 8 // octets of a proposal before its SPI
	transformLen = 8 // octets of a transform before its attributes
	attributeLen = 4 // octets of an attribute before its value, if it is a TLV
	shortBit     = 0x8000

	moreProposals  = 2 // Last Substruc of a proposal that is not the last
	moreTransforms = 3
)

// Type returns TypeSA.
func (p *SA) Type() PayloadType { return TypeSA }

func (p *SA) length() int {
	n := 0
	for i := range p.Proposals {
		n += p.Proposals[i].length()
	}
	return n
}

func (p *Proposal) length() int {
	n := proposalLen + len(p.SPI)
	for i := range p.Transforms {
		n += p.Transforms[i].length()
	}
	return n
}

func (t *Transform) length() int {
	n := transformLen
	if t.KeyLength != 0 {
		n += attributeLen
	}
	for i := range t.Attributes {
		n += attributeLen
		if !t.Attributes[i].Short {
			n += len(t.Attributes[i].Value)
		}
	}
	return n
}

func (p *SA) write(a *appender) {
	if len(p.Proposals) == 0 || len(p.Proposals) > MaxProposals {
		a.fail(ReasonProposal)
	}
	for i := range p.Proposals {
		a.proposal(&p.Proposals[i], i == len(p.Proposals)-1)
	}
}

func (a *appender) proposal(p *Proposal, last bool) {
	if len(p.Transforms) > MaxTransforms {
		a.fail(ReasonProposal)
	}
	if !spiFits(p.Protocol, len(p.SPI)) {
		a.fail(ReasonSPI)
	}
	a.substructure(last, moreProposals, p.length())
	a.u8(p.Number, byte(p.Protocol), a.octet(len(p.SPI)), a.octet(len(p.Transforms)))
	a.raw(p.SPI)
	for i := range p.Transforms {
		t := &p.Transforms[i]
		a.substructure(i == len(p.Transforms)-1, moreTransforms, t.length())
		a.u8(byte(t.Type), 0)
		a.u16(t.ID)
		a.attributes(t)
	}
}

func (a *appender) substructure(last bool, more byte, n int) {
	if last {
		more = 0
	}
	a.u8(more, 0)
	a.size(n)
}

func (a *appender) attributes(t *Transform) {
	if len(t.Attributes) > MaxAttributes {
		a.fail(ReasonTooMany)
	}
	if t.KeyLength != 0 {
		a.u16(AttributeKeyLength | shortBit)
		a.u16(t.KeyLength)
	}
	for i := range t.Attributes {
		at := &t.Attributes[i]
		switch {
		case at.Type >= shortBit:
			a.fail(ReasonSize)
		case at.Short && len(at.Value) != 2:
			a.fail(ReasonAttribute)
		case at.keyLength() != 0 && t.KeyLength == 0:
			a.fail(ReasonType)
		case at.Short:
			a.u16(at.Type | shortBit)
			a.raw(at.Value)
		default:
			a.u16(at.Type)
			a.size(len(at.Value))
			a.raw(at.Value)
		}
	}
}

// keyLength returns the key length that an attribute has, 0 if it is none.
func (at *Attribute) keyLength() uint16 {
	if at.Type != AttributeKeyLength || !at.Short {
		return 0
	}
	return uint16(at.Value[0])<<8 | uint16(at.Value[1])
}

// spiFits reports whether a proposal may have an SPI of n octets. Of a protocol that is
// not known it may have any: the proposal is passed over.
func spiFits(p Protocol, n int) bool {
	switch p {
	case ProtocolIKE:
		return n == 0 || n == p.spiLen()
	case ProtocolAH, ProtocolESP:
		return n == p.spiLen()
	}
	return true
}
