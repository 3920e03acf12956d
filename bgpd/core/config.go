package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Config is the whole configuration, as far as it concerns the routing table. What
// concerns neighbours goes to the speakers.
type Config struct {
	Instances []InstanceConfig // by VRF
	Policy    *policy.Set
}

// InstanceConfig is BGP in a VRF.
type InstanceConfig struct {
	VRF  string
	AS   uint32
	IPv4 FamilyConfig
	IPv6 FamilyConfig

	// Awaited are the neighbours whose routes a restarted daemon waits for: those that
	// are configured and not shut down.
	Awaited []Neighbor
	// Ranges says that there are listen ranges: who will connect only Started tells.
	Ranges bool
	// UpdateDelay limits the wait (bgp update-delay). 0 is DefaultUpdateDelay.
	UpdateDelay time.Duration
}

// DefaultUpdateDelay is Cisco's.
const DefaultUpdateDelay = 120 * time.Second

// Neighbor is a neighbour and a family that is exchanged with it.
type Neighbor struct {
	Addr   netip.Addr
	Family rib.Family
}

// FamilyConfig is an address family of an instance.
type FamilyConfig struct {
	Networks     []Network
	Redistribute []Redistribute
	// DefaultInformation lets 0.0.0.0/0 or ::/0 be redistributed (default-information
	// originate).
	DefaultInformation bool
	// DefaultMetric is the metric of redistributed routes of other routing protocols, where their
	// line has none; nil: that of the routing table.
	DefaultMetric *uint32
	Distance      Distance
}

// Network is a network statement: the prefix is told while the routing table has it.
type Network struct {
	Prefix   netip.Prefix // masked
	RouteMap string
}

// Redistribute is a redistribute line.
type Redistribute struct {
	Protocol rib.Protocol
	Instance uint32  // process or autonomous system
	Metric   *uint32 // MULTI_EXIT_DISC; nil: that of the routing table
	RouteMap string
}

// Distance are the administrative distances (distance bgp). The zero value is the
// default, 20 200 200.
type Distance struct{ External, Internal, Local uint8 }

// Or returns the distances, of the zero value the defaults.
func (d Distance) Or() Distance {
	if d == (Distance{}) {
		return Distance{rib.BGP.Distance(), rib.DistanceIBGP, rib.DistanceIBGP}
	}
	return d
}

// family returns the part of an address family.
func (c *InstanceConfig) family(f rib.Family) *FamilyConfig {
	if f == rib.IPv6 {
		return &c.IPv6
	}
	return &c.IPv4
}
