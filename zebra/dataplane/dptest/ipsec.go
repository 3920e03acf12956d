package dptest

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// protoGRE is the number of GRE among the protocols of IP.
const protoGRE = 47

// secret returns a key of n bytes.
func secret(n int, seed byte) rib.Secret { return rib.NewSecret(bytes.Repeat([]byte{seed}, n)) }

// SA returns an SA with AES-GCM between two addresses.
func SA(from, to string, spi uint32) dataplane.SA {
	return dataplane.SA{ESP: rib.ESP{Source: ip(from), Destination: ip(to), SPI: spi, Protocol: protoGRE,
		Cipher: rib.AESGCM16, CipherKey: secret(36, byte(spi>>8)|1), Window: 64}}
}

func (t *T) needESP() {
	t.Helper()
	t.need(t.p.Caps().ESP, "ESP")
}

func testPolicy(t *T) {
	t.need(t.p.Caps().Policy, "policies")
	guard := dataplane.Guard(ip("192.0.2.1"))
	one := guard
	one.Peer, one.Outer = pfx("240.0.0.1/32"), ip("203.0.113.7")
	other := one
	other.Peer = pfx("240.0.0.2/32") // behind the same address
	t.put(guard, one, other)
	t.wants(guard, one, other)
	t.drop(one)
	t.wants(guard, other)
	other.Outer = ip("203.0.113.8")
	t.put(other)
	t.wants(guard, other)
	t.drop(other)
	t.gone(one.Key())
	t.put(guard, one)
	t.drop(guard, one)
	t.gone(guard.Key(), one.Key())
	if !guard.IsGuard() || one.IsGuard() {
		t.Error("which one is a guard is not known")
	}
	if t.p.Caps().IPv6 {
		six := dataplane.Guard(ip("2001:db8::1"))
		t.put(six)
		t.drop(six)
		t.gone(six.Key())
	}
}

func testPolicyRefused(t *T) {
	t.need(t.p.Caps().Policy, "policies")
	for _, p := range []dataplane.Policy{
		{}, dataplane.Guard(ip("224.0.0.5")), dataplane.Guard(ip("0.0.0.0")),
		{Policy: rib.Policy{Local: ip("192.0.2.1"), Peer: pfx("203.0.113.7/24")}},
		{Policy: rib.Policy{Local: ip("192.0.2.1"), Peer: pfx("2001:db8::/32")}},
		{Policy: rib.Policy{Local: ip("192.0.2.1"), Peer: pfx("240.0.0.0/24"), Outer: ip("203.0.113.7")}},
		{Policy: dataplane.Guard(ip("192.0.2.1")).Policy, Outdated: true},
	} {
		if err := t.apply(dataplane.Put(p))[0]; !errors.Is(err, dataplane.ErrInvalid) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func testPolicyGone(t *T) {
	t.need(t.p.Caps().Policy, "policies")
	guard := dataplane.Guard(ip("192.0.2.1"))
	t.forget()
	t.put(guard)
	t.Remove(guard)
	t.event("policy gone", func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: guard.Key()} })
	t.put(guard)
}

// variants are SAs with each algorithm, and with what else an SA may have.
func variants() (all []dataplane.SA) {
	add := func(f func(*dataplane.SA)) {
		s := SA("192.0.2.1", "192.0.2.2", 0x1000+uint32(len(all)))
		f(&s)
		all = append(all, s)
	}
	for _, n := range []int{16, 24, 32} {
		add(func(s *dataplane.SA) { s.CipherKey = secret(n+4, byte(n)) })
		add(func(s *dataplane.SA) {
			s.Cipher, s.CipherKey, s.Integrity, s.IntegrityKey = rib.AESCBC, secret(n, byte(n)), rib.HMACSHA256x128, secret(32, 9)
		})
	}
	for integrity, n := range map[rib.Integrity]int{rib.HMACSHA1x96: 20, rib.HMACSHA384x192: 48, rib.HMACSHA512x256: 64} { // any order
		add(func(s *dataplane.SA) {
			s.Cipher, s.CipherKey, s.Integrity, s.IntegrityKey = rib.AESCBC, secret(32, 1), integrity, secret(n, 2)
		})
	}
	add(func(s *dataplane.SA) { s.Cipher = rib.ChaCha20Poly1305 })
	for _, w := range []uint32{32, 33, 64, 128, 512, 1024} {
		add(func(s *dataplane.SA) { s.Window = w })
		add(func(s *dataplane.SA) { s.Window, s.ESN = w, true })
	}
	add(func(s *dataplane.SA) { s.UDP = rib.UDPEncap{Source: 4500, Destination: 40001} })
	add(func(s *dataplane.SA) {
		s.Lifetime = rib.Lifetime{SoftTime: 3000, HardTime: 3600, SoftBytes: 4e9, HardBytes: 4718592000, SoftPackets: 1 << 30, HardPackets: 1 << 31}
	})
	add(func(s *dataplane.SA) { s.Protocol = 0 })
	add(func(s *dataplane.SA) { s.SourceAlias = ip("240.0.0.1") })
	add(func(s *dataplane.SA) {
		s.DestinationAlias, s.UDP = ip("240.0.0.1"), rib.UDPEncap{Source: 4500, Destination: 40001}
	})
	add(func(s *dataplane.SA) { s.Source, s.Destination = ip("2001:db8::1"), ip("2001:db8::2") })
	return all
}

func testSA(t *T) {
	t.needESP()
	var all []dataplane.Object
	var keys []dataplane.Key
	for _, s := range variants() {
		all, keys = append(all, s), append(keys, s.Key())
	}
	t.put(all...)
	t.drop(all[:3]...)
	t.gone(keys[:3]...)
	t.wants(all[3:]...)
	t.drop(all[3:]...)
	t.gone(keys...)
}

func testSARefused(t *T) {
	t.needESP()
	for name, f := range map[string]func(*dataplane.SA){
		"SPI": func(s *dataplane.SA) { s.SPI = 255 }, "window": func(s *dataplane.SA) { s.Window = 1025 },
		"destination": func(s *dataplane.SA) { s.Destination = ip("224.0.0.1") },
		"alias":       func(s *dataplane.SA) { s.SourceAlias = ip("224.0.0.1") },
		"families":    func(s *dataplane.SA) { s.Source = ip("2001:db8::1") },
		"no cipher":   func(s *dataplane.SA) { s.Cipher = 0 }, "cipher": func(s *dataplane.SA) { s.Cipher = 77 },
		"key":          func(s *dataplane.SA) { s.CipherKey = secret(32, 1) },
		"integrity":    func(s *dataplane.SA) { s.Integrity, s.IntegrityKey = rib.HMACSHA1x96, secret(20, 1) },
		"no integrity": func(s *dataplane.SA) { s.Cipher, s.CipherKey = rib.AESCBC, secret(32, 1) },
		"UDP":          func(s *dataplane.SA) { s.UDP.Source = 4500 },
	} {
		s := SA("192.0.2.1", "192.0.2.2", 0x1000)
		f(&s)
		if err := t.apply(dataplane.Put(s))[0]; !errors.Is(err, dataplane.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		t.gone(s.Key())
	}
}

// testSAChange changes what can change, and the rest.
func testSAChange(t *T) {
	t.needESP()
	s := SA("192.0.2.1", "192.0.2.2", 0x1000)
	s.UDP = rib.UDPEncap{Source: 4500, Destination: 4500}
	t.put(s)
	s.UDP.Destination = 40001
	t.put(s)
	s.Lifetime.HardTime = 3600
	t.put(s)
	for name, f := range map[string]func(*dataplane.SA){
		"window": func(s *dataplane.SA) { s.Window = 128 }, "ESN": func(s *dataplane.SA) { s.ESN = true },
		"source": func(s *dataplane.SA) { s.Source = ip("192.0.2.7") }, "UDP": func(s *dataplane.SA) { s.UDP = rib.UDPEncap{} },
		"alias": func(s *dataplane.SA) { s.DestinationAlias = ip("240.0.0.1") },
	} {
		other := s
		f(&other)
		if err := t.apply(dataplane.Put(other))[0]; !errors.Is(err, dataplane.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.wants(s)
	s.CipherKey, s.Window = secret(36, 77), 256 // another association
	t.put(s)
}

// testSAKeep keeps what is there, and nothing else.
func testSAKeep(t *T) {
	t.needESP()
	s := SA("192.0.2.1", "192.0.2.2", 0x1000)
	kept := s
	kept.Keep = true
	gone := func(what string, o dataplane.SA) {
		t.Helper()
		if err := t.apply(dataplane.Put(o))[0]; !errors.Is(err, dataplane.ErrGone) {
			t.Errorf("%s: %v", what, err)
		}
	}
	gone("not there", kept)
	t.gone(s.Key())
	t.put(s)
	t.put(kept)
	other := kept
	other.CipherKey = secret(36, 99)
	gone("other keys", other)
	t.wants(s)
	t.drop(s)
	gone("deleted", kept)
}

// testSAKeyless puts an SA of which the keys are not known.
func testSAKeyless(t *T) {
	t.needESP()
	s := SA("192.0.2.1", "192.0.2.2", 0x1000)
	s.UDP = rib.UDPEncap{Source: 4500, Destination: 4500}
	without := s
	without.CipherKey = rib.Secret{}
	if err := t.apply(dataplane.Put(without))[0]; !errors.Is(err, dataplane.ErrGone) {
		t.Errorf("not there: %v", err)
	}
	t.put(s)
	t.put(without)
	without.UDP.Destination = 5555
	t.put(without)
	s.UDP.Destination = 5555
	t.wants(s) // with its keys
}

func testSAGone(t *T) {
	t.needESP()
	s := SA("192.0.2.1", "192.0.2.2", 0x1000)
	t.forget()
	t.put(s)
	t.Remove(s)
	t.event("SA gone", func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: s.Key()} })
	t.gone(s.Key())
	t.must(dataplane.Delete(s.Key()))
}

// testSAs has several SAs to one address, and prints them.
func testSAs(t *T) {
	t.needESP()
	var all []dataplane.Object
	for n := range 3 {
		s := SA("192.0.2.1", "203.0.113.9", 0x1000+uint32(n))
		s.CipherKey = secret(36, byte(n+1))
		s.UDP = rib.UDPEncap{Source: 4500, Destination: uint16(40000 + n)}
		all = append(all, s)
	}
	t.put(all...)
	t.wants(all...)
	t.drop(all[1])
	t.gone(all[1].Key())
	t.wants(all[0], all[2])
	if s := fmt.Sprintf("%v %+v", all, all); bytes.Contains([]byte(s), bytes.Repeat([]byte{1}, 36)) {
		t.Error("keys are printed")
	}
}

// testGuarded has a tunnel that may not be without its guard.
func testGuarded(t *T) {
	t.need(t.p.Caps().Policy, "policies")
	t.need(t.p.Caps().GRE, "GRE")
	m := mgre()
	guard := dataplane.Guard(m.Local)
	m.Guarded = true
	noGuard := func(when string, o dataplane.Tunnel) {
		t.Helper()
		if err := t.apply(dataplane.Put(o))[0]; !errors.Is(err, dataplane.ErrNoGuard) {
			t.Errorf("%s: %v", when, err)
		}
	}
	noGuard("without", m)
	t.gone(m.Key())
	t.put(guard, m)
	moved := m
	moved.Local = ip("192.0.2.77")
	noGuard("with another's", moved)
	down := m
	down.Admin, down.Guarded = dataplane.AdminDown, false
	t.wants(down)
	t.put(guard, m)
	t.drop(guard)
	noGuard("no more", m)
	t.wants(down)
	t.put(mgre()) // that need not
}

func testESPinUDP(t *T) {
	t.needESP()
	four, six := dataplane.ESPinUDP{}, dataplane.ESPinUDP{IPv6: true}
	t.put(four)
	t.gone(six.Key())
	if t.p.Caps().IPv6 {
		t.put(four, six)
		t.drop(four)
		t.wants(six)
		t.drop(six)
	}
	t.drop(four)
	t.gone(four.Key(), six.Key())
}

// testESPinUDPDevice has the device of a VRF go, and another one of its name come.
func testESPinUDPDevice(t *T) {
	t.needESP()
	t.need(t.p.Caps().VRF, "VRFs")
	red := dataplane.Link{Name: "RED", Type: dataplane.LinkVRF, Table: 1001, Attrs: dataplane.Attrs{Admin: dataplane.AdminUp}}
	in, out := dataplane.ESPinUDP{Device: "RED"}, dataplane.ESPinUDP{}
	if err := t.apply(dataplane.Put(in))[0]; !errors.Is(err, dataplane.ErrNoDevice) {
		t.Errorf("without the device: %v", err)
	}
	t.put(red, out, in)
	t.drop(red)
	t.gone(in.Key())
	t.wants(out)
	t.put(red, in)
	t.drop(red, in, out)
	t.gone(in.Key(), out.Key())
}
