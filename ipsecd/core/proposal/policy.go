package proposal

import (
	"encoding/binary"
	"slices"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
)

// IKE is what may be used for an IKE SA; each list has the best first.
type IKE struct {
	Encryption []packet.Transform // ID and KeyLength count
	Integrity  []uint16           // none beside AEAD ciphers only
	PRF        []uint16
	Groups     []packet.Group
	Additional []Additional
}

// Additional is what an additional key exchange may be (RFC 9370 section 2.2.1).
type Additional struct {
	Groups   []packet.Group
	Optional bool // a peer without it is accepted
}

// MaxAdditional is how many additional key exchanges there can be.
const MaxAdditional = 7

// ESP is what may be used for a child SA; each list has the best first.
type ESP struct {
	Encryption []packet.Transform
	Integrity  []uint16
	Groups     []packet.Group // for PFS; none: a key exchange is not asked for
	Additional []Additional   // with PFS only
	ESN        []bool         // extended sequence numbers; none: without
}

// DefaultIKE is the proposal `default` of IOS-XE 26, which is in force where nothing is
// configured.
func DefaultIKE() IKE {
	return IKE{
		Encryption: []packet.Transform{{ID: packet.EncrAESCBC, KeyLength: 256}},
		Integrity:  []uint16{packet.AuthHMACSHA512, packet.AuthHMACSHA384},
		PRF:        []uint16{packet.PRFHMACSHA2512, packet.PRFHMACSHA2384},
		Groups:     []packet.Group{packet.ECP256, packet.MODP2048, packet.ECP521},
		Additional: []Additional{{Groups: []packet.Group{packet.MLKEM768, packet.MLKEM1024}, Optional: true}},
	}
}

// DefaultESP is the transform set `default` of IOS-XE: `esp-aes esp-sha-hmac`, no PFS.
func DefaultESP() ESP {
	return ESP{Encryption: []packet.Transform{{ID: packet.EncrAESCBC, KeyLength: 128}}, Integrity: []uint16{packet.AuthHMACSHA1}}
}

// OfferIKE returns the SA payload of an initiator. spi is its SPI for an IKE SA that
// replaces another, 0 for the first one with a peer. There are to be at most
// packet.MaxProposals.
func OfferIKE(policy []IKE, spi packet.SPI) *packet.SA {
	sa := &packet.SA{}
	for _, p := range apart(policy, func(p *IKE) *[]Additional { return &p.Additional }) {
		out := packet.Proposal{Number: uint8(len(sa.Proposals) + 1), Protocol: packet.ProtocolIKE}
		if spi != 0 {
			out.SPI = binary.BigEndian.AppendUint64(nil, uint64(spi))
		}
		out.Transforms = ciphers(p.Encryption)
		out.Transforms = appendIDs(out.Transforms, packet.PRF, p.PRF)
		out.Transforms = appendIDs(out.Transforms, packet.Integrity, p.Integrity)
		out.Transforms = appendIDs(out.Transforms, packet.KeyExchange, p.Groups)
		out.Transforms = appendAdditional(out.Transforms, p.Additional)
		sa.Proposals = append(sa.Proposals, out)
	}
	return sa
}

// OfferESP returns the SA payload for a child SA with the SPI spi. auth says that it is
// for IKE_AUTH, where there is no key exchange.
func OfferESP(policy []ESP, spi uint32, auth bool) *packet.SA {
	sa := &packet.SA{}
	more := func(p *ESP) *[]Additional { return &p.Additional }
	if auth {
		more = func(*ESP) *[]Additional { return new([]Additional) }
	}
	for _, p := range apart(policy, more) {
		out := packet.Proposal{Number: uint8(len(sa.Proposals) + 1), Protocol: packet.ProtocolESP, SPI: binary.BigEndian.AppendUint32(nil, spi)}
		out.Transforms = appendIDs(ciphers(p.Encryption), packet.Integrity, p.Integrity)
		if !auth && len(p.Groups) > 0 {
			out.Transforms = appendIDs(out.Transforms, packet.KeyExchange, p.Groups)
			out.Transforms = appendAdditional(out.Transforms, p.Additional)
		}
		out.Transforms = appendIDs(out.Transforms, packet.ESN, p.esn())
		sa.Proposals = append(sa.Proposals, out)
	}
	return sa
}

// apart puts behind each part of a policy with additional key exchanges that are all
// optional one without them: a peer that does not know their types passes over a proposal
// that has one (RFC 7296 section 3.3.6).
func apart[T any](policy []T, more func(*T) *[]Additional) (out []T) {
	room := packet.MaxProposals - len(policy)
	for _, p := range policy {
		out = append(out, p)
		as := *more(&p)
		if len(as) > 0 && room > 0 && !slices.ContainsFunc(as, func(a Additional) bool { return !a.Optional }) {
			room--
			*more(&p) = nil
			out = append(out, p)
		}
	}
	return out
}

// esn returns the transforms of extended sequence numbers.
func (p *ESP) esn() []uint16 {
	if len(p.ESN) == 0 {
		return []uint16{packet.ESNNo}
	}
	var out []uint16
	for _, on := range p.ESN {
		id := packet.ESNNo
		if on {
			id = packet.ESNYes
		}
		out = append(out, id)
	}
	return out
}

// cipher returns a transform of encryption as it is written.
func cipher(t packet.Transform) packet.Transform {
	return packet.Transform{Type: packet.Encryption, ID: t.ID, KeyLength: t.KeyLength}
}

func ciphers(cs []packet.Transform) []packet.Transform {
	var out []packet.Transform
	for _, c := range cs {
		out = append(out, cipher(c))
	}
	return out
}

func appendIDs[T ~uint16](out []packet.Transform, t packet.TransformType, ids []T) []packet.Transform {
	for _, id := range ids {
		out = append(out, packet.Transform{Type: t, ID: uint16(id)})
	}
	return out
}

// slot returns the transform type of the i-th additional key exchange, from 0.
func slot(i int) packet.TransformType { return packet.AddKE1 + packet.TransformType(i) }

func appendAdditional(out []packet.Transform, as []Additional) []packet.Transform {
	for i, a := range as[:min(len(as), MaxAdditional)] {
		out = appendIDs(out, slot(i), a.Groups)
		if a.Optional {
			out = append(out, packet.Transform{Type: slot(i), ID: uint16(packet.NoGroup)})
		}
	}
	return out
}

// Choice is what was agreed on.
type Choice struct {
	IKE suite.IKE // of an IKE SA
	ESP suite.ESP // of a child SA
	ESN bool
	// Group is that of the key exchange, NoGroup for a child SA without one.
	Group packet.Group
	// Additional are the methods of the additional key exchanges, in their order.
	Additional []packet.Group
	// SPI is the peer's, of 0, 4 or 8 octets.
	SPI []byte
	// Answer is the proposal of the responder, with the number of the one that it accepts
	// and without an SPI, which the responder puts in.
	Answer packet.Proposal
}
