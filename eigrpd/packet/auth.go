package packet

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// Auth is what Decode finds of a packet's authentication. It holds no secret and
// proves nothing before Verify said so. The TLV as all routers send it; RFC 7868
// section 6.7.2 draws type and length with 8 bits and leaves the rest open:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|             0x0002            |            Length             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            Auth Type          |          Auth Length          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                            Key ID                             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Key Sequence                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          zeros (8)                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                      Digest (16 or 32)                        ~
//	+---------------------------------------------------------------+
type Auth struct {
	// Algorithm is the Auth Type, NoAlgorithm if there is no TLV.
	Algorithm Algorithm
	// KeyID selects the key together with the interface.
	KeyID uint32
	// Sequence is the Key Sequence, which all routers send as 0.
	Sequence uint32
	// Offset of the digest, in octets from the start of the packet.
	Offset uint16
}

// Algorithm is how a Key authenticates packets: the Auth Type (RFC 7868 sections
// 6.7.2.1 and 6.7.2.2).
type Algorithm uint16

// Algorithms.
const (
	NoAlgorithm Algorithm = 0 // no authentication
	KeyedMD5    Algorithm = 2
	HMACSHA256  Algorithm = 3
)

// DigestLen returns the length of the digest in octets, 0 of an unknown algorithm.
func (a Algorithm) DigestLen() int {
	switch a {
	case KeyedMD5:
		return md5.Size
	case HMACSHA256:
		return sha256.Size
	}
	return 0
}

const (
	authHeader = tlvHeader + 20         // octets of the TLV before the digest
	authDigest = HeaderLen + authHeader // offset of the digest that Append writes
	paddedKey  = 16                     // octets to which a shorter key of Keyed-MD5 is filled
)

// tlvLen returns the length of the Authentication TLV.
func (a Algorithm) tlvLen() int { return authHeader + a.DigestLen() }

// AuthLen returns by how many octets authentication with a makes a packet longer:
// 40 or 56.
func AuthLen(a Algorithm) int {
	if a.DigestLen() == 0 {
		return 0
	}
	return a.tlvLen()
}

// Key is what sender and receiver share.
type Key struct {
	ID        uint32
	Algorithm Algorithm
	// Secret must not be empty.
	Secret []byte
}

// String names the key without its secret.
func (k Key) String() string { return fmt.Sprintf("key %d (%v)", k.ID, k.Algorithm) }

// Format writes String: no verb of package fmt prints the secret.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// usable reports whether k can authenticate a packet from source.
func (k *Key) usable(source netip.Addr) bool {
	return len(k.Secret) > 0 && k.Algorithm.DigestLen() > 0 && (k.Algorithm != HMACSHA256 || source.IsValid())
}

// auth decodes the Authentication TLV.
func (d *decoder) auth(v *wire.Reader) {
	at := v.Offset()
	typ, n := Algorithm(v.U16()), int(v.U16())
	a := Auth{Algorithm: typ, KeyID: v.U32(), Sequence: v.U32()}
	v.Skip(8)
	a.Offset = uint16(v.Offset())
	if !d.readOK(v) {
		return
	}
	switch {
	case typ.DigestLen() == 0:
		d.fail(ReasonAuthType, at)
	case n != typ.DigestLen():
		d.fail(ReasonAuthLength, at+2)
	}
	v.Skip(typ.DigestLen())
	d.m.Auth = a
}

// auth writes the Authentication TLV with a digest of zeros.
func (a *appender) auth(k *Key) {
	a.tlv(TypeAuthentication, k.Algorithm.tlvLen())
	a.u16(uint16(k.Algorithm))
	a.u16(uint16(k.Algorithm.DigestLen()))
	a.u32(k.ID)
	a.u32(0) // Key Sequence
	a.zeros(8 + k.Algorithm.DigestLen())
}

// Verify reports whether key proves b, of which Decode made m and which came from
// source, authentic, as far as its algorithm goes: see the comment of the package
// for what Keyed-MD5 leaves open. It takes time that does not depend on where a
// digest is wrong. A packet without authentication, a key of another type, of
// another ID or without a secret proves nothing.
func (m *Message) Verify(b []byte, key Key, source netip.Addr) bool {
	a := &m.Auth
	n, at := a.Algorithm.DigestLen(), int(a.Offset)
	if n == 0 || !key.usable(source) || key.Algorithm != a.Algorithm || key.ID != a.KeyID || at+n > len(b) {
		return false
	}
	var want [sha256.Size]byte
	return hmac.Equal(b[at:at+n], key.digest(want[:0], b, at, source))
}

// digest appends to dst the digest of packet b, whose Authentication TLV has its
// digest at an offset. Checksum and digest count as zero, whatever they are.
func (k *Key) digest(dst, b []byte, at int, source netip.Addr) []byte {
	if k.Algorithm == KeyedMD5 {
		return k.keyedMD5(dst, b, at)
	}
	// The key is a line feed, the secret and the sender's address as text.
	key := append(make([]byte, 0, 64), '\n')
	key = append(key, k.Secret...)
	h := hmac.New(sha256.New, source.WithZone("").AppendTo(key))
	writeUnsummed(h, b[:at])
	var zeros [sha256.Size]byte
	h.Write(zeros[:])
	h.Write(b[at+sha256.Size:])
	return h.Sum(dst)
}

// keyedMD5 is digest for Keyed-MD5: the key takes the digest's place, and the last
// 20 octets of the packet are left out.
func (k *Key) keyedMD5(dst, b []byte, at int) []byte {
	h := md5.New()
	end := len(b) - HeaderLen
	if end <= at { // as in a packet of nothing but the TLV: not even the key is reached
		writeUnsummed(h, b[:end])
		return h.Sum(dst)
	}
	writeUnsummed(h, b[:at])
	h.Write(k.Secret)
	if n := paddedKey - len(k.Secret); n > 0 {
		var zeros [paddedKey]byte
		h.Write(zeros[:n])
	}
	if rest := at + md5.Size; end > rest {
		h.Write(b[rest:end])
	}
	return h.Sum(dst)
}

// writeUnsummed hashes the start of a packet with a checksum of zero.
func writeUnsummed(h hash.Hash, b []byte) {
	h.Write(b[:offChecksum])
	h.Write([]byte{0, 0})
	h.Write(b[offChecksum+2:])
}
