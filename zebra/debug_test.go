package zebra

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/plugin/plugintest"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/telemetry"
	"github.com/godmvpn/godmvpn/vtysh/client"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
	"github.com/godmvpn/godmvpn/zebra/confstore"
	"github.com/godmvpn/godmvpn/zebra/ctl"
)

func compact(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return b.String()
}

// protocol is a daemon that can be debugged and shows one section of show ip
// protocols, at the other end of a gRPC connection.
type protocol struct {
	plugin.Daemon // the other methods are not called
	name          string
	client        *session.Client
	debug         *telemetry.Debug
	stuck         chan struct{} // closed when the daemon hangs in its section
}

func (d *protocol) facilities() telemetry.Facilities {
	return telemetry.Facilities{Heading: strings.ToUpper(d.name), List: []telemetry.Facility{
		{Words: d.name, Text: strings.ToUpper(d.name) + " protocol debugging"},
		{Words: d.name + " packets", Text: strings.ToUpper(d.name) + " packet debugging"},
	}}
}

func newProtocol(name string) *protocol {
	d := &protocol{name: name, client: session.NewClient(func(rib.Event) {})}
	d.debug = plugin.NewDebug(d.facilities(), d.client, nil)
	return d
}

func (d *protocol) tree() cli.Tree {
	return cli.Tree{Commands: append(plugin.DebugCommands(d.facilities()), cli.ProtocolsCommands()...)}
}

func (d *protocol) Session(ctx context.Context, s session.Stream) error { return d.client.Run(ctx, s) }

func (d *protocol) Exec(ctx context.Context, cmd plugin.Command, out io.Writer) error {
	if done, err := plugin.ExecDebug(d.debug, cmd, out); done {
		return err
	}
	if d.stuck != nil {
		fmt.Fprintf(out, "Routing Protocol is %q, ", d.name)
		close(d.stuck)
		<-ctx.Done()
		return ctx.Err()
	}
	text := fmt.Sprintf("Routing Protocol is %q\n", d.name)
	if vrf := cmd.Args.String("vrf"); vrf != "" {
		text = fmt.Sprintf("Routing Protocol is %q in %s\n", d.name, vrf)
	}
	return cli.Output{JSON: map[string]any{"protocols": []string{d.name}}, Text: func(w io.Writer) { io.WriteString(w, text) }}.Write(out, cmd.JSON)
}

// suite is a zebra with two such daemons, and vtysh's connection to it.
type suite struct {
	*router
	vtysh     *client.Client
	grammar   *cli.Grammar
	rip, ospf *protocol
	processes map[string]*plugintest.Harness
}

func newSuite(t *testing.T) *suite {
	t.Helper()
	s := &suite{rip: newProtocol("rip"), ospf: newProtocol("ospf"), processes: map[string]*plugintest.Harness{}}
	live := map[string]plugin.Daemon{}
	trees := []cli.Owned{{Owner: zcli.Owner, Tree: zcli.Grammar()}}
	for _, d := range []*protocol{s.rip, s.ospf} {
		h := plugintest.NewHarness(t, d)
		s.processes[d.name], live[d.name+"d"] = h, h
		trees = append(trees, cli.Owned{Owner: d.name + "d", Tree: d.tree()})
	}
	s.router = execRouter(live)
	s.opts.rundir = t.TempDir()
	var err error
	if s.recent, err = telemetry.NewLog(telemetry.LogConfig{Level: slog.LevelDebug}); err != nil {
		t.Fatal(err)
	}
	if s.grammar, err = cli.Merge(trees...); err != nil {
		t.Fatal(err)
	}
	s.store = confstore.New(confstore.Options{Grammar: s.grammar, Owners: s.router, Self: zcli.Owner, Daemon: zcli.CmdDaemon})
	if s.server, err = ctl.New(ctl.Options{Store: s.store, Trees: trees, Zebra: s.router, Log: s.log}); err != nil {
		t.Fatal(err)
	}
	if s.socket, err = ctl.Listen(s.opts.rundir); err != nil {
		t.Fatal(err)
	}
	go s.server.Serve(s.socket)
	if s.vtysh, err = client.Dial(s.opts.rundir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.vtysh.Close(); s.server.Stop() })
	return s
}

// attach takes in what a daemon logs, as the engine does.
func (s *suite) attach(name string) {
	stream, _ := s.processes[name].Attach()
	go func() {
		for {
			batch, err := stream.Recv()
			if err != nil {
				return
			}
			for _, m := range batch {
				if l, ok := m.(session.Log); ok {
					s.daemonLog(name+"d", l)
				}
			}
		}
	}()
}

// typed runs a line as vtysh does, with the grammar that it has from zebra.
func (s *suite) typed(t *testing.T, line string, asJSON bool) string {
	t.Helper()
	state, err := s.vtysh.Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m, lineErr := state.Grammar.Parse([]string{cli.ModeEnable}, line)
	if lineErr != nil {
		t.Fatal(lineErr.Report())
	}
	var out bytes.Buffer
	if err := s.vtysh.Exec(t.Context(), m.Canonical, asJSON, &out); err != nil {
		t.Errorf("%s: %v", line, err)
	}
	return out.String()
}

// TestSharedFromShell types shared commands in vtysh, and kills a daemon while it
// answers.
func TestSharedFromShell(t *testing.T) {
	s := newSuite(t)
	for _, step := range []struct{ line, want string }{
		{"sh ip protocols", "Routing Protocol is \"rip\"\n\nRouting Protocol is \"ospf\"\n"},
		{"show ip protocols vrf A", "Routing Protocol is \"rip\" in A\n\nRouting Protocol is \"ospf\" in A\n"},
		{"show debugging", ""},
		{"debug ospf packets", "OSPF packet debugging is on\n"},
		{"debug rip", "RIP protocol debugging is on\n"},
		{"show debugging", "RIP:\n  RIP protocol debugging is on\n  RIP packet debugging is on\n\nOSPF:\n  OSPF packet debugging is on\n"},
		{"un all", "All possible debugging has been turned off\n"},
		{"show debugging", ""},
	} {
		if diff := cmp.Diff(step.want, s.typed(t, step.line, false)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.line, diff)
		}
	}
	if got := compact(t, s.typed(t, "show ip protocols", true)); got != `{"protocols":["rip","ospf"]}` {
		t.Errorf("JSON: %s", got)
	}
	s.rip.stuck = make(chan struct{})
	go func() {
		<-s.rip.stuck
		s.processes["rip"].Kill()
	}()
	got := s.typed(t, "show ip protocols", false)
	if !strings.HasSuffix(got, "% ripd is not running\n\nRouting Protocol is \"ospf\"\n") {
		t.Errorf("one died: %q", got)
	}
	got = compact(t, s.typed(t, "show ip protocols", true))
	if got != `{"errors":{"ripd":"ripd is not running"},"protocols":["ospf"]}` {
		t.Errorf("one is dead, JSON: %s", got)
	}
}

// monitor is a terminal with terminal monitor.
type monitor struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (m *monitor) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.out.Write(b)
}

// shows waits until the terminal shows a text.
func (m *monitor) shows(t *testing.T, text string) {
	t.Helper()
	m.eventually(t, func() bool { return bytes.Contains(m.out.Bytes(), []byte(text)) }, text)
}

func (m *monitor) eventually(t *testing.T, ok func() bool, what string) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		m.mu.Lock()
		done := ok()
		m.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("no %q", what)
		}
	}
}

// TestDebugLines turns debugging on from vtysh: its lines are in show logging and
// on a terminal, although the log level is informational, until undebug all.
func TestDebugLines(t *testing.T) {
	s := newSuite(t)
	s.attach("rip")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var screen monitor
	var watching sync.WaitGroup
	watching.Go(func() { s.vtysh.Monitor(ctx, &screen) })
	defer watching.Wait()
	defer cancel()
	screen.eventually(t, func() bool { // until the terminal is subscribed
		s.recent.Logger().Info("marker")
		return bytes.Contains(screen.out.Bytes(), []byte("marker"))
	}, "marker")

	s.rip.debug.Printf(1, "RIP: too early")
	s.typed(t, "debug rip packets", false)
	s.rip.debug.Printf(0, "RIP: another facility")
	s.rip.debug.Printf(1, "RIP: received v2 update from %s", "10.0.0.2")
	screen.shows(t, ": RIP: received v2 update from 10.0.0.2\n")
	if got := s.typed(t, "show logging", false); !strings.Contains(got, ": RIP: received v2 update from 10.0.0.2\n") {
		t.Errorf("show logging:\n%s", got)
	}
	s.typed(t, "undebug all", false)
	s.rip.debug.Printf(1, "RIP: too late")
	s.rip.client.Log(session.Log{Time: time.Now(), Message: "the end"})
	screen.shows(t, "the end\n")
	for _, line := range []string{"too early", "too late", "another facility"} {
		if got := s.typed(t, "show logging", false); strings.Contains(got, line) {
			t.Errorf("show logging has %q", line)
		}
	}
}

// TestLostLines: what was lost on the way is told, and what waited has the time at
// which it happened.
func TestLostLines(t *testing.T) {
	s := newSuite(t)
	then := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.Local)
	s.daemonLog("ripd", session.Log{Time: then, Message: "next", Attrs: []session.LogAttr{{Key: "a", Value: "b"}}, Dropped: 7})
	got := s.typed(t, "show logging", false)
	if !strings.Contains(got, "log messages of a daemon were lost daemon=ripd count=7\n") || !strings.Contains(got, "*Jan  2 03:04:05.678: informational: next a=b\n") {
		t.Errorf("show logging:\n%s", got)
	}
}

// TestSlowTerminal: a terminal that does not keep up misses lines, and says so; the
// one who logs does not wait.
func TestSlowTerminal(t *testing.T) {
	s := newSuite(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const many = 3 * logQueue
	shown, missed, logged := 0, 0, false
	s.recent.Logger().Info("first")
	err := s.Logs(ctx, slog.LevelDebug, 1, true, func(l session.Log) error {
		if !logged { // the queue fills up while the first record is being shown
			logged = true
			for i := range many {
				s.recent.Logger().Debug(fmt.Sprintf("line %d", i))
			}
			return nil
		}
		if _, err := fmt.Sscanf(l.Message, "%d log messages were not shown here", &missed); err != nil {
			shown++
		}
		if shown+missed == many {
			cancel()
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if shown+missed != many || missed == 0 {
		t.Errorf("%d lines shown, %d missed, of %d", shown, missed, many)
	}
}
