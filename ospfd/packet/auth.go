package packet

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// AuType is the type of authentication (RFC 2328 appendix D).
type AuType uint16

// Types of authentication.
const (
	AuthNull          AuType = 0
	AuthSimple        AuType = 1 // a password of up to 8 octets, in clear
	AuthCryptographic AuType = 2 // a digest behind the packet (section D.3, RFC 5709)
	AuthExtended      AuType = 3 // the same with a sequence number of 64 bits (RFC 7474)
)

// extendedSequenceLen is the length of the sequence number behind a packet of AuthExtended,
// in octets (RFC 7474 section 2). Whether the Auth Data Len counts it differs between that
// section, which says so, and routers; both are read.
const extendedSequenceLen = 8

// Auth is what Parse finds of a packet's authentication. It holds no secret but a simple
// password, and proves nothing before Verify said so.
type Auth struct {
	Type     AuType
	Password [8]byte // AuthSimple
	KeyID    uint32  // AuthCryptographic: 8 bits; AuthExtended: 32 bits
	// Sequence is the cryptographic sequence number: 32 bits, or 64 of AuthExtended with
	// the boot count in the upper half.
	Sequence  uint64
	DigestLen int // octets
	offset    int // of the digest
}

// String tells type and key without the password.
func (a Auth) String() string {
	return fmt.Sprintf("AuType %d key %d sequence %d", a.Type, a.KeyID, a.Sequence)
}

// Format writes String: no verb of package fmt prints the password.
func (a Auth) Format(f fmt.State, _ rune) { io.WriteString(f, a.String()) }

// Algorithm is how a Key authenticates packets.
type Algorithm uint8

// Algorithms.
const (
	SimplePassword Algorithm = 1 + iota // AuthSimple
	KeyedMD5                            // RFC 2328 section D.4.3
	HMACSHA1                            // RFC 5709, and those that follow
	HMACSHA256
	HMACSHA384
	HMACSHA512
)

// DigestLen returns the length of the digest in octets, 0 of a password.
func (a Algorithm) DigestLen() int {
	switch a {
	case KeyedMD5:
		return md5.Size
	case HMACSHA1:
		return sha1.Size
	case HMACSHA256:
		return sha256.Size
	case HMACSHA384:
		return sha512.Size384
	case HMACSHA512:
		return sha512.Size
	}
	return 0
}

func (a Algorithm) hash() func() hash.Hash {
	switch a {
	case HMACSHA1:
		return sha1.New
	case HMACSHA256:
		return sha256.New
	case HMACSHA384:
		return sha512.New384
	}
	return sha512.New
}

// Key is what sender and receiver share.
type Key struct {
	// ID is the Key ID, up to 255 unless Extended. It does not matter to a password.
	ID        uint32
	Algorithm Algorithm
	// Secret must not be empty. Of a password the first 8 octets are used, of KeyedMD5
	// the first 16.
	Secret []byte
	// Extended has packets carry 64-bit sequence numbers and the address from which they
	// come in the digest (RFC 7474). Not with a password.
	Extended bool
}

// String names the key without its secret.
func (k Key) String() string { return fmt.Sprintf("key %d", k.ID) }

// Format writes String: no verb of package fmt prints the secret.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// usable reports whether k can authenticate a packet.
func (k *Key) usable(source netip.Addr) bool {
	switch {
	case len(k.Secret) == 0 || k.Algorithm < SimplePassword || k.Algorithm > HMACSHA512:
		return false
	case k.Extended:
		return k.Algorithm > KeyedMD5 && source.Is4()
	}
	return k.ID <= 255 || k.Algorithm == SimplePassword
}

// auType is the type of authentication of packets with the key.
func (k *Key) auType() AuType {
	switch {
	case k.Algorithm == SimplePassword:
		return AuthSimple
	case k.Extended:
		return AuthExtended
	}
	return AuthCryptographic
}

// TrailerLen returns how many octets authentication puts behind a packet.
func (k *Key) TrailerLen() int {
	if k == nil {
		return 0
	}
	n := k.Algorithm.DigestLen()
	if k.Extended {
		n += extendedSequenceLen
	}
	return n
}

// password returns the Authentication field of a simple password.
func (k *Key) password() (p [8]byte) {
	copy(p[:], k.Secret)
	return p
}

// field writes the Authentication field of the header.
func (k *Key) field(header []byte, sequence uint64) {
	at := header[authFieldAt:]
	switch k.auType() {
	case AuthSimple:
		p := k.password()
		copy(at, p[:])
	case AuthExtended:
		at[3] = uint8(k.Algorithm.DigestLen() + extendedSequenceLen)
		binary.BigEndian.PutUint32(at[4:], k.ID)
	case AuthCryptographic:
		at[2], at[3] = uint8(k.ID), uint8(k.Algorithm.DigestLen())
		binary.BigEndian.PutUint32(at[4:], uint32(sequence))
	}
}

// appendDigest appends the digest of b to b: b is the packet with the extended sequence
// number, if there is one, behind it.
func (k *Key) appendDigest(b, packet []byte, source netip.Addr) []byte {
	if k.Algorithm == KeyedMD5 {
		var secret [md5.Size]byte
		copy(secret[:], k.Secret)
		h := md5.New()
		h.Write(packet)
		h.Write(secret[:])
		return h.Sum(b)
	}
	size, secret := k.Algorithm.DigestLen(), k.Secret
	if len(secret) > size { // RFC 5709 section 3.3 (1)
		h := k.Algorithm.hash()()
		h.Write(secret)
		secret = h.Sum(nil)
	}
	apad := make([]byte, 0, size)
	for len(apad) < size {
		apad = wire.AppendU32(apad, 0x878fe1f3)
	}
	if k.Extended { // RFC 7474 section 5
		a := source.As4()
		copy(apad, a[:])
	}
	h := hmac.New(k.Algorithm.hash(), secret)
	h.Write(packet)
	h.Write(apad)
	return h.Sum(b)
}

// Verify reports whether key proves the packet b, of which Parse made m and which came
// from source, authentic. It takes time that does not depend on where a digest is wrong. A
// packet without authentication, a key of another kind or ID proves nothing. Whether the
// sequence number is new is for the caller to know.
func (m *Message) Verify(b []byte, key Key, source netip.Addr) bool {
	a := &m.Auth
	switch {
	case a.Type != key.auType() || !key.usable(source):
		return false
	case a.Type == AuthSimple:
		p := key.password()
		return subtle.ConstantTimeCompare(p[:], a.Password[:]) == 1
	case a.KeyID != key.ID || a.DigestLen != key.Algorithm.DigestLen() || a.offset+a.DigestLen > len(b):
		return false
	}
	want := key.appendDigest(nil, b[:a.offset], source)
	return hmac.Equal(want, b[a.offset:a.offset+a.DigestLen])
}
