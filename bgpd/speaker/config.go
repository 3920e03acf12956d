package speaker

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Policy lets routes pass, or not, and may change them; see there. Of what an export
// policy changes only this can be sent: ORIGIN, the next hop (the unspecified address
// is the speaker's own), LOCAL_PREF, MED, one AS before AS_PATH, and communities. A
// route with another change is not advertised, and a [Notice] says so.
type Policy = locrib.Policy

// Config is the whole desired state of a Speaker but for its own routes and what is
// known of next hops.
type Config struct {
	Process   Process
	Neighbors []Neighbor
	Groups    []Group

	Selection locrib.Selection
	ClusterID netip.Addr // bgp cluster-id, IPv4; the router ID where it is not set
	// ListenLimit is how many dynamic neighbours there may be; 0: no limit.
	ListenLimit int
	// TrackNextHops makes paths depend on what SetNextHops says of their next hops;
	// one of which it has said nothing is not reachable.
	TrackNextHops bool
	// WaitInstall has best paths of neighbours advertised only after Installed.
	WaitInstall bool
	// LocalPref is bgp default local-preference; 0: that of locrib.
	LocalPref  uint32
	Aggregates []locrib.Aggregate
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
	// Restarting says that the routes of an earlier life are still in the kernel. To
	// neighbours with graceful restart that are configured from the beginning, or are
	// among those that return to a group, the speaker says so, and sends them nothing
	// for Deferral (RFC 4724, section 4.1), which is 20 s where it is 0.
	Restarting bool
	Deferral   time.Duration
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
	// Returning are addresses of its neighbours in the earlier life of a process that is
	// Restarting: the next hops of what they sent will do, others do no harm. GoBGP
	// cannot tell neighbours of listen ranges of a restart, so until they have gone
	// these are configured ones for it.
	Returning []netip.Addr
	Settings
}

// Settings are those of a neighbour. Values are compared by ==, the policies too: a
// changed policy is a new one.
type Settings struct {
	// RemoteAS is 0 for remote-as external: any but our own.
	RemoteAS uint32
	LocalAS  uint32 // local-as no-prepend replace-as; 0: that of the process

	Password rib.Secret // TCP MD5 (RFC 2385)
	Shutdown bool
	Passive  bool
	Source   netip.Addr // update-source
	Port     uint16     // TCP port of the neighbour; 0: 179

	Timers Timers

	MultihopTTL uint8 // ebgp-multihop; 0: off
	TTLSecurity uint8 // least TTL accepted (RFC 5082); 0: off

	ASOverride      bool
	RemovePrivateAS PrivateAS
	Weight          uint32

	IPv4, IPv6 Family

	// RestartTime turns graceful restart on (RFC 4724), in seconds up to 4095.
	RestartTime uint16
	// LongLived keeps stale routes for so many seconds more (RFC 9494), up to
	// 24 bits; it needs RestartTime.
	LongLived uint32
}

// Timers are whole seconds; 0 is GoBGP's default (90, a third, 120). A change
// disturbs no session and has effect when the next one comes up.
type Timers struct {
	Hold, Keepalive, Connect time.Duration
}

// PrivateAS says what becomes of private AS numbers in AS_PATH (RFC 6996) towards an
// external neighbour.
type PrivateAS uint8

// What can be done with them.
const (
	KeepPrivateAS    PrivateAS = iota
	RemovePrivateAS            // remove-private-as all
	ReplacePrivateAS           // remove-private-as all replace-as
)

// Family is what is set for an address family of a neighbour.
type Family struct {
	Active         bool
	Import, Export Policy // nil permits everything
	NextHop        NextHop

	ReflectorClient  bool
	AllowASIn        uint8 // own AS in AS_PATH so many times, in what the neighbour sends
	DefaultOriginate bool  // a default route, past the export policy
	// DefaultMap is the condition of that, and says what the default route has: it is sent
	// while the policy permits a route of the table, with the attributes that it returns
	// for the first of them; nil: always.
	DefaultMap Policy

	SendStandard, SendExtended, SendLarge bool // send-community

	MaximumPrefix  MaximumPrefix
	AddPathReceive bool  // RFC 7911
	AddPathSend    uint8 // most paths sent for a prefix; 0: only the best
}

// MaximumPrefix bounds what a neighbour sends.
type MaximumPrefix struct {
	Limit       uint32        // 0: no limit; sessions that exceed it end and stay down
	Threshold   uint8         // percents of the limit that give a Notice; 0: 75
	WarningOnly bool          // a Notice at the limit is all
	Restart     time.Duration // a session that ended begins anew after so long; 0: never
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
var ErrProcess = errors.New("AS, router ID, listener or restart changed: needs a new speaker")

// Check tells what of a configuration cannot be, the first of it as an *Error.
func (c *Config) Check() error {
	if c.Process.AS == 0 || !c.Process.RouterID.Is4() {
		return &Error{Text: "a speaker needs an AS and an IPv4 router ID"}
	}
	if c.ClusterID.IsValid() && !c.ClusterID.Is4() {
		return &Error{Text: "a cluster ID is an IPv4 address"}
	}
	seen := map[any]bool{}
	for _, n := range c.Neighbors {
		if !n.Address.IsValid() || seen[n.Address] {
			return &Error{Neighbor: n.Address, Text: "not valid, or configured twice"}
		}
		seen[n.Address] = true
		if text := n.check(c.Process.AS); text != "" {
			return &Error{Neighbor: n.Address, Text: text}
		}
	}
	for _, g := range c.Groups {
		if text := g.check(c.Process.AS, seen); text != "" {
			return &Error{Group: g.Name, Text: text}
		}
	}
	return c.checkAggregates()
}

// Error is something in a configuration that this package, or GoBGP, cannot do.
type Error struct {
	Neighbor netip.Addr // whom it is about, if about a neighbour
	Group    string     // or a group
	Text     string
}

// Error says whom it is about, and what.
func (e *Error) Error() string {
	switch {
	case e.Group != "":
		return "peer-group " + e.Group + ": " + e.Text
	case e.Neighbor.IsValid():
		return "neighbor " + e.Neighbor.String() + ": " + e.Text
	}
	return e.Text
}

func (c *Config) checkAggregates() error {
	seen := map[netip.Prefix]bool{}
	for _, a := range c.Aggregates {
		if !a.Prefix.IsValid() || a.Prefix != a.Prefix.Masked() || seen[a.Prefix] {
			return &Error{Text: fmt.Sprintf("aggregate %v is not valid, or configured twice", a.Prefix)}
		}
		seen[a.Prefix] = true
	}
	return nil
}

func (g *Group) check(as uint32, seen map[any]bool) string {
	if g.Name == "" || seen[g.Name] {
		return "the name of a peer-group is not valid, or configured twice"
	}
	seen[g.Name] = true
	for _, r := range g.Ranges {
		if !r.IsValid() || r != r.Masked() || seen[r] {
			return fmt.Sprintf("listen range %v is not valid, or configured twice", r)
		}
		seen[r] = true
	}
	return g.Settings.check(as)
}

// external tells whether the neighbour is external; where any AS will do, the AS of
// a session decides.
func (s *Settings) external(as uint32) bool { return s.RemoteAS != as }

func (s *Settings) check(as uint32) string {
	external := s.external(as)
	switch {
	case s.LocalAS != 0 && (!external || s.RemoteAS == s.LocalAS || s.RemoteAS == 0):
		return "local-as is for external neighbors with a remote AS, and not their own AS"
	case !s.IPv4.Active && !s.IPv6.Active:
		return "no address family is active"
	case s.MultihopTTL != 0 && s.TTLSecurity != 0:
		return "ebgp-multihop and ttl-security exclude each other"
	case s.RestartTime > 4095 || s.LongLived > 1<<24-1:
		return "restart time out of range"
	case s.LongLived != 0 && s.RestartTime == 0:
		return "long-lived graceful restart needs graceful restart"
	case !external && s.ASOverride:
		return "as-override is for external neighbors"
	case !external && s.RemovePrivateAS != KeepPrivateAS:
		return "remove-private-as is for external neighbors"
	case s.RemoteAS == 0 && (s.ASOverride || s.RemovePrivateAS != KeepPrivateAS || s.MultihopTTL != 0):
		return "as-override, remove-private-as and ebgp-multihop need the number of the remote AS"
	}
	for _, f := range families {
		if text := s.family(f).check(external); text != "" {
			return text
		}
	}
	for _, d := range []time.Duration{s.Timers.Hold, s.Timers.Keepalive, s.Timers.Connect} {
		if d < 0 || d > 65535*time.Second || d%time.Second != 0 {
			return fmt.Sprintf("timer %v is not in whole seconds up to 65535", d)
		}
	}
	if d := s.Timers.Hold; d != 0 && d < 3*time.Second {
		return fmt.Sprintf("hold time %v is below 3 s", d) // RFC 4271, section 4.2
	}
	return ""
}

func (f *Family) check(external bool) string {
	switch {
	case external && f.ReflectorClient:
		return "a route-reflector-client is an internal neighbor"
	case f.MaximumPrefix.Threshold > 100:
		return "the threshold of maximum-prefix is in percents"
	case f.MaximumPrefix.WarningOnly && f.MaximumPrefix.Restart != 0:
		return "maximum-prefix: warning-only and restart exclude each other"
	}
	return ""
}

func (s *Settings) family(f rib.Family) *Family {
	if f == rib.IPv6 {
		return &s.IPv6
	}
	return &s.IPv4
}

// kept returns the settings with everything left out whose change needs no new
// session.
func (s Settings) kept() Settings {
	s.Timers, s.Weight = Timers{}, 0
	for _, f := range families {
		o := s.family(f)
		*o = Family{Active: o.Active, AddPathReceive: o.AddPathReceive, AddPathSend: o.AddPathSend}
	}
	return s
}

// tuned returns what Apply changes in GoBGP in place; the rest is ours.
func (s Settings) tuned() tuning {
	return tuning{s.Timers, s.IPv4.MaximumPrefix.hard(), s.IPv6.MaximumPrefix.hard()}
}

// hard returns the limit that ends sessions.
func (m MaximumPrefix) hard() uint32 {
	if m.WarningOnly {
		return 0
	}
	return m.Limit
}

// families are the address families of this package.
var families = []rib.Family{rib.IPv4, rib.IPv6}

type tuning struct {
	timers     Timers
	max4, max6 uint32
}
