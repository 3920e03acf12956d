package bgpd_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/bgpd"
	"github.com/godmvpn/godmvpn/bgpd/edge"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/plugin/plugintest"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
)

// grammar is zebra's and bgpd's.
var grammar = func() *cli.Grammar {
	g, err := cli.Merge(cli.Owned{Owner: zcli.Owner, Tree: zcli.Grammar()}, cli.Owned{Owner: bgpd.Name, Tree: bgpd.Grammar()})
	if err != nil {
		panic(err)
	}
	return g
}()

// parse reads a configuration and returns bgpd's part.
func parse(t *testing.T, text string) *conf.Tree {
	t.Helper()
	tree, errs := conf.Load(grammar, text, "test")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return tree.Filter(bgpd.Name, policy.SharedIDs()...)
}

// zebra is the other end of a daemon's sessions: it remembers what it is told, has
// routes of others, and reaches every next hop in the networks of its interfaces.
type zebra struct {
	mu         sync.Mutex
	epoch      uint64
	interfaces []rib.Interface
	objects    map[rib.Key]rib.Object
	topics     map[string]map[string][]byte
	stale      map[rib.Key]bool // of an earlier attachment
	swept      map[rib.Key]bool // of those, what was left at the last end of replay
	watches    map[rib.Watch]bool
	others     []rib.Route // of other protocols
	ended      int         // ends of replay
	logs       []string
	withdrawn  []rib.Key
	stream     session.HostStream
	busy       bool   // nothing is acknowledged
	seq        uint64 // of the last object
}

func (z *zebra) serve(s session.HostStream) {
	z.mu.Lock()
	z.epoch++
	z.stream = s
	z.watches = map[rib.Watch]bool{}
	first := []session.Down{session.Event{Event: rib.Attached{Epoch: z.epoch, Stale: len(z.objects)}}}
	for _, i := range z.interfaces {
		first = append(first, session.Event{Event: rib.InterfaceChanged{Interface: i}})
	}
	z.mu.Unlock()
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
	tell := func(e rib.Event) { answer = append(answer, session.Event{Event: e}) }
	switch up := up.(type) {
	case session.Begin:
		z.stale = map[rib.Key]bool{}
		for k := range z.objects {
			z.stale[k] = true
		}
	case session.Put:
		z.objects[up.Object.Key()] = up.Object
		delete(z.stale, up.Object.Key())
		if z.seq = up.Seq; !z.busy {
			tell(rib.Ack{Seq: up.Seq})
		}
	case session.Delete:
		delete(z.objects, up.Key)
		z.withdrawn = append(z.withdrawn, up.Key)
	case session.WatchAdd:
		z.watches[up.Watch] = true
		z.answer(up.Watch, tell)
	case session.WatchDel:
		delete(z.watches, up.Watch)
	case session.Publish:
		if z.topics[up.Topic] == nil {
			z.topics[up.Topic] = map[string][]byte{}
		}
		if z.topics[up.Topic][up.Key] = up.Payload; up.Payload == nil {
			delete(z.topics[up.Topic], up.Key)
		}
	case session.EndOfReplay:
		z.ended++
		for k := range z.stale {
			delete(z.objects, k)
		}
		z.swept, z.stale = z.stale, nil
	case session.Log:
		z.logs = append(z.logs, up.Message)
	}
	return answer
}

// answer answers a watch.
func (z *zebra) answer(w rib.Watch, tell func(rib.Event)) {
	switch w.Kind {
	case rib.WatchNextHop:
		tell(z.reach(w))
		return
	case rib.WatchTopic: // of a former life
		for key, value := range z.topics[w.Topic] {
			tell(rib.TopicMessage{Topic: w.Topic, Key: key, Payload: value})
		}
		return
	}
	for _, r := range z.others {
		if watches(w, r) {
			tell(rib.RouteChanged{Watch: w, Route: r})
		}
	}
	tell(rib.RoutesKnown{Watch: w})
}

func watches(w rib.Watch, r rib.Route) bool {
	return w.VRF == r.VRF && (w.Kind == rib.WatchNetwork && w.Prefix == r.Prefix || w.Kind == rib.WatchRedistribute && w.Protocol == r.Protocol && w.Family == rib.FamilyOf(r.Prefix.Addr()))
}

// reach says how a next hop is reached: by an interface that is up.
func (z *zebra) reach(w rib.Watch) rib.NextHopChanged {
	out := rib.NextHopChanged{Watch: w}
	for _, i := range z.interfaces {
		for _, a := range i.Addresses {
			if i.Up && i.VRF == w.VRF && a.Prefix.Masked().Contains(w.Addr) {
				out.Prefix, out.Protocol, out.NextHops = a.Prefix.Masked(), rib.Connected, []rib.NextHop{{Addr: w.Addr, Interface: i.Name}}
			}
		}
	}
	return out
}

// change puts or withdraws a route of another protocol.
func (z *zebra) change(r rib.Route, withdrawn bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.others = slices.DeleteFunc(z.others, func(o rib.Route) bool { return o.Key() == r.Key() })
	if !withdrawn {
		z.others = append(z.others, r)
	}
	for w := range z.watches {
		if watches(w, r) {
			_ = z.stream.Send([]session.Down{session.Event{Event: rib.RouteChanged{Watch: w, Route: r, Withdrawn: withdrawn}}})
		}
	}
}

// link changes an interface and what it is for next hops.
func (z *zebra) link(name string, up bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	var out []session.Down
	for i := range z.interfaces {
		if z.interfaces[i].Name == name {
			z.interfaces[i].Up = up
			out = append(out, session.Event{Event: rib.InterfaceChanged{Interface: z.interfaces[i]}})
		}
	}
	for w := range z.watches {
		if w.Kind == rib.WatchNextHop {
			out = append(out, session.Event{Event: z.reach(w)})
		}
	}
	_ = z.stream.Send(out)
}

// router is a machine with bgpd, at an address of the loopback net.
type router struct {
	t     *testing.T
	addr  netip.Addr
	port  int
	ports map[netip.Addr]int // of others
	zebra *zebra
	log   lockedBuffer

	daemon *plugintest.Harness
	stream session.HostStream
	kill   func()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

// newRouter makes a router with an interface in 127.0.0.0/24 and one of its own; the
// daemon does not run.
func newRouter(t *testing.T, last byte) *router {
	addr := netip.AddrFrom4([4]byte{127, 0, 0, last})
	l, err := net.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	z := &zebra{objects: map[rib.Key]rib.Object{}, topics: map[string]map[string][]byte{}, watches: map[rib.Watch]bool{}}
	lan := netip.MustParsePrefix(fmt.Sprintf("10.%d.0.1/24", last))
	z.interfaces = []rib.Interface{
		{Name: "Tunnel0", KernelName: "Tunnel0", Index: 2, Type: rib.TypeTunnel, AdminUp: true, Up: true, Addresses: []rib.Address{{Prefix: netip.PrefixFrom(addr, 24)}}},
		{Name: "GigabitEthernet2", KernelName: "lan", Index: 3, AdminUp: true, Up: true, Addresses: []rib.Address{{Prefix: lan}}},
	}
	z.others = []rib.Route{connected(lan.Masked().String(), "GigabitEthernet2")}
	r := &router{t: t, addr: addr, port: l.Addr().(*net.TCPAddr).Port, zebra: z, ports: map[netip.Addr]int{}, kill: func() {}}
	t.Cleanup(func() {
		r.kill()
		if t.Failed() {
			t.Logf("%v:\n%s", addr, r.log.b.String())
		}
	})
	return r
}

func connected(prefix, ifname string) rib.Route {
	return rib.Route{Prefix: netip.MustParsePrefix(prefix), Protocol: rib.Connected, NextHops: []rib.NextHop{{Interface: ifname}}}
}

// know tells routers the ports of one another.
func know(all ...*router) {
	for _, a := range all {
		for _, b := range all {
			a.ports[b.addr] = b.port
		}
	}
}

// adjust has a speaker use the addresses and ports of the test.
func (r *router) adjust(c *speaker.Config) {
	c.Process.Port, c.Process.Listen = r.port, []netip.Addr{r.addr}
	c.Neighbors = slices.Clone(c.Neighbors)
	for i := range c.Neighbors {
		n := &c.Neighbors[i]
		n.Port, n.Source, n.Timers.Connect = uint16(r.ports[n.Address]), r.addr, time.Second
		if n.RemoteAS != c.Process.AS {
			n.MultihopTTL = 2 // loopback addresses are no neighbours to GoBGP
		}
	}
	c.Groups = slices.Clone(c.Groups)
	for i := range c.Groups {
		if c.Groups[i].RemoteAS != c.Process.AS {
			c.Groups[i].MultihopTTL = 2
		}
	}
}

// start runs the daemon, attaches and configures it.
func (r *router) start(config string) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d := bgpd.New(slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelInfo})), "test", edge.World{Adjust: r.adjust})
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	r.daemon = plugintest.NewHarness(r.t, d)
	r.stream, _ = r.daemon.Attach()
	go r.zebra.serve(r.stream)
	r.configure(config)
	r.kill = func() {
		r.stream.Close()
		cancel()
		<-done
		r.kill = func() {}
	}
}

func (r *router) configure(config string) {
	r.t.Helper()
	for _, phase := range []plugin.Phase{plugin.Check, plugin.Commit} {
		errs, err := r.daemon.Configure(context.Background(), plugin.Configuration{Revision: 1, Tree: parse(r.t, config), Phase: phase})
		if err != nil || len(errs) > 0 {
			r.t.Fatal(errs, err)
		}
	}
}

// routes returns what zebra has of the daemon.
func (r *router) routes() string {
	r.zebra.mu.Lock()
	defer r.zebra.mu.Unlock()
	var out []string
	for _, o := range r.zebra.objects {
		x := o.(rib.Route)
		line := x.Prefix.String()
		for _, h := range x.NextHops {
			if h.Discard {
				line += " Null0"
				continue
			}
			line += fmt.Sprintf(" via %v", h.Addr)
		}
		out = append(out, fmt.Sprintf("%s [%d/%d]", line, x.Distance, x.Metric))
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

func (r *router) logged() string {
	r.zebra.mu.Lock()
	defer r.zebra.mu.Unlock()
	return strings.Join(r.zebra.logs, "\n")
}

// exec runs a command of the grammar.
func (r *router) exec(line string, asJSON bool) string {
	r.t.Helper()
	m, perr := grammar.Parse([]string{cli.ModeEnable}, line)
	if perr != nil {
		r.t.Fatal(perr.Report())
	}
	var out bytes.Buffer
	if err := r.daemon.Exec(context.Background(), plugin.Command{ID: m.Command.ID, Args: m.Args, No: m.No, JSON: asJSON}, &out); err != nil {
		r.t.Errorf("%s: %v", line, err)
	}
	return out.String()
}

// has waits until zebra has these routes of the daemon.
func (r *router) has(want string) {
	r.t.Helper()
	r.eventually(func() string {
		if got := r.routes(); got != want {
			return fmt.Sprintf("%v: routes %q, want %q", r.addr, got, want)
		}
		return ""
	})
}

// says waits until a command says something.
func (r *router) says(line, want string) {
	r.t.Helper()
	r.eventually(func() string {
		if got := r.exec(line, false); !strings.Contains(got, want) {
			return fmt.Sprintf("%s: %s\nwant %q", line, got, want)
		}
		return ""
	})
}

// eventually polls until check has nothing to say.
func (r *router) eventually(check func() string) {
	r.t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for {
		what := check()
		if what == "" {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatal(what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
