package iface

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Config is what the configuration says about interfaces and VRFs.
type Config struct {
	Aliases    map[string]string // configuration name → kernel name
	VRFs       []VRF
	Interfaces []Interface
	// IPv6 says that IPv6 is routed here. It is not by default: a machine that
	// forwards IPv6 does not take its default route from router advertisements.
	IPv6 bool
}

// VRF is a VRF of the configuration.
type VRF struct {
	Name        string
	Description string
}

// Interface is one interface block.
type Interface struct {
	Name        string
	Description string
	VRF         string
	Shutdown    bool
	MTU         int    // bytes; 0 if not set
	IPMTU       int    // bytes; 0 if not set
	AdjustMSS   int    // bytes; 0 if not set
	Bandwidth   uint64 // kbit/s; 0 if not set
	Delay       uint32 // tens of microseconds; 0 if not set
	Addresses   []rib.Address
	Tunnel      Tunnel // of an interface with IsTunnel(Name)
}

// Tunnel has the tunnel lines of an interface block.
type Tunnel struct {
	Source          netip.Addr // a fixed source address; zero if none
	SourceInterface string
	Destination     netip.Addr // zero if none
	Multipoint      bool
	IPv6            bool // the transport is IPv6; Source and Destination are of that family
	HasKey          bool
	Key             uint32
	VRF             string
	TTL             uint8 // 0 if not set
	TOS             uint8
	PathMTU         bool
	// Protection is the name of the IPsec profile that protects the tunnel, "" for
	// none. From then on no GRE leaves or enters by the tunnel's source but as ESP,
	// that of other tunnels of the source included.
	Protection string
	Shared     bool // other tunnels of the source share its associations
}
