package zebra

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/session"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
	"github.com/godmvpn/godmvpn/zebra/confstore"
	"github.com/godmvpn/godmvpn/zebra/engine"
	"github.com/godmvpn/godmvpn/zebra/supervisor"
)

// life is one process of a daemon: it notes the configurations that it is given.
type life struct {
	plugin.Daemon // the other methods are not called
	call          func(plugin.Configuration)

	mu   sync.Mutex
	last uint64 // revision that was committed last
}

func (l *life) Configure(_ context.Context, c plugin.Configuration) ([]plugin.LineError, error) {
	if l.call != nil {
		l.call(c)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.Phase == plugin.Commit {
		l.last = c.Revision
	}
	return nil, nil
}

func (l *life) revision() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// testRouter is a router whose only daemon, d, runs already.
func testRouter(t *testing.T) *router {
	t.Helper()
	tree := cli.Tree{Commands: []cli.Command{{ID: "d.x", Mode: zcli.ModeInterface, Pattern: "dee n:<0-9>"}}}
	g, err := cli.Merge(cli.Owned{Owner: zcli.Owner, Tree: zcli.Grammar()}, cli.Owned{Owner: "d", Tree: tree})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	r := &router{log: log, hostname: "R", opts: options{logLevel: "info"}, engine: engine.New(log, func(string, session.Log) {})}
	r.daemons = &daemons{router: r, known: []string{"d"}, enabled: map[string]bool{"d": true}, live: map[string]plugin.Daemon{},
		changed: make(chan struct{}), turns: map[string]*sync.Mutex{}}
	r.store = confstore.New(confstore.Options{Grammar: g, Owners: r, Self: zcli.Owner, Daemon: zcli.CmdDaemon, Forced: []string{"d"}})
	return r
}

func (r *router) welcome(t *testing.T, l *life) {
	t.Helper()
	if err := r.daemons.welcome(t.Context(), supervisor.Attachment{Name: "d", Daemon: l}); err != nil {
		t.Error(err)
	}
}

func (r *router) typed(t *testing.T, line string) {
	t.Helper()
	if _, err := r.store.Apply(t.Context(), []string{"interface Tunnel0"}, line); err != nil {
		t.Errorf("%s", err.Report())
	}
}

// TestCrashWhileConfigured: a daemon dies between check and commit of a line, and
// its next life is being given the configuration of before. It must end with the
// new one.
func TestCrashWhileConfigured(t *testing.T) {
	r := testRouter(t)
	entered, release := make(chan struct{}), make(chan struct{})
	second := &life{call: func(c plugin.Configuration) {
		if c.Revision == 1 {
			close(entered)
			<-release
		}
	}}
	welcomed := make(chan struct{})
	first := &life{}
	r.welcome(t, first)
	r.typed(t, "dee 1")
	first.call = func(c plugin.Configuration) {
		if c.Phase == plugin.Check { // it dies once it has answered
			r.daemons.leave("d", first)
			go func() { defer close(welcomed); r.welcome(t, second) }()
		}
	}
	var typed sync.WaitGroup
	typed.Go(func() { r.typed(t, "dee 2") })
	for limit := time.Now().Add(20 * time.Second); r.store.Revision() != 2; {
		if time.Now().After(limit) {
			t.Fatal("the line was not committed")
		}
		time.Sleep(time.Millisecond)
	}
	select {
	case <-entered: // it is given revision 1 while revision 2 is in force
	case <-welcomed: // it came after the commit and was given revision 2 at once
	}
	close(release)
	typed.Wait()
	<-welcomed
	if got := second.revision(); got != 2 {
		t.Errorf("the daemon has revision %d, in force is 2", got)
	}
}

// TestLineWaitsForTheDaemon: a line that is typed while a daemon is being given
// its configuration waits for that, and is not refused.
func TestLineWaitsForTheDaemon(t *testing.T) {
	r := testRouter(t)
	first := &life{}
	r.welcome(t, first)
	r.typed(t, "dee 1")
	r.daemons.leave("d", first)
	entered := make(chan struct{})
	second := &life{}
	var typed sync.WaitGroup
	second.call = func(c plugin.Configuration) {
		if c.Revision == 1 {
			typed.Go(func() { r.typed(t, "dee 2") })
			close(entered)
			for range 1000 {
				runtime.Gosched() // lets the line come; the test holds without it as well
			}
		}
	}
	r.welcome(t, second)
	<-entered
	typed.Wait()
	if got := second.revision(); got != 2 {
		t.Errorf("the daemon has revision %d, in force is 2", got)
	}
}

// TestLeave: the end of an earlier attachment does not take the present one away.
func TestLeave(t *testing.T) {
	r := testRouter(t)
	first, second := &life{}, &life{}
	r.welcome(t, first)
	r.welcome(t, second)
	r.daemons.leave("d", first)
	if got, _ := r.daemons.get("d"); got != plugin.Daemon(second) {
		t.Errorf("the daemon is %v", got)
	}
}
