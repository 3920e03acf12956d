package iface

import (
	"regexp"
	"strings"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// maxKernelName is IFNAMSIZ less the final zero.
const maxKernelName = 15

var (
	tunnelName   = regexp.MustCompile(`^Tunnel[0-9]+$`)
	loopbackName = regexp.MustCompile(`^Loopback[0-9]+$`)
)

// IsTunnel reports whether a configuration name is that of a tunnel, which
// zebra makes.
func IsTunnel(name string) bool { return tunnelName.MatchString(name) }

// IsLoopback reports whether a configuration name is that of a loopback, which
// zebra makes.
func IsLoopback(name string) bool { return loopbackName.MatchString(name) }

// KernelNameOK reports whether Linux allows the name for a device.
func KernelNameOK(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= maxKernelName &&
		!strings.ContainsAny(name, "/: \t\n")
}

// fallback devices come with kernel modules, carry nothing, and would only be
// in the way of whoever reads a list of interfaces; so would the device by which the
// data plane sends for tunnels over IPv6.
var fallback = map[string]bool{
	"gre0": true, "gretap0": true, "erspan0": true, "ip6gre0": true, "ip6tnl0": true,
	"godmvpn-gre6": true, "tunl0": true, "sit0": true, "ip_vti0": true, "ip6_vti0": true,
}

// metrics are the values with which Cisco IOS feeds routing metrics by default.
func metrics(typ rib.InterfaceType) (bandwidth uint64, delay uint32) {
	switch typ {
	case rib.TypeTunnel:
		return 100, 5000
	case rib.TypeLoopback:
		return 8000000, 500
	}
	return 1000000, 1
}
