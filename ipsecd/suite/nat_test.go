package suite

import (
	"bytes"
	"crypto/sha1"
	"net/netip"
	"testing"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// RFC 7296 section 2.23: SPIs, address and port, in this order.
func TestNATHash(t *testing.T) {
	for _, c := range []struct{ addr, hex string }{
		{"192.0.2.1:500", "0102030405060708 1112131415161718 c0000201 01f4"},
		{"[::ffff:192.0.2.1]:500", "0102030405060708 1112131415161718 c0000201 01f4"},
		{"[2001:db8::1]:4500", "0102030405060708 1112131415161718 20010db8000000000000000000000001 1194"},
	} {
		want := sha1.Sum(octets(t, c.hex))
		if got := NATHash(0x0102030405060708, 0x1112131415161718, netip.MustParseAddrPort(c.addr)); !bytes.Equal(got, want[:]) {
			t.Errorf("%s: %x", c.addr, got)
		}
	}
}

// RFC 7296 section 2.6: a cookie is good for its nonce, address, port and SPI, under
// this secret and the one before.
func TestCookies(t *testing.T) {
	at := netip.MustParseAddrPort
	nonce, from, spi := seq(1, 16), at("192.0.2.1:500"), packet.SPI(7)
	var c Cookies
	if b := c.Make(nonce, from, spi); b != nil {
		t.Errorf("without a secret: %x", b)
	}
	for _, b := range [][]byte{nil, make([]byte, cookieLen), append([]byte{255}, make([]byte, 32)...)} {
		if c.Check(b, nonce, from, spi) {
			t.Errorf("without a secret: %x accepted", b)
		}
	}
	random := seeded(1)
	rotate := func() {
		t.Helper()
		if err := c.Rotate(random); err != nil {
			t.Fatal(err)
		}
	}
	rotate()
	b := c.Make(nonce, from, spi)
	if n := len(b); n < packet.MinCookie || n > packet.MaxCookie || !c.Check(b, nonce, from, spi) {
		t.Fatalf("%x", b)
	}
	if !c.Check(b, nonce, at("[::ffff:192.0.2.1]:500"), spi) {
		t.Error("the address in its other form")
	}
	zero := append([]byte{c.version - 1}, b[1:]...)
	for i, bad := range [][]byte{nil, b[:32], append(bytes.Clone(b), 0), zero} {
		if c.Check(bad, nonce, from, spi) {
			t.Errorf("%d: %x accepted", i, bad)
		}
	}
	if c.Check(b, seq(2, 16), from, spi) || c.Check(b, nonce, at("192.0.2.2:500"), spi) || c.Check(b, nonce, at("192.0.2.1:501"), spi) || c.Check(b, nonce, from, 8) {
		t.Error("somebody else's")
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if c.Check(bad, nonce, from, spi) {
			t.Errorf("octet %d changed", i)
		}
	}
	rotate()
	if !c.Check(b, nonce, from, spi) || bytes.Equal(b, c.Make(nonce, from, spi)) {
		t.Error("after one rotation")
	}
	rotate()
	if c.Check(b, nonce, from, spi) {
		t.Error("after two rotations")
	}
	if err := c.Rotate(failing{}); err == nil {
		t.Error("a secret without randomness")
	}
	if b := c.Make(nonce, from, spi); !c.Check(b, nonce, from, spi) {
		t.Error("after a rotation that failed")
	}
	for range 600 { // the version wraps around
		rotate()
		if b := c.Make(nonce, from, spi); !c.Check(b, nonce, from, spi) {
			t.Fatal("own cookie refused")
		}
	}
}
