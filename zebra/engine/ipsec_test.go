package engine_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/hub"
	"github.com/godmvpn/godmvpn/zebra/iface"
)

func anSA(spi uint32, epoch uint64) librib.SA {
	return librib.SA{Epoch: epoch, ESP: librib.ESP{Source: addr("192.0.2.1"), Destination: addr("192.0.2.2"), SPI: spi,
		Cipher: librib.AESGCM16, CipherKey: librib.NewSecret([]byte("0123456789abcdef0123")), Window: 64}}
}

// kept says of each SA that the FIB is to have whether it is to be kept only.
func (w *world) kept() string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, k := range []uint32{0x1000, 0x2000} {
		if s, ok := w.want[dataplane.SA{ESP: anSA(k, 0).ESP}.Key()].(dataplane.SA); ok {
			out = append(out, fmt.Sprintf("%#x keep=%v", k, s.Keep))
		}
	}
	return strings.Join(out, "; ")
}

// TestSA: an SA of this session comes into force, one of another is kept; failures go to
// the daemon.
func TestSA(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		var fail error
		w.answers(func(dataplane.Key) error { return fail })
		w.ready()
		w.engine.Enabled([]string{"ipsecd"})
		w.attach("ipsecd", session.Begin{}, session.Put{Seq: 1, Object: anSA(0x1000, 1)}, session.Put{Seq: 2, Object: anSA(0x2000, 77)})
		w.expect("wanted", w.kept(), "0x1000 keep=false; 0x2000 keep=true")
		w.told("ipsecd")
		w.engine.Event(dataplane.SAExpired{Key: dataplane.SA{ESP: anSA(0x1000, 1).ESP}.Key(), Hard: true})
		w.expect("who does not watch", w.told("ipsecd"), "")
		fail = dataplane.ErrGone
		w.say("ipsecd", session.Delete{Seq: 3, Key: anSA(0x2000, 0).Key()}, session.Put{Seq: 4, Object: anSA(0x2000, 78)})
		if got := w.told("ipsecd"); !strings.Contains(got, "it is gone") {
			t.Errorf("ipsecd was told %s", got)
		}
		fail = nil
		w.say("ipsecd", session.Delete{Seq: 5, Key: anSA(0x1000, 0).Key()}, session.Delete{Seq: 6, Key: anSA(0x2000, 0).Key()})
		w.expect("withdrawn", w.kept(), "")
	})
}

// TestSAOutlivesItsDaemon: when ipsecd dies its SAs stay, until its next life has said
// which of them it wants; without a next life, until its time is over.
func TestSAOutlivesItsDaemon(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.ready()
		w.engine.SetHold("ipsecd", time.Hour)
		w.engine.Enabled([]string{"ipsecd"})
		w.attach("ipsecd", session.Begin{}, session.Put{Seq: 1, Object: anSA(0x1000, 1)}, session.Put{Seq: 2, Object: anSA(0x2000, 1)}, session.EndOfReplay{Seq: 2})
		w.engine.Message(hub.Detached{Owner: "ipsecd", Epoch: 1})
		w.expect("it died", w.kept(), "0x1000 keep=false; 0x2000 keep=false")
		keyless := anSA(0x1000, 0)
		keyless.CipherKey = librib.Secret{}
		w.attach("ipsecd", session.Begin{}, session.Put{Seq: 1, Object: keyless})
		w.expect("one is repeated", w.kept(), "0x1000 keep=true; 0x2000 keep=false")
		w.say("ipsecd", session.EndOfReplay{Seq: 1})
		w.expect("that is all", w.kept(), "0x1000 keep=true")
		w.engine.Message(hub.Detached{Owner: "ipsecd", Epoch: 2})
		time.Sleep(59 * time.Minute)
		w.expect("dead again", w.kept(), "0x1000 keep=true")
		time.Sleep(2 * time.Minute)
		w.expect("for too long", w.kept(), "")
	})
}

// TestSAsOfAnEarlierZebra: what an earlier zebra left stays until all daemons have said
// what they want. Its guards go with the configuration, policies of daemons do not.
func TestSAsOfAnEarlierZebra(t *testing.T) {
	policy := dataplane.Policy{Policy: librib.Policy{Local: addr("192.0.2.1"), Peer: prefix("240.0.0.1/32"), Outer: addr("192.0.2.2")}}
	one, two := dataplane.SA{ESP: anSA(0x1000, 0).ESP}, dataplane.SA{ESP: anSA(0x2000, 0).ESP}
	inWorld(t, []dataplane.Object{one, two, policy, dataplane.Guard(addr("192.0.2.99"))}, func(w *world) {
		w.engine.Expected([]string{"ipsecd"})
		w.ready()
		w.engine.Enabled([]string{"ipsecd"})
		w.expect("the configuration is in force", w.left(), strings.Join([]string{one.Key().String(), two.Key().String(), policy.Key().String()}, "; "))
		w.attach("ipsecd", session.Begin{}, session.Put{Seq: 1, Object: anSA(0x1000, 77)}, session.Put{Seq: 2, Object: policy.Policy})
		w.expect("kept", w.kept(), "0x1000 keep=true")
		w.expect("one is repeated", w.left(), two.Key().String())
		w.expect("the policy is repeated", w.wanted(dataplane.KindPolicy), policy.Key().String())
		if got := w.told("ipsecd"); !strings.Contains(got, "ack 2 []") {
			t.Errorf("ipsecd was told %s", got)
		}
		w.say("ipsecd", session.EndOfReplay{Seq: 2})
		w.expect("that is all", w.left(), "")
		w.say("ipsecd", session.Delete{Seq: 3, Key: policy.Policy.Key()})
		w.expect("no policy", w.wanted(dataplane.KindPolicy), "")
	})
}

// dumps returns what a daemon was sent of an SADump, in words.
func (w *world) dumps(owner string) string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, e := range w.sent[owner] {
		if d, ok := e.(librib.SADump); ok {
			text := fmt.Sprintf("question %d part %d last=%v %s", d.Question, d.Part, d.Last, d.Error)
			for _, s := range d.SAs[:min(len(d.SAs), 3)] {
				text += fmt.Sprintf(" %#x live=%v packets=%d keyless=%v", s.SA.SPI, s.Live, s.Count.Packets, s.SA.Keyless())
			}
			out = append(out, text)
		}
	}
	delete(w.sent, owner)
	return strings.Join(out, "; ")
}

func ask(question uint32) session.WatchAdd {
	return session.WatchAdd{Watch: librib.Watch{Kind: librib.WatchSADump, Instance: question}}
}

// TestSADump: a daemon that asks is told once which SAs there are, without keys, what
// they counted, and which of them it has stated itself.
func TestSADump(t *testing.T) {
	old := dataplane.SA{ESP: anSA(0x1000, 0).ESP, Count: librib.SACount{Packets: 7}}
	inWorld(t, []dataplane.Object{old}, func(w *world) {
		w.engine.Expected([]string{"ipsecd"})
		w.attach("ipsecd", session.Begin{}, ask(1))
		w.expect("before the start", w.dumps("ipsecd"), "")
		w.ready()
		w.engine.Enabled([]string{"ipsecd"})
		const stale = "question 1 part 0 last=true  0x1000 live=false packets=7 keyless=true"
		w.expect("after it", w.dumps("ipsecd"), stale)
		w.say("ipsecd", session.WatchDel{Watch: ask(1).Watch}, session.Put{Seq: 1, Object: anSA(0x2000, 1)}, ask(2))
		w.expect("with one of its own", w.dumps("ipsecd"),
			"question 2 part 0 last=true  0x1000 live=false packets=7 keyless=true 0x2000 live=true packets=0 keyless=true")
		w.attach("ipsecd", session.Begin{}, session.Put{Seq: 1, Object: anSA(0x1000, 0)}, ask(2))
		w.expect("in another session", w.dumps("ipsecd"),
			"question 2 part 0 last=true  0x1000 live=true packets=0 keyless=true 0x2000 live=false packets=0 keyless=true")
		w.mu.Lock()
		w.listing = errors.New("no memory")
		w.mu.Unlock()
		w.say("ipsecd", ask(3))
		w.expect("trouble", w.dumps("ipsecd"), "question 3 part 0 last=true no memory")
		w.say("ipsecd", ask(4), session.WatchDel{Watch: ask(4).Watch})
		w.expect("asked no more", w.dumps("ipsecd"), "")
	})
}

// TestSADumpInParts: an answer that does not fit one message comes in several.
func TestSADumpInParts(t *testing.T) {
	var all []dataplane.Object
	for n := range uint32(session.MaxSADump + 1) {
		all = append(all, dataplane.SA{ESP: anSA(0x1000+n, 0).ESP})
	}
	inWorld(t, all, func(w *world) {
		w.engine.Expected([]string{"ipsecd"})
		w.ready()
		w.engine.Enabled([]string{"ipsecd"})
		w.attach("ipsecd", session.Begin{}, ask(1), ask(2), ask(3))
		w.expect("the last question", w.dumps("ipsecd"), "question 3 part 0 last=false  0x1000 live=false packets=0 keyless=true 0x1001 live=false packets=0 keyless=true 0x1002 live=false packets=0 keyless=true;"+
			" question 3 part 1 last=true  0x1200 live=false packets=0 keyless=true")
	})
}

// TestIPsecEvents: who watches is told what becomes of SAs.
func TestIPsecEvents(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.ready()
		w.engine.Enabled([]string{"ipsecd"})
		watch := librib.Watch{Kind: librib.WatchIPsec}
		w.attach("ipsecd", session.Begin{}, session.WatchAdd{Watch: watch})
		w.told("ipsecd")
		key := dataplane.SA{ESP: librib.ESP{Destination: addr("192.0.2.2"), SPI: 0x1000}}.Key()
		name := librib.Key{Kind: librib.KindSA, Addr: addr("192.0.2.2"), Instance: 0x1000}
		from, to := netip.MustParseAddrPort("192.0.2.2:4500"), netip.MustParseAddrPort("192.0.2.2:1024")
		w.engine.Event(dataplane.Acquire{Source: addr("192.0.2.1"), Destination: addr("192.0.2.2")})
		w.engine.Event(dataplane.SAExpired{Key: key, Hard: true})
		w.engine.Event(dataplane.MappingChanged{Key: key, Old: from, New: to})
		synctest.Wait()
		w.mu.Lock()
		have := fmt.Sprintf("%+v", w.sent["ipsecd"])
		w.mu.Unlock()
		want := fmt.Sprintf("%+v", []librib.Event{librib.Acquired{Source: addr("192.0.2.1"), Destination: addr("192.0.2.2")},
			librib.SAExpired{SA: name, Hard: true}, librib.MappingChanged{SA: name, Old: from, New: to}})
		w.expect("told", have, want)
		w.told("ipsecd")
		w.say("ipsecd", session.WatchDel{Watch: watch})
		w.engine.Event(dataplane.Acquire{Source: addr("192.0.2.1"), Destination: addr("192.0.2.2")})
		w.expect("told no more", w.told("ipsecd"), "")
	})
}

// TestGuardOfTheConfiguration: it is wanted as soon as the tunnel is, and its trouble is
// logged.
func TestGuardOfTheConfiguration(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.answers(func(k dataplane.Key) error {
			if k.Kind == dataplane.KindPolicy {
				return errors.New("no memory")
			}
			return nil
		})
		w.ready()
		w.engine.Configure(iface.Config{Interfaces: []iface.Interface{{Name: "Tunnel0",
			Tunnel: iface.Tunnel{Source: addr("192.0.2.1"), Multipoint: true, Protection: "DMVPN"}}}}, nil)
		w.expect("wanted", w.wanted(dataplane.KindPolicy), dataplane.Guard(addr("192.0.2.1")).Key().String())
		if !strings.Contains(w.log.String(), "no memory") {
			t.Error("its trouble is not logged")
		}
	})
}
