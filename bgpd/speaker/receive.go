package speaker

import (
	"context"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// What GoBGP tells. Its callbacks run in one goroutine of GoBGP, behind a queue that
// has no bound, so they are quick: they change the table and mark what changed.

// neighbor is somebody whom there is, or was, a session with.
type neighbor struct {
	locrib.Neighbor
	settings  *Settings // nil: none any more
	group     string    // of a listen range
	up        bool
	refused   bool      // beyond the listen limit
	cleared   bool      // Clear was called
	since     time.Time // of up
	reason    string    // of the last end
	resets    int
	stale     bool           // some of its paths are
	warned    [2]uint8       // by family: 1 at the threshold, 2 at the limit
	most      [2]int         // by family: prefixes that the session had at once
	revive    *time.Timer    // of maximum-prefix restart
	capable   []Capability   // of the last session, theirs
	remote    netip.AddrPort // of the last session
	localPort uint16
	// noted are the NOTIFICATIONs that had been sent when the session was up; -1: not known.
	noted int64
}

func (n *neighbor) count(f rib.Family) locrib.Count {
	if f == rib.IPv6 {
		return n.Count6
	}
	return n.Count4
}

func (n *neighbor) paths() int { return n.Count4.Received + n.Count6.Received }

// watch begins to take events.
func (s *Speaker) watch(ctx context.Context) error {
	return s.bgp.WatchEvent(ctx, server.WatchEventMessageCallbacks{
		OnPathUpdate: func(paths []*apiutil.Path, at time.Time) { s.learn(paths, at) },
		OnPathEor:    func(p *apiutil.Path, _ time.Time) { s.endOfRIB(p) },
		OnPeerUpdate: func(e *apiutil.WatchEventMessage_PeerEvent, at time.Time) {
			if e.Type == apiutil.PEER_EVENT_STATE {
				s.session(e, at)
			}
		},
	}, server.WatchUpdate(false, "", ""), server.WatchAdjInWithdraw(), server.WatchEor(false), server.WatchPeer())
}

// learn takes the paths of an UPDATE, or those that GoBGP takes back with a session.
func (s *Speaker) learn(paths []*apiutil.Path, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var last *neighbor
	for _, p := range paths {
		prefix, ok := prefixOf(p.Nlri)
		n := s.neighbors[p.PeerAddress]
		if !ok || n == nil || n.refused {
			continue
		}
		last = n
		if p.Withdrawal {
			s.table.Unlearn(prefix, &n.Neighbor, p.RemoteID)
		} else {
			s.table.Learn(prefix, &n.Neighbor, p.RemoteID, s.reader.read(p.Attrs), at.Unix())
		}
	}
	if last != nil {
		s.countPrefixes(last)
		s.drop(last)
	}
	wake(s.wake)
}

// countPrefixes warns of too many prefixes; sessions are ended by GoBGP.
func (s *Speaker) countPrefixes(n *neighbor) {
	if n.settings == nil {
		return
	}
	for i, f := range families {
		m, count := n.settings.family(f).MaximumPrefix, n.count(f).Received
		n.most[i] = max(n.most[i], count)
		if m.Limit == 0 {
			continue
		}
		threshold := uint64(75)
		if m.Threshold != 0 {
			threshold = uint64(m.Threshold)
		}
		level, kind := uint8(0), PrefixWarning
		switch {
		case count > int(m.Limit):
			level, kind = 2, PrefixLimit
		case uint64(count)*100 > uint64(m.Limit)*threshold:
			level = 1
		}
		if level > n.warned[i] {
			s.queue.add(Batch{Notices: []Notice{{Kind: kind, Neighbor: n.Address, Family: f, Count: count, Limit: int(m.Limit)}}})
		}
		n.warned[i] = level
	}
}

func (s *Speaker) endOfRIB(p *apiutil.Path) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.neighbors[p.PeerAddress]
	if n == nil {
		return
	}
	f := rib.IPv4
	if p.Family == bgp.RF_IPv6_UC {
		f = rib.IPv6
	}
	// RFC 4724, section 4.2: what it did not say again is no more.
	s.forgetStale(n, f)
	s.ends = append(s.ends, EndOfRIB{n.Address, f}) // told behind the routes
	wake(s.wake)
}

func (s *Speaker) forgetStale(n *neighbor, f rib.Family) {
	if n.stale {
		s.table.Forget(&n.Neighbor, f, true)
	}
}

// session takes a change of the state of a session.
func (s *Speaker) session(e *apiutil.WatchEventMessage_PeerEvent, at time.Time) {
	st := &e.Peer.State
	s.mu.Lock()
	defer s.mu.Unlock()
	defer wake(s.wake)
	n := s.neighbors[st.NeighborAddress]
	if n == nil || n.refused && st.SessionState == bgp.BGP_FSM_OPENSENT { // or a new attempt
		if n = s.arrive(st.NeighborAddress, st.SessionState); n == nil {
			s.closeUnanswered(st)
			return
		}
	}
	opening := !n.up
	switch up := st.SessionState == bgp.BGP_FSM_ESTABLISHED; {
	case n.refused: // it is being removed
	case up && !n.up:
		s.comeUp(n, e, at)
	case !up && n.up:
		s.goDown(n, e, at)
	case !up && st.DisconnectReason == api.PeerState_DISCONNECT_REASON_RESTART_TIMER_EXPIRED && n.paths() > 0:
		// Those without LLGR have been taken back before.
		s.table.LongLived(&n.Neighbor)
	}
	if st.SessionState == bgp.BGP_FSM_IDLE {
		if s.drop(n) && opening && n.group != "" && !n.refused {
			s.remove(n) // GoBGP keeps who did not get as far as a session
		}
	}
}

// closeUnanswered has GoBGP close the connection of somebody of a listen range to whom it
// could not write its OPEN, for want of a second's time: it keeps the connection, and who
// waits at its other end would try again after minutes.
func (s *Speaker) closeUnanswered(st *apiutil.PeerState) {
	if st.SessionState != bgp.BGP_FSM_IDLE || st.DisconnectReason != api.PeerState_DISCONNECT_REASON_WRITE_FAILED || s.returning[st.NeighborAddress] {
		return
	}
	if _, group := s.want.lookup(st.NeighborAddress); group != "" {
		s.remove(&neighbor{Neighbor: locrib.Neighbor{Address: st.NeighborAddress}, group: group})
	}
}

// arrive makes a neighbour that was not known; nil if nobody is configured there. One of
// a listen range arrives with its OPEN: what GoBGP tells later of somebody unknown is of
// one that was removed meanwhile, and nothing would follow.
func (s *Speaker) arrive(a netip.Addr, state bgp.FSMState) *neighbor {
	settings, group := s.want.lookup(a)
	if settings == nil || group != "" && state != bgp.BGP_FSM_OPENSENT {
		return nil
	}
	n := &neighbor{Neighbor: locrib.Neighbor{Address: a}, group: group}
	s.configure(n, settings)
	s.neighbors[a] = n
	switch {
	case group == "":
	case s.want.ListenLimit > 0 && s.dynamic >= s.want.ListenLimit:
		n.refused = true
		if now := time.Now(); now.Sub(s.refusedAt) > refusals { // one stands for many
			s.refusedAt = now
			s.queue.add(Batch{Notices: []Notice{{Kind: ListenLimit, Neighbor: a, Count: s.dynamic, Limit: s.want.ListenLimit}}})
		}
		s.remove(n)
	default:
		s.dynamic++
	}
	return n
}

// refusals is how often it is told at most that neighbours are refused: they come again and
// again.
const refusals = 10 * time.Second

// remove takes a neighbour of a listen range from GoBGP, which tells that it is idle then.
func (s *Speaker) remove(n *neighbor) {
	s.later(func() {
		if s.bgp.DeletePeer(context.Background(), &api.DeletePeerRequest{Address: n.Address.String()}) == nil {
			return
		}
		s.mu.Lock() // it has gone by itself
		defer s.mu.Unlock()
		if n.refused {
			s.drop(n)
		}
	})
}

// drop forgets a neighbour of a listen range that has gone for good, and a configured
// one that is no longer; it tells whether it did.
func (s *Speaker) drop(n *neighbor) bool {
	if n.up || n.paths() > 0 || n.group == "" && n.settings != nil || s.neighbors[n.Address] != n {
		return false
	}
	delete(s.neighbors, n.Address)
	if n.group != "" {
		if !n.refused {
			s.dynamic--
		}
		s.dismiss(n.Address)
	}
	if n.revive != nil {
		n.revive.Stop()
	}
	return true
}

func (s *Speaker) comeUp(n *neighbor, e *apiutil.WatchEventMessage_PeerEvent, at time.Time) {
	st := &e.Peer.State
	n.up, n.since = true, at
	n.AS, n.RouterID = st.PeerASN, st.RouterID
	n.External = n.AS != s.as
	if n.LocalAS = st.LocalASN; n.LocalAS == 0 {
		n.LocalAS = s.as
	}
	n.noted = -1
	s.later(func() { s.noteSent(n) })
	n.capable = capabilities(st.RemoteCap)
	n.localPort, n.remote = uint16(e.Peer.Transport.LocalPort), netip.AddrPortFrom(n.Address, uint16(e.Peer.Transport.RemotePort))
	for _, f := range families {
		// RFC 4724, section 4.2: without its word that it forwards, not a moment more.
		if !forwards(st.RemoteCap, f) {
			s.forgetStale(n, f)
		}
	}
	s.queue.add(Batch{Sessions: []Session{{Neighbor: n.Address, Group: n.group, RemoteAS: n.AS, RouterID: n.RouterID, Up: true, At: at}}})
	if n.settings != nil && n.settings.RemoteAS == 0 && !n.External {
		s.queue.add(Batch{Notices: []Notice{{Kind: WrongAS, Neighbor: n.Address}}})
		s.later(func() { s.bgp.DisablePeer(context.Background(), &api.DisablePeerRequest{Address: n.Address.String()}) }) //nolint: errcheck // it has gone by itself
	}
}

func (s *Speaker) goDown(n *neighbor, e *apiutil.WatchEventMessage_PeerEvent, at time.Time) {
	st := &e.Peer.State
	n.up, n.since, n.reason = false, at, n.why(st.DisconnectReason)
	n.resets++
	if st.AdminState == api.PeerState_ADMIN_STATE_PFX_CT {
		n.reason = "Peer over prefix limit"
		s.overLimit(n)
	}
	n.warned, n.most = [2]uint8{}, [2]int{}
	// What the end took along has been taken back before; the rest waits for the
	// neighbour to return.
	if n.stale = n.paths() > 0 && s.table.Stale(&n.Neighbor) > 0; n.stale {
		s.later(func() { s.lapse(n) })
	}
	s.queue.add(Batch{Sessions: []Session{{Neighbor: n.Address, Group: n.group, RemoteAS: n.AS, RouterID: n.RouterID,
		Reason: n.reason, Detail: st.DisconnectMessage, Graceful: n.stale, At: at}}})
	if st.AdminState == api.PeerState_ADMIN_STATE_PFX_CT && n.settings != nil {
		s.reviveLater(n)
	}
}

// noteSent notes how many NOTIFICATIONs a neighbour has been sent before its session.
func (s *Speaker) noteSent(n *neighbor) {
	sent := s.notifications(n.Address)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.up {
		n.noted = sent
	}
}

// lapse lets go of the paths of a neighbour whose hold time is over: that is a
// NOTIFICATION, after which RFC 4724, section 4, keeps nothing. GoBGP would keep them, and
// says the same as where the neighbour has closed the connection, but for its counter.
// With long-lived graceful restart they are to outlast that, too.
func (s *Speaker) lapse(n *neighbor) {
	sent := s.notifications(n.Address)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.up || n.noted < 0 || sent <= n.noted || n.settings == nil || n.settings.LongLived != 0 {
		return
	}
	for _, f := range families {
		s.forgetStale(n, f)
	}
	s.drop(n)
	wake(s.wake)
}

// notifications returns how many GoBGP has sent to a neighbour; -1: nobody is there.
func (s *Speaker) notifications(a netip.Addr) int64 {
	sent := int64(-1)
	_ = s.bgp.ListPeer(context.Background(), &api.ListPeerRequest{Address: a.String()}, func(p *api.Peer) {
		sent = int64(p.GetState().GetMessages().GetSent().GetNotification())
	}) // fails once the speaker was stopped
	return sent
}

// reasons are why sessions end, in Cisco's words.
var reasons = map[api.PeerState_DisconnectReason]string{
	api.PeerState_DISCONNECT_REASON_ADMIN_DOWN:            "Admin. shutdown",
	api.PeerState_DISCONNECT_REASON_HOLD_TIMER_EXPIRED:    "Hold time expired",
	api.PeerState_DISCONNECT_REASON_NOTIFICATION_SENT:     "BGP Notification sent",
	api.PeerState_DISCONNECT_REASON_NOTIFICATION_RECEIVED: "BGP Notification received",
	api.PeerState_DISCONNECT_REASON_READ_FAILED:           "Peer closed the session",
	api.PeerState_DISCONNECT_REASON_WRITE_FAILED:          "Peer closed the session",
	api.PeerState_DISCONNECT_REASON_GRACEFUL_RESTART:      "Peer closed the session",
	api.PeerState_DISCONNECT_REASON_INVALID_MSG:           "BGP Notification sent",
	api.PeerState_DISCONNECT_REASON_HARD_RESET:            "User reset",
	api.PeerState_DISCONNECT_REASON_BAD_PEER_AS:           "Peer is in another AS",
}

// why says why a session ended: by ourselves, or as GoBGP says; what it has no reason
// for is a neighbour that was removed.
func (n *neighbor) why(r api.PeerState_DisconnectReason) string {
	cleared := n.cleared
	n.cleared = false
	if text := reasons[r]; text != "" && !cleared {
		return text
	}
	if cleared {
		return "User reset"
	}
	return "Neighbor deleted"
}

// overLimit tells of the limit for which GoBGP has ended a session, unless that is told:
// GoBGP does not say which one it was, nor does it hand over the UPDATE that went beyond.
func (s *Speaker) overLimit(n *neighbor) {
	over := -1
	for i, f := range families {
		m := MaximumPrefix{}
		if n.settings != nil {
			m = n.settings.family(f).MaximumPrefix
		}
		if m.Limit == 0 || m.WarningOnly {
			continue
		}
		if n.warned[i] == 2 {
			return
		}
		if over < 0 || n.most[i] >= int(m.Limit) {
			over = i
		}
	}
	if over >= 0 {
		limit := int(n.settings.family(families[over]).MaximumPrefix.Limit)
		s.queue.add(Batch{Notices: []Notice{{Kind: PrefixLimit, Neighbor: n.Address, Family: families[over],
			Count: max(n.most[over], limit+1), Limit: limit}}})
	}
}

// reviveLater is maximum-prefix restart.
func (s *Speaker) reviveLater(n *neighbor) {
	after := max(n.settings.IPv4.MaximumPrefix.Restart, n.settings.IPv6.MaximumPrefix.Restart)
	if after == 0 {
		return
	}
	a := n.Address.String()
	n.revive = time.AfterFunc(after, func() {
		s.bgp.EnablePeer(context.Background(), &api.EnablePeerRequest{Address: a}) //nolint: errcheck // it has gone
	})
}

// Capability is a capability of a session (RFC 5492).
type Capability uint8

// Those that are told of.
const (
	CapabilityRefresh   Capability = 2  // RFC 2918
	CapabilityExtended  Capability = 6  // extended messages, RFC 8654
	CapabilityGraceful  Capability = 64 // RFC 4724
	CapabilityFourOctet Capability = 65 // RFC 6793
	CapabilityAddPath   Capability = 69 // RFC 7911
	CapabilityLongLived Capability = 71 // RFC 9494
)

func capabilities(list []bgp.ParameterCapabilityInterface) (out []Capability) {
	for _, c := range list {
		out = append(out, Capability(c.Code()))
	}
	return out
}

// forwards tells whether a neighbour that restarted kept its forwarding state of a
// family: the F bit (RFC 4724, section 3).
func forwards(list []bgp.ParameterCapabilityInterface, f rib.Family) bool {
	for _, c := range list {
		g, ok := c.(*bgp.CapGracefulRestart)
		if !ok {
			continue
		}
		for _, t := range g.Tuples {
			if bgp.NewFamily(t.AFI, t.SAFI) == bgpFamily(f) && t.Flags&0x80 != 0 {
				return true
			}
		}
	}
	return false
}
