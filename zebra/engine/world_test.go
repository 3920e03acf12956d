package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/engine"
	"github.com/godmvpn/godmvpn/zebra/fib"
	"github.com/godmvpn/godmvpn/zebra/hub"
	"github.com/godmvpn/godmvpn/zebra/iface"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an engine between a FIB and a hub in memory.
type world struct {
	t      *testing.T
	engine *engine.Engine
	epoch  uint64
	stop   func()       // ends the engine
	log    bytes.Buffer // warnings; to be read when the engine waits

	mu      sync.Mutex
	want    map[dataplane.Key]dataplane.Object
	stale   map[dataplane.Key]dataplane.Object
	answer  func(dataplane.Key) error // nil: the test gives the outcomes itself
	sent    map[string][]librib.Event
	gone    []string // owners that were withdrawn
	listing error    // of List
}

// inWorld runs a test with virtual time. stale is what an earlier zebra left.
func inWorld(t *testing.T, stale []dataplane.Object, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, want: map[dataplane.Key]dataplane.Object{}, stale: map[dataplane.Key]dataplane.Object{},
			sent: map[string][]librib.Event{}, answer: func(dataplane.Key) error { return nil }}
		for _, o := range stale {
			w.stale[o.Key()] = o
		}
		w.engine = engine.New(slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelWarn})), func(string, session.Log) {})
		w.engine.Connect(w, w)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); w.engine.Run(ctx) }()
		w.stop = func() { cancel(); <-done }
		test(w)
		w.stop()
	})
}

func (w *world) report(k dataplane.Key, o dataplane.Object) {
	if w.answer != nil {
		err := w.answer(k)
		go w.engine.Outcomes([]fib.Outcome{{Key: k, Object: o, Err: err}}) // as by fib's own goroutine
	}
}

// Put implements engine.FIB.
func (w *world) Put(objects ...dataplane.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range objects {
		w.want[o.Key()] = o
		delete(w.stale, o.Key())
		w.report(o.Key(), o)
	}
}

// Delete implements engine.FIB.
func (w *world) Delete(keys ...dataplane.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range keys {
		delete(w.want, k)
		delete(w.stale, k)
		w.report(k, nil)
	}
}

// Sweep implements engine.FIB.
func (w *world) Sweep(filter func(dataplane.Object) bool) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.stale)
	maps.DeleteFunc(w.stale, func(_ dataplane.Key, o dataplane.Object) bool { return filter == nil || filter(o) })
	return n - len(w.stale)
}

// Totals implements engine.FIB.
func (w *world) Totals() fib.Totals {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fib.Totals{Stats: fib.Stats{Wanted: len(w.want), Stale: len(w.stale)}}
}

// List implements engine.FIB: everything wanted and stale is in force.
func (w *world) List(kind dataplane.Kind, done func([]dataplane.Object, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var have []dataplane.Object
	for _, all := range []map[dataplane.Key]dataplane.Object{w.want, w.stale} {
		for _, o := range all {
			if o.Key().Kind == kind {
				have = append(have, o)
			}
		}
	}
	err := w.listing
	go done(have, err)
}

// Send implements engine.Hub.
func (w *world) Send(owner string, events ...librib.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent[owner] = append(w.sent[owner], events...)
}

// Broadcast implements engine.Hub.
func (w *world) Broadcast(events ...librib.Event) { w.Send("*", events...) }

// Withdraw implements engine.Hub.
func (w *world) Withdraw(owner string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = append(w.gone, owner)
}

// answers says what becomes of operations; nil: the test says it.
func (w *world) answers(f func(dataplane.Key) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

// withdrawn returns the owners whose topics were withdrawn.
func (w *world) withdrawn() string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.gone, " ")
}

// route returns the one route that the FIB is to have.
func (w *world) route() dataplane.Object {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.want {
		if o.Key().Kind == dataplane.KindRoute {
			return o
		}
	}
	return nil
}

// told returns what a daemon was sent since the last call, in words.
func (w *world) told(owner string) string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var words []string
	for _, e := range w.sent[owner] {
		switch e := e.(type) {
		case librib.InterfaceChanged:
			words = append(words, "interface "+e.Interface.Name)
		case librib.InterfaceGone:
			words = append(words, "gone "+e.Name)
		case librib.Attached:
			words = append(words, fmt.Sprintf("attached stale=%d", e.Stale))
		case librib.InterfacesKnown:
			words = append(words, "known")
		case librib.NeighborMiss:
			words = append(words, fmt.Sprintf("miss %s %v", e.Interface, e.Addr))
		case librib.UnmatchedGRE:
			for _, r := range e.Rows {
				words = append(words, fmt.Sprintf("unmatched %v %s: %s", r.Source, engine.KeyText(r.HasKey, r.Key), r.Why))
			}
		case librib.Ack:
			words = append(words, fmt.Sprintf("ack %d %v", e.Seq, e.Failures))
		default:
			words = append(words, fmt.Sprintf("%T", e))
		}
	}
	delete(w.sent, owner)
	return strings.Join(words, "; ")
}

// wanted returns what the FIB is to have of the kinds, in words.
func (w *world) wanted(kinds ...dataplane.Kind) string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return words(w.want, kinds)
}

// left returns what is still there of an earlier life.
func (w *world) left() string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return words(w.stale, nil)
}

func words(objects map[dataplane.Key]dataplane.Object, kinds []dataplane.Kind) string {
	var out []string
	for k, o := range objects {
		if len(kinds) > 0 && !slices.Contains(kinds, k.Kind) {
			continue
		}
		switch o := o.(type) {
		case dataplane.Route:
			text := fmt.Sprintf("route %d %v p%d", o.Table, o.Prefix, o.Protocol)
			if o.Blackhole {
				text += " blackhole"
			}
			for _, h := range o.NextHops {
				text += fmt.Sprintf(" %v@%s", h.Gateway, h.Device)
			}
			out = append(out, text)
		case dataplane.Neighbor:
			out = append(out, fmt.Sprintf("neighbor %s %v at %v", o.Device, o.Addr, o.NBMA))
		default:
			out = append(out, o.Key().String())
		}
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// device brings a device of the kernel up, with addresses.
func (w *world) device(name string, index int, addrs ...string) {
	w.engine.Event(dataplane.LinkChanged{Link: dataplane.LinkInfo{Name: name, Index: index, Kind: "veth", Up: true, Running: true, MTU: 1500}})
	for _, a := range addrs {
		w.engine.Event(dataplane.AddrChanged{Addr: dataplane.Addr{Device: name, Prefix: prefix(a)}, Index: index})
	}
}

// attach opens a session; the messages are sent by it.
func (w *world) attach(owner string, ups ...session.Up) {
	w.epoch++
	w.engine.Message(hub.Attached{Owner: owner, Epoch: w.epoch})
	w.say(owner, ups...)
}

func (w *world) say(owner string, ups ...session.Up) {
	w.engine.Message(hub.Received{Owner: owner, Epoch: w.epoch, Ups: ups})
}

// routes returns the RIB's table in words: the selected route and how far the
// kernel is with it.
func (w *world) routes(vrf string) string {
	synctest.Wait()
	var views []rib.PrefixView
	if err := w.engine.Do(context.Background(), func() { views, _ = w.engine.RIB().Page(vrf, librib.IPv4, netip.Prefix{}, 1000) }); err != nil {
		w.t.Fatal(err)
	}
	state := map[rib.FIBState]string{rib.FIBNone: "", rib.FIBPending: " pending", rib.FIBInstalled: " installed", rib.FIBFailed: " failed: "}
	var out []string
	for _, v := range views {
		if r, ok := v.Selected(); ok {
			out = append(out, fmt.Sprintf("%v %v%s%s", v.Prefix, r.Route.Protocol, state[v.FIB], v.Error))
		}
	}
	return strings.Join(out, "; ")
}

func (w *world) expect(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }

func static(vrf, p string, hops ...librib.NextHop) librib.Route {
	return librib.Route{VRF: vrf, Prefix: prefix(p), Protocol: librib.Static, Distance: 1, Instance: 1, NextHops: hops}
}

func neighbor(ifname, a, nbma string) librib.Neighbor {
	return librib.Neighbor{Interface: ifname, Addr: addr(a), NBMA: addr(nbma)}
}

// ready is a configuration with an alias and a VRF, and the devices for it.
func (w *world) ready(routes ...librib.Route) {
	w.engine.Event(dataplane.Resync{})
	w.device("eth0", 2, "192.0.2.1/30")
	w.device("lan", 3, "10.1.0.1/24")
	w.engine.Event(dataplane.Known{})
	w.engine.Configure(config(), routes)
	w.engine.Configured()
}

func config() iface.Config {
	return iface.Config{Aliases: map[string]string{"GigabitEthernet1": "eth0"}, VRFs: []iface.VRF{{Name: "RED"}},
		Interfaces: []iface.Interface{{Name: "GigabitEthernet1"}, {Name: "red0", VRF: "RED"}}}
}
