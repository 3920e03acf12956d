package speaker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/server"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Speaker is a running BGP speaker. Its methods may be called by any goroutine.
type Speaker struct {
	bgp    *server.BgpServer
	log    *slog.Logger
	cancel context.CancelFunc // of the event watch and of work
	queue  *queue
	as     uint32

	applying sync.Mutex // held over a whole Apply; guards config and applied
	config   Config     // in force in GoBGP
	applied  bool       // once

	wake    chan struct{} // capacity 1: work has something to do
	flushes chan chan struct{}
	done    chan struct{} // work has ended

	mu         sync.Mutex // guards all below
	ended      bool
	started    bool   // GoBGP has its policies
	want       Config // what is being applied, or is in force
	table      *locrib.Table
	neighbors  map[netip.Addr]*neighbor
	dynamic    int                 // of neighbors: those of listen ranges that are not refused
	refusedAt  time.Time           // when it was told that somebody is
	returning  map[netip.Addr]bool // of those, who are configured for GoBGP
	patience   *time.Timer         // for those who do not return
	reader     reader
	writer     writer
	export     *exporter
	renumbered time.Time
	problem    string // of the last Notice of this kind, and its time
	problemAt  time.Time
	placed     map[netip.Prefix][]placed
	pending    map[netip.Prefix]struct{} // not to be advertised before Installed
	audience   int                       // neighbours that there may be: none, 1, or 2 for more
	additional [2]int                    // most paths of a prefix that anybody is sent, by family
	defaults   bool                      // default-originate has changed
	todo       []func()
	ends       []EndOfRIB // to be told when nothing is marked
	settling   bool       // Settle was called: as well
}

// New starts a speaker with its whole configuration: it listens when New returns.
// What GoBGP has to tell of sessions, and its warnings, go to log.
func New(c Config, log *slog.Logger) (*Speaker, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Speaker{
		bgp: server.NewBgpServer(server.LoggerOption(slog.New(quiet{log.Handler()}), &slog.LevelVar{})), log: log,
		cancel: cancel, queue: newQueue(), as: c.Process.AS, config: Config{Process: c.Process},
		wake: make(chan struct{}, 1), flushes: make(chan chan struct{}), done: make(chan struct{}),
		table: locrib.New(c.table()), neighbors: map[netip.Addr]*neighbor{}, export: newExporter(c.Process.AS),
		returning: map[netip.Addr]bool{}, placed: map[netip.Prefix][]placed{}, pending: map[netip.Prefix]struct{}{},
	}
	go s.bgp.Serve()
	go s.work(ctx)
	if err := s.start(ctx, c); err != nil {
		return nil, errors.Join(err, s.Stop(context.Background(), Goodbye))
	}
	return s, nil
}

func (c *Config) table() locrib.Config {
	return locrib.Config{AS: c.Process.AS, RouterID: c.Process.RouterID, ClusterID: c.ClusterID,
		TrackNextHops: c.TrackNextHops, LocalPref: c.LocalPref, Selection: c.Selection}
}

func (s *Speaker) start(ctx context.Context, c Config) error {
	if err := s.bgp.StartBgp(ctx, &api.StartBgpRequest{Global: c.Process.api()}); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if err := s.bgp.SetPolicies(ctx, s.export.policies()); err != nil {
		return fmt.Errorf("policies: %w", err)
	}
	for direction, name := range map[api.PolicyDirection]string{ // unordered: independent of each other
		api.PolicyDirection_POLICY_DIRECTION_IMPORT: importPolicy,
		api.PolicyDirection_POLICY_DIRECTION_EXPORT: exportPolicy,
	} {
		err := s.bgp.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
			Direction: direction, Policies: []*api.Policy{{Name: name}}, DefaultAction: api.RouteAction_ROUTE_ACTION_REJECT}})
		if err != nil {
			return fmt.Errorf("%s policy: %w", name, err)
		}
	}
	if err := s.watch(ctx); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	s.mu.Lock()
	s.started = true
	s.mu.Unlock()
	if err := s.Apply(c); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.returning) > 0 {
		s.patience = time.AfterFunc(patience, s.dismissAll)
	}
	return nil
}

// patience is how long those that do not return are waited for: the longest restart
// time that is usual.
const patience = 5 * time.Minute

// dismissAll forgets those that have not returned.
func (s *Speaker) dismissAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a := range s.returning { // unordered: independent of each other
		if n := s.neighbors[a]; n == nil || !n.up {
			s.dismiss(a)
		}
	}
	wake(s.wake)
}

// dismiss makes of one that returned an ordinary neighbour of its listen range.
func (s *Speaker) dismiss(a netip.Addr) {
	if s.returning[a] {
		delete(s.returning, a)
		s.later(func() { s.bgp.DeletePeer(context.Background(), &api.DeletePeerRequest{Address: a.String()}) }) //nolint: errcheck // it has gone by itself
	}
}

// Ending says how a Speaker takes leave.
type Ending bool

// The ways to end. Restart sends no NOTIFICATION to neighbours with graceful
// restart, which therefore keep our routes (RFC 4724, section 4).
const (
	Goodbye Ending = false
	Restart Ending = true
)

// Stop ends all sessions and the speaker. Should GoBGP not have ended by the
// deadline of ctx, which was seen with v3 and 100 neighbours, Stop returns its
// error; nothing then helps but the end of the process. Next returns ErrStopped
// from then on. A second Stop does nothing.
func (s *Speaker) Stop(ctx context.Context, how Ending) error {
	s.mu.Lock()
	ended := s.ended
	s.ended = true
	if s.patience != nil {
		s.patience.Stop()
	}
	for _, n := range s.neighbors { // unordered: independent of each other
		if n.revive != nil {
			n.revive.Stop()
		}
	}
	s.mu.Unlock()
	if ended {
		return nil
	}
	s.cancel()
	s.queue.close()
	done := make(chan error, 1)
	go func() {
		<-s.done
		err := s.bgp.StopBgp(ctx, &api.StopBgpRequest{AllowGracefulRestart: bool(how)})
		s.bgp.Stop() // ends BFD; what it says about BGP was said above
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("GoBGP did not end: %w", ctx.Err())
	}
}

// Apply brings the speaker to a configuration. Sessions of neighbours whose
// settings did not change are not touched. Changed policies, next hops, timers
// and limits leave sessions up, and policies are applied anew to what is there
// (as by Clear with Soft); other changes reset the neighbour or the members of the
// group. Neighbours that come or go concern nobody else. After an error the state
// is between both; another Apply goes on from there.
func (s *Speaker) Apply(c Config) error {
	if err := c.Check(); err != nil {
		return err
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	switch {
	case ended:
		return ErrStopped
	case !reflect.DeepEqual(s.config.Process, c.Process):
		return ErrProcess
	}
	return (&applying{s: s, ctx: context.Background(), old: &s.config, new: c}).run()
}

// Direction tells incoming from outgoing routes.
type Direction uint8

// The directions.
const (
	In Direction = 1 << iota
	Out
	Both = In | Out
)

// Clear resets the session with a neighbour (all, if it is the zero Addr), with
// the cease code for an administrative reset (RFC 4486). It also begins one anew that
// had ended by its maximum of prefixes.
func (s *Speaker) Clear(neighbor netip.Addr) error {
	if over, err := s.over(neighbor); err != nil || over {
		return err
	}
	s.mu.Lock()
	for _, n := range s.neighbors { // unordered: independent of each other
		n.cleared = n.cleared || n.up && (!neighbor.IsValid() || n.Address == neighbor)
	}
	s.mu.Unlock()
	return s.bgp.ResetPeer(context.Background(), &api.ResetPeerRequest{Address: text(neighbor)})
}

// over begins sessions anew that had ended by their maximum of prefixes, and tells
// whether the neighbour's was among them.
func (s *Speaker) over(neighbor netip.Addr) (was bool, err error) {
	list, err := s.Neighbors(false)
	for _, n := range list {
		if !n.OverLimit || neighbor.IsValid() && n.Address != neighbor {
			continue
		}
		was = was || n.Address == neighbor
		err = errors.Join(err, s.bgp.EnablePeer(context.Background(), &api.EnablePeerRequest{Address: text(n.Address)}))
	}
	return was, err
}

// ClearSoft applies the policies anew to the routes of a neighbour (of all, if it
// is the zero Addr), without a reset. What the neighbour sent is there still, so it is
// not asked for it again; Out sends it all routes again.
func (s *Speaker) ClearSoft(neighbor netip.Addr, d Direction) error {
	if d&In != 0 {
		s.mu.Lock()
		s.table.Reimport(func(n *locrib.Neighbor) bool { return !neighbor.IsValid() || n.Address == neighbor })
		s.mu.Unlock()
		wake(s.wake)
	}
	if d&Out == 0 {
		return nil
	}
	return s.bgp.ResetPeer(context.Background(), &api.ResetPeerRequest{Address: text(neighbor), Soft: true,
		Direction: api.ResetPeerRequest_DIRECTION_OUT})
}

// NextHopState is what is known of a next hop.
type NextHopState struct {
	Addr      netip.Addr
	Reachable bool
	Metric    uint32 // of the route to it, the smaller the better
}

// SetNextHops tells of next hops, of those that changed. Of one that Next has not said
// to be in use it says nothing.
func (s *Speaker) SetNextHops(list []NextHopState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range list {
		s.table.SetNextHop(h.Addr, h.Reachable, h.Metric)
	}
	wake(s.wake)
}

func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func familyOf(p netip.Prefix) rib.Family { return rib.FamilyOf(p.Addr()) }
