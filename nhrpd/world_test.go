package nhrpd_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/plugin/plugintest"
	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/tunnelpeer"
	"github.com/godmvpn/godmvpn/nhrpd"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// grammar is nhrpd's with zebra's interface mode around it.
var grammar = func() *cli.Grammar {
	g, err := cli.Merge(
		cli.Owned{Owner: "zebra", Tree: cli.Tree{
			Modes: []cli.Mode{{Name: "interface", Parent: cli.ModeConfig, Prompt: "(config-if)#"}},
			Commands: []cli.Command{{ID: "zebra.interface", Mode: cli.ModeConfig, Pattern: "interface name:IFNAME", Enters: "interface", Key: []string{"name"}},
				{ID: "zebra.shutdown", Mode: "interface", Pattern: "shutdown"}},
		}},
		cli.Owned{Owner: nhrpd.Name, Tree: nhrpd.Grammar()})
	if err != nil {
		panic(err)
	}
	return g
}()

// parse reads a configuration and returns nhrpd's part.
func parse(t *testing.T, text string) *conf.Tree {
	t.Helper()
	tree, errs := conf.Load(grammar, text, "test")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return tree.Filter(nhrpd.Name)
}

// zebra is the other end of a daemon's sessions: it remembers what it is told.
type zebra struct {
	mu        sync.Mutex
	epoch     uint64
	objects   map[rib.Key]rib.Object
	stale     map[rib.Key]bool // of an earlier attachment
	topics    map[string][]byte
	wanted    map[string]bool   // peers that are to be secured
	states    map[string][]byte // what ipsecd says of peers
	peers     map[string][]byte // what routing protocols are told of them
	ended     int               // ends of replay
	unwatched int               // next hops that are not watched any more
	logs      []string
	misses    map[string]bool               // tunnels whose misses are watched
	routes    map[string]rib.NextHopChanged // how addresses are reached; nil: it does not say
}

// serve serves one attachment until the stream ends.
func (z *zebra) serve(s session.HostStream, interfaces []rib.Interface) {
	z.mu.Lock()
	z.epoch++
	former := maps.Clone(z.topics)
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
			if w, ok := up.(session.WatchAdd); ok && w.Watch.Kind == rib.WatchTopic {
				values := former
				if w.Watch.Topic == protection.TopicState {
					z.mu.Lock()
					values = maps.Clone(z.states)
					z.mu.Unlock()
				}
				for _, k := range slices.Sorted(maps.Keys(values)) {
					if s.Send([]session.Down{session.Event{Event: rib.TopicMessage{Topic: w.Watch.Topic, Key: k, Payload: values[k]}}}) != nil {
						return
					}
				}
			}
			if w, ok := up.(session.WatchAdd); ok && w.Watch.Kind == rib.WatchNextHop && z.routes != nil {
				answer := z.routes[w.Watch.Addr.String()]
				answer.Watch = w.Watch
				if s.Send([]session.Down{session.Event{Event: answer}}) != nil {
					return
				}
			}
			z.take(up)
		}
	}
}

func (z *zebra) take(up session.Up) {
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
		if up.Watch.Kind == rib.WatchNeighborMiss {
			if z.misses == nil {
				z.misses = map[string]bool{}
			}
			z.misses[up.Watch.Interface] = true
		}
	case session.WatchDel:
		if up.Watch.Kind == rib.WatchNextHop {
			z.unwatched++
		}
		delete(z.misses, up.Watch.Interface)
	case session.Publish:
		if up.Topic == protection.TopicWanted {
			z.wanted[up.Key] = up.Payload != nil
		} else if up.Topic == tunnelpeer.Topic {
			if z.peers == nil {
				z.peers = map[string][]byte{}
			}
			z.peers[up.Key] = up.Payload
		} else if up.Payload == nil {
			delete(z.topics, up.Key)
		} else {
			z.topics[up.Key] = up.Payload
		}
	case session.EndOfReplay:
		z.ended++
		for k := range z.stale {
			delete(z.objects, k)
		}
	case session.Log:
		z.logs = append(z.logs, up.Message)
	}
}

// station is a router with NHRP.
type station struct {
	t          *testing.T
	host       *memnet.Host
	zebra      *zebra
	interfaces []rib.Interface
	log        *plugintest.Buffer
	level      slog.Level // of log
	names      names

	daemon *plugintest.Harness
	stream session.HostStream
	kill   func()
}

// newStation makes a router with a tunnel on a wire; the daemon does not run.
func newStation(t *testing.T, n *memnet.Net, w *memnet.Wire, tunnel, nbma string) *station {
	s := &station{t: t, host: n.Host(), log: &plugintest.Buffer{}, level: slog.LevelDebug,
		zebra: &zebra{objects: map[rib.Key]rib.Object{}, topics: map[string][]byte{}, wanted: map[string]bool{}, states: map[string][]byte{}}}
	s.host.Add(w, memnet.Spec{Index: 10, Name: "Tunnel0", Link: netip.MustParseAddr(nbma)})
	s.interfaces = []rib.Interface{
		{Name: "GigabitEthernet1", KernelName: "wan", Index: 2, AdminUp: true, Up: true, MTU: 1500,
			Addresses: []rib.Address{{Prefix: netip.MustParsePrefix(nbma + "/30")}}},
		{Name: "Tunnel0", KernelName: "Tunnel0", Index: 10, Type: rib.TypeTunnel, AdminUp: true, Up: true, Multicast: true, MTU: 1400,
			Addresses: []rib.Address{{Prefix: netip.MustParsePrefix(tunnel)}},
			Tunnel: &rib.Tunnel{Mode: rib.TunnelGREMultipoint, SourceInterface: "GigabitEthernet1",
				Source: netip.MustParseAddr(nbma), HasKey: true, Key: 100, IPv6Transport: netip.MustParseAddr(nbma).Is6()}}}
	return s
}

// start runs the daemon, attaches and configures it, and waits until it is at rest.
func (s *station) start(config string) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d := nhrpd.New(slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: s.level})), "test", s.host, &s.names)
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	s.daemon = plugintest.NewHarness(s.t, d)
	s.attach()
	s.configure(config)
	synctest.Wait() // its socket is open: nothing that the others send is lost
	s.kill = func() {
		s.stream.Close()
		cancel()
		<-done
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
	go s.zebra.serve(s.stream, s.interfaces)
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
	if err := s.stream.Send([]session.Down{session.Event{Event: e}}); err != nil {
		s.t.Error(err)
	}
}

// miss has the kernel ask for a neighbour, if zebra would tell.
func (s *station) miss(addr string) {
	s.t.Helper()
	s.zebra.mu.Lock()
	watched := s.zebra.misses["Tunnel0"]
	s.zebra.mu.Unlock()
	if !watched {
		s.t.Error("the misses of Tunnel0 are not watched")
	}
	s.tell(rib.NeighborMiss{Interface: "Tunnel0", Addr: netip.MustParseAddr(addr)})
}

// neighbors returns what zebra has of the daemon.
func (s *station) neighbors() string {
	synctest.Wait()
	s.zebra.mu.Lock()
	defer s.zebra.mu.Unlock()
	var out []string
	for _, o := range s.zebra.objects {
		if n, ok := o.(rib.Neighbor); ok {
			out = append(out, n.Addr.String()+" at "+n.NBMA.String())
		}
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
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
	return out.String()
}

// try runs a command of the grammar that may fail.
func (s *station) try(line string) error {
	s.t.Helper()
	m, perr := grammar.Parse([]string{cli.ModeEnable}, line)
	if perr != nil {
		s.t.Fatal(perr.Report())
	}
	return s.daemon.Exec(context.Background(), plugin.Command{ID: m.Command.ID, Args: m.Args, No: m.No}, &plugintest.Buffer{})
}

// secretID matches the Request IDs that nobody can guess.
var secretID = regexp.MustCompile(`("requestId": |Request ID:? )\d+`)

// golden compares a text with a file of testdata, but for Request IDs.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = secretID.ReplaceAllString(got, "${1}0")
	file := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if diff := cmp.Diff(string(want), got); diff != "" || err != nil {
		t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
	}
}

// names resolves names; the empty one resolves nothing.
type names struct {
	mu   sync.Mutex
	addr map[string]netip.Addr
}

func (n *names) set(name, addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addr = map[string]netip.Addr{name: netip.MustParseAddr(addr)}
}

// Lookup implements edge.Resolver.
func (n *names) Lookup(_ context.Context, name, _ string, _ bool) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a, ok := n.addr[name]; ok {
		return []netip.Addr{a}, nil
	}
	return nil, errors.New("no such name")
}

const hubConfig = `interface Tunnel0
 ip nhrp network-id 1
 ip nhrp authentication S3CRET
`

const spokeConfig = `interface Tunnel0
 ip nhrp network-id 1
 ip nhrp authentication S3CRET
 ip nhrp map 172.31.0.1 192.0.2.1
 ip nhrp map multicast 192.0.2.1
 ip nhrp nhs 172.31.0.1
`

// cloud is a hub and two spokes.
func cloud(t *testing.T) (hub, spoke1, spoke2 *station) {
	n := memnet.New()
	w := n.Wire()
	return newStation(t, n, w, "172.31.0.1/24", "192.0.2.1"), newStation(t, n, w, "172.31.0.11/24", "198.51.100.1"),
		newStation(t, n, w, "172.31.0.12/24", "203.0.113.1")
}
