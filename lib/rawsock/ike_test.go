package rawsock_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/lib/rawsock"
)

// TestESPinUDP sends to a port for ESP in UDP: what is the kernel's is not read, what
// begins with the marker is, in its order.
func TestESPinUDP(t *testing.T) {
	bothIPv6(t, func(t *testing.T, w world) {
		for _, six := range []bool{false, true} {
			src, dst := aIP, bIP
			if six {
				src, dst = aLocal, bLocal
			}
			a, b := ipPair(t, w, rawsock.IPConfig{IPv6: six, Port: 4500, ESPinUDP: true, TTL: 64, Fragment: true})
			to := rawsock.Meta{Src: netip.AddrPortFrom(src, 0), Dst: netip.AddrPortFrom(dst, 4500), Index: w.ai}
			marker := "\x00\x00\x00\x00"
			for _, text := range []string{"\xff", "\x00\x00\x12\x34ESP of an SA that there is not", marker + "IKE", marker + strings.Repeat("long", 450)} {
				check(t, a.WriteTo([]byte(text), to))
			}
			for _, want := range []string{marker + "IKE", marker + strings.Repeat("long", 450)} {
				got, m := readIP(t, b)
				if got != want {
					t.Errorf("IPv6 %v: read %q", six, got)
				}
				wantMeta(t, m, rawsock.Meta{Src: netip.AddrPortFrom(src, 4500), Dst: netip.AddrPortFrom(dst, 0), Index: w.bi, TTL: 64})
			}
		}
		if c, err := w.a.ListenIP(rawsock.IPConfig{Protocol: 88, ESPinUDP: true}); err == nil {
			c.Close()
			t.Error("there is ESP in UDP without a port")
		}
	})
}

// TestVRFPorts has a socket of the default VRF and one of a device on the same port, of
// both families.
func TestVRFPorts(t *testing.T) {
	both(t, func(t *testing.T, w world) {
		for _, six := range []bool{false, true} {
			for _, device := range []string{"", "veth-b"} {
				c, err := w.b.ListenIP(rawsock.IPConfig{IPv6: six, Port: 500, Device: device})
				check(t, err)
				t.Cleanup(func() { c.Close() })
			}
		}
	})
}

// TestLocal has a socket for one address beside one for all, whichever came first: it gets
// what is for its address, and the other one gets that when it is closed.
func TestLocal(t *testing.T) {
	bothIPv6(t, func(t *testing.T, w world) {
		for _, six := range []bool{false, true} {
			near, far := netip.MustParseAddr("192.0.2.98"), bIP // an address that is not there may be given
			if six {
				near, far = netip.MustParseAddr("2001:db8::98"), bLocal
			}
			for _, first := range []bool{false, true} {
				cfg := rawsock.IPConfig{IPv6: six, Port: 4500, ESPinUDP: true, TTL: 64}
				a, err := w.a.ListenIP(cfg)
				check(t, err)
				listen := func(local netip.Addr) rawsock.IPConn {
					c := cfg
					if c.Local = local; six && local.IsLinkLocalUnicast() {
						c.Device = "veth-b"
					}
					conn, err := w.b.ListenIP(c)
					check(t, err)
					t.Cleanup(func() { conn.Close() })
					return conn
				}
				var one, all rawsock.IPConn
				if first {
					all = listen(netip.Addr{})
				}
				one = listen(far)
				if !first {
					all = listen(netip.Addr{})
				}
				none := listen(near)
				to := rawsock.Meta{Dst: netip.AddrPortFrom(far, 4500), Index: w.ai}
				const marker = "\x00\x00\x00\x00"
				for range 20 { // sockets of one group would share them
					check(t, a.WriteTo([]byte(marker+"IKE"), to))
					if got, _ := readIP(t, one); got != marker+"IKE" {
						t.Errorf("read %q", got)
					}
				}
				check(t, one.Close())
				check(t, a.WriteTo([]byte(marker+"left"), to))
				if got, _ := readIP(t, all); got != marker+"left" {
					t.Errorf("the other one read %q", got)
				}
				for _, c := range []rawsock.IPConn{a, all, none} {
					check(t, c.Close())
				}
			}
		}
		for _, cfg := range []rawsock.IPConfig{{Port: 4500, Local: bLocal}, {Port: 4500, IPv6: true, Local: bIP}, {Protocol: 88, Local: bIP}} {
			if c, err := w.b.ListenIP(cfg); !errors.Is(err, rawsock.ErrAddress) {
				t.Errorf("%+v: %v, %v", cfg, c, err)
			}
		}
	})
}

// TestIPFragment wants the packets of a socket to go without DF, and a datagram that is
// longer than the MTU to arrive.
func TestIPFragment(t *testing.T) {
	w := kernelWorld(t)
	a, b := ipPair(t, w, rawsock.IPConfig{Port: 500, Fragment: true})
	wire, err := w.b.ListenPacket(rawsock.PacketConfig{Index: w.bi, Protocol: rawsock.EtherTypeIPv4})
	check(t, err)
	defer wire.Close()
	to := rawsock.Meta{Dst: netip.AddrPortFrom(bIP, 500), Index: w.ai}
	check(t, a.WriteTo([]byte("short"), to))
	if got, _ := readPacket(t, wire); got[6]&0x40 != 0 {
		t.Errorf("the packet has DF: %x", got)
	}
	readIP(t, b)
	check(t, a.WriteTo(make([]byte, 1900), to))
	if got, _ := readIP(t, b); len(got) != 1900 {
		t.Errorf("%d octets", len(got))
	}
}
