package rawsock_test

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/rawsock"
)

func packetPair(t *testing.T, w world, protocol uint16) (a, b rawsock.PacketConn) {
	t.Helper()
	a, err := w.a.ListenPacket(rawsock.PacketConfig{Index: w.ai, Protocol: protocol})
	check(t, err)
	b, err = w.b.ListenPacket(rawsock.PacketConfig{Index: w.bi, Protocol: protocol})
	check(t, err)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// within fails the test if f takes longer than any machine should need.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: nothing for 10 s", what)
	}
}

func readPacket(t *testing.T, c rawsock.PacketConn) (payload []byte, from netip.Addr) {
	t.Helper()
	within(t, "ReadFrom", func() {
		b := make([]byte, 2000)
		n, f, err := c.ReadFrom(b)
		if err != nil {
			t.Errorf("ReadFrom: %v", err)
		}
		payload, from = b[:n], f
	})
	return payload, from
}

// TestPacketRoundTrip sends both ways. (veth does not pad short frames.)
func TestPacketRoundTrip(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, b := packetPair(t, w, rawsock.EtherTypeNHRP)
		check(t, a.WriteTo([]byte("registration"), bLink))
		got, from := readPacket(t, b)
		if string(got) != "registration" {
			t.Errorf("b read %q", got)
		}
		want := aLink
		if w.kernel {
			want = netip.Addr{} // six bytes of Ethernet are no NBMA address
		}
		if from != want {
			t.Errorf("from %v, want %v", from, want)
		}
		check(t, b.WriteTo(bytes.Repeat([]byte{7}, 1400), aLink))
		if got, _ := readPacket(t, a); len(got) != 1400 {
			t.Errorf("a read %d bytes, want 1400", len(got))
		}
	})
}

// TestPacketProtocol wants a socket to see its own protocol only, and a
// send-only socket nothing at all.
func TestPacketProtocol(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, b := packetPair(t, w, rawsock.EtherTypeNHRP)
		deaf, err := w.b.ListenPacket(rawsock.PacketConfig{Index: w.bi, Protocol: rawsock.EtherTypeNHRP, SendOnly: true})
		check(t, err)
		other, err := w.a.ListenPacket(rawsock.PacketConfig{Index: w.ai, Protocol: 0x88b5, SendOnly: true})
		check(t, err)
		defer other.Close()
		check(t, other.WriteTo([]byte("experiment"), bLink))
		check(t, a.WriteTo([]byte("nhrp"), bLink))
		if got, _ := readPacket(t, b); string(got) != "nhrp" {
			t.Errorf("b read %q", got)
		}
		heard := make(chan []byte, 1)
		go func() {
			buf := make([]byte, 100)
			n, _, err := deaf.ReadFrom(buf)
			if err == nil {
				heard <- buf[:n]
			}
			close(heard)
		}()
		for range 100 { // time enough for the deaf socket's reader
			check(t, a.WriteTo([]byte("more"), bLink))
			readPacket(t, b)
		}
		check(t, deaf.Close())
		if got, ok := <-heard; ok {
			t.Errorf("a send-only socket read %q", got)
		}
	})
}

// TestPacketAddress wants only the device with that link-layer address to get a
// packet, and addresses of the wrong size refused.
func TestPacketAddress(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, b := packetPair(t, w, rawsock.EtherTypeNHRP)
		if err := a.WriteTo([]byte("x"), netip.MustParseAddr("2001:db8::1")); !errors.Is(err, rawsock.ErrAddress) {
			t.Errorf("WriteTo an IPv6 NBMA address: %v", err)
		}
		if !w.kernel { // the kernel's packet sockets see frames of other hosts, too
			check(t, a.WriteTo([]byte("not for b"), netip.MustParseAddr("10.0.0.77")))
		}
		check(t, a.WriteTo([]byte("for b"), bLink))
		if got, _ := readPacket(t, b); string(got) != "for b" {
			t.Errorf("b read %q", got)
		}
	})
}

func TestPacketCloseWakesReader(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, b := packetPair(t, w, rawsock.EtherTypeNHRP)
		failed, running := make(chan error, 1), make(chan bool)
		go func() {
			a.ReadFrom(make([]byte, 10))
			close(running)
			_, _, err := a.ReadFrom(make([]byte, 10))
			failed <- err
		}()
		check(t, b.WriteTo([]byte("x"), aLink))
		<-running
		time.Sleep(10 * time.Millisecond) // most likely it waits by now; both ways are right
		check(t, a.Close())
		within(t, "ReadFrom of a closed socket", func() {
			if err := <-failed; !errors.Is(err, net.ErrClosed) {
				t.Errorf("ReadFrom: %v", err)
			}
		})
		if err := a.WriteTo([]byte("x"), bLink); !errors.Is(err, net.ErrClosed) {
			t.Errorf("WriteTo: %v", err)
		}
	})
}

// TestPacketDeviceDown wants a typed error at the reader and the writer, and the
// socket to work again once the device is up.
func TestPacketDeviceDown(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, b := packetPair(t, w, rawsock.EtherTypeNHRP)
		w.down(true)
		within(t, "ReadFrom", func() {
			if _, _, err := b.ReadFrom(make([]byte, 10)); !errors.Is(err, rawsock.ErrDown) || !rawsock.Retryable(err) {
				t.Errorf("ReadFrom on a device that is down: %v", err)
			}
		})
		if err := b.WriteTo([]byte("x"), aLink); !errors.Is(err, rawsock.ErrDown) {
			t.Errorf("WriteTo on a device that is down: %v", err)
		}
		w.down(false)
		check(t, a.WriteTo([]byte("again"), bLink))
		if got, _ := readPacket(t, b); string(got) != "again" {
			t.Errorf("b read %q", got)
		}
	})
}

func TestPacketDeviceGone(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		_, b := packetPair(t, w, rawsock.EtherTypeNHRP)
		w.remove()
		within(t, "ReadFrom", func() {
			if _, _, err := b.ReadFrom(make([]byte, 10)); !rawsock.Retryable(err) {
				t.Errorf("ReadFrom on a device that is gone: %v", err)
			}
		})
		if err := b.WriteTo([]byte("x"), aLink); !errors.Is(err, rawsock.ErrGone) {
			t.Errorf("WriteTo on a device that is gone: %v", err)
		}
		if _, err := w.b.ListenPacket(rawsock.PacketConfig{Index: w.bi, Protocol: rawsock.EtherTypeNHRP}); !errors.Is(err, rawsock.ErrGone) {
			t.Errorf("ListenPacket on a device that is gone: %v", err)
		}
	})
}

func ipPair(t *testing.T, w world, cfg rawsock.IPConfig) (a, b rawsock.IPConn) {
	t.Helper()
	a, err := w.a.ListenIP(cfg)
	check(t, err)
	b, err = w.b.ListenIP(cfg)
	check(t, err)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func readIP(t *testing.T, c rawsock.IPConn) (payload string, m rawsock.Meta) {
	t.Helper()
	within(t, "ReadFrom", func() {
		b := make([]byte, 2000)
		n, meta, err := c.ReadFrom(b)
		if err != nil {
			t.Errorf("ReadFrom: %v", err)
		}
		payload, m = string(b[:n]), meta
	})
	return payload, m
}

func wantMeta(t *testing.T, got, want rawsock.Meta) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("meta (-want +got):\n%s", diff)
	}
}

// TestIPMulticast sends as EIGRP and RIP do: to a group, by an interface, with
// TTL 1 or 2.
func TestIPMulticast(t *testing.T) {
	for name, c := range map[string]struct {
		cfg   rawsock.IPConfig
		group string
	}{
		"eigrp": {rawsock.IPConfig{Protocol: 88, TTL: 2, TOS: 0xc0}, "224.0.0.10"},
		"ospf":  {rawsock.IPConfig{Protocol: 89}, "224.0.0.5"},
		"rip":   {rawsock.IPConfig{Protocol: 17, Port: 520, TTL: 1}, "224.0.0.9"},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, w world) {
				a, b := ipPair(t, w, c.cfg)
				group := netip.MustParseAddr(c.group)
				check(t, b.Join(group, w.bi))
				check(t, b.Join(group, w.bi)) // twice is no error
				check(t, a.Join(group, w.ai))
				check(t, a.WriteTo([]byte("hello"), rawsock.Meta{Dst: netip.AddrPortFrom(group, c.cfg.Port), Index: w.ai}))
				got, m := readIP(t, b)
				if got != "hello" {
					t.Errorf("b read %q", got)
				}
				wantMeta(t, m, rawsock.Meta{
					Src: netip.AddrPortFrom(aIP, c.cfg.Port), Dst: netip.AddrPortFrom(group, 0),
					Index: w.bi, TTL: max(c.cfg.TTL, 1),
				})
				// a has joined as well, but must hear b only, not itself.
				check(t, b.WriteTo([]byte("from b"), rawsock.Meta{Dst: netip.AddrPortFrom(group, c.cfg.Port), Index: w.bi}))
				if got, _ := readIP(t, a); got != "from b" {
					t.Errorf("a read %q", got)
				}
			})
		})
	}
}

// TestIPLeave wants multicasts of joined groups only, even if another socket of
// the host joined.
func TestIPLeave(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		cfg := rawsock.IPConfig{Protocol: 88}
		a, b := ipPair(t, w, cfg)
		other, err := w.b.ListenIP(cfg)
		check(t, err)
		defer other.Close()
		group := netip.MustParseAddr("224.0.0.10")
		check(t, other.Join(group, w.bi))
		check(t, b.Leave(group, w.bi)) // not joined: no error
		multicast := func() {
			check(t, a.WriteTo([]byte("multicast"), rawsock.Meta{Dst: netip.AddrPortFrom(group, 0), Index: w.ai}))
			if got, _ := readIP(t, other); got != "multicast" {
				t.Errorf("the joined socket read %q", got)
			}
		}
		unicast := func() {
			check(t, a.WriteTo([]byte("unicast"), rawsock.Meta{Dst: netip.AddrPortFrom(bIP, 0)}))
			readIP(t, other)
			if got, _ := readIP(t, b); got != "unicast" {
				t.Errorf("b read %q", got)
			}
		}
		multicast()
		unicast()
		check(t, b.Join(group, w.bi))
		multicast()
		if got, _ := readIP(t, b); got != "multicast" {
			t.Errorf("after Join b read %q", got)
		}
		check(t, b.Leave(group, w.bi))
		multicast()
		unicast()
	})
}

// TestIPUnicastSource sends with an address given, to the port given.
func TestIPUnicastSource(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, b := ipPair(t, w, rawsock.IPConfig{Port: 520, TTL: 7})
		check(t, a.WriteTo([]byte("request"), rawsock.Meta{
			Src: netip.AddrPortFrom(aIP, 0), Dst: netip.AddrPortFrom(bIP, 520),
		}))
		got, m := readIP(t, b)
		if got != "request" {
			t.Errorf("b read %q", got)
		}
		wantMeta(t, m, rawsock.Meta{
			Src: netip.AddrPortFrom(aIP, 520), Dst: netip.AddrPortFrom(bIP, 0), Index: w.bi, TTL: 7,
		})
	})
}

func TestIPBoundToDevice(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		a, err := w.a.ListenIP(rawsock.IPConfig{Protocol: 88})
		check(t, err)
		defer a.Close()
		b, err := w.b.ListenIP(rawsock.IPConfig{Protocol: 88, Device: "veth-b"})
		check(t, err)
		defer b.Close()
		check(t, a.WriteTo([]byte("x"), rawsock.Meta{Dst: netip.AddrPortFrom(bIP, 0)}))
		readIP(t, b)
		if _, err := w.b.ListenIP(rawsock.IPConfig{Protocol: 88, Device: "nosuch"}); !errors.Is(err, rawsock.ErrGone) {
			t.Errorf("ListenIP on no device: %v", err)
		}
	})
}

func TestIPErrors(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		for _, cfg := range []rawsock.IPConfig{{}, {Protocol: 256}, {Protocol: 88, Port: 520}} {
			if c, err := w.a.ListenIP(cfg); err == nil {
				c.Close()
				t.Errorf("ListenIP(%+v) works", cfg)
			}
		}
		a, _ := ipPair(t, w, rawsock.IPConfig{Protocol: 89})
		v6 := netip.MustParseAddr("ff02::5")
		if err := a.WriteTo(nil, rawsock.Meta{Dst: netip.AddrPortFrom(v6, 0)}); !errors.Is(err, rawsock.ErrAddress) {
			t.Errorf("WriteTo IPv6: %v", err)
		}
		if err := a.Join(v6, w.ai); !errors.Is(err, rawsock.ErrAddress) {
			t.Errorf("Join IPv6: %v", err)
		}
		if err := a.Join(aIP, w.ai); !errors.Is(err, rawsock.ErrAddress) {
			t.Errorf("Join of a unicast address: %v", err)
		}
		if err := a.Join(netip.MustParseAddr("224.0.0.5"), 999); !errors.Is(err, rawsock.ErrGone) {
			t.Errorf("Join on no interface: %v", err)
		}
		failed := make(chan error, 1)
		go func() {
			_, _, err := a.ReadFrom(make([]byte, 10))
			failed <- err
		}()
		check(t, a.Close())
		within(t, "ReadFrom of a closed socket", func() {
			if err := <-failed; !errors.Is(err, net.ErrClosed) {
				t.Errorf("ReadFrom: %v", err)
			}
		})
		if err := a.WriteTo([]byte("x"), rawsock.Meta{Dst: netip.AddrPortFrom(bIP, 0)}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("WriteTo: %v", err)
		}
	})
}
