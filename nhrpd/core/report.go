package core

import (
	"net/netip"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// ReportKind says what a Query asks for.
type ReportKind uint8

// The kinds of reports, each with the type of its answer.
const (
	ReportCache     ReportKind = 1 + iota // *CacheReport: `show ip nhrp`
	ReportNHS                             // *NHSReport: `show ip nhrp nhs`
	ReportTraffic                         // *TrafficReport: `show ip nhrp traffic`
	ReportMulticast                       // *MulticastReport: `show ip nhrp multicast`
	ReportPeers                           // *PeerReport: `show dmvpn`
	ReportGroups                          // *GroupReport: `show ip nhrp group-map`
	ReportPolicies                        // *PolicyReport: `show policy-map`
	ReportRedirects                       // *RedirectReport: `show ip nhrp redirect`
)

// Redirect is a Traffic Indication that was sent lately: until it expires, nothing is
// said of the same source and destination.
type Redirect struct {
	Interface   string
	Family      rib.Family
	VRF         string     // of the tunnel
	NBMA        netip.Addr // of the station that was told
	Source      netip.Addr
	Destination netip.Addr
	Expires     time.Duration
	Suppressed  uint64 // packets since
}

// RedirectReport is the table of what stations were told lately.
type RedirectReport struct {
	Entries []Redirect
}

// Report is a snapshot: it shares nothing with the core. Everything in it is
// sorted: by interface, family, then protocol address or NBMA address.
type Report interface{ report() }

// NoExpiry is the Expires of an entry that has no end.
const NoExpiry time.Duration = -1

// EntryType is the type of a cache entry.
type EntryType uint8

// The types of cache entries.
const (
	EntryStatic     EntryType = 1 + iota // from the configuration
	EntryDynamic                         // learnt from NHRP
	EntryIncomplete                      // resolution outstanding
	EntryLocal                           // own prefix, handed out to others
)

// String returns Cisco's word for the type.
func (t EntryType) String() string {
	switch t {
	case EntryStatic:
		return "static"
	case EntryDynamic:
		return "dynamic"
	case EntryIncomplete:
		return "incomplete"
	case EntryLocal:
		return "local"
	}
	return "unknown"
}

// EntryFlags are the flags of a cache entry, as in `show ip nhrp`.
type EntryFlags uint16

// The flags, in the order in which they are printed.
const (
	FlagAuthoritative EntryFlags = 1 << iota // obtained from the owner of the mapping
	FlagImplicit                             // gleaned from the source of a request
	FlagRouter                               // answered by a router
	FlagUnique                               // registered as unique
	FlagRegistered                           // came by a Registration Request
	FlagUsed                                 // in use for forwarding
	FlagNexthop                              // usable as next hop
	FlagLocal                                // own prefix
	FlagNAT                                  // the peer is behind a NAT
	FlagTemporary                            // placeholder while resolving
	FlagNegative                             // resolution outstanding or failed
	FlagRIB                                  // a route was installed
	FlagNHO                                  // a next hop was overridden
	FlagSummary                              // of a summary map
)

var flagNames = [...]string{
	"authoritative", "implicit", "router", "unique", "registered", "used", "nhop",
	"local", "nat", "temporary", "negative", "rib", "nho", "summary",
}

// String returns the flags separated by spaces, as Cisco prints them.
func (f EntryFlags) String() string {
	var words []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			words = append(words, name)
		}
	}
	return strings.Join(words, " ")
}

// CacheEntry is an entry of the NHRP cache.
type CacheEntry struct {
	Interface  string
	Family     rib.Family
	Target     netip.Prefix
	NextHop    netip.Addr // protocol address
	NBMA       netip.Addr
	Claimed    netip.Addr // NBMA address that the peer claims, where a NAT changed it; zero otherwise
	Type       EntryType
	Flags      EntryFlags
	Age        time.Duration // since created
	Expires    time.Duration // until it expires; NoExpiry if it does not
	Holdtime   time.Duration // as registered; 0 for static entries
	Preference uint8
	MTU        uint16
	Group      string     // NHRP group that the peer sent; "" for none
	Requester  netip.Addr // protocol address of the station that registered it, or asked for it last; zero if static
	RequestID  uint32     // of the last registration or answer
	Refreshed  uint64     // registrations since it was made
	Hits       uint64     // how often the kernel asked for it, for the sake of packets that wait; incomplete and temporary entries
	Told       []ToldStation
	Trouble    Trouble
	VRF        string // of the tunnel
}

// ToldStation is a station that was told of an entry, and will be sent a Purge
// Request if the entry ceases to be true.
type ToldStation struct {
	Station   netip.Addr // protocol address
	NBMA      netip.Addr // where its request came from
	RequestID uint32
	Ends      time.Duration // until what it was told ends by itself
}

// CacheReport is the NHRP cache.
type CacheReport struct {
	Entries []CacheEntry
}

// NHSState is the state of a Next Hop Server.
type NHSState uint8

// The states.
const (
	NHSWaiting    NHSState = 1 + iota // W: nothing can be asked (tunnel down, NBMA address unknown)
	NHSExpecting                      // E: a reply is expected; none came so far
	NHSResponding                     // RE: the server accepted the last registration
	NHSDown                           // E: the server does not answer, or refuses; it goes on to be asked
	NHSStandby                        // W: not registered with, since enough better ones of its cluster are
)

// String returns Cisco's letters for the state.
func (s NHSState) String() string {
	switch s {
	case NHSWaiting, NHSStandby:
		return "W"
	case NHSExpecting, NHSDown:
		return "E"
	case NHSResponding:
		return "RE"
	}
	return "?"
}

// Recovery returns the state as Cisco's redundancy of servers has it: UP is
// connected; PROBE is asked, without an answer so far; DOWN is left alone.
func (s NHSState) Recovery() string {
	switch s {
	case NHSResponding:
		return "UP"
	case NHSExpecting, NHSDown:
		return "PROBE"
	}
	return "DOWN"
}

// NHSEntry is a Next Hop Server that this node registers with.
type NHSEntry struct {
	Interface string
	VRF       string // of the tunnel
	Family    rib.Family
	Addr      netip.Addr // zero while it is to be learnt
	Dynamic   bool       // Addr is learnt from the server
	NBMA      netip.Addr // zero while unknown
	Name      string     // domain name of the NBMA address; "" if configured as an address
	State     NHSState
	Since     time.Duration // in this state
	Reason    string        // for the state; "" if there is nothing to say
	Priority  uint8
	Cluster   uint8

	MaxConnections int           // of the cluster; -1 for no limit
	Fallback       time.Duration // until the server gives way to better ones; NoExpiry if it does not

	Sent      uint64        // Registration Requests
	Failed    uint64        // of them without an answer within the retry interval, or refused
	Received  uint64        // Registration Replies
	LastReply time.Duration // since the last reply; NoExpiry if there was none
	LastHeard time.Duration // since the last NHRP packet from its NBMA address, whatever that was; NoExpiry if there was none
	Asked     time.Duration // since the first request after the last reply; NoExpiry if there was none

	Pending    bool          // a request is outstanding
	RequestID  uint32        // of the last request
	Retry      time.Duration // nominal interval of the retry that is armed, if Pending
	NextSend   time.Duration // until the next request; NoExpiry if none is armed
	Trouble    Trouble       // the last refusal or error indication since the last acceptance
	Translated netip.Addr    // own NBMA address as the server sees it, if a NAT changed it
}

// NHSReport is the table of Next Hop Servers.
type NHSReport struct {
	Servers []NHSEntry
}

// InterfaceTraffic is the traffic of an interface.
type InterfaceTraffic struct {
	Interface       string
	VRF             string // of the tunnel
	Family          rib.Family
	MaxSend         int
	MaxSendInterval time.Duration
	Usage           int // per cent of MaxSend used in the present interval
	Counters        Counters
}

// TrafficReport holds the traffic of each interface, and the packets that could
// be accounted to none.
type TrafficReport struct {
	Interfaces []InterfaceTraffic
	Other      Counters
}

// MulticastEntry is an NBMA address to which multicast of an interface is
// copied.
type MulticastEntry struct {
	Interface string
	VRF       string // of the tunnel
	Family    rib.Family
	NBMA      netip.Addr
	Dynamic   bool // by `map multicast dynamic`; otherwise configured
}

// MulticastReport is the multicast table. An NBMA address appears once for each
// interface and family.
type MulticastReport struct {
	Entries []MulticastEntry
}

// PeerState is the State column of `show dmvpn`: the layer that is stuck, or UP.
type PeerState uint8

// The states.
const (
	PeerInterface PeerState = 1 + iota // INTF: the tunnel is down
	PeerIKE                            // IKE: no security association with the peer
	PeerIPsec                          // IPSEC: no IPsec security association
	PeerNHRP                           // NHRP: no registration
	PeerUp                             // UP
)

// String returns Cisco's word for the state.
func (s PeerState) String() string {
	switch s {
	case PeerInterface:
		return "INTF"
	case PeerIKE:
		return "IKE"
	case PeerIPsec:
		return "IPSEC"
	case PeerNHRP:
		return "NHRP"
	case PeerUp:
		return "UP"
	}
	return "?"
}

// Peer is a row of `show dmvpn`.
type Peer struct {
	NBMA       netip.Addr // zero: unknown
	Tunnel     netip.Addr
	Target     netip.Prefix
	State      PeerState
	Since      time.Duration // in this state
	Attributes string        // Cisco's letters: S D I N L X T1 T2 I2
	Local      bool          // of this node itself: what it told others; its State says nothing
	Group      string
	Policy     string // that applies to what is sent there; "" for none
}

// GroupPeer is a client of a group.
type GroupPeer struct {
	Tunnel, NBMA netip.Addr
}

// GroupEntry is a group that has a policy, with the clients that told it.
type GroupEntry struct {
	Group, Policy string
	Peers         []GroupPeer // by tunnel address
}

// InterfaceGroups are the groups of one tunnel.
type InterfaceGroups struct {
	Interface string
	Family    rib.Family
	Groups    []GroupEntry // by name
}

// GroupReport holds the groups that have policies, of all tunnels that have any.
type GroupReport struct {
	Interfaces []InterfaceGroups
}

// PolicyReport holds the policies, by name.
type PolicyReport struct {
	Policies []Policy
}

// InterfaceRole says what a tunnel does in the cloud.
type InterfaceRole uint8

// The roles.
const (
	RoleUnknown InterfaceRole = iota
	RoleHub
	RoleSpoke
	RoleHubSpoke
)

// String returns Cisco's word for the role.
func (r InterfaceRole) String() string {
	return [...]string{"Unknown", "Hub", "Spoke", "Hub/Spoke"}[r&3]
}

// InterfacePeers is the part of `show dmvpn` about one tunnel.
type InterfacePeers struct {
	Interface    string
	Family       rib.Family
	Role         InterfaceRole
	NetworkID    uint32
	Known        bool // zebra has a tunnel of that name
	Up           bool // usable for NHRP: up, with an address and a source
	AdminUp      bool
	LineUp       bool
	LineControl  bool         // `if-state nhrp`: the line is down while no server responds
	Addr         netip.Addr   // own protocol address
	Subnet       netip.Prefix // Addr with its length, not masked
	VRF          string
	SourceFrom   string // the interface whose address Source is; "" if configured as an address
	HasKey       bool
	Key          uint32 // of GRE, if HasKey
	Mode         rib.TunnelMode
	Source       netip.Addr // own NBMA address
	Destination  netip.Addr // of a point-to-point tunnel
	TransportVRF string
	NBMAPeers    int // distinct NBMA addresses
	Peers        []Peer
	Servers      []NHSEntry
	Protection   string    // IPsec profile that protects the tunnel; "" for none
	Sessions     []Session // other ends that are to be secured, or are; by NBMA address
}

// Session is what is known of how another end of a protected tunnel is secured.
type Session struct {
	NBMA       netip.Addr
	Security   protection.Security // 0: nothing is known
	Since      time.Duration       // in this state
	Generation uint32              // how often it came up
	Identity   string              // of the peer; "" if it is not authenticated
	Reason     string              // why it is not up
	Wanted     bool                // something rests on it
	Held       int                 // packets that wait for it
}

// PeerReport is the DMVPN view.
type PeerReport struct {
	Interfaces []InterfacePeers
}

func (*CacheReport) report()     {}
func (*RedirectReport) report()  {}
func (*NHSReport) report()       {}
func (*TrafficReport) report()   {}
func (*MulticastReport) report() {}
func (*PeerReport) report()      {}
func (*GroupReport) report()     {}
func (*PolicyReport) report()    {}
