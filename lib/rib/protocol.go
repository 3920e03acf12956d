package rib

import "fmt"

// Protocol is the origin of a route.
type Protocol uint8

// The origins of routes.
const (
	Unspecified Protocol = iota
	Connected            // the subnet of an interface address
	Local                // an interface address itself, as a host route
	Kernel               // installed by somebody else on this machine
	Static
	RIP
	OSPF
	EIGRP
	BGP
	NHRP
	numProtocols
)

// MaxDistance marks a route that must never be used.
const MaxDistance = 255

var protocols = [numProtocols]struct {
	name     string
	distance uint8
	kernel   uint8
}{
	Unspecified: {"unspecified", MaxDistance, 0},
	Connected:   {"connected", 0, 2},
	Local:       {"local", 0, 2},
	Kernel:      {"kernel", 0, 0},
	Static:      {"static", 1, 196},
	RIP:         {"rip", 120, 189},
	OSPF:        {"ospf", 110, 188},
	EIGRP:       {"eigrp", 90, 192},
	BGP:         {"bgp", 20, 186},
	NHRP:        {"nhrp", 250, 191},
}

// Administrative distances that depend on the kind of route rather than on the
// protocol alone, as on Cisco IOS.
const (
	DistanceEIGRPSummary  = 5
	DistanceEIGRPExternal = 170
	DistanceIBGP          = 200
)

// String returns the protocol's name as in configuration ("redistribute ospf").
func (p Protocol) String() string {
	if p >= numProtocols {
		return fmt.Sprintf("protocol-%d", uint8(p))
	}
	return protocols[p].name
}

// ParseProtocol returns the protocol with the given configuration name.
func ParseProtocol(name string) (Protocol, bool) {
	for p := Connected; p < numProtocols; p++ {
		if protocols[p].name == name {
			return p, true
		}
	}
	return Unspecified, false
}

// Distance returns the default administrative distance of the protocol's
// ordinary routes.
func (p Protocol) Distance() uint8 {
	if p >= numProtocols {
		return MaxDistance
	}
	return protocols[p].distance
}

// KernelNumber returns the number that marks the protocol's routes in the
// kernel (rtm_protocol), or 0 if zebra installs no routes for it.
func (p Protocol) KernelNumber() uint8 {
	switch p {
	case Static, RIP, OSPF, EIGRP, BGP, NHRP:
		return protocols[p].kernel
	}
	return 0
}

// ProtocolOfKernel returns the protocol whose routes carry the number n in the
// kernel; ok is false if the number is not one of ours.
func ProtocolOfKernel(n uint8) (p Protocol, ok bool) {
	for p := Static; p < numProtocols; p++ {
		if protocols[p].kernel == n {
			return p, true
		}
	}
	return Unspecified, false
}

// RouteType refines the protocol where Cisco's route codes do.
type RouteType uint8

// The types of routes, with the code of `show ip route` beside each.
const (
	TypeInternal      RouteType = iota // no second code
	TypeExternal                       // EX for EIGRP
	TypeSummary                        // EIGRP summary, OSPF or RIP aggregate
	TypeInterArea                      // IA
	TypeExternal1                      // E1
	TypeExternal2                      // E2
	TypeNSSAExternal1                  // N1
	TypeNSSAExternal2                  // N2
	TypeEBGP
	TypeIBGP
)
