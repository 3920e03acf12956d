package rawsock_test

import (
	"net/netip"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/godmvpn/godmvpn/lib/rawsock"
)

// BenchmarkUDP sends a full RIP message over the loopback device of a network
// namespace and reads it.
func BenchmarkUDP(b *testing.B) {
	runtime.LockOSThread() // for good: the thread ends with its goroutine
	ns, err := netns.New()
	if err != nil {
		b.Skip("needs root: makes a network namespace: ", err)
	}
	defer ns.Close()
	lo, err := netlink.LinkByName("lo")
	check(b, err)
	check(b, netlink.LinkSetUp(lo))
	c, err := rawsock.Kernel{}.ListenIP(rawsock.IPConfig{Port: 520})
	check(b, err)
	defer c.Close()
	self := netip.MustParseAddr("127.0.0.1")
	payload, buf := make([]byte, 504), make([]byte, 600)
	meta := rawsock.Meta{Src: netip.AddrPortFrom(self, 0), Dst: netip.AddrPortFrom(self, 520), Index: lo.Attrs().Index}
	for _, half := range []string{"send", "send and receive"} {
		b.Run(half, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				check(b, c.WriteTo(payload, meta))
				if half == "send" {
					continue
				}
				_, _, err := c.ReadFrom(buf)
				check(b, err)
			}
		})
	}
}
