package packet

import (
	"encoding/binary"
)

// AppendBody appends the payload without its generic header: the ID Type, RESERVED and
// the data, which is what both ends authenticate (RFC 7296 section 2.15).
func (p *ID) AppendBody(b []byte) []byte {
	return append(append(b, byte(p.Kind), 0, 0, 0), p.Data...)
}

// Group returns the group that the responder wants instead, of an InvalidKEPayload (RFC
// 7296 section 1.3).
func (p *Notify) Group() (Group, bool) {
	if p.Kind != InvalidKEPayload || len(p.Data) != 2 {
		return 0, false
	}
	return Group(binary.BigEndian.Uint16(p.Data)), true
}

// NewInvalidKE returns the notification that asks for a group.
func NewInvalidKE(g Group) *Notify {
	return &Notify{Kind: InvalidKEPayload, Data: binary.BigEndian.AppendUint16(nil, uint16(g))}
}

// Hashes returns the hash algorithms that the sender supports, of
// SignatureHashAlgorithms (RFC 7427 section 4).
func (p *Notify) Hashes() ([]HashAlgorithm, bool) {
	if p.Kind != SignatureHashAlgorithms || len(p.Data) == 0 || len(p.Data)%2 != 0 {
		return nil, false
	}
	var out []HashAlgorithm
	for b := p.Data; len(b) > 0; b = b[2:] {
		out = append(out, HashAlgorithm(binary.BigEndian.Uint16(b)))
	}
	return out, true
}

// NewHashes returns the notification that names hash algorithms.
func NewHashes(hs ...HashAlgorithm) *Notify {
	n := &Notify{Kind: SignatureHashAlgorithms}
	for _, h := range hs {
		n.Data = binary.BigEndian.AppendUint16(n.Data, uint16(h))
	}
	return n
}

// Lengths of a cookie, in octets (RFC 7296 section 2.6).
const (
	MinCookie = 1
	MaxCookie = 64
)

// Cookie returns the cookie of a Cookie notification.
func (p *Notify) Cookie() ([]byte, bool) {
	if p.Kind != Cookie || len(p.Data) < MinCookie || len(p.Data) > MaxCookie {
		return nil, false
	}
	return p.Data, true
}

// NATHashLen is the length of the hash in NATDetectionSourceIP and
// NATDetectionDestinationIP (RFC 7296 section 2.23).
const NATHashLen = 20

// NATHash returns the hash of a notification for NAT detection.
func (p *Notify) NATHash() ([]byte, bool) {
	if p.Kind != NATDetectionSourceIP && p.Kind != NATDetectionDestinationIP || len(p.Data) != NATHashLen {
		return nil, false
	}
	return p.Data, true
}

// Link returns the data of an AdditionalKeyExchange, which ties an IKE_FOLLOWUP_KE to
// the exchange before it (RFC 9370 section 2.2.4).
func (p *Notify) Link() ([]byte, bool) {
	if p.Kind != AdditionalKeyExchange || len(p.Data) == 0 {
		return nil, false
	}
	return p.Data, true
}

// Unsupported returns the type of payload that the peer did not understand, of an
// UnsupportedCriticalPayload (RFC 7296 section 2.5).
func (p *Notify) Unsupported() (PayloadType, bool) {
	if p.Kind != UnsupportedCriticalPayload || len(p.Data) != 1 {
		return 0, false
	}
	return PayloadType(p.Data[0]), true
}
