package speaker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"sync"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/server"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Speaker is a running BGP speaker. Its methods may be called by any goroutine.
type Speaker struct {
	bgp    *server.BgpServer
	cancel context.CancelFunc // of the event watch
	queue  *queue
	as     uint32

	mu     sync.Mutex // guards config; held over a whole Apply
	config Config
	ended  bool
}

// selection counts the Speakers of the process and has what they agree on.
var selection struct {
	mu    sync.Mutex
	users int
	is    Selection
}

func acquire(want Selection) error {
	selection.mu.Lock()
	defer selection.mu.Unlock()
	if selection.users > 0 && selection.is != want {
		return ErrSelection
	}
	selection.is = want
	selection.users++
	return nil
}

func release() {
	selection.mu.Lock()
	defer selection.mu.Unlock()
	selection.users--
}

// New starts a speaker with its whole configuration: it listens when New returns.
// What GoBGP has to tell goes to log.
func New(c Config, log *slog.Logger) (*Speaker, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := acquire(c.Process.Selection); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	level := &slog.LevelVar{}
	level.Set(slog.LevelWarn)
	s := &Speaker{
		bgp:    server.NewBgpServer(server.LoggerOption(log, level)),
		cancel: cancel, queue: newQueue(), as: c.Process.AS, config: Config{Process: c.Process},
	}
	go s.bgp.Serve()
	err := s.start(ctx, c)
	if err != nil {
		return nil, errors.Join(err, s.Stop(context.Background(), Goodbye))
	}
	return s, nil
}

func (s *Speaker) start(ctx context.Context, c Config) error {
	if err := s.bgp.StartBgp(ctx, &api.StartBgpRequest{Global: c.Process.api()}); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if err := s.bgp.SetPolicies(ctx, s.config.policies()); err != nil {
		return fmt.Errorf("policies: %w", err)
	}
	for direction, name := range map[api.PolicyDirection]string{ // unordered: independent of each other
		api.PolicyDirection_POLICY_DIRECTION_IMPORT: importPolicy,
		api.PolicyDirection_POLICY_DIRECTION_EXPORT: exportPolicy,
	} {
		err := s.bgp.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
			Direction: direction, Policies: []*api.Policy{{Name: name}}, DefaultAction: api.RouteAction_ROUTE_ACTION_ACCEPT}})
		if err != nil {
			return fmt.Errorf("%s policy: %w", name, err)
		}
	}
	if err := s.watch(ctx); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	return s.Apply(c)
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
	s.mu.Unlock()
	if ended {
		return nil
	}
	s.cancel()
	s.queue.close()
	done := make(chan error, 1)
	go func() {
		err := s.bgp.StopBgp(ctx, &api.StopBgpRequest{AllowGracefulRestart: bool(how)})
		s.bgp.Stop() // ends BFD; what it says about BGP was said above
		release()
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
	if err := c.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return ErrStopped
	case !reflect.DeepEqual(s.config.Process, c.Process):
		return ErrProcess
	}
	return (&change{s: s, ctx: context.Background(), old: &s.config, new: c}).run()
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
// the cease code for an administrative reset (RFC 4486).
func (s *Speaker) Clear(neighbor netip.Addr) error {
	return s.bgp.ResetPeer(context.Background(), &api.ResetPeerRequest{Address: text(neighbor)})
}

// ClearSoft applies the policies anew to the routes of a neighbour (of all, if it
// is the zero Addr), without a reset.
func (s *Speaker) ClearSoft(neighbor netip.Addr, d Direction) error {
	r := &api.ResetPeerRequest{Address: text(neighbor), Soft: true}
	switch d {
	case In:
		r.Direction = api.ResetPeerRequest_DIRECTION_IN
	case Out:
		r.Direction = api.ResetPeerRequest_DIRECTION_OUT
	case Both:
		r.Direction = api.ResetPeerRequest_DIRECTION_BOTH
	}
	return s.bgp.ResetPeer(context.Background(), r)
}

func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func familyOf(p netip.Prefix) rib.Family { return rib.FamilyOf(p.Addr()) }
