package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Defaults of Cisco IOS. Hello and hold time are those of all interfaces but slow
// NBMA ones, which tunnels are not (RFC 7868 section 5.3.3 leaves them open).
const (
	DefaultHello            = 5 * time.Second
	DefaultHold             = 15 * time.Second
	DefaultBandwidthPercent = 50
	DefaultMaximumPaths     = 4
	DefaultVariance         = 1
	DefaultActiveTime       = 3 * time.Minute
	DefaultInternalDistance = 90
	DefaultExternalDistance = 170
	DefaultSummaryDistance  = 5
	DefaultStubPurge        = 4 * time.Minute // `timers graceful-restart purge-time`: how long routes of a restarting neighbour are kept
)

// Limits of what neighbours can make the core remember, for each instance.
const (
	MaxNeighbors = 20_000
	MaxPrefixes  = 1_000_000
)

// Config is the whole configuration of eigrpd. It is a value: once handed over it
// is not changed. Each Key appears once.
type Config struct {
	Instances []InstanceConfig
	Policy    *policy.Set // lists, route-maps and key chains; nil: none is defined
}

// Key names an instance: an address family of an autonomous system in a VRF.
type Key struct {
	Family rib.Family
	VRF    string // "" for the default one
	AS     uint16
}

// InstanceConfig is `router eigrp AS`, an address family under it, or an address
// family of `router eigrp NAME`.
type InstanceConfig struct {
	Key
	// Name is the virtual instance name of named mode, "" in classic mode. An
	// instance with a name counts in wide metrics (RFC 7868 section 5.6.2), one
	// without in classic ones (section 5.6.1).
	Name     string
	Shutdown bool
	RouterID netip.Addr // `eigrp router-id`; zero: chosen among the addresses as on IOS

	// Networks say on which interfaces EIGRP of IPv4 runs: those that have an
	// address that one of them matches. EIGRP of IPv6 runs on all interfaces of the
	// VRF in named mode (AllInterfaces), on those named in classic mode.
	Networks      []policy.Wildcard
	AllInterfaces bool
	Enabled       []string

	// Default is for interfaces that are not in Interfaces (`af-interface default`,
	// `passive-interface default`). Interfaces are complete: nothing is inherited
	// from Default any more.
	Default    InterfaceConfig
	Interfaces []InterfaceConfig

	Neighbors []StaticNeighbor // `neighbor`
	Listen    *RemoteListen    // `remote-neighbors`; nil: not configured

	Stub *Stub // `eigrp stub`; nil: no stub

	Weights     metric.Weights // the zero value: metric.DefaultWeights
	MaximumHops uint8          // `metric maximum-hops`; 0: metric.MaxHops
	RIBScale    uint8          // `metric rib-scale`; 0: metric.DefaultRIBScale; named mode only

	DefaultMetric *policy.Vector // `default-metric`; nil: none
	Redistribute  []Redistribute // `redistribute`
	// DefaultIn and DefaultOut say whether a default route is taken from and told to
	// neighbours (`default-information {in|out} [LIST]`).
	DefaultIn, DefaultOut DefaultInformation
	DefaultRouteTag       uint32 // `eigrp default-route-tag`: of internal routes; 0: none

	InternalDistance uint8 // 0: 90
	ExternalDistance uint8 // 0: 170
	Distances        []SourceDistance
	Filters          []Filter     // `distribute-list`
	Offsets          []OffsetList // `offset-list`
	MaximumPaths     int          // 0: 4
	Variance         int          // 0: 1
	// TrafficShareMin is `traffic-share min across-interfaces`: of paths that variance
	// admits only the nearest carry traffic. Otherwise shares are in proportion to
	// metrics (`traffic-share balanced`).
	TrafficShareMin bool
	SummaryMetrics  []SummaryMetric // `summary-metric`

	MaximumPrefix         *MaximumPrefix // of all routes; nil: none
	NeighborMaximumPrefix *MaximumPrefix // of each neighbour; nil: none
	RedistributeMaximum   *MaximumPrefix // `redistribute maximum-prefix`; nil: none

	// ActiveTime is `timers active-time`: 0: 3 minutes; negative: disabled.
	ActiveTime time.Duration
	// NoNSF is `no nsf`: the neighbours are not asked to keep the routes of this router
	// when its daemon is restarted. As on IOS it helps a neighbour that asks for it in any
	// case, for PurgeTime; 0: 4 minutes.
	NoNSF     bool
	PurgeTime time.Duration

	NoLogNeighborChanges bool // `no eigrp log-neighbor-changes`
	NoLogWarnings        bool // `no eigrp log-neighbor-warnings`
}

// Authentication is how the packets of an interface are authenticated (RFC 7868
// section 6.6).
type Authentication uint8

// The kinds of authentication.
const (
	AuthenticationNone   Authentication = iota
	AuthenticationMD5                   // with a key chain
	AuthenticationSHA256                // HMAC-SHA-256 with a key chain or the password of the line
)

// InterfaceConfig is the configuration of an interface in an instance.
type InterfaceConfig struct {
	Name             string        // "" in InstanceConfig.Default
	Hello            time.Duration // 0: DefaultHello
	Hold             time.Duration // 0: DefaultHold
	BandwidthPercent int           // `bandwidth-percent`, may exceed 100; 0: DefaultBandwidthPercent
	Passive          bool          // no neighbours
	Shutdown         bool          // EIGRP does not run there

	NoSplitHorizon bool // `no split-horizon`
	// NoNextHopSelf keeps the next hop of routes that are told (`no next-hop-self`)
	// where it is in the subnet of the interface; NoECMPMode looks at all paths of a
	// route for such a next hop and not just at the first (`no-ecmp-mode`).
	NoNextHopSelf bool
	NoECMPMode    bool
	AddPaths      int // `add-paths`: equal-cost paths told of a route in all, 2 … 4; 0: one

	Summaries []Summary // `summary-address`

	Authentication Authentication
	KeyChain       string
	// Password is that of `authentication mode hmac-sha-256`: used without a key ID
	// where KeyChain is "".
	Password policy.Secret
}

// Summary is a summary address of an interface.
type Summary struct {
	Prefix   netip.Prefix // masked; its parts are withheld on the interface
	Distance uint8        // of the discard route; 0: DefaultSummaryDistance; 255: no discard route
	LeakMap  string       // parts that this route-map permits are told as well; "" for none
}

// StaticNeighbor is a `neighbor`. An interface that has static neighbours sends and
// takes no multicast (as on IOS), but for remote ones.
type StaticNeighbor struct {
	Addr      netip.Addr
	Interface string
	Remote    bool  // may be any number of hops away
	MaxHops   uint8 // TTL of packets to a remote neighbour; 0: 100
}

// RemoteListen is `remote-neighbors source IF unicast-listen`: remote routers that
// name this one a remote neighbour become neighbours.
type RemoteListen struct {
	Interface string
	AllowList string // access-list of their addresses; "" for all
	Maximum   int    // `max-neighbors`; 0: MaxNeighbors
}

// Stub is what a stub router tells of (`eigrp stub`).
type Stub struct {
	ReceiveOnly   bool // nothing
	Connected     bool
	Static        bool
	Summary       bool
	Redistributed bool
	LeakMap       string // learnt routes that this route-map permits; "" for none
}

// Redistribute says that the routes of another protocol are told as external.
type Redistribute struct {
	Protocol rib.Protocol
	Instance uint32
	Metric   *policy.Vector // nil: the default metric
	RouteMap string
}

// DefaultInformation is one direction of `default-information`.
type DefaultInformation struct {
	Deny bool   // `no default-information in`
	List string // access-list of the default routes that pass; "" for all
}

// SourceDistance is a distance for what comes from certain routers (`distance N
// ADDR WILDCARD [LIST]`). The first that fits decides. Internal routes only.
type SourceDistance struct {
	Distance uint8
	Source   policy.Wildcard
	List     string // access-list of the routes; "" for all
}

// FilterKind tells what the list of a Filter is.
type FilterKind uint8

// The kinds of lists.
const (
	FilterAccessList FilterKind = iota
	FilterPrefixList
	FilterRouteMap
)

// Filter is a `distribute-list`. All that apply must permit a route.
type Filter struct {
	Kind      FilterKind
	List      string // "" if there is only a Gateway
	Gateway   string // prefix-list of the neighbours (`gateway`); "" for all
	Out       bool
	Interface string // "" for all
	// Protocol restricts a filter out to routes redistributed from there;
	// rib.Unspecified for all.
	Protocol rib.Protocol
	Instance uint32
}

// OffsetList adds to the delay of routes so that their metric grows by Offset
// (`offset-list`).
type OffsetList struct {
	List      string // access-list; "" (Cisco's 0) for all routes
	Out       bool
	Offset    uint32
	Interface string // "" for all; one that names the interface goes before one that does not
}

// SummaryMetric is `summary-metric`: the metric of a summary does not depend on that
// of its parts.
type SummaryMetric struct {
	Prefix   netip.Prefix
	Metric   *policy.Vector // nil: that of the nearest part
	Distance uint8          // of the discard route; 0: the summary's
}

// MaximumPrefix limits a number of routes (`maximum-prefix`).
type MaximumPrefix struct {
	Limit        int
	Threshold    int // percent at which a warning is logged; 0: 75
	WarningOnly  bool
	Restart      time.Duration // after which what was torn down comes back; 0: 5 minutes
	RestartCount int           // how often, until an operator clears; 0: 3
	Reset        time.Duration // after which the restart count begins anew; 0: 15 minutes
	Dampened     bool          // Restart doubles each time
}
