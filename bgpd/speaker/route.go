package speaker

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
)

// Local is a route that this speaker originates: by network or redistribute, which
// differ in the attributes. Where NextHop is not valid it is the speaker's own address;
// towards external neighbours it always is. The weight is Cisco's 32768 unless given.
type Local struct {
	Prefix netip.Prefix // masked
	locrib.Attributes
}

// Originate puts routes of this speaker, replacing those of the same prefixes. If one
// is not valid none is put.
func (s *Speaker) Originate(routes []Local) error {
	for i := range routes {
		if p := routes[i].Prefix; !p.IsValid() || p != p.Masked() {
			return fmt.Errorf("prefix %v is not valid", p)
		}
	}
	now := time.Now().Unix()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range routes {
		a := routes[i].Attributes
		if !a.NextHop.IsValid() {
			a.NextHop = defaultPrefix(familyOf(routes[i].Prefix)).Addr()
		}
		if a.Weight == 0 {
			a.Weight = locrib.OwnWeight
		}
		s.table.Originate(routes[i].Prefix, locrib.Originated, &a, now)
	}
	wake(s.wake)
	return nil
}

// Withdraw takes routes of this speaker back; prefixes without one are passed over.
func (s *Speaker) Withdraw(prefixes []netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range prefixes {
		s.table.Withdraw(p, locrib.Originated)
	}
	wake(s.wake)
}

// Path is a path to a prefix.
type Path struct {
	*locrib.Attributes // as import policy left them; as received where that denied it

	Neighbor  netip.Addr // who sent it; not valid: it is our own
	RemoteAS  uint32     // of the neighbour
	RouterID  netip.Addr // of the neighbour
	External  bool       // came from an external neighbour
	Aggregate bool       // own, by aggregate-address
	ID        uint32     // RFC 7911: as received, or as sent
	Since     time.Time

	Best       bool
	Multipath  bool // shares load with the best
	Valid      bool // may be the best: let in, and its next hop is reachable
	Denied     bool // by import policy, or for a loop
	Stale      bool // kept for a neighbour that restarts
	Suppressed bool // not advertised, for an aggregate
	Pending    bool // not advertised, until it is installed
	Metric     uint32
}

func (s *Speaker) path(p netip.Prefix, o *locrib.Path) Path {
	out := Path{Attributes: o.Attributes, ID: o.ID, Since: time.Unix(o.Since, 0), Best: o.Best, Multipath: o.Multipath,
		Valid: s.table.Valid(o), Denied: o.Attributes == nil, Stale: o.Stale, Suppressed: s.table.Suppressed(p)}
	_, out.Pending = s.pending[p]
	if out.Denied {
		out.Attributes = o.Received
	} else {
		out.Metric, _ = s.table.Metric(o)
	}
	if n := o.Neighbor; n != nil {
		out.Neighbor, out.RemoteAS, out.RouterID, out.External = n.Address, n.AS, n.RouterID, n.External
	} else {
		out.Aggregate, out.ID = o.ID == locrib.Aggregated, 0
	}
	return out
}
