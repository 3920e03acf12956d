package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// ReportKind tells what a Query asks for.
type ReportKind uint8

// The kinds of reports.
const (
	ReportStatus     ReportKind = 1 + iota // *StatusReport: `show ip ospf`, `statistics`, `traffic`, `protocols`
	ReportInterfaces                       // *InterfaceReport
	ReportNeighbors                        // *NeighborReport
	ReportDatabase                         // *DatabaseReport
	ReportRoutes                           // *RouteReport: `route` and `border-routers`
)

// Report is an answer to a Query. The set is closed; reports are values that share
// nothing with the core. Each has a part for each instance that the Query selects, by
// process ID.
type Report interface{ report() }

// Identity is what the heading of every table says of an instance.
type Identity struct {
	Key
	RouterID packet.ID   // 0: there is none, so nothing runs
	Dotted   []packet.ID // InstanceConfig.Dotted
}

// StatusReport is `show ip ospf`.
type StatusReport struct{ Instances []InstanceStatus }

// InstanceStatus is an instance as a whole.
type InstanceStatus struct {
	Identity
	Config       InstanceConfig // as given, with defaults filled in
	Uptime       time.Duration
	AreaBorder   bool // it has an interface that is up in more than one area
	ASBoundary   bool
	StubRouter   bool          // max-metric router-lsa is in force
	StubLeft     time.Duration // until it ends; 0: it does not by itself
	External     LSASummary    // of the AS
	OpaqueAS     LSASummary
	Demand       DemandSummary // of LSAs of the AS
	Areas        []AreaStatus  // by ID
	Restarting   bool          // this router is in a graceful restart
	RestartLeft  time.Duration
	LastRestart  string // how the last one ended; "": there was none
	Counters     Counters
	SPF          SPFStatus
	Redistribute []RedistributeStatus
	Summaries    []SummaryStatus
}

// LSASummary is the number of LSAs and the sum of their checksums.
type LSASummary struct {
	Count    int
	Checksum uint64
}

// AreaStatus is an area.
type AreaStatus struct {
	Config      AreaConfig
	Interfaces  int // that are up in it
	Loopbacks   int
	Transit     bool // virtual links may lead through it (TransitCapability)
	Shortcut    bool // shortcuts are taken through it (draft-ietf-ospf-shortcut-abr-02)
	ShortcutBit bool // … and the S-bit is set there
	Translator  bool // of an NSSA: this router translates
	Elected     bool // … since it was elected
	SPFRuns     int
	LastSPF     time.Duration // since the last one; 0 with SPFRuns 0
	LSAs        LSASummary
	Opaque      LSASummary
	Flood       int // LSAs on retransmission lists
	Demand      DemandSummary
	BorderCount int // area border routers that are reached
	ASBRCount   int
	Types       map[packet.LSType]LSASummary
	Ranges      []RangeStatus
}

// DemandSummary counts the LSAs of a database by what RFC 1793 says of them.
type DemandSummary struct {
	DoNotAge   int // they do not age (section 2.2)
	DCClear    int // their DC-bit is clear: as long as there are any, the area has none that do not age (section 2.5)
	Indication int // of these: indication-LSAs (section 2.5.1)
}

// RangeStatus is a range with what it makes of its parts.
type RangeStatus struct {
	Range
	Active bool
	Metric uint32
}

// SPFStatus is what `show ip ospf` and `statistics` say of computations.
type SPFStatus struct {
	Runs     int
	Partial  int           // without a new tree
	Pending  bool          // one is due
	In       time.Duration // until then
	HoldTime time.Duration // the wait of the back-off now
	Last     []SPFRun      // the latest, newest first, at most 10
}

// SPFRun is a computation.
type SPFRun struct {
	Ago                        time.Duration
	Full                       bool // of the tree, and not just of routes
	Areas                      []packet.ID
	Reason                     string // "R, N, SN, SA, X": LSA types that changed, as on IOS
	Intra, Inter, Ext, Changed int    // routes there are, and what was told to zebra
}

// RedistributeStatus counts what a `redistribute` gave.
type RedistributeStatus struct {
	Redistribute
	Known    bool // RoutesKnown came
	Routes   int
	Filtered int
}

// SummaryStatus is a `summary-address` with what it makes of its parts.
type SummaryStatus struct {
	SummaryAddress
	Active bool // it has parts
	Metric uint32
	Type1  bool
}

// Counters count the packets of an instance or an interface and what was dropped.
type Counters struct {
	Hello, Description, Request, Update, Ack PacketCounter
	Retransmissions                          uint64 // LSAs
	Dropped                                  [NumDropReasons]uint64
}

// PacketCounter counts packets of one type.
type PacketCounter struct{ Sent, Received uint64 }

// InterfaceReport is `show ip ospf interface`.
type InterfaceReport struct{ Instances []InstanceInterfaces }

// InstanceInterfaces are the interfaces of an instance, by name.
type InstanceInterfaces struct {
	Identity
	Interfaces []InterfaceStatus
}

// InterfaceStatus is an interface.
type InterfaceStatus struct {
	Name        string
	Up          bool // line protocol
	Area        packet.ID
	ByNetwork   bool // attached via a `network` line
	Virtual     packet.ID
	Transit     packet.ID       // of a virtual link: its area
	Config      InterfaceConfig // with defaults filled in
	Addr        netip.Prefix    // zero: unnumbered
	Type        fsm.NetworkType
	State       fsm.InterfaceState
	Passive     bool
	Cost        uint16
	MTU         int
	Priority    uint8
	DR, BDR     netip.Addr // zero: none
	DRID, BDRID packet.ID
	NextHello   time.Duration // 0: none is due
	Wait        time.Duration // of the Wait Timer
	Neighbors   int
	Adjacent    int
	Adjacencies []packet.ID // router IDs of those that are adjacent
	Flood       int         // LSAs on retransmission lists
	Suppress    bool
	Counters    Counters
	AuthKeys    []uint32 // IDs of keys in use: the one that signs first
	Rollover    bool     // several sign, until all neighbours use the youngest
	Mismatch    string   // the last packet that did not fit: "hello interval 30, 10 configured from 10.0.0.2"
	MismatchAgo time.Duration
}

// NeighborReport is `show ip ospf neighbor`.
type NeighborReport struct{ Instances []InstanceNeighbors }

// InstanceNeighbors are the neighbours of an instance, by interface and address.
type InstanceNeighbors struct {
	Identity
	Neighbors []NeighborStatus
}

// NeighborStatus is a neighbour.
type NeighborStatus struct {
	RouterID       packet.ID
	Addr           netip.Addr
	Interface      string
	Area           packet.ID
	State          fsm.NeighborState
	Priority       uint8
	DR, BDR        netip.Addr // as it says
	InterfaceState fsm.InterfaceState
	Elects         bool // the network has a designated router
	Static         bool // `neighbor`, or offered by NHRP
	Offered        bool
	Options        packet.Options
	Dead           time.Duration // until the dead interval is over
	Uptime         time.Duration // in Full
	Changes        int           // of state
	LastChange     time.Duration
	Reason         string // of the last way out of Full
	Master         bool   // this router is
	Sequence       uint32 // of Database Descriptions
	Summary        int    // lists: what is to be described,
	Request        int    // requested,
	Retransmission int    // acknowledged
	Helping        bool   // it restarts gracefully, and this router helps
	HelpLeft       time.Duration
	RestartReason  uint8  // of its grace-LSA
	HelpEnded      string // how the last one ended
	Retransmitted  uint64
	Lists          *NeighborLists // nil: not asked for
}

// NeighborLists are the lists of a neighbour (RFC 2328 section 10), by type, Link State ID and
// router.
type NeighborLists struct {
	Request        []packet.LSAHeader // as the neighbour described them
	Retransmission []packet.LSAHeader // as they were flooded
	Due            time.Duration      // until the next retransmission; 0: there is none
}

// DatabaseFilter narrows a ReportDatabase. What is zero admits all.
type DatabaseFilter struct {
	Type        packet.LSType
	LinkState   *packet.ID
	Advertising *packet.ID
	Self        bool // self-originate
	Area        *packet.ID
}

// DatabaseReport is `show ip ospf database`.
type DatabaseReport struct{ Instances []InstanceDatabase }

// InstanceDatabase are the databases of an instance: of areas by ID, with those of their
// links, and that of the AS.
type InstanceDatabase struct {
	Identity
	Areas []AreaDatabase
	AS    []packet.LSA
}

// AreaDatabase is the database of an area.
type AreaDatabase struct {
	Area  packet.ID
	Kind  AreaKind
	LSAs  []packet.LSA // by type, Link State ID, advertising router
	Links []LinkDatabase
}

// LinkDatabase has the LSAs of a link (type 9).
type LinkDatabase struct {
	Interface string
	LSAs      []packet.LSA
}

// RouteReport is `show ip ospf route` and `border-routers`.
type RouteReport struct{ Instances []InstanceRoutes }

// InstanceRoutes is the routing table of an instance.
type InstanceRoutes struct {
	Identity
	Routes  []RouteStatus  // by prefix
	Routers []BorderStatus // by router ID, area
}

// PathType is the type of a path, in the order of preference (RFC 2328 section 11).
type PathType uint8

// Types of paths.
const (
	PathIntra PathType = 1 + iota
	PathInter
	PathExternal1
	PathExternal2
)

// RouteStatus is a route.
type RouteStatus struct {
	Prefix    netip.Prefix
	Type      PathType
	NSSA      bool      // of a type-7 LSA
	Area      packet.ID // of intra- and inter-area paths
	Cost      uint32    // of type 2: to the border router
	Type2     uint32    // metric of type 2
	Tag       uint32
	Hops      []HopStatus
	Installed bool   // zebra was told
	Why       string // why it was not
	Router    packet.ID
}

// HopStatus is a next hop. Addr is zero on what is directly connected.
type HopStatus struct {
	Addr      netip.Addr
	Interface string
}

// BorderStatus is an area border router or AS boundary router.
type BorderStatus struct {
	Router     packet.ID
	Type       PathType // PathIntra or PathInter
	AreaBorder bool
	ASBoundary bool
	Area       packet.ID
	Cost       uint32
	Hops       []HopStatus
	SPF        int // number of the area's computation
}

func (*StatusReport) report()    {}
func (*InterfaceReport) report() {}
func (*NeighborReport) report()  {}
func (*DatabaseReport) report()  {}
func (*RouteReport) report()     {}

// DropReason says why a packet, or an LSA of it, was not taken.
type DropReason uint8

// The reasons.
const (
	DropMalformed   DropReason = 1 + iota // packet.Parse refused it
	DropOwn                               // it comes from an address or with the router ID of this router
	DropArea                              // another area, and no virtual link (RFC 2328 section 8.2)
	DropSource                            // its source is in no subnet of the interface
	DropFilter                            // the neighbor-filter denies its source
	DropPassive                           // it came by an interface where OSPF does not speak
	DropDestination                       // AllDRouters, and this router is neither
	DropAuthType                          // another kind of authentication than is configured
	DropKey                               // an unknown key, or one whose lifetime is over
	DropDigest                            // the password or digest is wrong
	DropSequence                          // the sequence number of authentication went back
	DropMask                              // Hello: network mask
	DropHello                             // Hello: Hello interval
	DropDead                              // Hello: dead interval
	DropStubFlag                          // Hello: E or N bit: kind of area
	DropNoNeighbor                        // it is of no neighbour
	DropState                             // the neighbour's state does not take it
	DropMTU                               // Database Description: a larger MTU than ours
	DropLimit                             // too many neighbours
	DropChecksum                          // LSA: checksum
	DropLSA                               // LSA: of a type that is not taken here
	DropTooSoon                           // LSA: within MinLSArrival
	DropFull                              // LSA: no room
	NumDropReasons
)

var dropNames = [NumDropReasons]string{
	DropMalformed: "malformed", DropOwn: "own packet or duplicate router ID", DropArea: "area mismatch", DropSource: "source not on common subnet",
	DropFilter: "neighbor-filter", DropPassive: "OSPF not active on interface", DropDestination: "not a designated router", DropAuthType: "authentication type mismatch",
	DropKey: "unknown or expired key", DropDigest: "authentication failure", DropSequence: "authentication sequence number",
	DropMask: "network mask mismatch", DropHello: "hello interval mismatch", DropDead: "dead interval mismatch",
	DropStubFlag: "area type mismatch", DropNoNeighbor: "not a neighbor", DropState: "neighbor state", DropMTU: "MTU mismatch",
	DropLimit: "too many neighbors", DropChecksum: "LSA: bad checksum", DropLSA: "LSA: type not accepted", DropTooSoon: "LSA: too soon", DropFull: "LSA: database full",
}

// String returns the reason as operators read it. What concerns one LSA of a packet begins
// with "LSA: ".
func (r DropReason) String() string {
	if r == 0 || r >= NumDropReasons {
		return "unknown"
	}
	return dropNames[r]
}

// DropReasons returns all reasons, for tables of counters.
func DropReasons() []DropReason {
	all := make([]DropReason, 0, NumDropReasons-1)
	for r := DropMalformed; r < NumDropReasons; r++ {
		all = append(all, r)
	}
	return all
}
