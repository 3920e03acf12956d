package edge

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"sync"

	"github.com/godmvpn/godmvpn/bgpd/core"
	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// runner is the speaker of a VRF and what goes to and from it.
type runner struct {
	edge   *Edge
	vrf    string
	s      *speaker.Speaker
	config speaker.Config // the keeper's

	members map[netip.Addr]bool // who is there of listen ranges, and remembered; listen's

	tasks sync.WaitGroup
	end   chan struct{}
	wake  chan struct{} // something waits; capacity 1

	mu        sync.Mutex // guards what follows: what waits for the speaker
	own       map[netip.Prefix]*locrib.Attributes
	hops      map[netip.Addr]speaker.NextHopState
	installed []netip.Prefix
	families  map[rib.Family]bool // to be told again
	settling  bool                // the speaker is to be asked to settle
	version   uint64              // counts changes of best paths
}

func newRunner(e *Edge, vrf string, s *speaker.Speaker, c speaker.Config) *runner {
	return &runner{edge: e, vrf: vrf, s: s, config: c, end: make(chan struct{}), wake: make(chan struct{}, 1),
		own: map[netip.Prefix]*locrib.Attributes{}, hops: map[netip.Addr]speaker.NextHopState{}, families: map[rib.Family]bool{}, members: map[netip.Addr]bool{}}
}

// run begins to listen to the speaker and to hand it what waits.
func (r *runner) run() {
	r.tasks.Go(r.listen)
	r.tasks.Go(r.hand)
}

// stop ends the speaker; nothing of it is told afterwards.
func (r *runner) stop(ctx context.Context, how speaker.Ending) error {
	close(r.end)
	err := r.s.Stop(ctx, how)
	r.tasks.Wait()
	return err
}

// apply brings the speaker to a configuration.
func (r *runner) apply(c speaker.Config) error {
	if reflect.DeepEqual(r.config, c) {
		return nil
	}
	err := r.s.Apply(c)
	if err == nil {
		r.edge.mu.Lock()
		r.config = c
		r.edge.mu.Unlock()
	}
	return err
}

// listen takes what the speaker tells, until it was stopped.
func (r *runner) listen() {
	for {
		b, err := r.s.Next(context.Background())
		if err != nil {
			return
		}
		for _, s := range b.Sessions {
			r.edge.sessionChanged(r, s)
			if s.Group != "" {
				r.edge.remember(r, s.Neighbor, s.Up)
			}
		}
		for _, n := range b.Notices {
			r.edge.notice(r, n)
		}
		for _, h := range b.NextHops {
			r.edge.Driver.Post(core.NextHopUsed{VRF: r.vrf, Addr: h.Addr, Used: h.Used})
		}
		r.best(b.Routes)
		for _, x := range b.EndOfRIB {
			r.edge.Driver.Post(core.EndOfRIB{VRF: r.vrf, Neighbor: core.Neighbor{Addr: x.Neighbor, Family: x.Family}})
		}
		if b.Settled {
			r.edge.Driver.Post(core.Settled{VRF: r.vrf})
		}
	}
}

// best tells core of best paths.
func (r *runner) best(routes []speaker.Route) {
	if len(routes) == 0 {
		return
	}
	r.mu.Lock()
	r.version += uint64(len(routes))
	r.mu.Unlock()
	out := core.Best{VRF: r.vrf, Routes: make([]core.Route, len(routes))}
	for i, x := range routes {
		out.Routes[i].Prefix = x.Prefix
		for j := range x.Paths {
			out.Routes[i].Paths = append(out.Routes[i].Paths, corePath(&x.Paths[j]))
		}
	}
	r.edge.Driver.Post(out)
}

func corePath(p *speaker.Path) core.Path {
	out := core.Path{Own: !p.Neighbor.IsValid(), Aggregate: p.Aggregate, External: p.External}
	if a := p.Attributes; a != nil {
		out.NextHop, out.MED, out.AS = a.NextHop, a.MED, a.ASPath.First()
	}
	return out
}

// The following note what the speaker is to be told.

func (r *runner) originate(p netip.Prefix, a *locrib.Attributes) { r.note(func() { r.own[p] = a }) }

func (r *runner) nextHop(h core.SetNextHop) {
	r.note(func() { r.hops[h.Addr] = speaker.NextHopState{Addr: h.Addr, Reachable: h.Reachable, Metric: h.Metric} })
}

func (r *runner) install(p []netip.Prefix) {
	r.note(func() { r.installed = append(r.installed, p...) })
}

func (r *runner) retell(f rib.Family) { r.note(func() { r.families[f] = true }) }

func (r *runner) settle() { r.note(func() { r.settling = true }) }

func (r *runner) note(what func()) {
	r.mu.Lock()
	what()
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// hand hands the speaker what waits.
func (r *runner) hand() {
	for {
		select {
		case <-r.end:
			return
		case <-r.wake:
		}
		r.mu.Lock()
		own, hops, installed, families, settling := r.own, r.hops, r.installed, r.families, r.settling
		r.own, r.hops, r.installed, r.families = map[netip.Prefix]*locrib.Attributes{}, map[netip.Addr]speaker.NextHopState{}, nil, map[rib.Family]bool{}
		r.settling = false
		r.mu.Unlock()
		r.handOwn(own)
		if len(hops) > 0 {
			var list []speaker.NextHopState
			for _, h := range hops { // unordered: independent of each other
				list = append(list, h)
			}
			r.s.SetNextHops(list)
		}
		if len(installed) > 0 {
			r.s.Installed(installed)
		}
		for f := range families { // unordered: independent of each other
			r.tellAgain(f)
		}
		if settling {
			r.s.Settle()
		}
	}
}

// handOwn hands over own routes.
func (r *runner) handOwn(own map[netip.Prefix]*locrib.Attributes) {
	var put []speaker.Local
	var gone []netip.Prefix
	for p, a := range own { // unordered: independent of each other
		if a == nil {
			gone = append(gone, p)
		} else {
			put = append(put, speaker.Local{Prefix: p, Attributes: *a})
		}
	}
	if len(gone) > 0 {
		r.s.Withdraw(gone)
	}
	if err := r.s.Originate(put); err != nil {
		r.edge.log.Error("own routes refused", "error", err)
	}
}

// tellAgain tells core all best paths of a family.
func (r *runner) tellAgain(f rib.Family) {
	table, err := r.s.List(speaker.Table{Family: f})
	if err != nil {
		r.edge.log.Error("table not to be had", "error", err)
		return
	}
	var routes []speaker.Route
	for _, entry := range table {
		x := speaker.Route{Prefix: entry.Prefix}
		for _, p := range entry.Paths {
			if p.Best || p.Multipath {
				x.Paths = append(x.Paths, p)
			}
		}
		if len(x.Paths) > 0 {
			routes = append(routes, x)
		}
	}
	r.best(routes)
}

// connected returns the external neighbours that are directly connected by an interface.
func (r *runner) connected(l rib.Interface) (out []netip.Addr) {
	r.edge.mu.Lock()
	defer r.edge.mu.Unlock()
	for _, n := range r.config.Neighbors {
		if n.RemoteAS == r.config.Process.AS || n.MultihopTTL != 0 || n.TTLSecurity != 0 {
			continue
		}
		for _, a := range l.Addresses {
			if a.Prefix.Masked().Contains(n.Address) {
				out = append(out, n.Address)
				break
			}
		}
	}
	return out
}

// clear resets a session, in a goroutine of its own since that may wait.
func (r *runner) clear(a netip.Addr) {
	r.tasks.Go(func() {
		if err := r.s.Clear(a); err != nil && !errors.Is(err, speaker.ErrStopped) {
			r.edge.log.Debug("session not reset", "neighbor", a, "error", err)
		}
	})
}
