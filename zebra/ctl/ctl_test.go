package ctl_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/pb"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/vtysh/client"
	"github.com/godmvpn/godmvpn/zebra/confstore"
	"github.com/godmvpn/godmvpn/zebra/ctl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a zebra whose commands are: "show lines N" (N lines), "show slow" (a
// line, then waits), "show broken" (a line, then an error), "show args".
type fake struct {
	mu   sync.Mutex
	last plugin.Command
	logs chan session.Log
	done chan struct{} // closed when "show slow" ended
}

func (f *fake) Hostname() string  { return "HUB" }
func (f *fake) Ready() bool       { return true }
func (f *fake) Daemons() []string { return []string{"nhrpd"} }

func (f *fake) Exec(ctx context.Context, of *cli.Command, cmd plugin.Command, out io.Writer) error {
	f.mu.Lock()
	f.last = cmd
	f.mu.Unlock()
	switch cmd.ID {
	case "show.lines":
		for i := range cmd.Args.Uint("n") {
			if _, err := fmt.Fprintf(out, "line %d of many, so that there is more than one chunk\n", i); err != nil {
				return err
			}
		}
	case "show.slow":
		defer close(f.done)
		fmt.Fprintln(out, "first")
		out.(interface{ Flush() error }).Flush()
		<-ctx.Done()
		return ctx.Err()
	case "show.broken":
		fmt.Fprintln(out, "so far")
		return errors.New("the disk is full")
	case "show.ended":
		return context.Canceled
	case "d.show":
		fmt.Fprintf(out, "by %s", of.Owner)
	case "shared":
		fmt.Fprintf(out, "by %s", strings.Join(of.Owners, " and "))
	}
	return nil
}

func (f *fake) Logs(ctx context.Context, level slog.Level, last int, follow bool, each func(session.Log) error) error {
	for {
		select {
		case l := <-f.logs:
			if l.Level < level {
				continue
			}
			if err := each(l); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// owner refuses every line with the word "bad".
type owner struct{}

func (owner) Enable(context.Context, []string) error { return nil }

func (owner) Configure(_ context.Context, name string, c plugin.Configuration) (errs []plugin.LineError, err error) {
	for _, n := range c.Tree.Nodes {
		for _, inner := range n.Nodes {
			if inner.Owner == name && strings.Contains(inner.Line, "bad") {
				errs = append(errs, plugin.LineError{Path: []string{n.Key, inner.Key}, Msg: "no good"})
			}
		}
	}
	return errs, nil
}

func trees() []cli.Owned {
	show := func(id, mode, pattern string) cli.Command { return cli.Command{ID: id, Mode: mode, Pattern: pattern} }
	both := cli.Command{ID: "shared", Mode: "exec", Pattern: "show all", Shared: true, Help: cli.Help{"all": "Of all"}}
	return []cli.Owned{
		{Owner: "zebra", Tree: cli.Tree{
			Modes: []cli.Mode{{Name: "if", Parent: "config", Prompt: "(config-if)#"}},
			Commands: []cli.Command{show("show.lines", "exec", "show lines n:<0-100000>"), show("show.slow", "enable", "show slow"),
				show("show.broken", "exec", "show broken"), show("show.ended", "exec", "show ended"), both,
				{ID: "z.if", Mode: "config", Pattern: "interface name:WORD", Enters: "if", Key: []string{"name"}},
				{ID: "z.mtu", Mode: "if", Pattern: "mtu n:<68-9216>"}}}},
		{Owner: "nhrpd", Tree: cli.Tree{Commands: []cli.Command{show("d.show", "exec", "show dmvpn"), both,
			{ID: "d.note", Mode: "if", Pattern: "note text:WORD"}, {ID: "d.key", Mode: "if", Pattern: "key [type:{0|6|7}] secret:SECRET(8)"}}}},
	}
}

// rig is a server on a socket and a client of it.
type rig struct {
	zebra  *fake
	store  *confstore.Store
	client *client.Client
	api    pb.ControlClient
	dir    string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	g, err := cli.Merge(trees()...)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{zebra: &fake{logs: make(chan session.Log), done: make(chan struct{})}, dir: filepath.Join(t.TempDir(), "run")}
	r.store = confstore.New(confstore.Options{Grammar: g, Owners: owner{}, Self: "zebra", Startup: filepath.Join(r.dir, "startup")})
	server, err := ctl.New(ctl.Options{Store: r.store, Trees: trees(), Zebra: r.zebra, Build: "v1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := ctl.Listen(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	if r.client, err = client.Dial(r.dir); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient("unix://"+filepath.Join(r.dir, ctl.SocketName), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	r.api = pb.NewControlClient(conn)
	t.Cleanup(func() {
		conn.Close()
		r.client.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return r
}

func TestRefresh(t *testing.T) {
	r := newRig(t)
	first, err := r.client.Refresh(t.Context())
	if err != nil || first.Hostname != "HUB" {
		t.Fatalf("%+v, %v", first, err)
	}
	for _, tc := range []struct{ stack, line string }{{"enable", "show dmvpn"}, {"enable", "show lines 5"}, {"config", "interface a"}} {
		if _, perr := first.Grammar.Parse([]string{tc.stack}, tc.line); perr != nil {
			t.Errorf("%s", perr.Report())
		}
	}
	if m, perr := first.Grammar.Parse([]string{"exec"}, "show a"); perr != nil || !m.Command.Shared || !cmp.Equal(m.Command.Owners, []string{"zebra", "nhrpd"}) {
		t.Errorf("the shared command is %+v, %v", m.Command, perr)
	}
	if c := first.Grammar.Complete([]string{"exec"}, "show a"); c.Extension != "ll " || c.Candidates[0].Help != "Of all" {
		t.Errorf("completion of a shared command: %+v", c)
	}
	second, err := r.client.Refresh(t.Context())
	if err != nil || second.Grammar != first.Grammar {
		t.Errorf("the grammar was fetched again: %v", err)
	}
	hello, err := r.api.Hello(t.Context(), &pb.ControlHelloRequest{})
	if err != nil || hello.Build != "v1" || !hello.Ready || !cmp.Equal(hello.Daemons, []string{"nhrpd"}) {
		t.Errorf("hello %v, %v", hello, err)
	}
}

func TestApply(t *testing.T) {
	r := newRig(t)
	in := []string{"interface a"}
	for _, line := range []string{"mtu 1400", "note fine", "key S3CRET"} {
		if err := r.client.Apply(t.Context(), in, line); err != nil {
			t.Fatal(err)
		}
	}
	before := r.store.Running().Text()
	for _, tc := range []struct {
		path   []string
		line   string
		column int
		msg    string
	}{
		{in, "mtu 9", 5, "68-9216"},
		{in, "nonsense", 1, "Invalid input"},
		{in, "note bad", 1, "no good"},
		{in, "key S3CRETKEYTOOLONG", 5, ""},
		{[]string{"interface"}, "mtu 1400", 0, "Incomplete"},
		{[]string{"interface a", "mtu 1500"}, "mtu 1400", 1, "opens a block"},
		{nil, "show dmvpn", 0, ""},
	} {
		err := r.client.Apply(t.Context(), tc.path, tc.line)
		var e *cli.Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %v", tc.line, err)
			continue
		}
		if tc.column != 0 && e.Column != tc.column || !strings.Contains(e.Msg, tc.msg) || strings.Contains(e.Report(), "S3CRETKEY") {
			t.Errorf("%q:\n%s", tc.line, e.Report())
		}
	}
	if got := r.store.Running().Text(); got != before {
		t.Errorf("refused lines changed the configuration:\n%s", got)
	}
}

func TestExec(t *testing.T) {
	r := newRig(t)
	exec := func(line string, asJSON bool) (string, error) {
		var out bytes.Buffer
		err := r.client.Exec(t.Context(), line, asJSON, &out)
		return out.String(), err
	}
	out, err := exec("show lines 5000", false)
	if err != nil || strings.Count(out, "\n") != 5000 || !strings.Contains(out, "line 4999 ") {
		t.Errorf("%d lines, %v", strings.Count(out, "\n"), err)
	}
	if out, err := exec("show dmvpn", true); out != "by nhrpd" || err != nil || !r.zebra.last.JSON {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := exec("show all", false); out != "by zebra and nhrpd" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	for line, want := range map[string]string{"show broken": "the disk is full", "show nothing": "Invalid input",
		"configure terminal": "not a command of the router", "": "not a command of the router", "interface a": "Invalid input",
		"show ended": "context canceled"} {
		out, err := exec(line, false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v", line, out, err)
		}
		if line == "show broken" && out != "so far\n" {
			t.Errorf("output before the error: %q", out)
		}
	}
	stream, err := r.api.Exec(t.Context(), &pb.ControlExecRequest{Line: "show slow"})
	if err == nil {
		_, err = stream.Recv()
	}
	if err == nil || !strings.Contains(err.Error(), "Invalid input") {
		t.Errorf("a privileged command without privilege: %v", err)
	}
}

// watcher ends a context when it has a text.
type watcher struct {
	mu   sync.Mutex
	b    bytes.Buffer
	text string
	then context.CancelFunc
}

func (w *watcher) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b.Write(b)
	if strings.Contains(w.b.String(), w.text) {
		w.then()
	}
	return len(b), nil
}

// TestStreaming: output comes before the command ends, and who stops waiting
// ends the command.
func TestStreaming(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := r.client.Exec(ctx, "show slow", false, &watcher{text: "first\n", then: cancel})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	select {
	case <-r.zebra.done:
	case <-time.After(20 * time.Second):
		t.Error("the command did not end")
	}
}

func TestMonitor(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.Local)
	go func() {
		for _, m := range []string{"%DMVPN-5-NHRP_NHS_UP: one", "two"} {
			select {
			case r.zebra.logs <- session.Log{Time: at, Level: slog.LevelInfo, Message: m}:
			case <-ctx.Done():
			}
		}
	}()
	w := &watcher{text: "two\n", then: cancel}
	if err := r.client.Monitor(ctx, w); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	want := "*Jan  2 03:04:05.678: %DMVPN-5-NHRP_NHS_UP: one\n*Jan  2 03:04:05.678: two\n"
	if diff := cmp.Diff(want, w.b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	stream, err := r.api.Logs(t.Context(), &pb.LogsRequest{Daemons: []string{"nhrpd"}})
	if err == nil {
		_, err = stream.Recv()
	}
	if err == nil || !strings.Contains(err.Error(), "selected by daemon") {
		t.Errorf("logs of one daemon: %v", err)
	}
}

func TestLoad(t *testing.T) {
	r := newRig(t)
	load := func(text string, mode pb.LoadMode, check bool) string {
		reply, err := r.api.Load(t.Context(), &pb.LoadRequest{Text: text, Source: "file", Mode: mode, CheckOnly: check})
		if err != nil {
			return err.Error()
		}
		var out []string
		for _, e := range reply.Errors {
			out = append(out, fmt.Sprintf("%s:%d:%d: %s: %s", e.File, e.Line, e.Column, e.Text, e.Message))
		}
		return strings.Join(out, "; ")
	}
	expect := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	merge, replace := pb.LoadMode_LOAD_MODE_MERGE, pb.LoadMode_LOAD_MODE_REPLACE
	expect("merge", load("interface a\n mtu 1400\n", merge, false), "")
	expect("check", load("interface b\n mtu 1400\n", merge, true), "")
	expect("refused", load("interface c\n mtu 1400\n note bad\n", merge, false), "file:3:1: note bad: no good")
	expect("secret", load("interface c\n key S3CRET bad\n", merge, false), "file:2:15:  key ******** ********: Invalid input detected at '^' marker.")
	expect("running", r.store.Running().Text(), "interface a\n mtu 1400\n")
	expect("replace", load("interface b\n mtu 1500\n", replace, false), "")
	config, err := r.api.Config(t.Context(), &pb.ConfigRequest{Section: "interface"})
	if err != nil || config.Text != "interface b\n mtu 1500\n" {
		t.Errorf("%v, %v", config, err)
	}
	if _, err := r.api.Config(t.Context(), &pb.ConfigRequest{Which: pb.ConfigWhich_CONFIG_WHICH_STARTUP}); err == nil {
		t.Error("a startup configuration that was never saved")
	}
	if err := r.store.Save(); err != nil {
		t.Fatal(err)
	}
	if config, err = r.api.Config(t.Context(), &pb.ConfigRequest{Which: pb.ConfigWhich_CONFIG_WHICH_STARTUP}); err != nil || config.Text != "interface b\n mtu 1500\n" {
		t.Errorf("%v, %v", config, err)
	}
	if got := load("", pb.LoadMode(77), false); !strings.Contains(got, "no load mode") {
		t.Error(got)
	}
}

func TestListen(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "a", "run")
	l, err := ctl.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	mode := func(path string) os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if d, s := mode(dir), mode(filepath.Join(dir, ctl.SocketName)); d != 0o750 || s != 0o660 {
		t.Errorf("directory %o, socket %o", d, s)
	}
	if ctl.SocketName != client.SocketName {
		t.Errorf("zebra and vtysh look for %s and %s", ctl.SocketName, client.SocketName)
	}
	if second, err := ctl.Listen(dir); err == nil || !strings.Contains(err.Error(), "another zebra") {
		t.Errorf("a second zebra: %v, %v", second, err)
	}
	// A zebra that was killed leaves its socket.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if l, err = ctl.Listen(dir); err != nil {
		t.Fatal(err)
	}
	l.Close()
	open := filepath.Join(base, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if l, err = ctl.Listen(open); err != nil || mode(open) != 0o750 {
		t.Fatal(err, mode(open))
	}
	l.Close()
	shared := filepath.Join(base, "shared")
	if err := errors.Join(os.Mkdir(shared, 0o777), os.Chmod(shared, 0o777|os.ModeSticky)); err != nil {
		t.Fatal(err)
	}
	if l, err := ctl.Listen(shared); err == nil || !strings.Contains(err.Error(), "belongs to everybody") || mode(shared) != 0o777 {
		t.Errorf("a directory like /tmp: %v, %v, mode %o", l, err, mode(shared))
	}
}

// TestNobodyThere: what the shell says without a zebra.
func TestNobodyThere(t *testing.T) {
	c, err := client.Dial(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "zebra does not answer") {
		t.Errorf("error = %v", err)
	}
}
