package ipsecd_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/godmvpn/godmvpn/ipsecd"
	ipseccli "github.com/godmvpn/godmvpn/ipsecd/cli"
	"github.com/godmvpn/godmvpn/ipsecd/edge"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/plugin/plugintest"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// grammar is zebra's and ipsecd's.
var grammar = func() *cli.Grammar {
	g, err := cli.Merge(cli.Owned{Owner: zcli.Owner, Tree: zcli.Grammar()}, cli.Owned{Owner: ipsecd.Name, Tree: ipsecd.Grammar()})
	if err != nil {
		panic(err)
	}
	return g
}()

// parse reads a configuration and returns ipsecd's part.
func parse(t *testing.T, text string) *conf.Tree {
	t.Helper()
	tree, errs := conf.Load(grammar, text, "test")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return tree.Filter(ipsecd.Name, slices.Concat(policy.SharedIDs(), ipseccli.SharedIDs())...)
}

// zebra is the other end of a daemon's sessions, with the kernel behind it: it brings SAs
// into force as zebra does, and remembers topics.
type zebra struct {
	mu      sync.Mutex
	send    func([]session.Down) error
	epoch   uint64
	kernel  map[rib.Key]rib.ESP
	count   map[rib.Key]rib.SACount
	stated  map[rib.Key]bool // in this attachment
	topics  map[string]map[string][]byte
	said    map[string]map[string]bool // topics, in this attachment
	watches map[rib.Watch]bool
	wanted  map[string]bool // keys of nhrpd
	mute    bool            // nothing is acknowledged
	blind   string          // why SAs cannot be listed
	ended   int             // ends of replay
	logs    []string
}

func newZebra() *zebra {
	return &zebra{kernel: map[rib.Key]rib.ESP{}, count: map[rib.Key]rib.SACount{}, topics: map[string]map[string][]byte{}, wanted: map[string]bool{}}
}

// serve serves one attachment until the stream ends.
func (z *zebra) serve(s session.HostStream, interfaces []rib.Interface) {
	z.mu.Lock()
	z.epoch++
	z.send = s.Send
	z.watches, z.stated, z.said = map[rib.Watch]bool{}, map[rib.Key]bool{}, map[string]map[string]bool{}
	first := []session.Down{session.Event{Event: rib.Attached{Epoch: z.epoch, Stale: len(z.kernel)}}}
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
			var answer []session.Down
			for _, e := range z.take(up) {
				answer = append(answer, session.Event{Event: e})
			}
			if len(answer) > 0 && s.Send(answer) != nil {
				return
			}
		}
	}
}

func (z *zebra) take(up session.Up) (answer []rib.Event) {
	z.mu.Lock()
	defer z.mu.Unlock()
	switch up := up.(type) {
	case session.Put:
		return z.put(up)
	case session.Delete:
		delete(z.kernel, up.Key)
		delete(z.stated, up.Key)
	case session.WatchAdd:
		z.watches[up.Watch] = true
		return z.watch(up.Watch)
	case session.WatchDel:
		delete(z.watches, up.Watch)
	case session.Publish:
		z.publish(up)
	case session.EndOfReplay:
		z.sweep()
	case session.Log:
		z.logs = append(z.logs, up.Message)
	}
	return nil
}

// put brings an SA into force: one with keys in the attachment in which it was stated
// first; others are there already.
func (z *zebra) put(up session.Put) []rib.Event {
	sa := up.Object.(rib.SA)
	key, ack := sa.Key(), rib.Ack{Seq: up.Seq}
	z.stated[key] = true
	old, there := z.kernel[key]
	switch {
	case there:
		sa.CipherKey, sa.IntegrityKey = old.CipherKey, old.IntegrityKey
		z.kernel[key] = sa.ESP
	case sa.Keyless() || sa.Epoch != z.epoch:
		ack.Failures = []rib.Failure{{Key: key, Error: "it is gone"}}
	default:
		z.kernel[key] = sa.ESP
	}
	if z.mute {
		return nil
	}
	return []rib.Event{ack}
}

func (z *zebra) watch(w rib.Watch) (answer []rib.Event) {
	switch w.Kind {
	case rib.WatchTopic:
		for _, key := range sorted(z.topics[w.Topic]) {
			if !z.said[w.Topic][key] {
				answer = append(answer, rib.TopicMessage{Topic: w.Topic, Key: key, Payload: z.topics[w.Topic][key]})
			}
		}
	case rib.WatchSADump:
		dump := rib.SADump{Question: w.Instance, Last: true, Error: z.blind}
		for key, esp := range z.kernel {
			if z.blind != "" {
				break
			}
			esp.CipherKey, esp.IntegrityKey = rib.Secret{}, rib.Secret{}
			dump.SAs = append(dump.SAs, rib.SAState{SA: rib.SA{ESP: esp}, Count: z.count[key], Live: z.stated[key]})
		}
		slices.SortFunc(dump.SAs, func(a, b rib.SAState) int { return cmp.Compare(a.SA.SPI, b.SA.SPI) })
		return []rib.Event{dump}
	}
	if w.Topic == protection.TopicWanted {
		for _, key := range sorted(z.wanted) {
			answer = append(answer, rib.TopicMessage{Topic: w.Topic, Key: key, Payload: []byte{1}})
		}
	}
	return answer
}

func (z *zebra) publish(up session.Publish) {
	if z.topics[up.Topic] == nil {
		z.topics[up.Topic] = map[string][]byte{}
	}
	if z.said[up.Topic] == nil {
		z.said[up.Topic] = map[string]bool{}
	}
	z.topics[up.Topic][up.Key], z.said[up.Topic][up.Key] = up.Payload, true
	if up.Payload == nil {
		delete(z.topics[up.Topic], up.Key)
	}
}

// sweep removes what the daemon did not repeat.
func (z *zebra) sweep() {
	z.ended++
	for key := range z.kernel {
		if !z.stated[key] {
			delete(z.kernel, key)
		}
	}
	for key := range z.topics[protection.TopicState] {
		if !z.said[protection.TopicState][key] {
			delete(z.topics[protection.TopicState], key)
		}
	}
}

func sorted[V any](m map[string]V) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
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

// sas returns the SAs that are in force.
func (z *zebra) sas() map[rib.Key]rib.ESP {
	synctest.Wait()
	z.mu.Lock()
	defer z.mu.Unlock()
	out := map[rib.Key]rib.ESP{}
	for k, v := range z.kernel {
		out[k] = v
	}
	return out
}

// states returns what nhrpd was told: "Tunnel0 192.0.2.1 UP 1".
func (z *zebra) states() string {
	synctest.Wait()
	z.mu.Lock()
	defer z.mu.Unlock()
	var out []string
	for _, key := range sorted(z.topics[protection.TopicState]) {
		s, err := protection.ParseState(z.topics[protection.TopicState][key])
		if err != nil {
			out = append(out, err.Error())
		}
		line := fmt.Sprintf("%s %v %d", key, s.Security, s.Generation)
		if s.Security == protection.Up && s.Identity == "" {
			line += " of nobody"
		}
		out = append(out, line)
	}
	return strings.Join(out, "; ")
}

// station is a router with a protected tunnel.
type station struct {
	t          *testing.T
	host       *memnet.Host
	addr       netip.Addr
	zebra      *zebra
	interfaces []rib.Interface
	log        *plugintest.Buffer
	wall       atomic.Int64 // by how much the time of day was set forward

	daemon *plugintest.Harness
	stream session.HostStream
	kill   func()
}

// newStation makes a router with a tunnel from an address on a wire; the daemon does not
// run.
func newStation(t *testing.T, n *memnet.Net, w *memnet.Wire, addr string) *station {
	s := &station{t: t, host: n.Host(), addr: netip.MustParseAddr(addr), log: &plugintest.Buffer{}, zebra: newZebra()}
	s.interfaces = []rib.Interface{{Name: "Tunnel0", KernelName: "Tunnel0", Index: 10, Type: rib.TypeTunnel, Up: true, AdminUp: true,
		Tunnel: &rib.Tunnel{Mode: rib.TunnelGREMultipoint, Source: s.addr}}}
	s.host.Add(w, memnet.Spec{Index: 2, Name: "eth0", Addrs: []netip.Addr{s.addr}})
	return s
}

// start runs the daemon, attaches and configures it, and waits until it is at rest.
func (s *station) start(config string) {
	s.t.Helper()
	s.run()
	s.configure(config)
	s.attach()
	synctest.Wait()
}

// run runs the daemon.
func (s *station) run() {
	ctx, cancel := context.WithCancel(context.Background())
	d := ipsecd.New(slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})), "test", edge.World{
		Network: s.host, Random: rand.Reader, ReadFile: os.ReadFile,
		Wall: func() time.Time { return time.Now().Round(0).Add(time.Duration(s.wall.Load())) }})
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	s.daemon = plugintest.NewHarness(s.t, d)
	s.kill = func() {
		if s.stream != nil {
			s.stream.Close()
		}
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

// want has nhrpd want a peer, or want it no more.
func (s *station) want(peer *station, on bool) {
	s.t.Helper()
	m := rib.TopicMessage{Topic: protection.TopicWanted, Key: protection.Peer{Tunnel: "Tunnel0", NBMA: peer.addr}.Key()}
	s.zebra.mu.Lock()
	delete(s.zebra.wanted, m.Key)
	if on {
		s.zebra.wanted[m.Key], m.Payload = true, []byte{1}
	}
	s.zebra.mu.Unlock()
	s.tell(m)
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

const config = `crypto ikev2 keyring K
 peer ALL
  address 0.0.0.0 0.0.0.0
  pre-shared-key 0 a-long-and-random-secret
crypto ikev2 profile P
 match identity remote any
 authentication remote pre-share
 authentication local pre-share
 keyring local K
crypto ipsec transform-set T esp-gcm 256
crypto ipsec profile CLOUD
 set transform-set T
 set ikev2-profile P
interface Tunnel0
 tunnel protection ipsec profile CLOUD
`

// pair is a hub and a spoke; what each tells of the other is atHub and atSpoke.
func pair(t *testing.T) (hub, spoke *station) {
	n := memnet.New()
	w := n.Wire()
	return newStation(t, n, w, "192.0.2.1"), newStation(t, n, w, "198.51.100.11")
}

// secured starts both and waits until the spoke has secured the hub.
func secured(t *testing.T) (hub, spoke *station) {
	hub, spoke = pair(t)
	hub.start(config)
	spoke.start(config)
	spoke.want(hub, true)
	time.Sleep(time.Second)
	same(t, "hub", hub.zebra.states(), "Tunnel0 198.51.100.11 UP 1")
	same(t, "spoke", spoke.zebra.states(), "Tunnel0 192.0.2.1 UP 1")
	agree(t, hub, spoke, 2)
	return hub, spoke
}

// agree checks that both have the same SAs in force, with the same keys, so many.
func agree(t *testing.T, a, b *station, n int) {
	t.Helper()
	x, y := a.zebra.sas(), b.zebra.sas()
	if len(x) != n || len(y) != n {
		t.Errorf("%d and %d SAs, want %d", len(x), len(y), n)
	}
	for key, sa := range x {
		o := y[key]
		if sa.CipherKey != o.CipherKey || sa.CipherKey.Empty() || sa.Source != o.Source || sa.Cipher != o.Cipher || sa.UDP != o.UDP {
			t.Errorf("SA %v %x: %+v, and at the peer %+v", key.Addr, key.Instance, sa, o)
		}
	}
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}
