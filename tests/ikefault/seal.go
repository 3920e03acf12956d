package ikefault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// seal protects one direction by AES-GCM with 16 octets of ICV (RFC 5282), or by AES-CBC
// with HMAC-SHA-256-128 (RFC 7296 section 3.14). It is written anew here, so that it can
// do it wrongly, and is no friend of the code that it is to try.
type seal struct {
	key, mac []byte // with the salt, if mac is empty
	sent     uint64
}

const (
	saltLen = 4
	gcmIV   = 8
	gcmICV  = 16
	cbcIV   = 16
	cbcICV  = 16
)

func (c *seal) overhead() int {
	if len(c.mac) == 0 {
		return gcmIV + gcmICV
	}
	return cbcIV + cbcICV
}

// padding returns the right padding with its length, unless another is given.
func (c *seal) padding(plain, given []byte) []byte {
	switch {
	case given != nil:
		return given
	case len(c.mac) == 0:
		return []byte{0}
	}
	n := (aes.BlockSize - (len(plain)+1)%aes.BlockSize) % aes.BlockSize
	return append(make([]byte, n), byte(n))
}

// room returns the octets of what seal appends.
func (c *seal) room(plain, padding []byte) int {
	return c.overhead() + len(plain) + len(c.padding(plain, padding))
}

// seal appends the encrypted contents to a message, whose lengths have them already.
func (c *seal) seal(b, plain, padding []byte) []byte {
	plain = append(append([]byte(nil), plain...), c.padding(plain, padding)...)
	c.sent++
	if len(c.mac) == 0 {
		iv := binary.BigEndian.AppendUint64(nil, c.sent)
		return c.gcm().Seal(append(b[:len(b):len(b)], iv...), append(c.salt(), iv...), plain, b)
	}
	iv := sha256.Sum256(binary.BigEndian.AppendUint64(c.key, c.sent))
	b = append(b, iv[:cbcIV]...)
	block, _ := aes.NewCipher(c.key)
	if len(plain)%aes.BlockSize == 0 { // else it is to be wrong
		cipher.NewCBCEncrypter(block, iv[:cbcIV]).CryptBlocks(plain, plain)
	}
	b = append(b, plain...)
	return append(b, c.sum(b)...)
}

func (c *seal) sum(b []byte) []byte {
	m := hmac.New(sha256.New, c.mac)
	m.Write(b)
	return m.Sum(nil)[:cbcICV]
}

func (c *seal) salt() []byte { return append([]byte(nil), c.key[len(c.key)-saltLen:]...) }

func (c *seal) gcm() cipher.AEAD {
	block, _ := aes.NewCipher(c.key[:len(c.key)-saltLen])
	a, _ := cipher.NewGCM(block)
	return a
}

var errSeal = errors.New("ikefault: answer cannot be opened")

// open returns the contents of a message whose encrypted part begins at offset.
func (c *seal) open(b []byte, offset int) ([]byte, error) {
	data := b[offset:]
	if len(data) <= c.overhead() {
		return nil, errSeal
	}
	var plain []byte
	if len(c.mac) == 0 {
		var err error
		if plain, err = c.gcm().Open(nil, append(c.salt(), data[:gcmIV]...), data[gcmIV:], b[:offset]); err != nil {
			return nil, errSeal
		}
	} else {
		body := data[cbcIV : len(data)-cbcICV]
		if !hmac.Equal(data[len(data)-cbcICV:], c.sum(b[:len(b)-cbcICV])) || len(body)%aes.BlockSize != 0 {
			return nil, errSeal
		}
		plain = make([]byte, len(body))
		block, _ := aes.NewCipher(c.key)
		cipher.NewCBCDecrypter(block, data[:cbcIV]).CryptBlocks(plain, body)
	}
	n := len(plain) - 1 - int(plain[len(plain)-1])
	if n < 0 {
		return nil, errSeal
	}
	return plain[:n], nil
}
