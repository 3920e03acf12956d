package dataplane

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/dptest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
)

// pair are two machines, 192.0.2.1 and 192.0.2.2, each with a tunnel to the other, and
// what is on the wire between them.
type pair struct {
	*testing.T
	a, b *lktest.Env
	wire int
	sink net.PacketConn // takes what is sent to a through the tunnel
}

func newPair(t *testing.T) *pair { return newPairBetween(t, "192.0.2.1", "192.0.2.2") }

// newPairBetween is newPair with other addresses, also of IPv6.
func newPairBetween(t *testing.T, one, two string) *pair {
	p := &pair{T: t, a: lktest.New(t), b: lktest.New(t)}
	const end = dptest.Under + "-peer"
	p.b.RemoveDevice(dptest.Under)
	if err := p.a.Handle.LinkSetNsFd(p.a.Link(end), int(p.b.NS.Fd())); err != nil {
		t.Fatal(err)
	}
	shown(t, p.b, "ip", "addr", "add", "192.0.2.2/24", "dev", end)
	shown(t, p.b, "ip", "link", "set", end, "up")
	if ip(one).Is6() {
		shown(t, p.a, "ip", "addr", "add", one+"/64", "dev", dptest.Under, "nodad")
		shown(t, p.b, "ip", "addr", "add", two+"/64", "dev", end, "nodad")
	}
	for _, side := range []struct {
		e           *lktest.Env
		local, peer string
		n           int
	}{{p.a, one, two, 1}, {p.b, two, one, 2}} {
		m := mgre
		m.Local, m.Underlay = ip(side.local), ""
		put(t, side.e.P, m, dataplane.Addr{Device: "Tunnel0", Prefix: netip.PrefixFrom(overlay(side.n), 24)},
			dataplane.Neighbor{Device: "Tunnel0", Addr: overlay(3 - side.n), NBMA: ip(side.peer)})
		side.e.Do(func() error { // so that nothing is answered
			conn, err := net.ListenPacket("udp4", overlay(side.n).String()+":9")
			if err == nil {
				t.Cleanup(func() { conn.Close() })
			}
			if side.n == 1 {
				p.sink = conn
			}
			return err
		})
	}
	p.wire = sniffer(t, p.b, end)
	return p
}

// sniffer returns a socket that sees what passes a device, from its network layer on. It
// gets its protocol with its device: before, it would see what passes any. What passes while
// nobody asks has room in it.
func sniffer(t *testing.T, e *lktest.Env, device string) (fd int) {
	e.Do(func() (err error) {
		protocol := binary.NativeEndian.Uint16([]byte{0, 3}) // ETH_P_ALL, in network byte order
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		t.Cleanup(func() { unix.Close(fd) })
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
		return errors.Join(err, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: e.Link(device).Attrs().Index}))
	})
	return fd
}

// overlay is the address of a machine in the tunnel.
func overlay(n int) netip.Addr { return netip.AddrFrom4([4]byte{172, 16, 0, byte(n)}) }

// seen is what was on the wire, by the protocol of IP; and of GRE, what a sent, and the
// packets themselves, for messages.
type seen struct {
	gre, esp, udp, byA int
	clear              string
}

// passed counts what was on the wire since it was asked last.
func (p *pair) passed() (s seen) {
	p.Helper()
	buf := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(p.wire, buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			return s
		}
		if err != nil {
			p.Fatal(err)
		}
		protocol := buf[9]
		switch {
		case n >= 40 && buf[0]>>4 == 6:
			protocol = buf[6]
		case n < 20 || buf[0]>>4 != 4:
			continue
		}
		switch protocol {
		case unix.IPPROTO_GRE:
			s.gre++
			s.clear += fmt.Sprintf("\n%x", buf[:min(n, 100)])
			if buf[0]>>4 == 4 && [4]byte(buf[12:16]) != ip("192.0.2.2").As4() {
				s.byA++
			}
		case unix.IPPROTO_ESP:
			s.esp++
		case unix.IPPROTO_UDP:
			s.udp++
		}
	}
}

// send sends packets from one to the other through the tunnel.
func (p *pair) send(e *lktest.Env, packets int) {
	p.Helper()
	to := overlay(2)
	if e == p.b {
		to = overlay(1)
	}
	for range packets {
		e.Send("Tunnel0", to)
	}
}

// counted waits until an SA has counted so many packets.
func (p *pair) counted(e *lktest.Env, s dataplane.SA, packets uint64) (c rib.SACount) {
	p.Helper()
	harness.Eventually(p, limit, func() error {
		c = rib.SACount{}
		for o, err := range e.P.Dump(p.Context(), dataplane.KindSA) {
			if err != nil {
				return err
			}
			if o.Key() == s.Key() {
				c = o.(dataplane.SA).Count
			}
		}
		if c.Packets != packets {
			return fmt.Errorf("%v counted %+v, wanted %d packets\n%s", s.Key(), c, packets, shown(p.T, e, "cat", "/proc/net/xfrm_stat"))
		}
		return nil
	})
	return c
}

// received returns the packets that came out of the tunnel.
func (p *pair) received(e *lktest.Env) uint64 {
	return e.Link("Tunnel0").Attrs().Statistics.RxPackets
}

// between returns SAs for both directions, each to be put at both ends.
func between(change func(*dataplane.SA)) (ab, ba dataplane.SA) {
	ab, ba = dptest.SA("192.0.2.1", "192.0.2.2", 0x1000), dptest.SA("192.0.2.2", "192.0.2.1", 0x2000)
	change(&ab)
	change(&ba)
	return ab, ba
}

func repeat(n int) rib.Secret {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i + 1)
	}
	return rib.NewSecret(b)
}

// TestESP sends through a tunnel whose packets have to go by ESP, with each algorithm.
func TestESP(t *testing.T) {
	p := newPair(t)
	put(t, p.a.P, dataplane.Guard(ip("192.0.2.1")))
	put(t, p.b.P, dataplane.Guard(ip("192.0.2.2")))
	for name, change := range map[string]func(*dataplane.SA){
		"GCM-128": func(s *dataplane.SA) { s.CipherKey = repeat(20) },
		"GCM-256": func(s *dataplane.SA) { s.CipherKey = repeat(36) },
		"CBC": func(s *dataplane.SA) {
			s.Cipher, s.CipherKey, s.Integrity, s.IntegrityKey = rib.AESCBC, repeat(32), rib.HMACSHA256x128, repeat(32)
		},
		"CBC SHA1": func(s *dataplane.SA) {
			s.Cipher, s.CipherKey, s.Integrity, s.IntegrityKey = rib.AESCBC, repeat(16), rib.HMACSHA1x96, repeat(20)
		},
		"CBC SHA512": func(s *dataplane.SA) {
			s.Cipher, s.CipherKey, s.Integrity, s.IntegrityKey = rib.AESCBC, repeat(32), rib.HMACSHA512x256, repeat(64)
		},
		"ChaCha20": func(s *dataplane.SA) { s.Cipher = rib.ChaCha20Poly1305 },
		"ESN":      func(s *dataplane.SA) { s.ESN, s.Window = true, 256 },
		"CBC ESN": func(s *dataplane.SA) {
			s.Cipher, s.CipherKey, s.Integrity, s.IntegrityKey = rib.AESCBC, repeat(32), rib.HMACSHA384x192, repeat(48)
			s.ESN, s.Window = true, 1024
		},
		"window": func(s *dataplane.SA) { s.Window = 1024 },
	} {
		ab, ba := between(change)
		put(t, p.a.P, ba, ab)
		put(t, p.b.P, ab, ba)
		p.passed()
		was, is := p.received(p.b), p.received(p.a)
		p.send(p.a, 5)
		p.send(p.b, 3)
		for _, e := range []*lktest.Env{p.a, p.b} {
			if c := p.counted(e, ab, 5); c.Bytes == 0 || c.Failed+c.Late+c.Replayed > 0 || c.Added == 0 || c.Used == 0 {
				t.Errorf("%s: %+v", name, c)
			}
			p.counted(e, ba, 3)
		}
		if have := p.passed(); have != (seen{esp: 8}) {
			t.Errorf("%s: on the wire %+v", name, have)
		}
		harness.Eventually(t, limit, func() error {
			if b, a := p.received(p.b)-was, p.received(p.a)-is; b != 5 || a != 3 {
				return fmt.Errorf("%s: %d and %d packets came out", name, b, a)
			}
			return nil
		})
		remove(t, p.a, ab, ba)
		remove(t, p.b, ab, ba)
	}
}

// TestESP6 is TestESP over IPv6, with one algorithm.
func TestESP6(t *testing.T) {
	const one, two = "2001:db8:f::1", "2001:db8:f::2"
	p := newPairBetween(t, one, two)
	ab, ba := dptest.SA(one, two, 0x1000), dptest.SA(two, one, 0x2000)
	put(t, p.a.P, dataplane.Guard(ip(one)), ba, ab)
	put(t, p.b.P, dataplane.Guard(ip(two)), ab, ba)
	for _, e := range []*lktest.Env{p.a, p.b} {
		if have := dumped(t, e); !have[ab.SPI].Equal(ab) || !have[ba.SPI].Equal(ba) {
			t.Errorf("in force: %+v", have)
		}
	}
	p.passed()
	was, is := p.received(p.b), p.received(p.a)
	p.send(p.a, 5)
	p.send(p.b, 3)
	for _, e := range []*lktest.Env{p.a, p.b} {
		p.counted(e, ab, 5)
		p.counted(e, ba, 3)
	}
	harness.Eventually(t, limit, func() error {
		if b, a := p.received(p.b)-was, p.received(p.a)-is; b != 5 || a != 3 {
			return fmt.Errorf("%d and %d packets came out", b, a)
		}
		return nil
	})
	if have := p.passed(); have.gre != 0 || have.esp != 8 {
		t.Errorf("on the wire %+v", have)
	}
}

// dumped returns the SAs that are in force by their SPIs.
func dumped(t *testing.T, e *lktest.Env) map[uint32]dataplane.SA {
	t.Helper()
	all := map[uint32]dataplane.SA{}
	for o, err := range e.P.Dump(t.Context(), dataplane.KindSA) {
		if err != nil {
			t.Fatal(err)
		}
		s := o.(dataplane.SA)
		all[s.SPI] = s
	}
	return all
}

func remove(t *testing.T, e *lktest.Env, objects ...dataplane.Object) {
	t.Helper()
	for _, o := range objects {
		if r := e.P.Apply(t.Context(), []dataplane.Op{dataplane.Delete(o.Key())}); r[0].Err != nil {
			t.Fatal(r[0].Err)
		}
	}
}

// TestGuard has one end of a tunnel not send nor take GRE in clear, with an SA, without
// one, and after it; only without the guard it does.
func TestGuard(t *testing.T) { testGuard(t, "192.0.2.1", "192.0.2.2") }

// TestGuard6 is TestGuard over IPv6, where packets leave by another device of ours.
func TestGuard6(t *testing.T) { testGuard(t, "2001:db8:f::1", "2001:db8:f::2") }

func testGuard(t *testing.T, one, two string) {
	p := newPairBetween(t, one, two)
	guard := dataplane.Guard(ip(one))
	flows := func(when string, want bool) {
		t.Helper()
		p.passed()
		before, already := p.received(p.a), p.dropped(p.a)
		p.send(p.b, 3) // in clear: this end has no guard
		p.send(p.a, 3)
		harness.Eventually(t, limit, func() error {
			got, dropped := p.received(p.a)-before, p.dropped(p.a)-already
			if want && got == 3 || !want && dropped >= 3 {
				return nil
			}
			return fmt.Errorf("%s: %d packets were taken in, %d were not", when, got, dropped)
		})
		have := p.passed()
		if want && have.gre != 6 || !want && (have.gre != 3 || p.received(p.a) != before) {
			t.Errorf("%s: on the wire %+v, %d packets taken in", when, have, p.received(p.a)-before)
		}
	}
	flows("without guard", true)
	put(t, p.a.P, guard)
	flows("guarded", false)
	await(t, p.a.P, "acquire", func(ev dataplane.Event) bool {
		return ev == dataplane.Acquire{Source: ip(one), Destination: ip(two)}
	})
	ab, ba := dptest.SA(one, two, 0x1000), dptest.SA(two, one, 0x2000)
	put(t, p.a.P, ba, ab)
	p.passed()
	before, already := p.received(p.a), p.dropped(p.a)
	p.send(p.a, 3)
	p.counted(p.a, ab, 3)
	p.send(p.b, 3)
	harness.Eventually(t, limit, func() error {
		if n := p.dropped(p.a) - already; n != 3 {
			return fmt.Errorf("%d packets in clear were dropped", n)
		}
		return nil
	})
	if have := p.passed(); have.esp != 3 || have.gre != 3 || p.received(p.a) != before {
		t.Errorf("with an SA: on the wire %+v, %d packets taken in", have, p.received(p.a)-before)
	}
	remove(t, p.a, ab, ba)
	flows("after the SA", false)
	if ip(one).Is6() {
		second := dataplane.Guard(ip("2001:db8:f::77"))
		put(t, p.a.P, second)
		remove(t, p.a, second)
		flows("after another guard", false)
		shown(t, p.a, "ip", "-6", "xfrm", "policy", "delete", "src", "::/0", "dst", "::/0", "proto", "gre", "dir", "out")
		await(t, p.a.P, "half a guard gone", func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: guard.Key()} })
		if halfGuard := dumpedGuard(t, p.a); !halfGuard.Outdated {
			t.Errorf("half a guard is dumped as %+v", halfGuard)
		}
		put(t, p.a.P, guard)
		flows("after it was put back", false)
	}
	remove(t, p.a, guard)
	flows("after the guard", true)
}

// dumpedGuard returns the one policy that is in force.
func dumpedGuard(t *testing.T, e *lktest.Env) (g dataplane.Policy) {
	t.Helper()
	for o, err := range e.P.Dump(t.Context(), dataplane.KindPolicy) {
		if err != nil || g.Local.IsValid() {
			t.Fatalf("%+v beside %+v: %v", o, g, err)
		}
		g = o.(dataplane.Policy)
	}
	return g
}

// dropped returns the packets that came in clear and were dropped: the kernel counts
// them in XfrmInTmplMismatch.
func (p *pair) dropped(e *lktest.Env) (n int) {
	var name string
	for _, line := range lines(shown(p.T, e, "cat", "/proc/net/xfrm_stat")) {
		if _, err := fmt.Sscan(line, &name, &n); err == nil && name == "XfrmInTmplMismatch" {
			return n
		}
	}
	return 0
}

// TestESPInUDP sends ESP in UDP (RFC 3948) and has one end's port change.
func TestESPInUDP(t *testing.T) {
	p := newPair(t)
	put(t, p.a.P, dataplane.Guard(ip("192.0.2.1")))
	put(t, p.b.P, dataplane.Guard(ip("192.0.2.2")))
	for _, e := range []*lktest.Env{p.a, p.b} {
		e.Do(func() error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			t.Cleanup(func() { unix.Close(fd) })
			const encap = 100 // UDP_ENCAP, linux/udp.h
			return errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Port: 4500}), unix.SetsockoptInt(fd, unix.IPPROTO_UDP, encap, 2))
		})
	}
	ab, ba := between(func(s *dataplane.SA) { s.UDP = rib.UDPEncap{Source: 4500, Destination: 4500} })
	put(t, p.a.P, ba, ab)
	put(t, p.b.P, ab, ba)
	p.send(p.a, 2)
	p.counted(p.b, ab, 2)
	if have := p.passed(); have != (seen{udp: 2}) {
		t.Errorf("on the wire %+v", have)
	}
	ba.UDP.Source = 40001 // as if a NAT had forgotten it
	put(t, p.b.P, ba)
	p.send(p.b, 1)
	p.counted(p.a, ba, 1)
	await(t, p.a.P, "another port", func(ev dataplane.Event) bool {
		return ev == dataplane.MappingChanged{Key: ba.Key(), Old: netip.MustParseAddrPort("192.0.2.2:4500"), New: netip.MustParseAddrPort("192.0.2.2:40001")}
	})
	p.send(p.b, 20)
	p.counted(p.a, ba, 21)
	again := 0
	for len(p.a.P.Events()) > 0 {
		if ev, ok := (<-p.a.P.Events()).(dataplane.MappingChanged); ok && ev.Key == ba.Key() {
			again++
		}
	}
	if again > 5 {
		t.Errorf("the port was told %d times for 20 packets", again)
	}
	put(t, p.a.P, ba)
	p.send(p.b, 1)
	p.counted(p.a, ba, 22)
}

// TestLifetime has SAs reach their limits.
func TestLifetime(t *testing.T) {
	p := newPair(t)
	put(t, p.a.P, dataplane.Guard(ip("192.0.2.1")))
	ab, _ := between(func(s *dataplane.SA) { s.Lifetime = rib.Lifetime{SoftPackets: 2, HardPackets: 4} })
	put(t, p.a.P, ab)
	p.send(p.a, 3)
	await(t, p.a.P, "soft limit", func(ev dataplane.Event) bool { return ev == dataplane.SAExpired{Key: ab.Key()} })
	p.send(p.a, 3)
	await(t, p.a.P, "hard limit", func(ev dataplane.Event) bool { return ev == dataplane.SAExpired{Key: ab.Key(), Hard: true} })
	await(t, p.a.P, "its end", func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: ab.Key()} })
	if have := p.passed(); have.byA != 0 || have.esp < 3 {
		t.Errorf("on the wire %+v", have)
	}
	kept := ab
	kept.Keep = true
	if r := p.a.P.Apply(t.Context(), []dataplane.Op{dataplane.Put(kept)}); !errors.Is(r[0].Err, dataplane.ErrGone) {
		t.Errorf("kept when it was gone: %v", r[0].Err)
	}
	// A kernel that looks later than HardTime tells of that alone.
	soon, _ := between(func(s *dataplane.SA) { s.Lifetime = rib.Lifetime{SoftTime: 1, HardTime: 6} })
	put(t, p.a.P, soon)
	await(t, p.a.P, "soft time", func(ev dataplane.Event) bool { return ev == dataplane.SAExpired{Key: soon.Key()} })
	await(t, p.a.P, "hard time", func(ev dataplane.Event) bool { return ev == dataplane.SAExpired{Key: soon.Key(), Hard: true} })
}

// TestFlush has everything of a kind go at once: what went is told, and a guard that is
// put again holds.
func TestFlush(t *testing.T) {
	p := newPair(t)
	guard, other := dataplane.Guard(ip("192.0.2.1")), dataplane.Guard(ip("192.0.2.77"))
	ab, _ := between(func(*dataplane.SA) {})
	put(t, p.a.P, guard, other, ab)
	shown(t, p.a, "ip", "xfrm", "policy", "flush")
	for _, o := range []dataplane.Object{guard, other} {
		await(t, p.a.P, o.Key().String(), func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: o.Key()} })
	}
	shown(t, p.a, "ip", "xfrm", "state", "flush")
	await(t, p.a.P, "a reason to look", func(ev dataplane.Event) bool {
		return ev == dataplane.Unsure{} || ev == dataplane.ObjectGone{Key: ab.Key()}
	})
	put(t, p.a.P, guard)
	p.passed()
	p.send(p.a, 2)
	if have := p.passed(); have.byA != 0 {
		t.Errorf("on the wire %+v", have)
	}
	// Somebody puts a policy of his own in its place.
	shown(t, p.a, "ip", "xfrm", "policy", "update", "src", "192.0.2.1/32", "dst", "0.0.0.0/0", "proto", "gre", "dir", "out", "action", "allow")
	await(t, p.a.P, "another in its place", func(ev dataplane.Event) bool { return ev == dataplane.ObjectGone{Key: guard.Key()} })
	put(t, p.a.P, guard)
	p.send(p.a, 2)
	if have := p.passed(); have.byA != 0 {
		t.Errorf("on the wire %+v", have)
	}
}

func lines(s string) []string { return strings.Split(strings.TrimSpace(s), "\n") }
