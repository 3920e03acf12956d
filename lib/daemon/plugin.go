package daemon

import (
	"context"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/session"
)

// Runner is the edge of a daemon.
type Runner interface {
	// Run drives the core until ctx ends.
	Run(ctx context.Context)
	// Configure checks a configuration or brings it into force.
	Configure(tree *conf.Tree, phase plugin.Phase) []plugin.LineError
	// Attach serves one attachment of zebra.
	Attach(ctx context.Context, s session.Stream) error
	// Alive returns once the core has taken an input that was posted now.
	Alive(ctx context.Context) error
	// Goodbye takes leave of the peers, and returns once that is sent.
	Goodbye(ctx context.Context) error
}

// Plugin implements plugin.Daemon around an edge, but for Exec.
type Plugin struct {
	Name  string
	Build string
	// HoldLimit is how long zebra may keep the daemon's objects without it.
	HoldLimit time.Duration
	Commands  func() cli.Tree
	Edge      Runner
}

// Run drives the daemon until ctx ends.
func (p *Plugin) Run(ctx context.Context) { p.Edge.Run(ctx) }

// Hello implements plugin.Daemon.
func (p *Plugin) Hello(context.Context, plugin.Host) (plugin.Identity, error) {
	return plugin.Identity{Name: p.Name, Build: p.Build, SessionVersion: session.Version, HoldLimit: p.HoldLimit}, nil
}

// Grammar implements plugin.Daemon.
func (p *Plugin) Grammar(context.Context) (cli.Tree, error) { return p.Commands(), nil }

// Configure implements plugin.Daemon.
func (p *Plugin) Configure(_ context.Context, c plugin.Configuration) ([]plugin.LineError, error) {
	return p.Edge.Configure(c.Tree, c.Phase), nil
}

// Session implements plugin.Daemon.
func (p *Plugin) Session(ctx context.Context, s session.Stream) error { return p.Edge.Attach(ctx, s) }

// Alive implements plugin.Daemon.
func (p *Plugin) Alive(ctx context.Context) error { return p.Edge.Alive(ctx) }

// Shutdown implements plugin.Daemon.
func (p *Plugin) Shutdown(ctx context.Context) error { return p.Edge.Goodbye(ctx) }

// Serve runs a daemon until zebra or a signal ends it, and returns the status with which
// its process is to end.
func Serve(d interface {
	plugin.Daemon
	Run(ctx context.Context)
}) int {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.Run(ctx)
	}()
	status := plugin.Serve(d)
	cancel()
	<-done
	return status
}
