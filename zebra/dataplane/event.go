package dataplane

import "net/netip"

// Event is something that happened in the data plane otherwise than by Apply,
// or that Apply brought about and zebra needs to know (links and addresses).
// The set is closed.
type Event interface{ event() }

// Resync says that events may have been lost, or that none were told yet.
// What exists follows, as LinkChanged, AddrChanged and (for routes that are not
// ours) RouteChanged; then comes Known, and whatever was not repeated in
// between is gone. Objects of ours are not repeated: compare with Dump.
type Resync struct{}

// Known ends what began with Resync.
type Known struct{}

// LinkChanged gives the present state of a device, new or changed.
type LinkChanged struct{ Link LinkInfo }

// LinkGone says that a device exists no more. Its addresses, routes and
// neighbours went with it; no events tell so.
type LinkGone struct {
	Name  string
	Index int
}

// AddrChanged says that a device has an address, or has it no more.
type AddrChanged struct {
	Addr      Addr
	Index     int // of the device
	Secondary bool
	Tentative bool // not usable yet: duplicate address detection goes on
	Gone      bool
}

// RouteChanged says that a route that is not ours came, changed or went. Routes
// that the kernel makes of addresses (protocol number 2) and entries of the
// local table (255) are not told.
type RouteChanged struct {
	Route Route
	Gone  bool
}

// ObjectGone says that a route, address, neighbour, MSS clamp, multicast
// replicator, hairpin detector or watch of peer use of ours was removed or changed
// by somebody else.
type ObjectGone struct{ Key Key }

// NeighborMiss says that there are packets for an unknown neighbour on a
// tunnel with Resolve. It is said again as long as they wait.
type NeighborMiss struct {
	Device string
	Addr   netip.Addr
}

// HairpinFound tells of a packet that a Hairpin is about. Such events are samples:
// they are dropped where their reader does not keep up.
type HairpinFound struct {
	In, Out string // devices
	Packet  []byte // its beginning, from the IP header on
}

// PeersUsed tells to which NBMA addresses data packets left by a device with PeerUse
// since the last such event.
type PeersUsed struct {
	Device string
	NBMA   []netip.Addr // sorted; at least one
}

// UnmatchedRow counts GRE packets over IPv4 that came for no tunnel.
type UnmatchedRow struct {
	Source, Destination netip.Addr // outer
	Key                 uint32     // if HasKey
	HasKey              bool
	Packets             uint64 // since the counter is in force, or since the row is there again
}

// UnmatchedFound tells, with an Unmatched, of the rows that changed since the last
// telling. Nothing is told while there are none, and otherwise every few seconds.
type UnmatchedFound struct {
	Rows []UnmatchedRow // sorted; at least one
}

// LinkInfo is what the data plane tells of a device.
type LinkInfo struct {
	Name         string
	Index        int
	Kind         string // "gre", "ip6gre", "dummy", "vrf", "veth", …; "" for hardware
	Own          bool   // carries our mark; may be told only when the device comes up
	Alias        string // the operator's text for the device; not our mark
	Up           bool   // administratively
	Running      bool   // IFF_RUNNING: the line protocol
	LowerUp      bool   // there is a carrier
	Dormant      bool   // not Running, since it waits for something: see Tunnel
	NoARP        bool
	Multicast    bool
	Broadcast    bool
	Loopback     bool
	PointToPoint bool
	MTU          int
	Master       string // kernel name of the master, "" if none or not known yet
	MasterIndex  int
	Table        uint32 // of a VRF
	HardwareAddr string // as the kernel's users write it; "" if none
	GRE          *GREInfo
}

// GREInfo is the tunnel side of a device of kind "gre", or "ip6gre", which is over
// IPv6.
type GREInfo struct {
	Local, Remote    netip.Addr // zero if unspecified
	HasKey           bool
	Key              uint32
	TTL, TOS         uint8
	PathMTUDiscovery bool
	Underlay         string // kernel name, "" if not bound
	UnderlayIndex    int
}

func (Resync) event()       {}
func (Known) event()        {}
func (LinkChanged) event()  {}
func (LinkGone) event()     {}
func (AddrChanged) event()  {}
func (RouteChanged) event() {}
func (ObjectGone) event()   {}
func (NeighborMiss) event() {}
func (HairpinFound) event() {}
func (PeersUsed) event()    {}

func (UnmatchedFound) event() {}
