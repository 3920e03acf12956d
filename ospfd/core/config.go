package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Defaults of Cisco IOS, where RFC 2328 appendix C leaves a value open or IOS has
// another.
const (
	DefaultHello            = 10 * time.Second // broadcast and point-to-point
	DefaultHelloSlow        = 30 * time.Second // non-broadcast and point-to-multipoint
	DefaultDeadMultiplier   = 4                // dead interval in Hello intervals
	DefaultPoll             = 120 * time.Second
	DefaultPriority         = 1
	DefaultRetransmit       = 5 * time.Second
	DefaultRetransmitWindow = 50 * time.Millisecond // FRR's
	DefaultTransmitDelay    = 1 * time.Second
	DefaultReference        = 100 // Mbit/s: `auto-cost reference-bandwidth`
	DefaultDistance         = 110
	DefaultMaximumPaths     = 4
	DefaultExternalMetric   = 20 // of redistributed routes, but for BGP's
	DefaultBGPMetric        = 1  // of redistributed routes of BGP
	DefaultOriginateMetric  = 10 // `default-information originate`; 1 with always
	DefaultRestartInterval  = 120 * time.Second
	DefaultAreaCost         = 1 // `area A default-cost`

	DefaultSPFStart   = 50 * time.Millisecond // `timers throttle spf`
	DefaultSPFHold    = 200 * time.Millisecond
	DefaultSPFMaximum = 5 * time.Second
	DefaultLSAStart   = 0 // `timers throttle lsa`
	DefaultLSAHold    = 5 * time.Second
	DefaultLSAMaximum = 5 * time.Second
	DefaultLSAArrival = 1 * time.Second // `timers lsa arrival`: MinLSArrival

	DefaultFloodPacing          = 33 * time.Millisecond // `timers pacing flood`: between two packets of updates
	DefaultRetransmissionPacing = 66 * time.Millisecond // `timers pacing retransmission`
)

// Limits of what neighbours can make the core remember, for each instance.
const (
	MaxNeighbors = 20_000
	MaxLSAs      = 1_000_000
	MaxLSAOctets = 512 << 20
)

// MaximumPaths is the greatest `maximum-paths`.
const MaximumPaths = 64

// Config is the whole configuration of ospfd. It is a value: once handed over it is
// not changed. Each Key appears once.
type Config struct {
	Instances []InstanceConfig
	// Interfaces are the lines `ip ospf …` of interfaces. What they say holds for
	// whichever process runs there.
	Interfaces []InterfaceConfig
	Policy     *policy.Set // lists, route-maps and key chains; nil: none is defined
}

// Key names an instance: a process.
type Key struct {
	Process uint16 // `router ospf PROCESS`
	VRF     string // "" for the default one
}

// InstanceConfig is `router ospf PROCESS [vrf NAME]`.
type InstanceConfig struct {
	Key
	Shutdown bool
	RouterID netip.Addr // `router-id`; zero: chosen among the addresses as on IOS

	// Networks say on which interfaces OSPF runs and in which areas: those with a
	// primary address that one of them matches, the first that does. `ip ospf PROCESS
	// area A` of an interface goes before.
	Networks []Network
	Areas    []AreaConfig // those with lines of their own; sorted by ID
	// Dotted are the areas that the configuration writes like addresses, sorted: shows do
	// so as well.
	Dotted []packet.ID

	PassiveDefault bool     // `passive-interface default`
	Passive        []string // `passive-interface IF`; under PassiveDefault: `no passive-interface IF`
	Neighbors      []StaticNeighbor

	Redistribute      []Redistribute
	DefaultOriginate  *DefaultOriginate // nil: no `default-information originate`
	DefaultMetric     uint32            // `default-metric`; 0: by protocol
	SummaryAddresses  []SummaryAddress
	Distance          Distances
	SourceDistances   []SourceDistance
	Filters           []Filter // `distribute-list`
	MaximumPaths      int      // 0: DefaultMaximumPaths
	Reference         uint32   // `auto-cost reference-bandwidth`, in Mbit/s; 0: DefaultReference
	MaxMetric         *MaxMetric
	MaxLSA            int  // `max-lsa`: LSAs of others; 0: MaxLSAs
	PrefixSuppression bool // RFC 6860, on all interfaces but passive ones and loopbacks
	FloodReduction    bool // RFC 4136, on all interfaces
	// RFC1583 is `compatible rfc1583` (RFC 2328 section 16.4.1, RFC1583Compatibility),
	// which is the default on IOS: cli sets it.
	RFC1583 bool
	ABR     ABRType // `ospf abr-type`

	Timers  Timers
	Restart Restart // `nsf ietf`

	NoOpaque          bool // `no capability opaque`
	LogAdjacency      bool // `log-adjacency-changes`, the default: cli sets it
	LogDetail         bool // its `detail`: every state and not just FULL and DOWN
	AdjacencyParallel int  // adjacencies that are brought up at a time (RFC 4222 section 2, recommendation 5); 0: 64
}

// ABRType says what makes a router an area border router, and which summary-LSAs it heeds (RFC
// 3509).
type ABRType uint8

// The types of area border routers. All have interfaces that are up in several areas.
const (
	ABRCisco    ABRType = iota // one of them the backbone (section 2.1)
	ABRIBM                     // … in the backbone some interface, up or not (section 2.1)
	ABRStandard                // RFC 2328 sections 3.3 and 16.2: it heeds the backbone's summary-LSAs alone, whether or not a neighbour is there
	ABRShortcut                // draft-ietf-ospf-shortcut-abr-02: … those of other areas as well, as AreaConfig.Shortcut has it
)

// String is the word of `ospf abr-type`.
func (t ABRType) String() string {
	return [...]string{ABRCisco: "cisco", ABRIBM: "ibm", ABRStandard: "standard", ABRShortcut: "shortcut"}[min(t, ABRShortcut)]
}

// Network is `network ADDR WILDCARD area A`.
type Network struct {
	Addresses policy.Wildcard
	Area      packet.ID
}

// AreaKind says which LSAs an area knows of what is outside of it.
type AreaKind uint8

// The kinds of areas.
const (
	AreaNormal AreaKind = iota
	AreaStub            // RFC 2328 section 3.6
	AreaNSSA            // RFC 3101
)

// AreaConfig is what the lines `area A …` say. An area without any is a normal one.
type AreaConfig struct {
	ID          packet.ID
	Kind        AreaKind
	NoSummary   bool   // border router: only a default route is told into it (totally stubby)
	DefaultCost uint32 // of that default route; 0: DefaultAreaCost

	// Of an NSSA (RFC 3101):
	NSSADefault      *DefaultOriginate // `nssa default-information-originate`
	NoRedistribution bool              // `nssa no-redistribution`: routes are not imported as type 7
	TranslateAlways  bool              // `nssa translate type7 always`
	SuppressFA       bool              // `nssa translate type7 suppress-fa`

	Ranges         []Range
	FilterIn       string       // `filter-list prefix NAME in`: summaries told into the area
	FilterOut      string       // … out: told out of it
	ExportList     string       // `export-list`: access-list of the networks of the area that are told out of it, also as parts of a range
	ImportList     string       // `import-list`: access-list of the summaries told into the area
	Shortcut       AreaShortcut // of ABRShortcut; not of the backbone
	Authentication Authentication
	VirtualLinks   []VirtualLink // through this area
}

// AreaShortcut is `area A shortcut`: whether a router of type ABRShortcut sets the S-bit in the
// area, and takes shortcuts through it.
type AreaShortcut uint8

// What it may be (draft-ietf-ospf-shortcut-abr-02).
const (
	ShortcutDefault AreaShortcut = iota // unless there is a neighbour in the backbone
	ShortcutEnable                      // always; with a neighbour in the backbone if all border routers of the area set the S-bit
	ShortcutDisable
)

// String is the word of `area A shortcut`.
func (s AreaShortcut) String() string {
	return [...]string{ShortcutDefault: "default", ShortcutEnable: "enable", ShortcutDisable: "disable"}[min(s, ShortcutDisable)]
}

// Range is `area A range` (RFC 2328 appendix C.2), or, with NSSA, that of RFC 3101
// section 3.2 (`area A nssa range`).
type Range struct {
	Prefix       netip.Prefix
	NotAdvertise bool
	Cost         *uint32      // nil: that of its parts
	Substitute   netip.Prefix // what is told in its place; the zero Prefix: the range itself. Not with NSSA
	NSSA         bool
	Tag          uint32 // of a translated LSA
}

// VirtualLink is `area A virtual-link ROUTER`. Of Interface only intervals and
// authentication count.
type VirtualLink struct {
	Router    packet.ID
	Interface InterfaceConfig
}

// StaticNeighbor is `neighbor ADDR`, on non-broadcast networks. On point-to-multipoint
// networks with broadcast it only has a cost.
type StaticNeighbor struct {
	Addr              netip.Addr
	Priority          uint8
	Poll              time.Duration // 0: DefaultPoll
	Cost              uint16        // point-to-multipoint only; 0: that of the interface
	DatabaseFilterOut bool          // `database-filter all out`
}

// Redistribute says that routes of another protocol become external.
type Redistribute struct {
	Protocol rib.Protocol
	Instance uint32
	Metric   *uint32 // nil: the default metric
	Type1    bool    // `metric-type 1`
	Tag      uint32
	RouteMap string
	Classful bool // without `subnets`: only networks of their class
	NSSAOnly bool // `nssa-only`: type 7 without the P-bit
}

// DefaultOriginate is `default-information originate`.
type DefaultOriginate struct {
	Always   bool
	Metric   *uint32
	Type1    bool
	RouteMap string // the default route is told while a route passes it
}

// SummaryAddress is `summary-address` of external routes.
type SummaryAddress struct {
	Prefix       netip.Prefix
	NotAdvertise bool
	Tag          uint32
	NSSAOnly     bool
}

// Distances are administrative distances; 0: DefaultDistance.
type Distances struct{ Intra, Inter, External uint8 }

// SourceDistance is `distance N ROUTER-ID WILDCARD [LIST]`.
type SourceDistance struct {
	Distance uint8
	Router   policy.Wildcard
	List     string
}

// Filter is a `distribute-list`. In keeps routes out of the routing table and changes
// no LSA; out keeps redistributed routes from becoming external.
type Filter struct {
	Prefix    bool   // List is a prefix-list; otherwise an access-list or, with RouteMap, a route-map
	RouteMap  bool   // in only
	List      string // name or number
	Out       bool
	Interface string       // of the next hop; in only; "" for all
	Protocol  rib.Protocol // out only; 0 for all
	Instance  uint32       // of Protocol
}

// MaxMetric is `max-metric router-lsa` (RFC 6987).
type MaxMetric struct {
	OnStartup   time.Duration // only so long after the process began; 0: always
	IncludeStub bool
	Summary     uint32 // metric of summary-LSAs; 0: as otherwise
	External    uint32 // metric of external LSAs; 0: as otherwise
}

// Throttle is an exponential back-off: the first event waits Start, the next ones Hold,
// doubled each time up to Maximum, until nothing has happened for twice Maximum.
type Throttle struct{ Start, Hold, Maximum time.Duration }

// Timers are those of `timers …`. A zero Throttle, and zeros, stand for the defaults.
type Timers struct {
	SPF                  Throttle
	LSA                  Throttle
	Arrival              time.Duration
	FloodPacing          time.Duration
	RetransmissionPacing time.Duration
}

// Restart is graceful restart (RFC 3623).
type Restart struct {
	Enabled  bool          // `nsf ietf`: restarts of this router are graceful
	Interval time.Duration // `restart-interval`; 0: DefaultRestartInterval
	NoHelper bool          // `nsf ietf helper disable`
	Strict   bool          // `nsf ietf helper strict-lsa-checking`
}

// Authentication is how packets are authenticated.
type Authentication uint8

// The kinds of authentication. AuthenticationUnset is that of the area.
const (
	AuthenticationUnset    Authentication = iota
	AuthenticationNull                    // RFC 2328 section D.1
	AuthenticationSimple                  // section D.2
	AuthenticationMD5                     // section D.3, with the keys of the interface
	AuthenticationKeyChain                // RFC 5709 and 7474, with a key chain
)

// DigestKey is `ip ospf message-digest-key ID md5 KEY`. Several are for a change of keys
// without loss: packets are sent with each of them as long as neighbours still use an
// older one, and received with any.
type DigestKey struct {
	ID  uint8
	Key policy.Secret
}

// NeighborFilter is `ip ospf neighbor-filter LIST [ADDR]`: packets of routers whose address the
// prefix-list denies are not taken.
type NeighborFilter struct {
	List string
	Addr netip.Addr // of the interface; zero: any that has no line of its own
}

// NeighborFilter returns the prefix-list of neighbours while the interface has an address; "" if
// there is none.
func (ic *InterfaceConfig) NeighborFilter(own netip.Addr) (list string) {
	for _, f := range ic.NeighborFilters {
		if f.Addr == own || !f.Addr.IsValid() && list == "" {
			list = f.List
		}
	}
	return list
}

// InterfaceConfig is what the lines `ip ospf …` of an interface say.
type InterfaceConfig struct {
	Name string
	// HasArea: `ip ospf PROCESS area AREA`.
	HasArea     bool
	Process     uint16
	Area        packet.ID
	NoSecondary bool // `secondaries none`: secondary addresses are no stub networks

	Type           fsm.NetworkType // 0: by the type of the interface
	NoBroadcast    bool            // `point-to-multipoint non-broadcast`
	DelayReflood   bool            // `point-to-multipoint delay-reflood`: an LSA is not told at once to those of the network it came from
	Spoke          bool            // `point-to-point dmvpn`: this side of a point-to-multipoint hub
	Cost           uint16          // 0: by bandwidth
	Priority       *uint8          // nil: DefaultPriority
	Hello          time.Duration   // 0: by network type
	Dead           time.Duration   // 0: DefaultDeadMultiplier Hello intervals
	HelloPerSecond int             // `dead-interval minimal hello-multiplier`: Dead is a second; 0: not so
	Retransmit     time.Duration
	// RetransmitWindow: LSAs that are to be retransmitted within this time of one that is due go
	// with it; 0: DefaultRetransmitWindow.
	RetransmitWindow time.Duration
	TransmitDelay    time.Duration

	NeighborFilters []NeighborFilter

	MTUIgnore         bool
	DatabaseFilterOut bool // `database-filter all out`
	FloodReduction    bool
	PrefixSuppression *bool // nil: as the process says
	Shutdown          bool  // `ip ospf shutdown`

	Authentication Authentication
	Password       policy.Secret // of simple authentication, at most 8 octets
	DigestKeys     []DigestKey
	KeyChain       string
}
