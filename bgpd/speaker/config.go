package speaker

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Config is the whole desired state of a Speaker but for its own routes.
type Config struct {
	Process   Process
	Neighbors []Neighbor
	Groups    []Group
}

// Process is what cannot change while a Speaker lives (ErrProcess).
type Process struct {
	AS       uint32
	RouterID netip.Addr // IPv4
	// Port is the TCP port of the listener, 179 where it is 0; NoListen has none.
	Port     int
	NoListen bool
	// Listen are the addresses of the listener; none is all of them.
	Listen []netip.Addr
	// Device is the kernel's name of a VRF that the sockets belong to.
	Device string
	Selection
}

// Selection is how best paths are chosen. GoBGP keeps it in variables of its
// package, so all Speakers of a process must have the same (ErrSelection).
type Selection struct {
	Multipath        bool // maximum-paths: report all paths that are equal to the best
	AlwaysCompareMED bool // bgp always-compare-med
	IgnoreASPath     bool // bgp bestpath as-path ignore
	CompareRouterID  bool // bgp bestpath compare-routerid
}

// Neighbor is a configured neighbour, with all that it inherits filled in.
type Neighbor struct {
	Address netip.Addr
	Settings
}

// Group is a peer-group of listen ranges: whoever connects from one of them
// becomes a neighbour with its settings. Groups of configured neighbours are
// resolved by who makes the Config.
type Group struct {
	Name   string
	Ranges []netip.Prefix
	Settings
}

// Settings are those of a neighbour. Values are compared by ==, the policies by
// their pointers: a changed policy is a new one.
type Settings struct {
	RemoteAS uint32
	LocalAS  uint32 // local-as; 0: that of the process

	Password rib.Secret // TCP MD5 (RFC 2385)
	Shutdown bool
	Passive  bool
	Source   netip.Addr // update-source
	Port     uint16     // TCP port of the neighbour; 0: 179

	Timers Timers

	MultihopTTL uint8 // ebgp-multihop; 0: off
	TTLSecurity uint8 // least TTL accepted (RFC 5082); 0: off

	ReflectorClient bool
	ClusterID       netip.Addr // IPv4; the router ID where it is not set

	AllowASIn  uint8 // own AS in AS_PATH so many times, in what the neighbour sends
	ASOverride bool  // neighbours of one AS need it: GoBGP sends none what has passed its AS

	IPv4, IPv6 Family

	// RestartTime turns graceful restart on (RFC 4724), in seconds up to 4095.
	RestartTime uint16
	// LongLived keeps stale routes for so many seconds more (RFC 9494), up to
	// 24 bits; it needs RestartTime.
	LongLived uint32

	NextHop        NextHop
	Import, Export *Policy // nil permits everything
}

// Timers are whole seconds; 0 is GoBGP's default (90, a third, 120). A change
// disturbs no session and has effect when the next one comes up.
type Timers struct {
	Hold, Keepalive, Connect time.Duration
}

// Family is what is set for an address family of a neighbour.
type Family struct {
	Active         bool
	MaximumPrefix  uint32 // sessions that exceed it end and stay down; 0: no limit
	AddPathReceive bool   // RFC 7911
	AddPathSend    uint8  // most paths sent for a prefix; 0: only the best
}

// NextHop says what becomes of next hops in updates to a neighbour.
type NextHop uint8

// The ways. NextHopDefault is RFC 4271, section 5.1.3: itself towards an external
// neighbour, unchanged towards an internal one.
const (
	NextHopDefault   NextHop = iota
	NextHopSelf              // next-hop-self: not for routes that are reflected
	NextHopSelfAll           // next-hop-self all
	NextHopUnchanged         // next-hop-unchanged: not for the own routes
)

// ErrProcess is returned by Apply if a value of Process changed: that takes
// another Speaker.
var ErrProcess = errors.New("AS, router ID, listener or path selection changed: needs a new speaker")

// ErrSelection is returned by New if another Speaker of this process selects
// otherwise.
var ErrSelection = errors.New("another speaker of this process selects paths otherwise")

// check refuses what GoBGP would misread or take without a word.
func (c *Config) check() error {
	if c.Process.AS == 0 || !c.Process.RouterID.Is4() {
		return errors.New("a speaker needs an AS and an IPv4 router ID")
	}
	seen := map[any]bool{}
	for _, n := range c.Neighbors {
		if !n.Address.IsValid() || seen[n.Address] {
			return fmt.Errorf("neighbor %v: not valid, or configured twice", n.Address)
		}
		seen[n.Address] = true
		if err := n.check(c.Process.AS); err != nil {
			return fmt.Errorf("neighbor %v: %w", n.Address, err)
		}
	}
	for _, g := range c.Groups {
		if g.Name == "" || seen[g.Name] {
			return fmt.Errorf("peer-group %q: not valid, or configured twice", g.Name)
		}
		seen[g.Name] = true
		if err := g.check(c.Process.AS); err != nil {
			return fmt.Errorf("peer-group %s: %w", g.Name, err)
		}
		for _, r := range g.Ranges {
			if !r.IsValid() || r != r.Masked() || seen[r] {
				return fmt.Errorf("peer-group %s: listen range %v is not valid, or configured twice", g.Name, r)
			}
			seen[r] = true
		}
	}
	return nil
}

func (s *Settings) check(as uint32) error {
	switch {
	case s.LocalAS != 0 && (s.RemoteAS == as || s.RemoteAS == s.LocalAS):
		return errors.New("local-as is for external neighbors, and not their own AS")
	case s.RemoteAS == 0:
		return errors.New("no remote AS")
	case !s.IPv4.Active && !s.IPv6.Active:
		return errors.New("no address family is active")
	case s.MultihopTTL != 0 && s.TTLSecurity != 0:
		return errors.New("ebgp-multihop and ttl-security exclude each other")
	case s.RestartTime > 4095 || s.LongLived > 1<<24-1:
		return errors.New("restart time out of range")
	case s.LongLived != 0 && s.RestartTime == 0:
		return errors.New("long-lived graceful restart needs graceful restart")
	case s.ClusterID.IsValid() && !s.ClusterID.Is4():
		return errors.New("a cluster ID is an IPv4 address")
	}
	for _, d := range []time.Duration{s.Timers.Hold, s.Timers.Keepalive, s.Timers.Connect} {
		if d < 0 || d > 65535*time.Second || d%time.Second != 0 {
			return fmt.Errorf("timer %v is not in whole seconds up to 65535", d)
		}
	}
	if d := s.Timers.Hold; d != 0 && d < 3*time.Second {
		return fmt.Errorf("hold time %v is below 3 s", d) // RFC 4271, section 4.2
	}
	for _, p := range []*Policy{s.Import, s.Export} {
		if err := p.check(); err != nil {
			return err
		}
	}
	return nil
}

// kept returns the settings with everything left out whose change needs no new
// session.
func (s Settings) kept() Settings {
	s.Timers, s.Import, s.Export, s.NextHop = Timers{}, nil, nil, NextHopDefault
	s.IPv4.MaximumPrefix, s.IPv6.MaximumPrefix = 0, 0
	return s
}

// tuned returns what Apply changes in place; the rest is policy.
func (s Settings) tuned() tuning {
	return tuning{s.Timers, s.IPv4.MaximumPrefix, s.IPv6.MaximumPrefix}
}

// families are the address families of this package.
var families = []rib.Family{rib.IPv4, rib.IPv6}

type tuning struct {
	timers     Timers
	max4, max6 uint32
}
