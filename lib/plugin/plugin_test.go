package plugin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/plugin/plugintest"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 0 && os.Args[0] == "nhrpd" {
		os.Exit(plugin.Serve(&daemon{}))
	}
	goleak.VerifyTestMain(m)
}

// daemon answers with what the test put into it and remembers what it was told.
type daemon struct {
	identity plugin.Identity
	tree     cli.Tree
	refuse   []plugin.LineError
	host     plugin.Host
	config   plugin.Configuration
	command  plugin.Command
	exec     func(ctx context.Context, out io.Writer) error
	client   *session.Client
	mu       sync.Mutex
	sessions int
}

func (d *daemon) Hello(_ context.Context, h plugin.Host) (plugin.Identity, error) {
	d.host = h
	return d.identity, nil
}
func (d *daemon) Grammar(context.Context) (cli.Tree, error) { return d.tree, nil }
func (d *daemon) Configure(_ context.Context, c plugin.Configuration) ([]plugin.LineError, error) {
	d.config = c
	return d.refuse, nil
}
func (d *daemon) Exec(ctx context.Context, c plugin.Command, out io.Writer) error {
	d.command = c
	return d.exec(ctx, out)
}
func (d *daemon) Session(ctx context.Context, s session.Stream) error {
	d.mu.Lock()
	d.sessions++
	d.mu.Unlock()
	return d.client.Run(ctx, s)
}
func (d *daemon) Alive(ctx context.Context) error { return ctx.Err() }
func (d *daemon) Shutdown(context.Context) error  { return errors.New("one peer did not answer") }

func TestCalls(t *testing.T) {
	d := &daemon{
		identity: plugin.Identity{Name: "nhrpd", Build: "1.2", SessionVersion: 1, Capabilities: []string{"a"}, Topics: []string{"peers"}, HoldLimit: 90 * time.Second, PID: 7},
		tree: cli.Tree{Commands: []cli.Command{{ID: "nhrp.map", Mode: "interface", Pattern: "ip nhrp map addr:A.B.C.D nbma:ADDR", Key: []string{"addr"}}},
			Help: cli.Help{"nhrp": "Next Hop Resolution Protocol"}},
		refuse: []plugin.LineError{{Path: []string{"interface Tunnel0", "nhrp.map 10.0.0.1"}, Msg: "no network-id"}, {Msg: "everything"}},
	}
	h := plugintest.NewHarness(t, d)
	ctx := context.Background()

	id, err := h.Hello(ctx, plugin.Host{Build: "z", SessionVersion: 9})
	if err != nil || !reflect.DeepEqual(id, d.identity) {
		t.Errorf("Hello: %+v, %v", id, err)
	}
	if d.host != (plugin.Host{Build: "z", SessionVersion: 9}) {
		t.Errorf("host %+v", d.host)
	}
	tree, err := h.Grammar(ctx)
	if err != nil || !reflect.DeepEqual(tree, d.tree) {
		t.Errorf("Grammar: %+v, %v", tree, err)
	}
	cfg := plugin.Configuration{Revision: 5, Phase: plugin.Commit, Tree: &conf.Tree{Block: conf.Block{Nodes: []*conf.Node{
		{Line: "interface Tunnel0", ID: "interface", Owner: "zebra", Key: "interface Tunnel0", Block: conf.Block{Nodes: []*conf.Node{
			{Line: "ip nhrp authentication x", ID: "nhrp.auth", Owner: "nhrpd", Args: cli.Args{"key": {Kind: cli.KindSecret, Text: "x"}}}}}}}}}}
	refused, err := h.Configure(ctx, cfg)
	if err != nil || !reflect.DeepEqual(refused, d.refuse) {
		t.Errorf("Configure: %+v, %v", refused, err)
	}
	if d.config.Revision != 5 || d.config.Phase != plugin.Commit || !d.config.Tree.Equal(cfg.Tree) {
		t.Errorf("configuration %+v", d.config)
	}
	if got := d.config.Tree.Nodes[0].Nodes[0].Args.String("key"); got != "x" {
		t.Errorf("secret arrived as %q", got)
	}
	cfg.Phase = 9
	if _, err := h.Configure(ctx, cfg); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("phase 9: %v", err)
	}
	if err := h.Alive(ctx); err != nil {
		t.Error(err)
	}
	if err := h.Shutdown(ctx); err == nil || err.Error() != "one peer did not answer" {
		t.Errorf("Shutdown: %v", err)
	}
	expired, cancel := context.WithTimeout(ctx, 0)
	defer cancel()
	if err := h.Alive(expired); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
}

func TestHelloIsNotBelieved(t *testing.T) {
	for _, name := range []string{"", "../../etc", "Zebra", strings.Repeat("x", 40)} {
		h := plugintest.NewHarness(t, &daemon{identity: plugin.Identity{Name: name}})
		if _, err := h.Hello(context.Background(), plugin.Host{}); !errors.Is(err, session.ErrInvalid) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	h := plugintest.NewHarness(t, &daemon{identity: plugin.Identity{Name: "x", HoldLimit: 1000 * time.Hour}})
	if id, err := h.Hello(context.Background(), plugin.Host{}); err != nil || id.HoldLimit != plugin.MaxHoldLimit {
		t.Errorf("hold limit %v, %v", id.HoldLimit, err)
	}
}

func TestExec(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	d := &daemon{exec: func(_ context.Context, out io.Writer) error {
		if _, err := out.Write(large); err != nil {
			return err
		}
		_, err := fmt.Fprint(out, "end")
		return err
	}}
	h := plugintest.NewHarness(t, d)
	cmd := plugin.Command{ID: "nhrp.show", No: true, JSON: true, Args: cli.Args{"ifname": {Kind: cli.KindIfname, Text: "Tunnel0"}}}
	var out bytes.Buffer
	if err := h.Exec(context.Background(), cmd, &out); err != nil || out.String() != string(large)+"end" {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
	if !reflect.DeepEqual(d.command, cmd) {
		t.Errorf("command %+v", d.command)
	}
	d.exec = func(_ context.Context, out io.Writer) error {
		fmt.Fprint(out, "some ")
		return errors.New("no such peer")
	}
	out.Reset()
	if err := h.Exec(context.Background(), cmd, &out); err == nil || err.Error() != "no such peer" || out.String() != "some " {
		t.Errorf("%q, %v", out.String(), err)
	}
	// A user who goes away ends the command.
	ended := make(chan error, 1)
	d.exec = func(ctx context.Context, out io.Writer) error {
		for {
			if _, err := out.Write(large); err != nil {
				ended <- err
				return err
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	err := h.Exec(ctx, cmd, writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil }))
	if !errors.Is(err, context.Canceled) || <-ended == nil {
		t.Errorf("canceled: %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A session over gRPC: everything arrives, in order, both ways; a second zebra
// takes the session over from one that has not gone yet.
func TestSession(t *testing.T) {
	events := make(chan rib.Event, 10)
	d := &daemon{client: session.NewClient(func(e rib.Event) { events <- e })}
	for n := range 1000 {
		if _, err := d.client.Put(testRoute(n)); err != nil {
			t.Fatal(err)
		}
	}
	d.client.EndOfReplay()
	h := plugintest.NewHarness(t, d)
	var ended []<-chan struct{}
	var stream session.HostStream
	for round := range 3 {
		var done <-chan struct{}
		stream, done = h.Attach()
		ended = append(ended, done)
		puts := 0
		for end := false; !end; {
			batch, err := stream.Recv()
			if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			for _, m := range batch {
				switch m := m.(type) {
				case session.Put:
					if want := testRoute(puts); !m.Object.Equal(want) {
						t.Fatalf("put %d is %+v", puts, m.Object)
					}
					puts++
				case session.EndOfReplay:
					end = true
				}
			}
		}
		if puts != 1000 {
			t.Errorf("round %d: %d puts", round, puts)
		}
		stream.Send([]session.Down{session.Event{Event: rib.Attached{Epoch: uint64(round)}}})
		if e := (<-events).(rib.Attached); e.Epoch != uint64(round) {
			t.Errorf("round %d: %+v", round, e)
		}
	}
	<-ended[0] // the first two were replaced
	<-ended[1]
	select {
	case <-ended[2]:
		t.Error("the last session ended too")
	default:
	}
	stream.Close()
	<-ended[2]
	if d.sessions != 3 {
		t.Errorf("%d sessions", d.sessions)
	}
}

func testRoute(n int) rib.Route {
	return rib.Route{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(10 + n>>16), byte(n >> 8), byte(n), 0}), 24),
		Protocol: rib.EIGRP, Distance: 90, Metric: 26880000,
		NextHops: []rib.NextHop{{Addr: netip.AddrFrom4([4]byte{10, 0, 0, 1}), Interface: "Tunnel0"}}}
}

// A daemon that sends what it must not ends its session with an error.
func TestSessionOfABadDaemon(t *testing.T) {
	h := plugintest.NewHarness(t, &badDaemon{})
	daemonEnd, zebraEnd := session.Pipe()
	defer zebraEnd.Close()
	if err := h.Session(context.Background(), daemonEnd); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("session: %v", err)
	}
	if _, err := zebraEnd.Recv(); err == nil {
		t.Error("the bad message reached zebra")
	}
}

type badDaemon struct{ daemon }

func (*badDaemon) Session(ctx context.Context, s session.Stream) error {
	r := testRoute(1)
	r.Prefix = netip.MustParsePrefix("10.0.0.1/24")
	if err := s.Send([]session.Up{session.Put{Object: r}}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// A daemon that is started by hand says so and does not run.
func TestStartedByHand(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Args = []string{"nhrpd"}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "daemon of zebra") {
		t.Errorf("%s, %v", out, err)
	}
}

// Routes through client, gRPC in memory and decoding.
func BenchmarkSession(b *testing.B) {
	d := &daemon{client: session.NewClient(func(rib.Event) {})}
	h := plugintest.NewHarness(b, d)
	stream, _ := h.Attach()
	got := 0
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for n := range b.N {
			d.client.Put(testRoute(n))
		}
	}()
	for got < b.N {
		batch, err := stream.Recv()
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range batch {
			if _, ok := m.(session.Put); ok {
				got++
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "routes/s")
}
