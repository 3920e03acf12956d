package dataplane

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/godmvpn/godmvpn/lib/rib"
)

func TestSAStep(t *testing.T) {
	base := SA{ESP: rib.ESP{Source: netip.MustParseAddr("192.0.2.1"), Destination: netip.MustParseAddr("192.0.2.2"), SPI: 0x1000,
		Cipher: rib.AESGCM16, CipherKey: rib.NewSecret([]byte("some key")), Window: 64, UDP: rib.UDPEncap{Source: 4500, Destination: 4500}}}
	with := func(f func(*SA)) SA { s := base; f(&s); return s }
	keyless := with(func(s *SA) { s.CipherKey = rib.Secret{} })
	other := with(func(s *SA) { s.CipherKey = rib.NewSecret([]byte("another")) })
	for _, c := range []struct {
		name string
		want SA
		have *SA
		step SAStep
		err  error
	}{
		{"new", base, nil, SAAdded, nil},
		{"there", base, &base, SAStays, nil},
		{"kept", with(func(s *SA) { s.Keep = true }), &base, SAStays, nil},
		{"to be kept, not there", with(func(s *SA) { s.Keep = true }), nil, 0, ErrGone},
		{"without keys", keyless, &base, SAStays, nil},
		{"without keys, not there", keyless, nil, 0, ErrGone},
		{"keys that the kernel hides", base, &keyless, SAStays, nil},
		{"other keys", other, &base, SAReplaced, nil},
		{"other keys, to be kept", with(func(s *SA) { s.Keep, s.CipherKey = true, other.CipherKey }), &base, 0, ErrGone},
		{"ports", with(func(s *SA) { s.UDP.Destination = 1 }), &base, SAChanged, nil},
		{"ports, without keys", with(func(s *SA) { s.UDP.Destination, s.CipherKey = 1, rib.Secret{} }), &base, SAChanged, nil},
		{"lifetime", with(func(s *SA) { s.Lifetime.HardTime = 1 }), &base, SAChanged, nil},
		{"no UDP", with(func(s *SA) { s.UDP = rib.UDPEncap{} }), &base, 0, ErrInvalid},
		{"window", with(func(s *SA) { s.Window = 128 }), &base, 0, ErrInvalid},
		{"source", with(func(s *SA) { s.Source = s.Destination }), &base, 0, ErrInvalid},
		{"counters", base, func() *SA { s := base; s.Count.Packets = 9; return &s }(), SAStays, nil},
	} {
		step, err := c.want.Step(c.have)
		if step != c.step || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: step %d, %v", c.name, step, err)
		}
		if c.have != nil && c.err == nil && Satisfied(c.want, *c.have) != (c.step == SAStays) {
			t.Errorf("%s: satisfied without need, or not", c.name)
		}
	}
}

func TestIPsecKeys(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.1")
	s := SA{ESP: rib.ESP{Destination: a, SPI: 0x1000}}
	for want, k := range map[string]Key{
		"SA of SPI 0x1000 to 192.0.2.1":                 s.Key(),
		"policy of GRE between 192.0.2.1 and 0.0.0.0/0": Guard(a).Key(),
		"policy of GRE between 2001:db8::1 and ::/0":    Guard(netip.MustParseAddr("2001:db8::1")).Key(),
	} {
		if k.String() != want || k.Device() != "" {
			t.Errorf("%q on %q, wanted %q", k, k.Device(), want)
		}
	}
}
