package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// Defaults. Update and Invalid are RFC 2453 section 3.8's. Flush is the timeout and
// the garbage-collection time, of which Cisco IOS has 60 s and the RFC 120 s: it is
// IOS's. Holddown is unknown to the RFC, and 180 s on IOS.
const (
	DefaultUpdate   = 30 * time.Second
	DefaultInvalid  = 180 * time.Second
	DefaultHolddown = 0
	DefaultFlush    = 240 * time.Second

	DefaultMaximumPaths = 4
	DefaultDistance     = 120
	DefaultMetric       = 1 // of redistributed routes
)

// Limits of what neighbours can make the core remember, for each VRF.
const (
	MaxRoutes    = 250_000
	MaxNeighbors = 20_000
)

// Config is the whole configuration of ripd. It is a value: once handed over it
// is not changed. The order of Routers and Interfaces does not matter; each name
// appears once.
type Config struct {
	Routers    []RouterConfig
	Interfaces []InterfaceConfig
	Policy     *policy.Set // lists, route-maps and key chains; nil: none is defined
}

// RouterConfig is `router rip` or one `address-family ipv4 vrf NAME` under it.
type RouterConfig struct {
	VRF string // "" for the default one

	// Version is what `version` says, 1 or 2; 0 is Cisco's default: send version
	// 1, receive both.
	Version uint8

	// Networks and NetworkInterfaces say where RIP runs: on interfaces that
	// have an address in one of the networks, and on those named.
	Networks          []netip.Prefix // masked
	NetworkInterfaces []string

	Neighbors      []netip.Addr // `neighbor`: routers that get updates by unicast
	PassiveDefault bool         // `passive-interface default`
	Passive        []string     // `passive-interface IF`; under PassiveDefault: `no passive-interface IF`

	Timers       Timers
	OutputDelay  time.Duration // `output-delay`: between two packets of an update; 0: as the kind of interface suggests
	MaximumPaths int           // `maximum-paths`; 0: DefaultMaximumPaths

	DefaultMetric uint8        // `default-metric`; 0: DefaultMetric
	Offsets       []OffsetList // `offset-list`
	Distance      uint8        // `distance N`; 0: DefaultDistance
	Distances     []SourceDistance
	Filters       []Filter       // `distribute-list`
	Redistribute  []Redistribute // `redistribute`
	Static        []netip.Prefix // `route`: announced as if connected

	DefaultOriginate bool   // `default-information originate`
	DefaultRouteMap  string // its route-map: the default route is announced while a route of the routing table passes it; "" for none

	NoValidateSource bool // `no validate-update-source`
	LogNeighbors     bool // `log-neighbor-changes`
}

// Timers are those of `timers basic`. Zero values stand for the defaults, but
// for Holddown.
type Timers struct {
	Update   time.Duration // between regular updates
	Invalid  time.Duration // RFC 2453's timeout: after the last news of a route
	Holddown time.Duration // how long a route that was lost is not taken from somebody else; 0: not at all
	Flush    time.Duration // after the last news: end of RFC 2453's garbage collection
}

// OffsetList adds to metrics (`offset-list`).
type OffsetList struct {
	List      string // access-list; "" (Cisco's 0) for all routes
	Out       bool   // of routes announced; otherwise of routes learnt
	Offset    uint8  // 0 … 16
	Interface string // "" for all; one that names the interface goes before one that does not
}

// SourceDistance is a distance for what comes from certain routers (`distance N
// ADDR WILDCARD [LIST]`). The first that fits decides.
type SourceDistance struct {
	Distance uint8
	Source   policy.Wildcard
	List     string // standard access-list of the routes; "" for all
}

// Filter is a `distribute-list`. All that apply must permit a route.
type Filter struct {
	Prefix    bool   // List is a prefix-list; otherwise an access-list
	List      string // name or number
	Out       bool
	Interface string // "" for all
}

// Redistribute says that the routes of another protocol are announced.
type Redistribute struct {
	Protocol    rib.Protocol
	Instance    uint32
	Metric      uint8 // 1 … 16; 0: the default metric
	Transparent bool  // `metric transparent`: the metric that the route has, at most 16
	RouteMap    string
}

// Versions is a set of RIP versions.
type Versions uint8

// The versions.
const (
	Version1 Versions = 1 << iota
	Version2
)

// SplitHorizon says what is told of routes on the interface by which they were
// learnt (RFC 2453 section 3.4.3).
type SplitHorizon uint8

// The kinds of split horizon.
const (
	SplitHorizonSimple SplitHorizon = iota // `ip split-horizon`: nothing
	SplitHorizonPoison                     // `ip split-horizon poisoned-reverse`: that they are unreachable
	SplitHorizonOff                        // `no ip split-horizon`: what is told everywhere
)

// InterfaceConfig is the RIP configuration of an interface.
type InterfaceConfig struct {
	Name string

	Send        Versions // `ip rip send version`; 0: as the router's version says
	Receive     Versions // `ip rip receive version`; 0: as the router's version says
	V2Broadcast bool     // `ip rip v2-broadcast`

	SplitHorizon SplitHorizon
	// NextHopSelf has every route announced with this router as its next hop
	// (`ip rip next-hop-self`), also where another router of the subnet is nearer
	// (RFC 2453 section 4.4).
	NextHopSelf bool
	Summaries   []netip.Prefix // `ip summary-address rip`; masked

	// Authentication is the algorithm; packet.NoAlgorithm accepts no
	// packet that is authenticated (RFC 2453 section 4.1).
	Authentication packet.Algorithm
	KeyChain       string        // `ip rip authentication key-chain`; "": KeyString
	KeyString      policy.Secret // `ip rip authentication string`, used with key ID 1
}
