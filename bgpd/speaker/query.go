package speaker

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// View is what a Table shows of a neighbour.
type View uint8

// The views.
const (
	Accepted View = iota // what import policy let in, as it left it
	Received             // what the neighbour sent, as it was
	Sent                 // what it is sent, as export policy makes it
)

// Table names a table. The zero Neighbor is the table of all paths.
type Table struct {
	Family   rib.Family
	Neighbor netip.Addr
	View     View
	Prefix   netip.Prefix // only this one, if it is valid
}

// Entry is a prefix with all its paths, the best first.
type Entry struct {
	Prefix netip.Prefix
	Paths  []Path
}

// List returns a table in order of the prefixes.
func (s *Speaker) List(t Table) ([]Entry, error) {
	if t.Prefix.IsValid() && familyOf(t.Prefix) != t.Family {
		return nil, errors.New("prefix is of another address family")
	}
	if t.Neighbor.IsValid() && t.View == Sent {
		return s.sent(t)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	prefixes := []netip.Prefix{t.Prefix}
	if !t.Prefix.IsValid() {
		prefixes = s.table.Prefixes(t.Family)
	}
	var out []Entry
	for _, p := range prefixes {
		e := Entry{Prefix: p}
		for _, o := range s.table.Paths(p) {
			if t.Neighbor.IsValid() && !t.shows(&o) {
				continue
			}
			if t.Neighbor.IsValid() && t.View == Received {
				o.Attributes = o.Received
			}
			e.Paths = append(e.Paths, s.path(p, &o))
		}
		if len(e.Paths) > 0 {
			out = append(out, e)
		}
	}
	return out, nil
}

// shows tells whether a view of a neighbour has a path.
func (t *Table) shows(o *locrib.Path) bool {
	return o.Neighbor != nil && o.Neighbor.Address == t.Neighbor && (t.View == Received || o.Attributes != nil)
}

// sent asks GoBGP what a neighbour is sent.
func (s *Speaker) sent(t Table) (out []Entry, err error) {
	r := apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_ADJ_OUT, Family: bgpFamily(t.Family), Name: t.Neighbor.String()}
	if t.Prefix.IsValid() {
		r.Prefixes = []*apiutil.LookupPrefix{{Prefix: t.Prefix.String()}}
	}
	err = s.bgp.ListPath(r, func(n bgp.NLRI, found []*apiutil.Path) {
		prefix, ok := prefixOf(n)
		if !ok {
			return
		}
		e := Entry{Prefix: prefix}
		var r reader
		for _, p := range found {
			e.Paths = append(e.Paths, Path{Attributes: r.read(p.Attrs), RemoteAS: p.PeerASN, RouterID: p.PeerID, ID: p.LocalID,
				Valid: true, Best: true, Since: time.Unix(p.Age, 0)})
		}
		out = append(out, e)
	})
	slices.SortFunc(out, func(a, b Entry) int { return a.Prefix.Compare(b.Prefix) })
	return out, err
}

// Len returns the number of prefixes of the table, both families together.
func (s *Speaker) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table.Len()
}

// State is the state of a session (RFC 4271, section 8.2.2).
type State string

// The states, as Cisco writes them.
const (
	Idle        State = "Idle"
	Connect     State = "Connect"
	Active      State = "Active"
	OpenSent    State = "OpenSent"
	OpenConfirm State = "OpenConfirm"
	Established State = "Established"
)

var states = map[api.PeerState_SessionState]State{
	api.PeerState_SESSION_STATE_IDLE:        Idle,
	api.PeerState_SESSION_STATE_CONNECT:     Connect,
	api.PeerState_SESSION_STATE_ACTIVE:      Active,
	api.PeerState_SESSION_STATE_OPENSENT:    OpenSent,
	api.PeerState_SESSION_STATE_OPENCONFIRM: OpenConfirm,
	api.PeerState_SESSION_STATE_ESTABLISHED: Established,
}

// Status is what is known of a neighbour.
type Status struct {
	Address    netip.Addr
	Group      string // of a neighbour from a listen range
	RemoteAS   uint32
	LocalAS    uint32
	RouterID   netip.Addr // not valid before the first session
	State      State
	Shutdown   bool // down by configuration
	OverLimit  bool // down since it sent more than its maximum of prefixes
	Since      time.Time
	Hold       time.Duration // negotiated
	Keepalive  time.Duration
	IPv4, IPv6 FamilyCount
	Received   Messages
	Sent       Messages

	Local, Remote netip.AddrPort // of the last session
	Capabilities  []Capability   // that it announced in the last session
	Stale         bool           // some of its paths are kept while it restarts
	// Resets counts how often the session went down, Reason says why it did last.
	Resets int
	Reason string
}

// FamilyCount counts paths of a neighbour: as received, after policy, and sent.
type FamilyCount struct {
	Active                         bool // in the configuration
	Received, Accepted, Advertised int
}

// Messages counts messages of a neighbour by type. Withdrawn are those received
// UPDATEs that were treated as withdraw (RFC 7606).
type Messages struct {
	Open, Update, Notification, Keepalive, Refresh, Total, Withdrawn uint64
}

// Neighbors returns all neighbours, by address. Counting what is sent costs a walk
// through the table per neighbour.
func (s *Speaker) Neighbors(countSent bool) (out []Status, err error) {
	err = s.bgp.ListPeer(context.Background(), &api.ListPeerRequest{EnableAdvertised: countSent}, func(p *api.Peer) {
		if st := newStatus(p); st.Address != nobody {
			out = append(out, st)
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range out {
		if n := s.neighbors[out[i].Address]; n != nil {
			n.status(&out[i])
		}
	}
	slices.SortFunc(out, func(a, b Status) int { return a.Address.Compare(b.Address) })
	return out, err
}

// status adds what GoBGP does not know.
func (n *neighbor) status(st *Status) {
	st.IPv4.Received, st.IPv4.Accepted = n.Count4.Received, n.Count4.Accepted
	st.IPv6.Received, st.IPv6.Accepted = n.Count6.Received, n.Count6.Accepted
	// Of the address GoBGP's events have only what is configured.
	st.Local = netip.AddrPortFrom(st.Local.Addr(), n.localPort)
	st.Remote, st.Capabilities = n.remote, n.capable
	st.Resets, st.Reason, st.Stale = n.resets, n.reason, n.stale && n.paths() > 0
	if !n.since.IsZero() {
		st.Since = n.since
	}
}

func newStatus(p *api.Peer) Status {
	st, timers := p.GetState(), p.GetTimers().GetState()
	n := Status{
		Group: p.GetConf().GetPeerGroup(), RemoteAS: st.GetPeerAsn(), LocalAS: st.GetLocalAsn(),
		State: states[st.GetSessionState()], OverLimit: st.GetAdminState() == api.PeerState_ADMIN_STATE_PFX_CT,
		Shutdown:  st.GetAdminState() == api.PeerState_ADMIN_STATE_DOWN,
		Hold:      time.Duration(timers.GetNegotiatedHoldTime()) * time.Second,
		Keepalive: time.Duration(timers.GetKeepaliveInterval()) * time.Second,
		Received:  newMessages(st.GetMessages().GetReceived()), Sent: newMessages(st.GetMessages().GetSent()),
	}
	n.Address, _ = netip.ParseAddr(st.GetNeighborAddress())
	n.RouterID, _ = netip.ParseAddr(st.GetRouterId())
	if a, err := netip.ParseAddr(p.GetTransport().GetLocalAddress()); err == nil && !a.IsUnspecified() {
		n.Local = netip.AddrPortFrom(a.Unmap(), 0)
	}
	for _, f := range p.GetAfiSafis() {
		c := FamilyCount{Active: true, Advertised: int(f.GetState().GetAdvertised())}
		if f.GetConfig().GetFamily().GetAfi() == api.Family_AFI_IP6 {
			n.IPv6 = c
		} else {
			n.IPv4 = c
		}
	}
	return n
}

func newMessages(m *api.Message) Messages {
	return Messages{Open: m.GetOpen(), Update: m.GetUpdate(), Notification: m.GetNotification(),
		Keepalive: m.GetKeepalive(), Refresh: m.GetRefresh(), Total: m.GetTotal(), Withdrawn: m.GetWithdrawUpdate()}
}
