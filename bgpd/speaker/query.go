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

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Table names a table. The zero Neighbor is the table of all paths after import
// policy.
type Table struct {
	Family   rib.Family
	Neighbor netip.Addr
	Sent     bool         // what is sent to the neighbour, and not what it sent, before policy
	Prefix   netip.Prefix // only this one, if it is valid
}

// Entry is a prefix with all its paths, the best first.
type Entry struct {
	Prefix netip.Prefix
	Paths  []Path
}

// List returns a table in order of the prefixes.
func (s *Speaker) List(t Table) (out []Entry, err error) {
	var only []*apiutil.LookupPrefix
	if t.Prefix.IsValid() {
		if familyOf(t.Prefix) != t.Family {
			return nil, errors.New("prefix is of another address family")
		}
		only = exact([]netip.Prefix{t.Prefix}, t.Family)
	}
	err = s.list(t, only, func(p netip.Prefix, paths []Path) { out = append(out, Entry{p, paths}) })
	slices.SortFunc(out, func(a, b Entry) int { return a.Prefix.Compare(b.Prefix) })
	return out, err
}

// list visits a table in no order.
func (s *Speaker) list(t Table, only []*apiutil.LookupPrefix, visit func(netip.Prefix, []Path)) error {
	r := apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: bgpFamily(t.Family), Prefixes: only}
	if t.Neighbor.IsValid() {
		r.Name = t.Neighbor.String()
		if r.TableType = api.TableType_TABLE_TYPE_ADJ_IN; t.Sent {
			r.TableType = api.TableType_TABLE_TYPE_ADJ_OUT
		}
	}
	return s.bgp.ListPath(r, func(n bgp.NLRI, found []*apiutil.Path) {
		prefix, ok := prefixOf(n)
		if !ok {
			return
		}
		paths := make([]Path, len(found))
		for i, p := range found {
			if paths[i] = s.path(p); t.Sent {
				paths[i].ID = p.LocalID
			}
		}
		visit(prefix, paths)
	})
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
	OverLimit  bool // down since it sent more than MaximumPrefix
	Since      time.Time
	Hold       time.Duration // negotiated
	Keepalive  time.Duration
	IPv4, IPv6 FamilyCount
	Received   Messages
	Sent       Messages
	// Flaps counts how often the session went down.
	Flaps uint32
}

// FamilyCount counts prefixes of a neighbour: as received, after policy, and sent.
type FamilyCount struct{ Received, Accepted, Advertised uint64 }

// Messages counts messages of a neighbour by type. Withdrawn are those received
// UPDATEs that were treated as withdraw (RFC 7606).
type Messages struct {
	Open, Update, Notification, Keepalive, Refresh, Total, Withdrawn uint64
}

// Neighbors returns all neighbours, by address. Counting what is sent costs a walk
// through the table per neighbour.
func (s *Speaker) Neighbors(countSent bool) (out []Status, err error) {
	err = s.bgp.ListPeer(context.Background(), &api.ListPeerRequest{EnableAdvertised: countSent}, func(p *api.Peer) {
		out = append(out, newStatus(p))
	})
	slices.SortFunc(out, func(a, b Status) int { return a.Address.Compare(b.Address) })
	return out, err
}

func newStatus(p *api.Peer) Status {
	st, timers := p.GetState(), p.GetTimers().GetState()
	n := Status{
		Group: p.GetConf().GetPeerGroup(), RemoteAS: st.GetPeerAsn(), LocalAS: st.GetLocalAsn(),
		State: states[st.GetSessionState()], OverLimit: st.GetAdminState() == api.PeerState_ADMIN_STATE_PFX_CT,
		Hold:      time.Duration(timers.GetNegotiatedHoldTime()) * time.Second,
		Keepalive: time.Duration(timers.GetKeepaliveInterval()) * time.Second,
		Received:  newMessages(st.GetMessages().GetReceived()), Sent: newMessages(st.GetMessages().GetSent()),
		Flaps: st.GetFlops(),
	}
	n.Address, _ = netip.ParseAddr(st.GetNeighborAddress())
	n.RouterID, _ = netip.ParseAddr(st.GetRouterId())
	since := timers.GetDowntime()
	if n.State == Established {
		since = timers.GetUptime()
	}
	if since.GetSeconds() > 0 {
		n.Since = since.AsTime()
	}
	for _, f := range p.GetAfiSafis() {
		c := FamilyCount{f.GetState().GetReceived(), f.GetState().GetAccepted(), f.GetState().GetAdvertised()}
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
