package edge

import (
	"context"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// DNS resolves names as the machine is configured to; for a tunnel with a
// front-door VRF the queries go through that VRF.
type DNS struct{}

// Lookup implements Resolver.
func (DNS) Lookup(ctx context.Context, name, vrf string, ipv6 bool) ([]netip.Addr, error) {
	network := "ip4"
	if ipv6 {
		network = "ip6"
	}
	r := net.DefaultResolver
	if vrf != "" {
		d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
			var bind error
			if err := c.Control(func(fd uintptr) { bind = unix.BindToDevice(int(fd), vrf) }); err != nil {
				return err
			}
			return bind
		}}
		r = &net.Resolver{PreferGo: true, Dial: d.DialContext}
	}
	addrs, err := r.LookupNetIP(ctx, network, name)
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, err
}
