package zebra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/telemetry"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
	"github.com/godmvpn/godmvpn/zebra/confstore"
	"github.com/godmvpn/godmvpn/zebra/ctl"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel"
	"github.com/godmvpn/godmvpn/zebra/engine"
	"github.com/godmvpn/godmvpn/zebra/fib"
	"github.com/godmvpn/godmvpn/zebra/hub"
	"github.com/godmvpn/godmvpn/zebra/masterkey"
)

// router is everything that runs.
type router struct {
	opts    options
	build   string
	log     *slog.Logger
	file    *telemetry.Log // zebra's own log
	recent  *telemetry.Log // records of zebra and all daemons, for show logging
	started time.Time

	provider *linuxkernel.Provider
	fib      *fib.FIB
	engine   *engine.Engine
	hub      *hub.Hub
	daemons  *daemons
	store    *confstore.Store
	server   *ctl.Server
	socket   net.Listener

	mu       sync.Mutex // guards the following
	hostname string
	policy   *policy.Set

	failed  chan error // what must not end has ended
	cancel  context.CancelFunc
	engines context.CancelFunc
	fibDone chan struct{}
	engDone chan struct{}
	ctlDone chan struct{}
}

// settleWithin bounds how long the start waits for the kernel.
const settleWithin = 30 * time.Second

func newRouter(o options, b Builtin, log *telemetry.Log) (*router, error) {
	r := &router{opts: o, build: b.Build, log: log.Logger(), file: log, started: time.Now(), hostname: defaultHostname(),
		failed: make(chan error, 4), fibDone: make(chan struct{}), engDone: make(chan struct{}), ctlDone: make(chan struct{})}
	var err error
	if r.recent, err = telemetry.NewLog(telemetry.LogConfig{Level: slog.LevelDebug}); err != nil {
		return nil, err
	}
	log.Subscribe(func(rec telemetry.Record) { r.recent.Logger().Log(context.Background(), rec.Level, rec.Text) })
	trees := append([]cli.Owned{{Owner: zcli.Owner, Tree: zcli.Grammar()}}, b.Daemons...)
	grammar, err := cli.Merge(trees...)
	if err != nil {
		return nil, fmt.Errorf("the daemons' grammars do not fit together: %w", err)
	}
	if r.socket, err = ctl.Listen(o.rundir); err != nil {
		return nil, err
	}
	// Not before the run directory is known to be nobody else's.
	if err := os.Remove(r.ready()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, r.socket.Close())
	}
	if err := r.openCores(); err != nil {
		return nil, errors.Join(err, r.socket.Close())
	}
	r.daemons, err = newDaemons(r, b)
	if err != nil {
		return nil, errors.Join(err, r.provider.Close(), r.socket.Close())
	}
	r.store = confstore.New(r.storeOptions(grammar))
	r.server, err = ctl.New(ctl.Options{Store: r.store, Trees: trees, Zebra: r, Build: b.Build, Log: r.log})
	return r, err
}

func (r *router) storeOptions(grammar *cli.Grammar) confstore.Options {
	return confstore.Options{Grammar: grammar, Owners: r, Self: zcli.Owner, Daemon: zcli.CmdDaemon,
		Forced: r.opts.enable, Shared: append(policy.SharedIDs(), zcli.CmdLogLevel, zcli.CmdTunIPsec),
		Needs: map[string]string{zcli.CmdTunIPsec: zcli.ProtectionDaemon}, Startup: r.opts.config,
		Encrypt: zcli.CmdEncrypt, KeyLine: zcli.CmdMasterKey, KeyFile: r.opts.config + keySuffix, Keys: r.masterKey()}
}

// keySuffix is what the file of the master key has behind the name of the startup
// configuration.
const keySuffix = ".key"

// masterKey reads the master key. Without it zebra starts as well.
func (r *router) masterKey() *masterkey.Ring {
	path := r.opts.config + keySuffix
	ring, open, err := masterkey.Read(path)
	if err != nil {
		r.log.Error("the master key cannot be read", "error", err)
	}
	if open {
		r.log.Warn("the master key could be read by others, and is closed to them now", "file", path)
	}
	return ring
}

// ready is the path of the file that says ready.
func (r *router) ready() string { return filepath.Join(r.opts.rundir, ReadyName) }

// openCores makes the engine and what it works with.
func (r *router) openCores() error {
	var err error
	r.provider, err = linuxkernel.New(linuxkernel.Options{StateFile: filepath.Join(r.opts.rundir, "kernel.state"), Logger: r.log})
	if err != nil {
		return err
	}
	first, err := hub.NextGeneration(filepath.Join(r.opts.rundir, "generation"))
	if err != nil {
		return errors.Join(err, r.provider.Close())
	}
	r.engine = engine.New(r.log, r.daemonLog)
	r.hub = hub.New(r.engine.Message, first)
	r.fib = fib.New(fib.Options{Provider: r.provider, Report: r.engine.Outcomes, Event: r.engine.Event, Logger: r.log})
	r.engine.Connect(r.fib, r.hub)
	return nil
}

func defaultHostname() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "router"
	}
	name, _, _ = strings.Cut(name, ".")
	return name
}

// start brings everything up and returns when the configuration is in force.
func (r *router) start(ctx context.Context) error {
	if err := r.fib.Adopt(ctx); err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	engines, stopEngine := context.WithCancel(context.Background())
	r.engines = stopEngine
	go func() {
		defer close(r.engDone)
		r.engine.Run(engines)
	}()
	go func() {
		defer close(r.fibDone)
		if err := r.fib.Run(running); err != nil {
			r.failed <- err
		}
	}()
	go func() {
		defer close(r.ctlDone)
		if err := r.server.Serve(r.socket); err != nil {
			r.failed <- err
		}
	}()
	if err := r.loadStartup(ctx); err != nil {
		return err
	}
	r.engine.Configured()
	r.daemons.retire()
	limited, stop := context.WithTimeout(ctx, settleWithin)
	defer stop()
	// Twice: what the first pass creates lets the second one succeed.
	for range 2 {
		if err := r.engine.Do(limited, func() {}); err != nil {
			return fmt.Errorf("waiting for zebra's cores: %w", err)
		}
		if err := r.fib.Sync(limited); err != nil {
			return fmt.Errorf("waiting for the kernel: %w", err)
		}
	}
	return nil
}

// loadStartup reads the startup configuration, wholly or not at all. A file that
// does not exist is an empty one.
func (r *router) loadStartup(ctx context.Context) error {
	text, err := readStartup(r.opts.config, r.log)
	if err != nil {
		return err
	}
	refused, locked := r.store.Boot(ctx, text, r.opts.config)
	for _, e := range locked {
		r.log.Error("a secret cannot be used, and what it protects stays shut", "line", e.Error())
	}
	if len(refused) == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the startup configuration was refused, and nothing of it is in force (%d lines):\n", len(refused))
	for _, e := range refused {
		b.WriteString(conf.LineError(e).Report())
	}
	return errors.New(b.String())
}

// readStartup returns the text of the startup configuration.
func readStartup(path string, log *slog.Logger) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		log.Warn("there is no startup configuration", "file", path)
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Mode().Perm()&0o007 != 0 {
		log.Warn("everybody can read the startup configuration; write memory closes it", "file", path)
	}
	text, err := io.ReadAll(f)
	return string(text), err
}

// end stops everything in order: no more commands, then the daemons, which say
// goodbye, then the kernel's state; unless that is retained.
func (r *router) end(retain bool) error {
	r.server.Stop()
	r.daemons.stop(retain)
	if r.cancel == nil { // the server has not begun to serve, so it has not closed this
		return errors.Join(r.socket.Close(), r.provider.Close())
	}
	ctx, stop := context.WithTimeout(context.Background(), settleWithin)
	defer stop()
	err := r.engine.Do(ctx, func() {})
	r.cancel()
	<-r.fibDone
	r.engines() // after fib, which posts to it
	<-r.engDone
	<-r.ctlDone // which closes the socket, even if it was stopped before it began
	if !retain {
		err = errors.Join(err, r.fib.Flush(ctx))
	}
	return errors.Join(err, r.provider.Close())
}

// daemonLog takes in a log record of a daemon, which has written it to the log
// file by itself. Lines of debugging come whatever the level of the logs is: the
// daemon sends them only where that was asked for.
func (r *router) daemonLog(daemon string, l session.Log) {
	ctx := context.Background()
	if l.Dropped > 0 {
		r.recent.Logger().WarnContext(ctx, "log messages of a daemon were lost", "daemon", daemon, "count", l.Dropped)
	}
	rec := slog.NewRecord(l.Time, l.Level, l.Message, 0) // of then: it may have waited for a new zebra
	for _, a := range l.Attrs {
		rec.AddAttrs(slog.String(a.Key, a.Value))
	}
	if h := r.recent.Logger().Handler(); h.Enabled(ctx, l.Level) {
		_ = h.Handle(ctx, rec) // a buffer in memory
	}
}

// Hostname implements ctl.Zebra.
func (r *router) Hostname() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hostname
}

// Ready implements ctl.Zebra.
func (r *router) Ready() bool {
	_, err := os.Stat(r.ready())
	return err == nil
}

// Daemons implements ctl.Zebra.
func (r *router) Daemons() []string { return r.daemons.attached() }

// Enable implements confstore.Owners. The engine knows of a new daemon before its
// session can open, so that nothing that it says is lost, and of the end of one
// when it is asked no more.
func (r *router) Enable(ctx context.Context, names []string) error {
	r.engine.Expected(names)
	err := r.daemons.enable(ctx, names)
	r.engine.Enabled(names)
	return err
}

// Configure implements confstore.Owners.
func (r *router) Configure(ctx context.Context, owner string, c plugin.Configuration) ([]plugin.LineError, error) {
	if owner != zcli.Owner {
		refused, err := r.daemons.configure(ctx, owner, c)
		if c.Phase == plugin.Commit && (err != nil || len(refused) > 0) { // it has checked the same
			r.log.Error("a configuration did not reach a daemon", "daemon", owner, "revision", c.Revision, "refused", len(refused), "error", err)
		}
		return refused, err
	}
	cfg, errs := zcli.Read(c.Tree)
	if len(errs) > 0 || c.Phase != plugin.Commit {
		return errs, nil
	}
	r.mu.Lock()
	if r.hostname = cfg.Hostname; r.hostname == "" {
		r.hostname = defaultHostname()
	}
	r.policy = cfg.Policy
	r.mu.Unlock()
	if r.opts.logLevel == "" {
		level := slog.LevelInfo
		if cfg.LogLevel != "" {
			level, _ = telemetry.ParseLevel(cfg.LogLevel) // the grammar allows known names only
		}
		r.file.SetLevel(level)
	}
	r.engine.Configure(cfg.Iface, cfg.Static)
	return nil, nil
}
