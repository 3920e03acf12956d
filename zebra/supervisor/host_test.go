package supervisor

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/zebra/hub"
)

// model is what a zebra holds of one daemon: the contract of the session, and
// nothing else.
type model struct {
	mu       sync.Mutex
	routes   map[netip.Prefix]uint32
	fresh    map[netip.Prefix]bool // repeated in this replay
	replays  int                   // that have ended
	swept    int
	messages int
	farewell int // metric of the last route to farewell
	epoch    uint64
	a        Attachment
	hub      *hub.Hub
}

func newModel(first uint64) *model {
	m := &model{routes: map[netip.Prefix]uint32{}}
	m.hub = hub.New(m.take, first)
	return m
}

func (m *model) serve(ctx context.Context, a Attachment) error {
	m.mu.Lock()
	m.a = a
	m.mu.Unlock()
	return m.hub.Serve(ctx, a.Name, a.Stream)
}

func (m *model) take(msg hub.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch msg := msg.(type) {
	case hub.Attached:
		m.epoch = msg.Epoch
		go m.hub.Send(msg.Owner, rib.Attached{Epoch: msg.Epoch})
	case hub.Received:
		for _, up := range msg.Ups {
			m.apply(up)
		}
	}
}

func (m *model) apply(up session.Up) {
	m.messages++
	switch up := up.(type) {
	case session.Begin:
		m.fresh = map[netip.Prefix]bool{}
	case session.Put:
		r := up.Object.(rib.Route)
		m.routes[r.Prefix], m.fresh[r.Prefix] = r.Metric, true
		if r.Prefix == farewell {
			m.farewell = int(r.Metric)
		}
	case session.Delete:
		delete(m.routes, up.Key.Prefix)
	case session.EndOfReplay:
		m.replays++
		for p := range m.routes {
			if !m.fresh[p] {
				delete(m.routes, p)
				m.swept++
			}
		}
	}
}

func (m *model) get() (table string, replays, messages int, a Attachment) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return describe(m.routes), m.replays, m.messages, m.a
}

// program starts the test binary in another part.
func program(name string) (string, []string, error) {
	path, err := os.Executable()
	return path, []string{name}, err
}

// hostMain is a zebra. It obeys lines on standard input: "table" prints a digest
// of the daemon's state and of its own copy, once they agree.
func hostMain(dir string) {
	first, err := hub.NextGeneration(filepath.Join(dir, "generation"))
	if err != nil {
		panic(err)
	}
	m := newModel(first)
	s, err := New(Config{RunDir: dir, Program: program, Serve: m.serve})
	if err != nil {
		panic(err)
	}
	if err := s.Enable("ripd"); err != nil {
		panic(err)
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		switch in.Text() {
		case "still":
			waitFor(func() bool { _, n, _, _ := m.get(); return n > 0 })
			_, _, _, a := m.get()
			var want buffer
			if err := a.Daemon.Exec(context.Background(), plugin.Command{ID: "still"}, &want); err != nil {
				panic(err)
			}
			waitFor(func() bool { have, _, _, _ := m.get(); return have == want.String() })
			m.mu.Lock()
			fmt.Printf("table %x routes %d pid %d reattached %v swept %d epoch %d\n",
				sha256.Sum256([]byte(want.String())), len(m.routes), a.Identity.PID, a.Reattached, m.swept, m.epoch)
			m.mu.Unlock()
		case "print", "printed":
			waitFor(func() bool { _, n, _, _ := m.get(); return n > 0 })
			_, _, _, a := m.get()
			var got buffer
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			err := a.Daemon.Exec(ctx, plugin.Command{ID: in.Text()}, &got)
			cancel()
			fmt.Println(got.String(), "pid", a.Identity.PID, err)
		case "stop":
			s.Stop()
			fmt.Println("stopped")
			return
		case "release":
			s.Release()
			fmt.Println("released")
			return
		}
	}
}
