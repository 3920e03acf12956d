package plugintest

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
)

// Program is a daemon that stations run.
type Program struct {
	Name    string
	Grammar *cli.Grammar // of the daemon and of zebra
	Shared  []string     // IDs of commands of others that are in the daemon's configuration
	New     func(log *slog.Logger, world daemon.World) Daemon
}

// Daemon is a daemon whose edge has to be run.
type Daemon interface {
	plugin.Daemon
	Run(ctx context.Context)
}

// Parse reads a configuration and returns the daemon's part.
func (p *Program) Parse(t *testing.T, text string) *conf.Tree {
	t.Helper()
	tree, errs := conf.Load(p.Grammar, text, "test")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return tree.Filter(p.Name, p.Shared...)
}

// Station is a router with a daemon, in a bubble of synctest.
type Station struct {
	T          *testing.T
	Program    *Program
	Host       *memnet.Host
	Zebra      *Zebra
	Interfaces []rib.Interface           // of which zebra tells at the next attachment
	Devices    map[string]*memnet.Device // of Interfaces, by name
	Log        *Buffer                   // the daemon's own log
	Wall       atomic.Int64              // by how much the time of day was set forward, in nanoseconds

	Daemon *Harness // while it runs
	kill   func()
	stream session.HostStream
	lives  uint64
}

// NewStation makes a router without interfaces; the daemon does not run.
func NewStation(t *testing.T, p *Program, n *memnet.Net) *Station {
	return &Station{T: t, Program: p, Host: n.Host(), Zebra: NewZebra(), Devices: map[string]*memnet.Device{}, Log: &Buffer{}, kill: func() {}}
}

// Add gives the router an interface that is up, with an address, on a wire.
func (s *Station) Add(w *memnet.Wire, i rib.Interface, addr string) *memnet.Device {
	p := netip.MustParsePrefix(addr)
	i.AdminUp, i.Up, i.Multicast, i.MTU, i.Addresses = true, true, true, 1400, []rib.Address{{Prefix: p}}
	s.Interfaces = append(s.Interfaces, i)
	vrf := ""
	for _, v := range s.Interfaces {
		if v.Type == rib.TypeVRF && v.Name == i.VRF {
			vrf = v.KernelName
		}
	}
	d := s.Host.Add(w, memnet.Spec{Index: i.Index, Name: i.KernelName, VRF: vrf, Addrs: []netip.Addr{p.Addr()}})
	s.Devices[i.Name] = d
	return d
}

// Start runs the daemon, attaches and configures it, and waits until it is at rest.
func (s *Station) Start(config string) {
	s.T.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.lives++
	d := s.Program.New(slog.New(slog.NewTextHandler(s.Log, &slog.HandlerOptions{Level: slog.LevelDebug})), daemon.World{
		Network: s.Host, Random: rand.NewPCG(s.lives, 0),
		Wall: func() time.Time { return time.Now().Round(0).Add(time.Duration(s.Wall.Load())) }})
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	s.Daemon = NewHarness(s.T, d)
	s.Attach()
	s.Configure(config)
	synctest.Wait() // its sockets are open: nothing that the others send is lost
	s.kill = func() {
		s.stream.Close()
		cancel()
		<-done
		synctest.Wait()
		s.kill = func() {}
	}
	s.T.Cleanup(s.Kill)
}

// Kill ends the daemon without a goodbye, if it runs.
func (s *Station) Kill() { s.kill() }

// Attach opens a session, in place of the one before.
func (s *Station) Attach() {
	if s.stream != nil {
		s.stream.Close()
		synctest.Wait()
	}
	s.stream, _ = s.Daemon.Attach()
	go s.Zebra.serve(s.stream, slices.Clone(s.Interfaces))
}

// Configure checks a configuration and brings it into force.
func (s *Station) Configure(config string) {
	s.T.Helper()
	for _, phase := range []plugin.Phase{plugin.Check, plugin.Commit} {
		errs, err := s.Daemon.Configure(context.Background(), plugin.Configuration{Revision: 1, Tree: s.Program.Parse(s.T, config), Phase: phase})
		if err != nil || len(errs) > 0 {
			s.T.Fatal(errs, err)
		}
	}
}

// Tell sends an event of zebra's.
func (s *Station) Tell(e rib.Event) {
	s.T.Helper()
	if err := s.stream.Send([]session.Down{session.Event{Event: e}}); err != nil {
		s.T.Error(err)
	}
	synctest.Wait()
}

// Publish sends the value of a topic of another daemon's, nil to withdraw it; later
// lives of the daemon are told of it, too.
func (s *Station) Publish(topic, key string, payload []byte) {
	s.T.Helper()
	k := topicKey{topic, key}
	s.Zebra.mu.Lock()
	s.Zebra.others[k] = payload
	if payload == nil {
		delete(s.Zebra.others, k)
	}
	s.Zebra.mu.Unlock()
	s.Tell(rib.TopicMessage{Topic: topic, Key: key, Payload: payload})
}

// Exec runs a command of the grammar.
func (s *Station) Exec(line string, asJSON bool) string {
	s.T.Helper()
	m, perr := s.Program.Grammar.Parse([]string{cli.ModeEnable}, line)
	if perr != nil {
		s.T.Fatal(perr.Report())
	}
	synctest.Wait()
	var out bytes.Buffer
	if err := s.Daemon.Exec(context.Background(), plugin.Command{ID: m.Command.ID, Args: m.Args, No: m.No, JSON: asJSON}, &out); err != nil {
		s.T.Errorf("%s: %v", line, err)
	}
	synctest.Wait()
	return out.String()
}

// Buffer is a text that many goroutines may write.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *Buffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

// String returns what was written.
func (l *Buffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
