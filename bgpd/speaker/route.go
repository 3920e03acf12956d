package speaker

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Origin is the ORIGIN attribute (RFC 4271, section 5.1.1).
type Origin uint8

// The origins.
const (
	IGP        Origin = 0 // network
	EGP        Origin = 1
	Incomplete Origin = 2 // redistribute
)

// Local is a route that this speaker originates: by network, redistribute or
// aggregate-address, which differ in what they fill in.
type Local struct {
	Prefix      netip.Prefix // masked
	NextHop     netip.Addr   // to internal neighbours; not valid, and to external ones: the speaker's own address
	Origin      Origin
	MED         uint32 // sent if it is not 0
	Communities []policy.Community
}

// Originate puts routes of this speaker, replacing those of the same prefixes. A
// failure leaves those before it in place.
func (s *Speaker) Originate(routes []Local) error {
	return s.local(routes, func(paths []*apiutil.Path) error {
		_, err := s.bgp.AddPath(apiutil.AddPathRequest{Paths: paths})
		return err
	})
}

// Withdraw takes routes of this speaker back; prefixes without one are passed over.
func (s *Speaker) Withdraw(prefixes []netip.Prefix) error {
	routes := make([]Local, len(prefixes))
	for i, p := range prefixes {
		routes[i].Prefix = p
	}
	return s.local(routes, func(paths []*apiutil.Path) error {
		return s.bgp.DeletePath(apiutil.DeletePathRequest{Paths: paths})
	})
}

// local hands routes to GoBGP in pieces: it does not read from neighbours meanwhile.
func (s *Speaker) local(routes []Local, do func([]*apiutil.Path) error) error {
	const piece = 1024
	paths := make([]*apiutil.Path, 0, min(len(routes), piece))
	for i := range routes {
		p, err := routes[i].path()
		if err != nil {
			return err
		}
		if paths = append(paths, p); len(paths) < piece && i < len(routes)-1 {
			continue
		}
		if err := do(paths); err != nil {
			return fmt.Errorf("routes up to %v: %w", routes[i].Prefix, err)
		}
		paths = paths[:0]
	}
	return nil
}

func (l *Local) path() (*apiutil.Path, error) {
	if !l.Prefix.IsValid() || l.Prefix != l.Prefix.Masked() {
		return nil, fmt.Errorf("prefix %v is not valid", l.Prefix)
	}
	family := familyOf(l.Prefix)
	nlri, err := bgp.NewIPAddrPrefix(l.Prefix)
	if err != nil {
		return nil, err
	}
	hop := l.NextHop
	if !hop.IsValid() {
		if hop = netip.IPv4Unspecified(); family == rib.IPv6 {
			hop = netip.IPv6Unspecified()
		}
	}
	attrs := []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(uint8(l.Origin))}
	if hop.Is4() && family == rib.IPv4 {
		a, err := bgp.NewPathAttributeNextHop(hop)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, a)
	} else {
		a, err := bgp.NewPathAttributeMpReachNLRI(bgpFamily(family), []bgp.PathNLRI{{NLRI: nlri}}, hop)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, a)
	}
	if l.MED != 0 {
		attrs = append(attrs, bgp.NewPathAttributeMultiExitDisc(l.MED))
	}
	if len(l.Communities) > 0 {
		list := make([]uint32, len(l.Communities))
		for i, c := range l.Communities {
			list[i] = uint32(c)
		}
		attrs = append(attrs, bgp.NewPathAttributeCommunities(list))
	}
	return &apiutil.Path{Family: bgpFamily(family), Nlri: nlri, Attrs: attrs, Age: time.Now().Unix()}, nil
}

// Path is a path to a prefix.
type Path struct {
	NextHop      netip.Addr
	Neighbor     netip.Addr // who sent it; not valid: originated here
	RemoteAS     uint32     // of the neighbour
	RouterID     netip.Addr // of the neighbour
	External     bool       // came from an external neighbour
	Origin       Origin
	ASPath       string // as Cisco prints it: "65001 {65002,65003}"
	MED          uint32
	LocalPref    uint32 // 0: none
	Communities  []policy.Community
	Large        [][3]uint32 // RFC 8092
	OriginatorID netip.Addr  // RFC 4456
	ClusterList  []netip.Addr
	ID           uint32 // RFC 7911: as received, and in Sent as it was given here
	Best         bool   // the best, or with Multipath equal to it; only in the table
	Stale        bool   // kept for a neighbour that restarts
	Since        time.Time
}

func (s *Speaker) path(p *apiutil.Path) Path {
	out := Path{Neighbor: p.PeerAddress, RemoteAS: p.PeerASN, RouterID: p.PeerID,
		External: p.PeerAddress.IsValid() && p.PeerASN != s.as,
		ID:       p.RemoteID, Best: p.Best, Stale: p.Stale, Since: time.Unix(p.Age, 0)}
	for _, a := range p.Attrs {
		out.attribute(a)
	}
	return out
}

func (p *Path) attribute(a bgp.PathAttributeInterface) {
	switch a := a.(type) {
	case *bgp.PathAttributeOrigin:
		p.Origin = Origin(a.Value)
	case *bgp.PathAttributeAsPath:
		p.ASPath = asPath(a)
	case *bgp.PathAttributeNextHop:
		p.NextHop = a.Value
	case *bgp.PathAttributeMpReachNLRI:
		p.NextHop = a.Nexthop
	case *bgp.PathAttributeMultiExitDisc:
		p.MED = a.Value
	case *bgp.PathAttributeLocalPref:
		p.LocalPref = a.Value
	case *bgp.PathAttributeCommunities:
		for _, c := range a.Value {
			p.Communities = append(p.Communities, policy.Community(c))
		}
	case *bgp.PathAttributeLargeCommunities:
		for _, c := range a.Values {
			p.Large = append(p.Large, [3]uint32{c.ASN, c.LocalData1, c.LocalData2})
		}
	case *bgp.PathAttributeOriginatorId:
		p.OriginatorID = a.Value
	case *bgp.PathAttributeClusterList:
		p.ClusterList = append(p.ClusterList, a.Value...)
	}
}

func asPath(a *bgp.PathAttributeAsPath) string {
	var out []string
	for _, segment := range a.Value {
		var words []string
		for _, as := range segment.GetAS() {
			words = append(words, strconv.FormatUint(uint64(as), 10))
		}
		switch segment.GetType() {
		case bgp.BGP_ASPATH_ATTR_TYPE_SET:
			out = append(out, "{"+strings.Join(words, ",")+"}")
		case bgp.BGP_ASPATH_ATTR_TYPE_CONFED_SEQ, bgp.BGP_ASPATH_ATTR_TYPE_CONFED_SET:
			out = append(out, "("+strings.Join(words, " ")+")")
		default:
			out = append(out, words...)
		}
	}
	return strings.Join(out, " ")
}
