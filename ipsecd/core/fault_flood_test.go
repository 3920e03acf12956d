package core

import (
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/tests/ikefault"
)

var floodSeconds = flag.Int("flood", 3, "seconds of TestFlood, in virtual time; 60 for all of it")

// flood sends requests to begin an IKE SA, each from another address.
type flood struct {
	s       *stand
	message []byte
	rng     *rand.Rand
	in, out int // octets
	effects []Effect
}

func (s *stand) flood() *flood {
	return &flood{s: s, message: s.p.Write(s.p.Init())[0], rng: rand.New(rand.NewPCG(5, 5))}
}

// send sends n of them at once.
func (f *flood) send(n int) {
	for range n {
		b := f.message
		binary.BigEndian.PutUint64(b, f.rng.Uint64()|1)
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18 + byte(f.rng.UintN(2)), byte(f.rng.Uint32()), byte(f.rng.Uint32())}), uint16(f.rng.Uint32()))
		f.s.n.Step(f.s.now, RxPacket{Local: f.s.p.Remote, Remote: from, Packet: b})
		f.in += len(b)
		f.effects = f.s.n.Drain(f.effects[:0])
		for _, e := range f.effects {
			if tx, ok := e.(TxPacket); ok {
				f.out += len(tx.Packet)
			}
		}
	}
}

// run sends n a second, in steps of 10 ms, while all others go on.
func (f *flood) run(d time.Duration, n int) {
	for range d / (10 * time.Millisecond) {
		f.send(n / 100)
		f.s.run(10 * time.Millisecond)
	}
}

// 10,000 requests per second from spoofed sources: what is kept is bounded, they get back
// fewer octets than they sent, and a real peer is in within one round of cookies.
func TestFlood(t *testing.T) {
	s := newStand(t, false, false)
	f := s.flood()
	f.run(time.Second, 10000)
	first, heap := s.n.census(), heapInUse()
	for range *floodSeconds {
		f.run(time.Second, 10000)
		c := s.n.census()
		if c.half != DefaultCookieChallenge || c.sas != s.base.sas+c.half || c.timers != s.base.timers+c.half {
			t.Fatalf("%+v, at first %+v", c, first)
		}
	}
	if grown := heapInUse() - heap; grown > 2<<20 {
		t.Errorf("memory has grown by %d KB", grown>>10)
	}
	if f.out > f.in {
		t.Errorf("%d octets for %d", f.out, f.in)
	}
	fresh := s.add(7, s.n.config)
	s.secure(fresh, s.n)
	f.run(4*2*delay, 10000)
	if got := fresh.exchanges(); got != "INIT INIT AUTH" || s.n.states[fresh.addr.String()].State != SecurityUp {
		t.Errorf("a real peer: %s, %+v", got, s.n.states[fresh.addr.String()])
	}
	if st := s.show(s.n, ReportStats).(*StatsReport); !st.Cookies || st.Incoming != DefaultCookieChallenge {
		t.Errorf("%+v", st)
	}
	s.step(fresh, Shutdown{})
	s.after()
	if st := s.show(s.n, ReportStats).(*StatsReport); st.Cookies {
		t.Error("cookies are wanted still")
	}
}

func heapInUse() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// A flood of public values that are none leaves nothing half-open that could be counted;
// cookies are wanted all the same, since each of them costs work.
func TestFloodInvalid(t *testing.T) {
	s := newStand(t, false, false)
	d := s.p.Init()
	clear(d.Find(packet.TypeKE).Body[4:])
	f := &flood{s: s, message: s.p.Write(d)[0], rng: rand.New(rand.NewPCG(5, 5))}
	f.run(time.Second, 10000)
	if n := s.n.counters.Dropped[DropMalformed]; n != 1 {
		t.Errorf("%d of them were calculated with", n)
	}
	s.run(alertTime)
	s.after()
}

// Limits that are lower than where cookies begin do not help a flood either: `crypto ikev2
// limit`.
func TestFloodLimits(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*Global)
		half int
	}{
		"max-in-negotiation-sa 10": {func(g *Global) { g.MaxIncoming, g.CookieChallenge = 10, 1000 }, 5},
		"max-in-negotiation-sa 1":  {func(g *Global) { g.MaxIncoming = 1 }, 0},
		"max-sa 3":                 {func(g *Global) { g.MaxSAs = 3 }, DefaultCookieChallenge},
	} { // unordered: each by itself
		s := newStand(t, false, false)
		cfg := s.n.config
		c.set(&cfg.Global)
		s.step(s.n, ConfigSet{cfg})
		s.flood().send(1000)
		if len(s.n.half) != c.half {
			t.Errorf("%s: %d half-open", name, len(s.n.half))
		}
		for i := range 3 {
			fresh := s.add(7, faultConfig(false, false))
			s.secure(fresh, s.n)
			s.run(time.Second)
			up := s.n.states[fresh.addr.String()].State == SecurityUp
			if want := name != "max-sa 3" || i < 2; up != want {
				t.Errorf("%s: real peer %d is up: %v", name, i, up)
			}
		}
	}
}

// Where cookies are wanted only that counts which was given, for this address and this
// request, not long ago.
func TestForgedCookies(t *testing.T) {
	s := newStand(t, false, false)
	s.n.alert = s.now.Add(time.Hour)
	ask := func() []byte {
		s.tell(s.p.Write(s.p.Init())) // without it
		_ = s.p.TakeInit(s.tell(s.p.Write(s.p.Init()))[0])
		return s.p.Cookie
	}
	own := ask()
	old := own
	for name, c := range map[string]func() []byte{ // unordered: each by itself
		"none":             func() []byte { return nil },
		"of nobody":        func() []byte { return []byte("not yours") },
		"changed":          func() []byte { b := append([]byte(nil), own...); b[len(b)-1] ^= 1; return b },
		"cut off":          func() []byte { return own[:len(own)-1] },
		"longer":           func() []byte { return append(append([]byte(nil), own...), 0) },
		"of another port":  func() []byte { s.p.Local = netip.AddrPortFrom(attacker.Addr(), 501); return own },
		"of another nonce": func() []byte { s.p.Forget(); return own },
	} {
		before, drops := s.n.census(), s.n.counters.Dropped[DropCookie]
		p := *s.p
		s.p.Cookie = c()
		sent := len(s.n.sends)
		s.tell(s.p.Write(s.p.Init()))
		f := s.n.sends[len(s.n.sends)-1]
		m, err := packet.Parse(f.tx.Packet)
		if len(s.n.sends) != sent+1 || err != nil || packet.FindNotify(m.Payloads, packet.Cookie) == nil || s.n.census() != before || name != "none" && s.n.counters.Dropped[DropCookie] != drops+1 {
			t.Errorf("%s: %v, %+v, before %+v", name, m, s.n.census(), before)
		}
		*s.p = p
	}
	s.p.Cookie = old
	if err := s.p.TakeInit(s.tell(s.p.Write(s.p.Init()))[0]); err != nil {
		t.Errorf("its own: %v", err)
	}
	s.n.alert = 0
	s.after()
}

// `crypto ikev2 limit max-sa` holds where several are half-open at the last place.
func TestLastPlace(t *testing.T) {
	s := newStand(t, false, false)
	cfg := s.n.config
	cfg.Global.MaxSAs = s.base.sas + 1
	s.step(s.n, ConfigSet{cfg})
	if err := s.p.Reach(ikefault.Auth, s.tell); err != nil {
		t.Fatal(err)
	}
	fresh := s.add(7, faultConfig(false, false))
	s.secure(fresh, s.n)
	s.run(time.Second)
	out := s.p.Write(s.p.Auth())
	if e := s.errorOf(ikefault.Fault{At: ikefault.Auth}, s.tell(out)); e != packet.AuthenticationFailed || len(s.n.Core.sas) != cfg.Global.MaxSAs {
		t.Errorf("%v, %+v", e, s.n.census())
	}
}

// Who is where it says, and begins IKE SAs only to leave them, may have its share of what
// can be half-open; others get in.
func TestCrowd(t *testing.T) {
	s := newStand(t, false, false)
	for range 200 {
		s.p.Forget()
		_ = s.p.Do(ikefault.Init, s.tell)
	}
	if n := len(s.n.half); n > DefaultCookieChallenge+1 || s.n.counters.Dropped[DropLimit] == 0 {
		t.Errorf("%d half-open", n)
	}
	fresh := s.add(7, faultConfig(false, false))
	s.secure(fresh, s.n)
	s.run(100 * time.Millisecond)
	if got := fresh.exchanges(); got != "INIT INIT AUTH" {
		t.Errorf("a real peer: %s", got)
	}
	s.step(fresh, Shutdown{})
	s.run(time.Second)
	s.after()
}
