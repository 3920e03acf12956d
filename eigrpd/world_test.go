package eigrpd_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/godmvpn/godmvpn/eigrpd"
	"github.com/godmvpn/godmvpn/eigrpd/edge"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/plugin/plugintest"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// grammar is zebra's and eigrpd's.
var grammar = func() *cli.Grammar {
	g, err := cli.Merge(cli.Owned{Owner: zcli.Owner, Tree: zcli.Grammar()}, cli.Owned{Owner: eigrpd.Name, Tree: eigrpd.Grammar()})
	if err != nil {
		panic(err)
	}
	return g
}()

// parse reads a configuration and returns eigrpd's part.
func parse(t *testing.T, text string) *conf.Tree {
	t.Helper()
	tree, errs := conf.Load(grammar, text, "test")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return tree.Filter(eigrpd.Name, policy.SharedIDs()...)
}

// zebra is the other end of a daemon's sessions: it remembers what it is told,
// and has routes of others.
type zebra struct {
	mu      sync.Mutex
	epoch   uint64
	objects map[rib.Key]rib.Object
	stale   map[rib.Key]bool // of an earlier attachment
	watches map[rib.Watch]bool
	others  []rib.Route // of other protocols
	ended   int         // ends of replay
	logs    []string
}

func newZebra() *zebra {
	return &zebra{objects: map[rib.Key]rib.Object{}, watches: map[rib.Watch]bool{}}
}

// serve serves one attachment until the stream ends.
func (z *zebra) serve(s session.HostStream, interfaces []rib.Interface) {
	z.mu.Lock()
	z.epoch++
	z.watches = map[rib.Watch]bool{}
	first := []session.Down{session.Event{Event: rib.Attached{Epoch: z.epoch, Stale: len(z.objects)}}}
	z.mu.Unlock()
	for _, i := range interfaces {
		first = append(first, session.Event{Event: rib.InterfaceChanged{Interface: i}})
	}
	if s.Send(append(first, session.Event{Event: rib.InterfacesKnown{}})) != nil {
		return
	}
	for {
		batch, err := s.Recv()
		if err != nil {
			return
		}
		for _, up := range batch {
			if answer := z.take(up); len(answer) > 0 && s.Send(answer) != nil {
				return
			}
		}
	}
}

func (z *zebra) take(up session.Up) (answer []session.Down) {
	z.mu.Lock()
	defer z.mu.Unlock()
	switch up := up.(type) {
	case session.Begin:
		z.stale = map[rib.Key]bool{}
		for k := range z.objects {
			z.stale[k] = true
		}
	case session.Put:
		z.objects[up.Object.Key()] = up.Object
		delete(z.stale, up.Object.Key())
	case session.Delete:
		delete(z.objects, up.Key)
	case session.WatchAdd:
		if up.Watch.Kind == rib.WatchTopic {
			return nil
		}
		z.watches[up.Watch] = true
		for _, r := range z.others {
			if r.VRF == up.Watch.VRF && r.Protocol == up.Watch.Protocol {
				answer = append(answer, session.Event{Event: rib.RouteChanged{Watch: up.Watch, Route: r}})
			}
		}
		answer = append(answer, session.Event{Event: rib.RoutesKnown{Watch: up.Watch}})
	case session.WatchDel:
		delete(z.watches, up.Watch)
	case session.EndOfReplay:
		z.ended++
		for k := range z.stale {
			delete(z.objects, k)
		}
	case session.Log:
		z.logs = append(z.logs, up.Message)
	}
	return answer
}

// takeLogs returns what was logged since the last call.
func (z *zebra) takeLogs() string {
	synctest.Wait()
	z.mu.Lock()
	defer z.mu.Unlock()
	out := strings.Join(z.logs, "\n")
	z.logs = nil
	return out
}

// ends returns how many ends of replay there were.
func (z *zebra) ends() int {
	synctest.Wait()
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.ended
}

// station is a router with EIGRP.
type station struct {
	t          *testing.T
	host       *memnet.Host
	zebra      *zebra
	interfaces []rib.Interface
	tunnel     *memnet.Device
	log        *lockedBuffer
	wall       atomic.Int64 // by how much the time of day was set forward
	lives      uint64

	daemon *plugintest.Harness
	stream session.HostStream
	kill   func()
}

// lockedBuffer takes in the daemon's own log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const tunnelIndex = 10

// newStation makes a router with a tunnel on a wire, and a network of its own
// behind it; the daemon does not run.
func newStation(t *testing.T, n *memnet.Net, w *memnet.Wire, tunnel, lan string) *station {
	s := &station{t: t, host: n.Host(), log: &lockedBuffer{}, zebra: newZebra()}
	s.add(n.Wire(), rib.Interface{Name: "GigabitEthernet2", KernelName: "lan", Index: 2, Bandwidth: 1_000_000, Delay: 1}, lan)
	s.tunnel = s.add(w, rib.Interface{Name: "Tunnel0", KernelName: "Tunnel0", Index: tunnelIndex, Type: rib.TypeTunnel, Bandwidth: 100, Delay: 5000,
		Tunnel: &rib.Tunnel{Mode: rib.TunnelGREMultipoint, HasKey: true, Key: 100}}, tunnel)
	return s
}

// add gives the router an interface that is up.
func (s *station) add(w *memnet.Wire, i rib.Interface, addr string) *memnet.Device {
	p := netip.MustParsePrefix(addr)
	i.AdminUp, i.Up, i.Multicast, i.MTU, i.Addresses = true, true, true, 1400, []rib.Address{{Prefix: p}}
	s.interfaces = append(s.interfaces, i)
	vrf := ""
	for _, v := range s.interfaces {
		if v.Type == rib.TypeVRF && v.Name == i.VRF {
			vrf = v.KernelName
		}
	}
	return s.host.Add(w, memnet.Spec{Index: i.Index, Name: i.KernelName, VRF: vrf, Addrs: []netip.Addr{p.Addr()}})
}

// start runs the daemon, attaches and configures it, and waits until it is at rest.
func (s *station) start(config string) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.lives++
	d := eigrpd.New(slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})), "test", edge.World{
		Network: s.host, Random: rand.NewPCG(s.lives, 0),
		Wall: func() time.Time { return time.Now().Round(0).Add(time.Duration(s.wall.Load())) }})
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	s.daemon = plugintest.NewHarness(s.t, d)
	s.attach()
	s.configure(config)
	synctest.Wait() // its sockets are open: nothing that the others send is lost
	s.kill = func() {
		s.stream.Close()
		cancel()
		<-done
		synctest.Wait()
		s.kill = func() {}
	}
	s.t.Cleanup(func() { s.kill() })
}

// attach opens a session, in place of the one before.
func (s *station) attach() {
	if s.stream != nil {
		s.stream.Close()
		synctest.Wait()
	}
	s.stream, _ = s.daemon.Attach()
	go s.zebra.serve(s.stream, slices.Clone(s.interfaces))
}

func (s *station) configure(config string) {
	s.t.Helper()
	for _, phase := range []plugin.Phase{plugin.Check, plugin.Commit} {
		errs, err := s.daemon.Configure(context.Background(), plugin.Configuration{Revision: 1, Tree: parse(s.t, config), Phase: phase})
		if err != nil || len(errs) > 0 {
			s.t.Fatal(errs, err)
		}
	}
}

// tell sends an event of zebra's.
func (s *station) tell(e rib.Event) {
	s.t.Helper()
	if err := s.stream.Send([]session.Down{session.Event{Event: e}}); err != nil {
		s.t.Error(err)
	}
	synctest.Wait()
}

// routes returns what zebra has of the daemon.
func (s *station) routes() string {
	synctest.Wait()
	s.zebra.mu.Lock()
	defer s.zebra.mu.Unlock()
	var out []string
	for _, o := range s.zebra.objects {
		r := o.(rib.Route)
		line := r.Prefix.String()
		if r.VRF != "" {
			line = r.VRF + " " + line
		}
		for _, h := range r.NextHops {
			line += fmt.Sprintf(" via %v %s", h.Addr, h.Interface)
		}
		out = append(out, fmt.Sprintf("%s [%d/%d]", line, r.Distance, r.Metric))
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// watched returns what the daemon wants to be told of.
func (z *zebra) watched() []rib.Watch {
	synctest.Wait()
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Collect(maps.Keys(z.watches))
}

// exec runs a command of the grammar.
func (s *station) exec(line string, asJSON bool) string {
	s.t.Helper()
	m, perr := grammar.Parse([]string{cli.ModeEnable}, line)
	if perr != nil {
		s.t.Fatal(perr.Report())
	}
	synctest.Wait()
	var out bytes.Buffer
	if err := s.daemon.Exec(context.Background(), plugin.Command{ID: m.Command.ID, Args: m.Args, No: m.No, JSON: asJSON}, &out); err != nil {
		s.t.Errorf("%s: %v", line, err)
	}
	synctest.Wait()
	return out.String()
}

const config = `router eigrp 100
 network 10.0.0.0
 network 172.31.0.0
`

// pair is a hub and a spoke; what each learns from the other is atHub and
// atSpoke.
func pair(t *testing.T) (hub, spoke *station) {
	n := memnet.New()
	w := n.Wire()
	return newStation(t, n, w, "172.31.0.1/24", "10.1.0.1/24"), newStation(t, n, w, "172.31.0.11/24", "10.11.0.1/24")
}

const (
	atHub   = "10.11.0.0/24 via 172.31.0.11 Tunnel0 [90/26880256]"
	atSpoke = "10.1.0.0/24 via 172.31.0.1 Tunnel0 [90/26880256]"
)

// exchanged starts both and waits until they are neighbours.
func exchanged(t *testing.T) (hub, spoke *station) {
	hub, spoke = pair(t)
	hub.start(config)
	spoke.start(config)
	time.Sleep(time.Minute)
	same(t, "hub", hub.routes(), atHub)
	same(t, "spoke", spoke.routes(), atSpoke)
	return hub, spoke
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}
