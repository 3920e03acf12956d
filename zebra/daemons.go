package zebra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/session"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
	"github.com/godmvpn/godmvpn/zebra/supervisor"
)

// attachWithin is how long a configuration waits for a daemon that it starts: on a machine
// that boots, and starts much else, zebra must not give up all of its configuration.
const attachWithin = time.Minute

// daemons joins the supervisor, which runs processes, with the configuration,
// which says which.
type daemons struct {
	router *router
	known  []string
	super  *supervisor.Supervisor

	mu      sync.Mutex // guards the following
	enabled map[string]bool
	live    map[string]plugin.Daemon // those that have their configuration
	changed chan struct{}            // closed and replaced at every change of live
	turns   map[string]*sync.Mutex   // by daemon: held while it is given a configuration
}

func newDaemons(r *router, b Builtin) (*daemons, error) {
	d := &daemons{router: r, enabled: map[string]bool{}, live: map[string]plugin.Daemon{},
		changed: make(chan struct{}), turns: map[string]*sync.Mutex{}}
	for _, o := range b.Daemons {
		d.known = append(d.known, o.Owner)
	}
	var env []string
	if r.opts.logLevel != "" {
		env = []string{plugin.EnvLogLevel + "=" + r.opts.logLevel}
	}
	cfg := supervisor.Config{RunDir: r.opts.rundir, Program: supervisor.SameBinary, Serve: d.serve, Log: r.log,
		Host: plugin.Host{Build: r.build, SessionVersion: session.Version}, Env: env}
	if r.opts.logFile != "" {
		f, err := os.OpenFile(r.opts.logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
		if err != nil {
			return nil, err
		}
		cfg.Stderr = f
	}
	var err error
	d.super, err = supervisor.New(cfg)
	return d, err
}

// serve is zebra's part of one attachment: the daemon gets its configuration,
// then its session is served until it ends.
func (d *daemons) serve(ctx context.Context, a supervisor.Attachment) error {
	d.router.engine.SetHold(a.Name, a.Identity.HoldLimit)
	if err := d.welcome(ctx, a); err != nil {
		return err
	}
	defer d.leave(a.Name, a.Daemon)
	return d.router.hub.Serve(ctx, a.Name, a.Stream)
}

// welcome gives a daemon that has attached its configuration. A change of the
// configuration either waits for the end of this, and then reaches the daemon as
// every other, or came before and is in what is given here.
func (d *daemons) welcome(ctx context.Context, a supervisor.Attachment) error {
	turn := d.turn(a.Name)
	turn.Lock()
	defer turn.Unlock()
	// While the startup configuration is being loaded, what the daemon has from
	// an earlier zebra is better than nothing.
	if part := d.router.store.Part(a.Name); part.Revision > 0 {
		refused, err := a.Daemon.Configure(ctx, part)
		if err != nil {
			return err
		}
		for _, e := range refused { // another build than the one that accepted it
			d.router.log.Error("the daemon refuses its configuration", "daemon", a.Name, "line", e.Path, "error", e.Msg)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.live[a.Name] = a.Daemon
	close(d.changed)
	d.changed = make(chan struct{})
	return nil
}

// leave forgets a daemon, unless another attachment took its place.
func (d *daemons) leave(name string, daemon plugin.Daemon) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live[name] == daemon {
		delete(d.live, name)
	}
}

// turn returns the lock under which a daemon is given configurations, so that
// the last one given is the last one made.
func (d *daemons) turn(name string) *sync.Mutex {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.turns[name]
	if t == nil {
		t = &sync.Mutex{}
		d.turns[name] = t
	}
	return t
}

func (d *daemons) get(name string) (daemon plugin.Daemon, changed chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.live[name], d.changed
}

// attached returns the names of the daemons that are attached, sorted.
func (d *daemons) attached() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for name := range d.live {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// enable makes exactly these daemons run and waits for the new ones.
func (d *daemons) enable(ctx context.Context, names []string) error {
	for _, name := range names {
		if !slices.Contains(d.known, name) {
			return fmt.Errorf("there is no daemon %s", name)
		}
	}
	var fresh, gone []string
	d.mu.Lock()
	for _, name := range names {
		if !d.enabled[name] {
			d.enabled[name] = true
			fresh = append(fresh, name)
		}
	}
	for name := range d.enabled {
		if !slices.Contains(names, name) {
			delete(d.enabled, name)
			delete(d.live, name) // it is about to end: nobody asks it any more
			gone = append(gone, name)
		}
	}
	d.mu.Unlock()
	slices.Sort(gone)
	for _, name := range gone {
		if err := d.super.Disable(name); err != nil {
			return err
		}
	}
	for _, name := range fresh {
		if err := d.super.Enable(name); err != nil {
			return err
		}
	}
	for _, name := range fresh {
		if err := d.wait(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// wait returns when a daemon is attached.
func (d *daemons) wait(ctx context.Context, name string) error {
	timer := time.NewTimer(attachWithin)
	defer timer.Stop()
	for {
		daemon, changed := d.get(name)
		if daemon != nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return fmt.Errorf("%s did not start within %v", name, attachWithin)
		}
	}
}

// configure hands a daemon its part of the configuration.
func (d *daemons) configure(ctx context.Context, name string, c plugin.Configuration) ([]plugin.LineError, error) {
	turn := d.turn(name)
	turn.Lock()
	defer turn.Unlock()
	daemon, _ := d.get(name)
	if daemon == nil {
		return nil, fmt.Errorf("it is not running now")
	}
	return daemon.Configure(ctx, c)
}

// errNotRunning says that a daemon is not attached.
var errNotRunning = errors.New("is not running")

// wanted returns zebra itself and the enabled daemons among names, in order.
func (d *daemons) wanted(names []string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, name := range names {
		if name == zcli.Owner || d.enabled[name] {
			out = append(out, name)
		}
	}
	return out
}

// exec runs an exec command of a daemon.
func (d *daemons) exec(ctx context.Context, name string, cmd plugin.Command, out io.Writer) error {
	daemon, _ := d.get(name)
	if daemon == nil {
		return fmt.Errorf("%s %w", name, errNotRunning)
	}
	return daemon.Exec(ctx, cmd, out)
}

// retire ends the daemons that an earlier zebra left and nobody wants.
func (d *daemons) retire() { d.super.Retire() }

// stop ends all daemons: in order, or without a goodbye to their peers, so that
// those go on using the routes that are retained.
func (d *daemons) stop(retain bool) {
	if retain {
		d.super.Abandon()
		return
	}
	d.super.Stop()
}
