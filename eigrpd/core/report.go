package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// ReportKind tells what a Query asks for.
type ReportKind uint8

// The kinds of reports.
const (
	ReportNeighbors  ReportKind = 1 + iota // *NeighborReport
	ReportInterfaces                       // *InterfaceReport
	ReportTopology                         // *TopologyReport
	ReportStatus                           // *StatusReport: traffic, protocols, accounting, timers
	ReportEvents                           // *EventReport
)

// Report is an answer to a Query. The set is closed; reports are values that
// share nothing with the core. Each has a part for each instance that the Query
// selects, by family, VRF and AS.
type Report interface{ report() }

// Identity is what the heading of every table says of an instance.
type Identity struct {
	Key
	Name     string // of named mode, "" in classic mode
	RouterID netip.Addr
	Wide     bool // metrics are wide, 64 bits
}

// NeighborReport is `show ip eigrp neighbors`.
type NeighborReport struct{ Instances []InstanceNeighbors }

// InstanceNeighbors are the neighbours of an instance, in the order in which they came.
type InstanceNeighbors struct {
	Identity
	MaxRemote int // of `remote-neighbors`; 0: no limit
	Neighbors []NeighborStatus
}

// NeighborStatus is the state of a neighbour.
type NeighborStatus struct {
	Handle      int // H: number in order of arrival, from 0, used again
	Addr        netip.Addr
	Interface   string
	Static      bool
	Remote      bool
	Pending     bool          // its table is not exchanged yet (RFC 7868 section 5.3.5)
	Hold        time.Duration // left
	HoldTime    time.Duration // what it announced
	Uptime      time.Duration
	Transport   PeerTransport
	Software    packet.Software
	Prefixes    int // paths in the topology table by it
	Stub        packet.StubFlags
	IsStub      bool
	Restarting  bool          // NSF: it restarts, and its routes are kept
	RestartTime time.Duration // since when
	LastUpdate  time.Duration // since it last told of a route; since it came if it never did
}

// PeerTransport is the state of reliable transport to a neighbour (RFC 7868 section 5.3).
type PeerTransport struct {
	SRTT, RTO       time.Duration
	Queue           int    // reliable packets that wait or are not acknowledged
	Sequence        uint32 // of the last reliable packet of the neighbour
	Retransmissions uint64
	Retries         int // of the packet that is not acknowledged
}

// LinkTransport is the state of reliable transport on an interface.
type LinkTransport struct {
	QueueUnreliable, QueueReliable         int // packets that wait for the interface
	PeerQueueUnreliable, PeerQueueReliable int // packets that wait for neighbours
	MeanSRTT                               time.Duration
	PacingUnreliable, PacingReliable       time.Duration
	MulticastFlow                          time.Duration // longest wait for the acknowledgments of a multicast packet
	PendingRoutes                          int
	// Packets sent since the beginning.
	UnreliableMulticasts, ReliableMulticasts, UnreliableUnicasts, ReliableUnicasts uint64
	MulticastExceptions                                                            uint64 // sent by unicast instead
	ConditionalReceive                                                             uint64
	AcksSuppressed                                                                 uint64
	Retransmissions                                                                uint64
	OutOfSequence                                                                  uint64 // received
}

// InterfaceReport is `show ip eigrp interfaces`.
type InterfaceReport struct{ Instances []InstanceInterfaces }

// InstanceInterfaces are the interfaces of an instance by name.
type InstanceInterfaces struct {
	Identity
	Interfaces []InterfaceStatus
}

// InterfaceStatus is the state of an interface that EIGRP runs on.
type InterfaceStatus struct {
	Config                   InterfaceConfig // with the defaults filled in
	Up                       bool
	Peers                    int
	Bandwidth                uint64 // kbit/s
	Delay                    uint64 // picoseconds
	Transport                LinkTransport
	HelloSent, HelloReceived uint64
	NextHello                time.Duration
	SendKey                  int64 // number of the key that packets are sent with; -1: none
}

// TopologyReport is `show ip eigrp topology`.
type TopologyReport struct{ Instances []InstanceTopology }

// InstanceTopology is the topology table of an instance by prefix.
type InstanceTopology struct {
	Identity
	RIBScale uint8 // of wide metrics; with defaults filled in
	Entries  []TopologyEntry
	Summary  TopologySummary
}

// TopologySummary are the numbers of `show ip eigrp topology summary`.
type TopologySummary struct {
	Routes, Active, PendingReplies, Interfaces, Neighbors int
}

// TopologyEntry is one prefix of the topology table.
type TopologyEntry struct {
	Prefix     netip.Prefix
	State      dual.State
	Successors int
	Feasible   uint64 // FD as it is shown; metric.WideInfinity or ClassicInfinity: inaccessible
	Tag        uint32
	ActiveFor  time.Duration // of an ACTIVE one
	Serial     uint64        // when it changed last, counted in changes of the table
	SIAQueries int           // sent to those of Waiting since the QUERY
	Paths      []TopologyPath
	Waiting    []WaitingNeighbor // whose REPLY is awaited
}

// WaitingNeighbor is a neighbour whose REPLY is awaited.
type WaitingNeighbor struct {
	Addr      netip.Addr
	Interface string
}

// TopologyPath is one way of an entry.
type TopologyPath struct {
	Source       Origin       // of this router's own routes; 0: learnt
	Protocol     rib.Protocol // for OriginRedistributed
	Neighbor     netip.Addr   // who told; zero for own routes
	NextHop      netip.Addr   // zero if it is the neighbour
	Interface    string       // "Null0" for summaries
	Distance     uint64       // as it is shown
	Reported     uint64       // as it is shown
	Successor    bool
	Feasible     bool
	Installed    bool
	External     bool
	Vector       Vector
	OriginRouter packet.RouterID // originating router
	ExternalData packet.External // of an external route
	Tag          uint32
	Hops         uint8
}

// Vector is a metric vector in units for people.
type Vector struct {
	Bandwidth   uint64 // kbit/s; the minimum
	Delay       uint64 // picoseconds; the total
	Reliability uint8
	Load        uint8
	MTU         uint32
	Hops        uint8
}

// Origin is where a route of this router itself comes from; as a dual.Source it tells
// them apart.
type Origin uint8

// The origins.
const (
	OriginConnected     Origin = 1 + iota // network of an interface that EIGRP runs on
	OriginRedistributed                   // `redistribute`
	OriginSummary                         // `summary-address`
)

// StatusReport has all that is not in tables: `show ip eigrp traffic`, `accounting`,
// `timers`, `show eigrp protocols` and `show ip protocols`.
type StatusReport struct{ Instances []InstanceStatus }

// InstanceStatus is the state of an instance.
type InstanceStatus struct {
	Identity
	Config        InstanceConfig // with the defaults filled in
	Interfaces    []string       // that EIGRP runs on
	Passive       []string       // of those
	Neighbors     []NeighborStatus
	Counters      Counters
	Prefixes      int           // in the topology table
	Active        int           // of those
	Routes        int           // installed
	Redistributed int           // routes that come from other protocols
	Restarts      int           // `maximum-prefix`: how often it was torn down
	Down          bool          // torn down by `maximum-prefix`, or shut down
	RestartIn     time.Duration // until what is torn down comes back; 0: not by itself
	Penalties     []Penalty
	NextTimer     time.Duration // until the next timer of reliable transport; 0: none
}

// Penalty is a neighbour that its `maximum-prefix` keeps away.
type Penalty struct {
	Addr      netip.Addr
	Interface string
	Restarts  int           // how often it was reset
	RestartIn time.Duration // until it may come back; 0: an operator has to clear it
}

// EventReport is `show ip eigrp events`: what happened last, newest first.
type EventReport struct{ Instances []InstanceEvents }

// InstanceEvents is the event log of an instance.
type InstanceEvents struct {
	Identity
	Events []Event
}

// Event is something that happened.
type Event struct {
	Number uint64        // from 1 on
	Age    time.Duration // how long ago
	Trace  Trace         // what, without a message
}

func (*NeighborReport) report()  {}
func (*InterfaceReport) report() {}
func (*TopologyReport) report()  {}
func (*StatusReport) report()    {}
func (*EventReport) report()     {}
