package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Defaults of Cisco IOS-XE 17 for what a configuration leaves at zero.
const (
	DefaultHoldtime        = 600 * time.Second
	DefaultMaxSend         = 10000
	DefaultMaxSendInterval = 10 * time.Second
	DefaultRedirectTimeout = 8 * time.Second

	// MaxHoldtime is the longest holding time that a CIE can carry (RFC 2332
	// section 5.2.0.1: 16 bits of seconds).
	MaxHoldtime = 65535 * time.Second
	// MaxAuthentication is the longest authentication string, in bytes.
	MaxAuthentication = 8
)

// Config is the whole configuration of nhrpd. It is a value: once handed over
// it is not changed. The order of Interfaces does not matter; a name and family
// appears once.
type Config struct {
	Interfaces []InterfaceConfig
	Policies   []Policy // each name once
}

// Policy is a `policy-map`: what a server does with what it sends to a client.
type Policy struct {
	Name  string
	Rate  uint64 // `shape average`, in bits a second; 0: it shapes nothing
	Burst uint32 // bytes that may be sent at once; 0: the data plane's choice
}

// InterfaceConfig is the NHRP configuration of a tunnel for one family of
// protocol addresses: the `ip nhrp` lines, or the `ipv6 nhrp` lines. Protocol
// addresses of the other family in it are ignored.
type InterfaceConfig struct {
	Name   string
	Family rib.Family // 0 means IPv4

	NetworkID      uint32 // `ip nhrp network-id`; 0: NHRP is off here
	Authentication string // `ip nhrp authentication`; "" for none

	Holdtime            time.Duration // `ip nhrp holdtime`; 0: DefaultHoldtime
	RegistrationTimeout time.Duration // `ip nhrp registration timeout`; 0: a third of the holding time
	// Identities say which identity may register which addresses (`ip nhrp registration
	// identity`); with RequireIdentity no others are registered.
	Identities      []IdentityBinding
	RequireIdentity bool

	RegisterUnique bool // register with the uniqueness bit: off in IOS-XE 17 and under `registration no-unique`

	Maps             []StaticMap  // `ip nhrp map ADDR [MASK] NBMA`
	MulticastMaps    []netip.Addr // `ip nhrp map multicast NBMA`
	MulticastDynamic bool         // `ip nhrp map multicast dynamic`: on by default in IOS-XE 17
	NHSs             []NHSConfig  // `ip nhrp nhs`

	Clusters   []ClusterConfig // `ip nhrp nhs cluster`; each Number once
	Fallback   time.Duration   // `ip nhrp nhs fallback`: how long a server stays connected when enough better ones are
	ServerOnly bool            // `ip nhrp server-only`: no address is resolved for this node's own traffic
	IfState    bool            // `if-state nhrp`: the tunnel's line protocol is down while no server responds

	Group     string     // `nhrp group`: what servers are told at registration; "" for none
	GroupMaps []GroupMap // `nhrp map group`: each group once

	Redirect        bool          // `ip nhrp redirect`: senders are told of shorter ways
	RedirectTimeout time.Duration // `ip nhrp redirect timeout`: between two Traffic Indications about a source and destination; 0: DefaultRedirectTimeout
	Shortcut        bool          // `ip nhrp shortcut`: what others answer becomes routes; on by default in IOS-XE 17
	MinPrefix       int           // `ip nhrp resolution minimum-prefix-length`: a shorter route of this router's is not answered as a whole, but for the address asked for

	// SummaryMaps are prefixes that are answered in place of this router's routes inside
	// of them (`ip nhrp summary-map`), as long as the tunnel's source is their NBMA
	// address.
	SummaryMaps []StaticMap

	// Keepalive is how often a station that shortcuts lead to is asked whether it is
	// there (`ip nhrp shortcut keepalive`); 0: never.
	Keepalive time.Duration

	NoRecord  bool   // `no ip nhrp record`: requests of this node do not ask for the servers on the way to be recorded
	Responder string // `ip nhrp responder`: the interface whose address replies name as the responder's; "": the tunnel

	MaxSend         int           // packets in MaxSendInterval; 0: DefaultMaxSend
	MaxSendInterval time.Duration // 0: DefaultMaxSendInterval
}

// minPrefix returns the default of InterfaceConfig.MinPrefix.
func minPrefix(family rib.Family) int {
	if family == rib.IPv6 {
		return 16
	}
	return 8
}

// StaticMap is a static cache entry.
type StaticMap struct {
	Prefix netip.Prefix // protocol address as written, with its mask; not masked
	NBMA   netip.Addr
}

// GroupMap has a policy apply to the clients of a group. The name of a policy that does
// not exist, or shapes nothing, is as none.
type GroupMap struct {
	Group, Policy string
}

// NHSConfig is a Next Hop Server to register with.
type NHSConfig struct {
	Addr      netip.Addr // protocol address; the zero Addr if Dynamic
	Dynamic   bool       // the protocol address is learnt from the server; NBMA or Name tells where it is
	NBMA      netip.Addr // of the one-line form; the zero Addr: see Name, or else a StaticMap covers Addr
	Name      string     // domain name of the NBMA address, in the one-line form
	Multicast bool       // multicast is sent there as well
	Priority  uint8      // 0 is best
	Cluster   uint8
}

// ClusterConfig bounds how many servers of a cluster are registered with.
type ClusterConfig struct {
	Number         uint8
	MaxConnections uint8 // 0: none at all
}

// DefaultInterfaceConfig returns the configuration that an interface has before
// its first NHRP line.
func DefaultInterfaceConfig(name string, family rib.Family) InterfaceConfig {
	return InterfaceConfig{
		Name:             name,
		Family:           family,
		Holdtime:         DefaultHoldtime,
		MulticastDynamic: true,
		RedirectTimeout:  DefaultRedirectTimeout,
		Shortcut:         true,
		MinPrefix:        minPrefix(family),
		MaxSend:          DefaultMaxSend,
		MaxSendInterval:  DefaultMaxSendInterval,
	}
}

// Equal reports whether two configurations of an interface say the same.
func (c InterfaceConfig) Equal(o InterfaceConfig) bool {
	return c.Name == o.Name && c.Family == o.Family && c.NetworkID == o.NetworkID &&
		c.Authentication == o.Authentication && c.Holdtime == o.Holdtime &&
		c.RegistrationTimeout == o.RegistrationTimeout && slices.Equal(c.Identities, o.Identities) && c.RequireIdentity == o.RequireIdentity && c.RegisterUnique == o.RegisterUnique &&
		slices.Equal(c.Maps, o.Maps) && slices.Equal(c.MulticastMaps, o.MulticastMaps) &&
		c.MulticastDynamic == o.MulticastDynamic && slices.Equal(c.NHSs, o.NHSs) &&
		slices.Equal(c.Clusters, o.Clusters) && c.Fallback == o.Fallback && c.ServerOnly == o.ServerOnly && c.IfState == o.IfState && c.Group == o.Group && slices.Equal(c.GroupMaps, o.GroupMaps) &&
		c.Redirect == o.Redirect && c.RedirectTimeout == o.RedirectTimeout && c.Shortcut == o.Shortcut &&
		c.MinPrefix == o.MinPrefix && slices.Equal(c.SummaryMaps, o.SummaryMaps) && c.Keepalive == o.Keepalive &&
		c.NoRecord == o.NoRecord && c.Responder == o.Responder &&
		c.MaxSend == o.MaxSend && c.MaxSendInterval == o.MaxSendInterval
}

// normal returns c with defaults filled in, so that all that follows need not
// know of zero values.
func (c InterfaceConfig) normal() InterfaceConfig {
	if c.Family == 0 {
		c.Family = rib.IPv4
	}
	if c.Holdtime <= 0 {
		c.Holdtime = DefaultHoldtime
	}
	c.MinPrefix = max(c.MinPrefix, 1) // a CIE cannot say 0 (RFC 2332 section 5.2.0.1)
	c.Holdtime = min(max(c.Holdtime, time.Second), MaxHoldtime)
	if c.RegistrationTimeout <= 0 {
		c.RegistrationTimeout = c.Holdtime / 3
	}
	c.RegistrationTimeout = max(c.RegistrationTimeout, time.Second)
	if c.RedirectTimeout <= 0 {
		c.RedirectTimeout = DefaultRedirectTimeout
	}
	if c.MaxSend <= 0 {
		c.MaxSend = DefaultMaxSend
	}
	if c.MaxSendInterval <= 0 {
		c.MaxSendInterval = DefaultMaxSendInterval
	}
	return c
}
