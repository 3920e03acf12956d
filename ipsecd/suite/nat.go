package suite

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"net/netip"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// NATHash returns the data of NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP
// (RFC 7296 section 2.23): the SHA-1 hash of the SPIs, as they stand in the header, the
// address and the port.
func NATHash(spiI, spiR packet.SPI, ap netip.AddrPort) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(spiI))
	b = binary.BigEndian.AppendUint64(b, uint64(spiR))
	b = append(b, ap.Addr().Unmap().AsSlice()...)
	h := sha1.Sum(binary.BigEndian.AppendUint16(b, ap.Port()))
	return h[:]
}

// Cookies makes cookies and knows its own again, without remembering whom it gave them
// (RFC 7296 section 2.6):
//
//	Cookie = <VersionIDofSecret> | Hash(Ni | IPi | SPIi | <secret>)
//
// The secret is the key of an HMAC here, and the port is hashed too. The zero value has
// no secret: Rotate comes first.
type Cookies struct {
	version  byte
	secrets  [2][]byte // the present one, and the one before
	rotated  bool
	previous bool
}

const (
	cookieSecretLen = 32
	cookieLen       = 1 + sha256.Size
)

// Rotate takes a new secret from random. Cookies of the one before are still accepted,
// older ones are not.
func (c *Cookies) Rotate(random io.Reader) error {
	secret := make([]byte, cookieSecretLen)
	if _, err := io.ReadFull(random, secret); err != nil {
		return err
	}
	c.secrets[1], c.previous = c.secrets[0], c.rotated
	c.secrets[0], c.rotated = secret, true
	c.version++
	return nil
}

// Ready reports whether there is a secret.
func (c *Cookies) Ready() bool { return c.rotated }

// Make returns the cookie for who sent an IKE_SA_INIT with this nonce and SPI from this
// address and port. It is nil before the first Rotate.
func (c *Cookies) Make(nonce []byte, from netip.AddrPort, spi packet.SPI) []byte {
	if !c.rotated {
		return nil
	}
	return cookie(c.secrets[0], c.version, nonce, from, spi)
}

// Check reports whether a cookie is one that Make returned for the same sender.
func (c *Cookies) Check(b, nonce []byte, from netip.AddrPort, spi packet.SPI) bool {
	if len(b) != cookieLen {
		return false
	}
	switch {
	case c.rotated && b[0] == c.version:
		return hmac.Equal(b, cookie(c.secrets[0], b[0], nonce, from, spi))
	case c.previous && b[0] == c.version-1:
		return hmac.Equal(b, cookie(c.secrets[1], b[0], nonce, from, spi))
	}
	return false
}

func cookie(secret []byte, version byte, nonce []byte, from netip.AddrPort, spi packet.SPI) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(spi)))
	a := from.Addr().Unmap().As16()
	m.Write(a[:])
	m.Write(binary.BigEndian.AppendUint16(nil, from.Port()))
	m.Write(nonce) // the only part whose length varies comes last
	return m.Sum([]byte{version})
}
