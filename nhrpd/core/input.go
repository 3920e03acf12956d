package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Input is what may be handed to Core.Step. The set is closed.
type Input interface{ input() }

// RxPacket is an NHRP packet that arrived over a tunnel. The core decodes it
// itself, so that a malformed packet is a counted drop like any other; it keeps
// no reference to Packet.
type RxPacket struct {
	Interface string     // configuration name of the tunnel
	NBMA      netip.Addr // source of the packet as the link layer (the outer IP header) gives it; may be zero on a point-to-point tunnel
	Packet    []byte     // from the NHRP fixed header on, without GRE
}

// Tick says that the instant of Core.Wake has come.
type Tick struct{}

// Attached says that a session to zebra opened. Stale is the number of objects
// of an earlier life of this daemon that still forward; they are swept after
// the effect EndOfReplay.
type Attached struct{ Stale int }

// InterfaceChanged gives the present state of an interface, new or changed.
type InterfaceChanged struct{ Interface rib.Interface }

// InterfaceGone says that an interface does not exist any more.
type InterfaceGone struct{ Name string }

// InterfacesKnown follows the first InterfaceChanged of every interface that
// exists when a session opens.
type InterfacesKnown struct{}

// ConfigSet replaces the whole configuration. Setting an equal configuration
// again changes nothing.
type ConfigSet struct{ Config Config }

// RestoreEntry gives back an entry that an earlier life of the daemon stated by
// SaveEntry, until EndOfReplay; what comes later is forgotten.
type RestoreEntry struct {
	Key     string        // of SaveEntry
	Data    []byte        // of SaveEntry
	Elapsed time.Duration // since the SaveEntry, by the wall clock; negative counts as 0
}

// NameResolved answers the effect ResolveName. No addresses, or a reason in
// Error, say that the name could not be resolved now.
type NameResolved struct {
	Name  string
	Addrs []netip.Addr
	Error string
}

// NeighborMiss says that the kernel has packets for an address of a multipoint
// tunnel and no neighbour for it. It is heard of after WatchMisses.
type NeighborMiss struct {
	Interface string
	Addr      netip.Addr // protocol address
}

// NextHopChanged says how an address is reached by routing, without shortcuts. It is
// heard of after WatchNextHop, at once and at every change.
type NextHopChanged struct {
	VRF      string
	Addr     netip.Addr
	Prefix   netip.Prefix // of the route; invalid if the address cannot be reached
	Protocol rib.Protocol // of the route
	Metric   uint32
	NextHops []rib.NextHop // resolved to interfaces; empty if the address cannot be reached
}

// Hairpin says that a packet was forwarded into the NHRP network that it came from.
// It is heard of after WatchHairpins, of samples.
type Hairpin struct {
	In, Out string // tunnels
	Packet  []byte // the first octets of the inner IP packet; the core keeps a copy at most
}

// PeersUsed says to which NBMA addresses of a tunnel data was sent lately. It is heard
// of after WatchUse.
type PeersUsed struct {
	Interface string
	NBMA      []netip.Addr
}

// PeerSecured says how far another end of a protected tunnel is secured (lib/protection).
// It is heard of after WantPeer, and of peers that began themselves. A State whose
// Security is 0 takes back what was said.
type PeerSecured struct {
	Interface string
	NBMA      netip.Addr
	State     protection.State
}

// Clear removes dynamic entries (`clear ip nhrp`), counters, or both; or it ends
// sessions with peers (`clear dmvpn session`): what was learnt of them is
// forgotten, and servers are registered with anew. Static entries stay.
type Clear struct {
	Entries   bool
	Counters  bool
	Sessions  bool
	Shortcuts bool         // of entries: only those with a route of their own or an overridden next hop
	Static    bool         // of sessions: those with all servers as well, not only with the peer below
	Interface string       // "" for all
	VRF       string       // of the tunnel; "" for all
	Family    rib.Family   // 0 for both
	Target    netip.Prefix // only the entry for exactly this prefix; the zero Prefix for all
	Tunnel    netip.Addr   // only the peer with this protocol address; the zero Addr for all
	NBMA      netip.Addr   // only the peer with this NBMA address; the zero Addr for all
}

// Query asks for a report; the effect Answer with the same ID follows within
// the same Step.
type Query struct {
	ID        uint64
	Kind      ReportKind
	Interface string     // "" for all
	Family    rib.Family // 0 for both
	VRF       string     // of the tunnel; "" for all
}

// Tracing turns the Trace effects that every packet causes on or off: received,
// sent, forwarded, and entries refreshed. All other events are always traced.
type Tracing struct{ On bool }

// Shutdown says that the daemon is about to end for good: the core takes its
// registrations back from its servers (NHRP Purge Request, RFC 2332 section
// 5.2.5). It is not to be given where the daemon is merely restarted.
type Shutdown struct{}

func (RxPacket) input()         {}
func (Tick) input()             {}
func (Attached) input()         {}
func (InterfaceChanged) input() {}
func (InterfaceGone) input()    {}
func (InterfacesKnown) input()  {}
func (ConfigSet) input()        {}
func (RestoreEntry) input()     {}
func (NameResolved) input()     {}
func (NeighborMiss) input()     {}
func (NextHopChanged) input()   {}
func (Hairpin) input()          {}
func (PeersUsed) input()        {}
func (PeerSecured) input()      {}
func (Clear) input()            {}
func (Query) input()            {}
func (Tracing) input()          {}
func (Shutdown) input()         {}
