package edge

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/bgpd/cli"
	"github.com/godmvpn/godmvpn/bgpd/core"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// World is what an edge stands in.
type World struct {
	// Adjust changes the configuration of a speaker before it is used, for tests: ports,
	// addresses to listen on.
	Adjust func(*speaker.Config)
}

// Machine is the world of a daemon on a machine.
func Machine() World { return World{Adjust: func(*speaker.Config) {}} }

// Edge runs a core and the speakers. Make it by New, then Run it.
type Edge struct {
	*daemon.Edge[core.Input, core.Effect, core.Report]
	log   *slog.Logger
	world World
	wake  chan struct{} // for the keeper; capacity 1

	installs installs

	mu       sync.Mutex // guards what follows
	config   *cli.Config
	policies cli.Policies
	links    map[string]rib.Interface
	unseen   map[string]bool // interfaces that a restarted zebra did not tell again yet
	known    bool            // all interfaces were told once
	again    bool            // the kernel has routes of an earlier life
	attached bool
	ending   bool // no speaker is made any more
	memory   memory
	runners  map[string]*runner // by VRF
}

// New returns an edge in a world.
func New(log *slog.Logger, w World) *Edge {
	e := &Edge{log: log, world: w, wake: make(chan struct{}, 1), links: map[string]rib.Interface{}, runners: map[string]*runner{}}
	e.Edge = daemon.New[core.Input, core.Effect, core.Report](daemon.Config[core.Input, core.Effect]{
		Log: log, Facility: "BGP", Machine: core.New(), Tick: core.Tick{}, Ping: ping, Handle: e.handle, Event: e.event, Facilities: cli.Facilities,
	})
	for _, w := range []rib.Watch{{Kind: rib.WatchTopic, Topic: memoryTopic}, endOfMemory} {
		e.Watch(w)
	}
	return e
}

func ping(id uint64) core.Input { return core.Query{ID: id} }

// Run drives the core and the speakers until ctx ends. Speakers that run then end as
// before a restart.
func (e *Edge) Run(ctx context.Context) {
	var keeper sync.WaitGroup
	keeper.Go(func() { e.keep(ctx) })
	e.Edge.Run(ctx)
	keeper.Wait()
	end, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e.stopAll(end, speaker.Restart)
}

// patience is how long the end of a speaker may take.
const patience = 5 * time.Second

// event takes in what zebra tells.
func (e *Edge) event(ev rib.Event) {
	switch ev := ev.(type) {
	case rib.Attached:
		e.nowAttached(ev.Stale)
		e.Driver.Post(core.Attached{Stale: ev.Stale})
	case rib.InterfaceChanged:
		e.linkChanged(ev.Interface)
	case rib.InterfaceGone:
		e.linkGone(ev.Name)
	case rib.InterfacesKnown:
		e.linksKnown()
	case rib.RouteChanged:
		e.Driver.Post(core.RouteChanged{Watch: ev.Watch, Route: ev.Route, Withdrawn: ev.Withdrawn})
	case rib.RoutesKnown:
		e.Driver.Post(core.RoutesKnown{Watch: ev.Watch})
	case rib.TopicMessage:
		e.recall(ev)
	case rib.NextHopChanged:
		if ev.Watch == endOfMemory {
			e.recalled()
			return
		}
		e.Driver.Post(core.NextHopChanged{NextHopChanged: ev})
	case rib.Ack:
		e.acknowledged(ev)
	}
}

// handle carries out effects. It runs on the core's goroutine.
func (e *Edge) handle(effects []core.Effect) {
	for _, eff := range effects {
		switch eff := eff.(type) {
		case core.Originate:
			e.Debug().Printf(cli.DebugUpdates, "BGP(%s): %v originated", vrfName(eff.VRF), eff.Prefix)
			e.tell(eff.VRF, func(r *runner) { r.originate(eff.Prefix, eff.Attributes) })
		case core.Withdraw:
			e.Debug().Printf(cli.DebugUpdates, "BGP(%s): %v no longer originated", vrfName(eff.VRF), eff.Prefix)
			e.tell(eff.VRF, func(r *runner) { r.originate(eff.Prefix, nil) })
		case core.SetNextHop:
			e.Debug().Printf(cli.DebugNexthop, "BGP(%s): next hop %v reachable %t, metric %d", vrfName(eff.VRF), eff.Addr, eff.Reachable, eff.Metric)
			e.tell(eff.VRF, func(r *runner) { r.nextHop(eff) })
		case core.Retell:
			e.tell(eff.VRF, func(r *runner) { r.retell(eff.Family) })
		case core.Settle:
			e.tell(eff.VRF, (*runner).settle)
		case core.PutRoute:
			e.putRoute(eff.Route)
		case core.DelRoute:
			e.Debug().Printf(cli.DebugZebra, "BGP(%s): %v taken from the routing table", vrfName(eff.Key.VRF), eff.Key.Prefix)
			e.Client.Delete(eff.Key)
		case core.WatchAdd:
			e.Watch(eff.Watch)
		case core.WatchDel:
			e.Client.Unwatch(eff.Watch)
		case core.EndOfReplay:
			e.replayed()
			e.Client.EndOfReplay()
		case core.Answer:
			e.Answer(eff.ID, eff.Report)
		}
	}
}

// vrfName is a VRF in a debug line.
func vrfName(vrf string) string {
	if vrf == "" {
		return "default"
	}
	return vrf
}

// tell hands something to the speaker of a VRF, if there is one: a later one is told all.
func (e *Edge) tell(vrf string, what func(*runner)) {
	e.mu.Lock()
	r := e.runners[vrf]
	e.mu.Unlock()
	if r != nil {
		what(r)
	}
}

// Configure checks the configuration or brings it into force.
func (e *Edge) Configure(tree *conf.Tree, phase plugin.Phase) []plugin.LineError {
	if phase != plugin.Commit {
		_, errs := cli.Read(tree, &cli.Policies{})
		return errs
	}
	e.mu.Lock()
	cfg, errs := cli.Read(tree, &e.policies)
	if len(errs) == 0 {
		e.config = &cfg
	}
	e.mu.Unlock()
	if len(errs) == 0 {
		e.Driver.Post(core.ConfigSet{Config: cfg.Core})
		e.wakeKeeper()
	}
	return errs
}

// Ask has the core make a report about a VRF.
func (e *Edge) Ask(ctx context.Context, vrf string) (core.Report, error) {
	return e.Question(ctx, func(id uint64) core.Input { return core.Query{ID: id, VRF: vrf} })
}

// Goodbye takes leave of the neighbours, and returns once that is done.
func (e *Edge) Goodbye(ctx context.Context) error { return e.leave(ctx, speaker.Goodbye) }

// Restart is Goodbye before a restart: who does graceful restart is told nothing.
func (e *Edge) Restart(ctx context.Context) error { return e.leave(ctx, speaker.Restart) }

func (e *Edge) leave(ctx context.Context, how speaker.Ending) error {
	e.mu.Lock()
	e.ending = true
	e.mu.Unlock()
	return e.stopAll(ctx, how)
}
