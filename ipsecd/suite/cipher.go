package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"math"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// ErrAuthentication says that an Encrypted payload cannot be opened. It does not say
// why: whether it was the checksum, the length or the padding is nobody's business.
var ErrAuthentication = errors.New("suite: message not authentic")

// errExhausted says that a key has protected as many messages as it may.
var errExhausted = errors.New("suite: key is used up")

// Cipher protects the messages of one direction of an IKE SA (RFC 7296 section 3.14,
// RFC 5282). It is not safe for use by two goroutines at once.
type Cipher struct {
	// Of AEAD ciphers:
	aead  cipher.AEAD
	nonce [saltLen + aeadIVLen]byte // the salt, then the IV
	sent  uint64                    // messages sealed: the IV of the next
	// Of others:
	block cipher.Block
	mac   hash.Hash
	icv   int
}

// NewCipher returns the Cipher for keys of the direction: of an AEAD cipher key has the
// salt at its end and integrityKey is empty. The error is ErrUnsupported, also where a
// key has the wrong length.
func (s IKE) NewCipher(key, integrityKey []byte) (*Cipher, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if len(key) != encryptionKeyLen(s.Encryption) || len(integrityKey) != integrityKeyLen(s.Integrity) {
		return nil, ErrUnsupported
	}
	c := &Cipher{}
	if !AEAD(s.Encryption.ID) {
		h, icv := integrityHash(s.Integrity)
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		c.block, c.mac, c.icv = block, hmac.New(h, integrityKey), icv
		return c, nil
	}
	key, salt := cut(key, len(key)-saltLen)
	copy(c.nonce[:], salt)
	var err error
	if s.Encryption.ID == packet.EncrChaCha20 {
		c.aead, err = chacha20poly1305.New(key)
		return c, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	c.aead, err = cipher.NewGCM(block)
	return c, err
}

// SealedLen returns the octets of what Seal makes of n octets.
func (c *Cipher) SealedLen(n int) int {
	if c.aead != nil {
		return aeadIVLen + n + 1 + aeadICVLen
	}
	return aesBlockLen + (n+1+aesBlockLen-1)/aesBlockLen*aesBlockLen + c.icv
}

// Seal fills the end of message b, SealedLen(len(plain)) octets, with what the Encrypted
// payload contains: IV, plain and its padding encrypted, ICV. All of b before that, which
// has its lengths already, is authenticated with it. The IV of AEAD ciphers is a
// counter, since it must not occur twice (RFC 5282 section 3); that of others is
// random, since it must not be foreseen (RFC 7296 section 3.14).
func (c *Cipher) Seal(b, plain []byte, random io.Reader) error {
	head, room := cut(b, len(b)-c.SealedLen(len(plain)))
	if c.aead == nil {
		return c.sealCBC(head, room, plain, random)
	}
	if c.sent == math.MaxUint64 {
		return errExhausted
	}
	binary.BigEndian.PutUint64(c.nonce[saltLen:], c.sent)
	c.sent++
	copy(room, c.nonce[saltLen:])
	body := append(room[aeadIVLen:aeadIVLen], plain...)
	body = append(body, 0) // Pad Length: a stream needs no padding
	c.aead.Seal(body[:0], c.nonce[:], body, head)
	return nil
}

func (c *Cipher) sealCBC(head, room, plain []byte, random io.Reader) error {
	iv, rest := cut(room, aesBlockLen)
	if _, err := io.ReadFull(random, iv); err != nil {
		return err
	}
	body, icv := cut(rest, len(rest)-c.icv)
	n := copy(body, plain)
	clear(body[n:])
	body[len(body)-1] = byte(len(body) - n - 1)
	cipher.NewCBCEncrypter(c.block, iv).CryptBlocks(body, body)
	copy(icv, c.sum(head, iv, body))
	return nil
}

// sum returns the checksum of a message.
func (c *Cipher) sum(parts ...[]byte) []byte {
	c.mac.Reset()
	for _, p := range parts {
		c.mac.Write(p)
	}
	return c.mac.Sum(nil)[:c.icv]
}

// Open returns what the Encrypted payload of message b contained, without padding; b
// stays as it is. offset is the Encrypted.Offset of just this message. The checksum is compared in constant time and before
// anything else is looked at (RFC 7296 section 3.14). The error is ErrAuthentication.
func (c *Cipher) Open(b []byte, offset int) ([]byte, error) {
	if offset < 0 || offset > len(b) {
		return nil, ErrAuthentication
	}
	head, data := cut(b, offset)
	plain, err := c.open(head, data)
	if err != nil || len(plain) == 0 {
		return nil, ErrAuthentication
	}
	padded, length := cut(plain, len(plain)-1)
	pad := int(length[0])
	if pad > len(padded) {
		return nil, ErrAuthentication
	}
	return padded[: len(padded)-pad : len(padded)-pad], nil
}

// open returns the contents with padding.
func (c *Cipher) open(head, data []byte) ([]byte, error) {
	if len(data) < c.SealedLen(0) {
		return nil, ErrAuthentication
	}
	if c.aead != nil {
		nonce := c.nonce
		iv, sealed := cut(data, aeadIVLen)
		copy(nonce[saltLen:], iv)
		return c.aead.Open(nil, nonce[:], sealed, head)
	}
	iv, rest := cut(data, aesBlockLen)
	body, icv := cut(rest, len(rest)-c.icv)
	if !hmac.Equal(icv, c.sum(head, data[:len(data)-c.icv])) || len(body)%aesBlockLen != 0 {
		return nil, ErrAuthentication
	}
	plain := make([]byte, len(body))
	cipher.NewCBCDecrypter(c.block, iv).CryptBlocks(plain, body)
	return plain, nil
}
