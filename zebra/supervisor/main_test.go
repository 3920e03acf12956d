package supervisor

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
)

// The test binary plays three parts: the tests, a daemon ("ripd") and a zebra
// that is killed ("host DIR").
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 0 && os.Args[0] == "ripd":
		os.Exit(daemonMain("ripd"))
	case len(os.Args) > 0 && os.Args[0] == "liar":
		os.Exit(daemonMain("somebody-else"))
	case len(os.Args) > 0 && os.Args[0] == "oldd":
		os.Exit(daemonMain("oldd"))
	case len(os.Args) > 0 && os.Args[0] == "silent":
		os.Exit(3)
	case os.Getenv("SUPERVISOR_TEST_HOST") != "":
		hostMain(os.Getenv("SUPERVISOR_TEST_HOST"))
		return
	}
	os.Exit(m.Run())
}

// testDaemon is a daemon whose state changes all the time until it is told to
// hold still.
type testDaemon struct {
	name   string
	client *session.Client

	mu      sync.Mutex // its main loop
	desired map[netip.Prefix]uint32
	still   bool

	once              sync.Once
	detached, printed chan struct{}
}

func daemonMain(name string) int {
	log := plugin.Init(name)
	// A daemon outlives its zebra; one whose tests were killed must not stay for ever.
	time.AfterFunc(10*time.Minute, func() { os.Exit(4) })
	d := &testDaemon{name: name, desired: map[netip.Prefix]uint32{}, client: session.NewClient(func(rib.Event) {}),
		detached: make(chan struct{}), printed: make(chan struct{})}
	log.Info("daemon started")
	r := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	for range 2000 {
		d.change(r)
	}
	d.client.EndOfReplay()
	go func() {
		for {
			d.mu.Lock()
			still := d.still
			d.mu.Unlock()
			if still {
				return
			}
			d.change(r)
			if r.IntN(64) == 0 {
				time.Sleep(time.Millisecond) // load, not synchronisation
			}
		}
	}()
	return plugin.Serve(d)
}

func testPrefix(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 0}), 24)
}

func (d *testDaemon) change(r *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.still {
		return
	}
	p := testPrefix(r.IntN(3000))
	if r.IntN(4) == 0 {
		delete(d.desired, p)
		d.client.Delete(rib.Key{Kind: rib.KindRoute, Prefix: p, Protocol: rib.RIP})
		return
	}
	d.desired[p] = r.Uint32N(1000)
	if _, err := d.client.Put(testRoute(p, d.desired[p])); err != nil {
		panic(err)
	}
}

func testRoute(p netip.Prefix, metric uint32) rib.Route {
	return rib.Route{Prefix: p, Protocol: rib.RIP, Distance: 120, Metric: metric,
		NextHops: []rib.NextHop{{Addr: netip.MustParseAddr("192.0.2.1"), Interface: "Tunnel0"}}}
}

func describe(m map[netip.Prefix]uint32) string {
	lines := make([]string, 0, len(m))
	for p, metric := range m {
		lines = append(lines, fmt.Sprintf("%v %d", p, metric))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (d *testDaemon) Hello(context.Context, plugin.Host) (plugin.Identity, error) {
	v := uint32(session.Version)
	if d.name == "oldd" {
		v = session.Version + 1
	}
	return plugin.Identity{Name: d.name, Build: "test", SessionVersion: v}, nil
}
func (d *testDaemon) Grammar(context.Context) (cli.Tree, error) { return cli.Tree{}, nil }
func (d *testDaemon) Configure(context.Context, plugin.Configuration) ([]plugin.LineError, error) {
	return nil, nil
}

func (d *testDaemon) Exec(ctx context.Context, cmd plugin.Command, out io.Writer) error {
	switch cmd.ID {
	case "still":
		d.mu.Lock()
		defer d.mu.Unlock()
		d.still = true
		_, err := io.WriteString(out, describe(d.desired))
		return err
	case "flood": // 100,000 routes more
		for n := range 100_000 {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, byte(n >> 16), byte(n >> 8), byte(n)}), 32)
			if _, err := d.client.Put(testRoute(p, 1)); err != nil {
				return err
			}
		}
		return nil
	case "print": // once zebra is gone, far more than a pipe holds
		go func() {
			<-d.detached
			for range 20000 {
				fmt.Println("a daemon must not print, but a library might")
				fmt.Fprintln(os.Stderr, "nor to standard error")
				slog.Info("but it may log")
			}
			os.WriteFile(os.Getenv("SUPERVISOR_TEST_PRINTED"), nil, 0o600)
			close(d.printed)
		}()
		return nil
	case "printed":
		select {
		case <-d.printed:
			_, err := io.WriteString(out, "printed")
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	case "stuck":
		d.mu.Lock() // for ever
		return nil
	case "panic":
		go panic("as told")
		select {}
	}
	return fmt.Errorf("unknown command %s", cmd.ID)
}

func (d *testDaemon) Session(ctx context.Context, s session.Stream) error {
	defer d.once.Do(func() { close(d.detached) })
	return d.client.Run(ctx, s)
}

func (d *testDaemon) Alive(ctx context.Context) error {
	ok := make(chan struct{})
	go func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		close(ok)
	}()
	select {
	case <-ok:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// farewell is the prefix of a route by which a life says that it goes.
var farewell = netip.MustParsePrefix("192.0.2.0/24")

// Restart says, by a metric, which life goes.
func (d *testDaemon) Restart(ctx context.Context) error {
	d.mu.Lock()
	d.still = true
	d.mu.Unlock()
	if _, err := d.client.Put(testRoute(farewell, uint32(os.Getpid()))); err != nil {
		return err
	}
	return d.client.Settle(ctx)
}

func (d *testDaemon) Shutdown(context.Context) error {
	if f := os.Getenv("SUPERVISOR_TEST_GOODBYE"); f != "" {
		return os.WriteFile(f, []byte("goodbye "+strconv.Itoa(os.Getpid())), 0o600)
	}
	return nil
}
