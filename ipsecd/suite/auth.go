package suite

import (
	"crypto/hmac"
	"encoding/binary"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// keyPad is mixed into shared secrets, so that other uses of the same secret are no
// danger (RFC 7296 section 2.15).
const keyPad = "Key Pad for IKEv2"

// IntAuth is what the intermediate exchanges of one end add to its AUTH payload, as far
// as they went (RFC 9242 section 3.3.2). The zero value is that before the first.
type IntAuth []byte

// Add takes in the end's message of the next exchange:
//
//	IntAuth_n = prf(SK_p, IntAuth_n-1 | A | P)
//
// head is the message up to the contents of its Encrypted payload, as it was sent or
// received, of its first fragment if it came in fragments; plain are the contents of the
// whole, without padding. skp is SK_pi or SK_pr as it was before the exchange. It
// reports whether head was that of a message.
func (a *IntAuth) Add(prf PRF, skp, head []byte, fragment bool, plain []byte) bool {
	whole := wholeHead(head, fragment, len(plain))
	if whole == nil {
		return false
	}
	*a = prf.Sum(skp, *a, whole, plain)
	return true
}

// SignedOctets returns what an end authenticates (RFC 7296 section 2.15):
//
//	RealMessage | Nonce of the other end | prf(SK_p, the identity) [| IntAuth]
//
// message is the end's message of IKE_SA_INIT, as it was sent; skp is its SK_pi or
// SK_pr. Where there were intermediate exchanges intI and intR are those of initiator
// and responder, and id the Message ID of the first IKE_AUTH (RFC 9242 section 3.3.2).
func SignedOctets(prf PRF, message, nonce, skp []byte, identity *packet.ID, intI, intR IntAuth, id uint32) []byte {
	b := append([]byte(nil), message...)
	b = append(b, nonce...)
	b = append(b, prf.Sum(skp, identity.AppendBody(nil))...)
	if intI == nil && intR == nil {
		return b
	}
	b = append(append(b, intI...), intR...)
	return binary.BigEndian.AppendUint32(b, id)
}

// SharedKeyAuth returns the AUTH payload of a shared secret (RFC 7296 section 2.15):
//
//	prf( prf(Shared Secret, "Key Pad for IKEv2"), <SignedOctets>)
func SharedKeyAuth(prf PRF, secret, octets []byte) *packet.Auth {
	return &packet.Auth{Method: packet.AuthSharedKey, Data: prf.Sum(prf.Sum(secret, []byte(keyPad)), octets)}
}

// VerifySharedKey reports whether an AUTH payload is that of the shared secret. An empty
// secret is nobody's. The comparison takes the same time whatever differs.
func VerifySharedKey(prf PRF, secret, octets []byte, a *packet.Auth) bool {
	return a.Method == packet.AuthSharedKey && len(secret) > 0 && hmac.Equal(a.Data, SharedKeyAuth(prf, secret, octets).Data)
}
