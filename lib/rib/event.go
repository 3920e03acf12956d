package rib

import "net/netip"

// WatchKind tells what a daemon asks zebra to be told of. Interfaces need no
// watch: every daemon is told of all of them.
type WatchKind uint8

// The kinds of watches.
const (
	WatchNextHop      WatchKind = 1 + iota // how Addr in VRF is reached: answered by NextHopChanged
	WatchRedistribute                      // selected routes of Protocol and Instance in VRF: RouteChanged
	WatchTopic                             // messages of other daemons under Topic: TopicMessage
	WatchHairpin                           // packets that leave a tunnel of a group that they came in by: Hairpin
	WatchNeighborMiss                      // packets for an unknown neighbour on Interface: NeighborMiss
	WatchPeerUse                           // data packets that leave by the multipoint tunnel Interface: PeersUsed
	WatchUnmatched                         // GRE packets that come for no tunnel: UnmatchedGRE
	WatchIPsec                             // what becomes of security associations: Acquired, SAExpired, MappingChanged
	WatchSADump                            // a question, of number Instance: which associations there are: SADump
	WatchNetwork                           // the selected route for exactly Prefix in VRF, of any protocol: RouteChanged
)

// Watch is one thing that a daemon asks to be told of. It is comparable and is
// its own key; watches are replayed like objects.
type Watch struct {
	Kind      WatchKind
	VRF       string       // next hop, redistribute, network
	Addr      netip.Addr   // next hop
	Family    Family       // redistribute
	Protocol  Protocol     // redistribute
	Instance  uint32       // redistribute; hairpin: the group, such as NHRP's network-id; 0: Interface by itself; SA dump: number of the question
	Interface string       // hairpin, neighbour miss, peer use
	Topic     string       // topic
	Prefix    netip.Prefix // network; masked
}

// Family is an address family.
type Family uint8

// The address families.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// FamilyOf returns the family of an address.
func FamilyOf(a netip.Addr) Family {
	if a.Is4() || a.Is4In6() {
		return IPv4
	}
	return IPv6
}

// Event is what zebra tells a daemon. The set is closed.
type Event interface{ event() }

// Attached is the first event after a session opened, and after it was opened
// again by a restarted zebra.
type Attached struct {
	Epoch uint64 // larger at each attachment
	Stale int    // objects of an earlier life of this daemon that still forward, and are swept at its end of replay
}

// InterfaceChanged gives the present state of an interface, new or changed.
type InterfaceChanged struct{ Interface Interface }

// InterfaceGone says that an interface exists neither in the configuration nor
// in the kernel any more.
type InterfaceGone struct{ Name string }

// InterfacesKnown follows the first InterfaceChanged of every interface that
// exists when a session opens.
type InterfacesKnown struct{}

// NextHopChanged answers a WatchNextHop, at once and at every change.
type NextHopChanged struct {
	Watch    Watch
	Prefix   netip.Prefix // the selected route by which it is reached; invalid if unreachable
	Protocol Protocol     // of that route
	Distance uint8
	Metric   uint32
	NextHops []NextHop // resolved to interfaces; empty if unreachable
}

// RouteChanged answers a WatchRedistribute or WatchNetwork: a selected route came, changed or
// went.
type RouteChanged struct {
	Watch     Watch
	Route     Route
	Withdrawn bool
}

// RoutesKnown follows the last RouteChanged of the routes that are selected
// when a WatchRedistribute or WatchNetwork begins.
type RoutesKnown struct{ Watch Watch }

// TopicMessage is a message of another daemon.
type TopicMessage struct {
	Topic   string
	Key     string
	Payload []byte // nil: the key was withdrawn, or its publisher is gone
}

// Hairpin reports a packet that was forwarded back into the network that it
// came from; packets are sampled.
type Hairpin struct {
	In, Out string // interfaces
	Packet  []byte // the first bytes of the inner IP packet
}

// NeighborMiss reports that the kernel has packets for an address of a
// multipoint interface and no neighbour entry for it.
type NeighborMiss struct {
	Interface string
	Addr      netip.Addr
}

// PeersUsed tells to which NBMA addresses data packets left by a multipoint tunnel
// since the last telling: packets of all kinds but NHRP's and those for many. Nothing
// is told while there are none, and otherwise every few seconds.
type PeersUsed struct {
	Interface string
	NBMA      []netip.Addr // sorted
}

// UnmatchedGRE tells which GRE packets came for no tunnel: the whole picture, in the
// place of the one before, those that came last first. It is told when the watch begins
// and when there are more.
type UnmatchedGRE struct{ Rows []UnmatchedRow }

// UnmatchedRow counts GRE packets of one source, destination and key.
type UnmatchedRow struct {
	Source, Destination netip.Addr // outer
	HasKey              bool
	Key                 uint32
	Packets             uint64
	Why                 string // what of the tunnels does not match, for an operator
}

// Acquired tells of packets of GRE that were held back since there is no security
// association for them. It is told once in half a minute, about, for each pair of
// addresses, and may be lost where many come at once.
type Acquired struct {
	// Source is unspecified for a multipoint tunnel over IPv6, where there are several
	// that it may be. Destination is the alias of a peer that has one.
	Source, Destination netip.Addr
}

// SAExpired tells that a security association reached a limit of its Lifetime. At a hard
// limit it is gone; that is reported as a failure of the object as well.
type SAExpired struct {
	SA   Key
	Hard bool
}

// MappingChanged tells that authentic packets came in UDP from another address or port
// than the SA says: a NAT before the peer has changed. It is told again and again until
// the SA says so too.
type MappingChanged struct {
	SA       Key
	Old, New netip.AddrPort
}

// SADump is a part of the answer to a WatchSADump. The answer is a picture of one moment;
// who asks again while it is under way has only the later answer complete.
type SADump struct {
	Question uint32 // as in the watch
	Part     uint32 // counts from 0
	Last     bool   // no parts follow
	Error    string // the picture could not be had; "" if it could
	SAs      []SAState
}

// SAState is a security association that is in force.
type SAState struct {
	SA    SA      // without keys
	Count SACount // what it did
	// Live says that the asker has stated it in this life; others are left of an earlier
	// one, of it or of zebra, and go when the asker's replay ends without them.
	Live bool
}

// Ack reports on objects: everything up to and including Seq was applied to the
// forwarding state, except for Failures.
type Ack struct {
	Seq      uint64
	Failures []Failure
}

// Failure is an object that could not be applied. zebra keeps it and tries
// again when what it needs has changed.
type Failure struct {
	Key   Key
	Error string
}

func (Attached) event()         {}
func (InterfaceChanged) event() {}
func (InterfaceGone) event()    {}
func (InterfacesKnown) event()  {}
func (NextHopChanged) event()   {}
func (RouteChanged) event()     {}
func (RoutesKnown) event()      {}
func (TopicMessage) event()     {}
func (Hairpin) event()          {}
func (NeighborMiss) event()     {}
func (PeersUsed) event()        {}
func (UnmatchedGRE) event()     {}
func (Acquired) event()         {}
func (SAExpired) event()        {}
func (MappingChanged) event()   {}
func (SADump) event()           {}
func (Ack) event()              {}
