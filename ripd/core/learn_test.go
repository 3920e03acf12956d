package core

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

const net1 = "192.168.1.0/24"

// one returns a rig with one interface and three possible neighbours.
func one(t *testing.T, change func(*rig)) *rig {
	r := newRig(t)
	if change != nil {
		change(r)
	}
	r.start(link("eth0", "10.0.0.1/24"))
	return r
}

func maxPaths(n int) func(*rig) { return func(r *rig) { r.cfg.Routers[0].MaximumPaths = n } }

// TestLearn: RFC 2453 section 3.9.2, the way of an entry into the table.
func TestLearn(t *testing.T) {
	r := one(t, maxPaths(1))
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 16})
	if r.entry(net1) != nil {
		t.Error("an unreachable destination was added")
	}
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 3, tag: 7})
	same(t, "new", r.routes(), net1+" [120/3] 10.0.0.2,eth0")
	if e := r.entry(net1); e.Metric != 4 || e.Tag != 7 || e.Source != SourceLearned {
		t.Errorf("the cost of the network was not added: %+v", e)
	}
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 4})
	same(t, "worse from another", r.routes(), net1+" [120/3] 10.0.0.2,eth0")
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 3})
	same(t, "as good from another", r.routes(), net1+" [120/3] 10.0.0.2,eth0")
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 2})
	same(t, "better from another", r.routes(), net1+" [120/2] 10.0.0.3,eth0")
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 9})
	same(t, "worse from the same", r.routes(), net1+" [120/9] 10.0.0.3,eth0")
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 15})
	same(t, "at infinity with the cost", r.routes())
	if e := r.entry(net1); e == nil || !e.Garbage || e.Left != 60*time.Second {
		t.Errorf("garbage: %+v", e)
	}
	r.advance(10 * time.Second)
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 16})
	if e := r.entry(net1); e.Left != 50*time.Second {
		t.Errorf("the deletion process began anew: %+v", e)
	}
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 5})
	same(t, "back", r.routes(), net1+" [120/5] 10.0.0.2,eth0")
	r.advance(55 * time.Second)
	if e := r.entry(net1); e == nil || e.Garbage {
		t.Errorf("the garbage-collection timer goes on: %+v", e)
	}
}

// TestTimeout: RFC 2453 section 3.8.
func TestTimeout(t *testing.T) {
	r := one(t, nil)
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1})
	r.advance(100 * time.Second)
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1})
	r.advance(180*time.Second - 1)
	same(t, "before the timeout", r.routes(), net1+" [120/1] 10.0.0.2,eth0")
	r.advance(1)
	same(t, "after the timeout", r.routes())
	if e := r.entry(net1); e == nil || !e.Garbage || e.Left != 60*time.Second {
		t.Errorf("garbage: %+v", e)
	}
	if n := r.status().Neighbors; len(n) > 0 {
		t.Errorf("a silent neighbour is not forgotten: %+v", n)
	}
	r.advance(60 * time.Second)
	if e := r.entry(net1); e != nil {
		t.Errorf("not deleted: %+v", e)
	}
}

// TestTimeoutOrder: what is told again times out later than what is not.
func TestTimeoutOrder(t *testing.T) {
	r := one(t, nil)
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1})
	r.advance(10 * time.Second)
	r.rx("eth0", "10.0.0.2", told{prefix: "192.168.2.0/24", metric: 1})
	r.advance(90 * time.Second)
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1})
	r.advance(90 * time.Second)
	same(t, "one of two", r.routes(), net1+" [120/1] 10.0.0.2,eth0")
}

// TestGarbageTwice: a route that came back and was lost again has its whole time.
func TestGarbageTwice(t *testing.T) {
	r := one(t, nil)
	for _, metric := range []uint32{1, 16, 1, 16} { // lost after 20 s and 60 s
		r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: metric})
		r.advance(20 * time.Second)
	}
	r.advance(40*time.Second - 1)
	if e := r.entry(net1); e == nil || e.Left != 1 {
		t.Errorf("collected too early: %+v", e)
	}
	r.advance(1)
	if e := r.entry(net1); e != nil {
		t.Errorf("not collected: %+v", e)
	}
}

// TestHalfTimeout: the heuristic of RFC 2453 section 3.9.2.
func TestHalfTimeout(t *testing.T) {
	r := one(t, maxPaths(1))
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1})
	r.advance(90*time.Second - 1)
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 1})
	same(t, "less than half", r.routes(), net1+" [120/1] 10.0.0.2,eth0")
	r.advance(1)
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 1})
	same(t, "half", r.routes(), net1+" [120/1] 10.0.0.3,eth0")
}

func TestEqualPaths(t *testing.T) {
	r := one(t, maxPaths(2))
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 2})
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 2})
	r.rx("eth0", "10.0.0.4", told{prefix: net1, metric: 2})
	same(t, "two of three", r.routes(), net1+" [120/2] 10.0.0.2,eth0 10.0.0.3,eth0")
	r.rx("eth0", "10.0.0.2", told{prefix: "192.168.2.0/24", metric: 2})
	r.rx("eth0", "10.0.0.3", told{prefix: "192.168.2.0/24", metric: 3})
	if e := r.entry("192.168.2.0/24"); len(e.Paths) != 1 {
		t.Errorf("a worse path is kept: %+v", e)
	}
	r.rx("eth0", "10.0.0.2", told{prefix: "192.168.2.0/24", metric: 16})
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 5})
	same(t, "one is worse", r.routes(), net1+" [120/2] 10.0.0.2,eth0")
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 2})
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1})
	same(t, "one is better", r.routes(), net1+" [120/1] 10.0.0.2,eth0")
	r.rx("eth0", "10.0.0.4", told{prefix: net1, metric: 1})
	r.take()
	r.rx("eth0", "10.0.0.4", told{prefix: net1, metric: 1, nextHop: "10.0.0.2"})
	same(t, "the same next hop twice", r.routes(), net1+" [120/1] 10.0.0.2,eth0")
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 16})
	same(t, "one is lost", r.routes(), net1+" [120/1] 10.0.0.2,eth0")
	puts := 0
	for _, e := range r.take() {
		if _, ok := e.(PutRoute); ok {
			puts++
		}
	}
	if puts != 1 {
		t.Errorf("stated %d times, though it changed once", puts)
	}
	r.rx("eth0", "10.0.0.4", told{prefix: net1, metric: 16})
	same(t, "all are lost", r.routes())
}

// TestNextHop: RFC 2453 section 4.4.
func TestNextHop(t *testing.T) {
	r := one(t, nil)
	for _, x := range []struct{ nextHop, want string }{
		{"10.0.0.9", "10.0.0.9"},
		{"10.0.1.9", "10.0.0.2"}, // not reachable directly: as if it were 0.0.0.0
		{"", "10.0.0.2"},
	} {
		r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1, nextHop: x.nextHop})
		same(t, "next hop "+x.nextHop, r.routes(), net1+" [120/1] "+x.want+",eth0")
	}
	r.rx("eth0", "10.0.0.2", told{prefix: "192.168.2.0/24", metric: 1, nextHop: "10.0.0.1"})
	if n := r.status().Counters.Dropped[DropEntryNextHop]; n != 1 || r.entry("192.168.2.0/24") != nil {
		t.Errorf("this router as the next hop: %d dropped", n)
	}
}

func TestHolddown(t *testing.T) {
	r := one(t, func(r *rig) { r.cfg.Routers[0].Timers.Holddown = 30 * time.Second })
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1})
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 16})
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 1})
	same(t, "from another", r.routes())
	if e := r.entry(net1); !e.Holddown {
		t.Errorf("not shown: %+v", e)
	}
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1})
	same(t, "from the same", r.routes(), net1+" [120/1] 10.0.0.2,eth0")
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 16})
	r.advance(30 * time.Second)
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 1})
	same(t, "after it", r.routes(), net1+" [120/1] 10.0.0.3,eth0")
}

// TestConnectedWins: what others tell of one's own networks is not kept.
func TestConnectedWins(t *testing.T) {
	r := one(t, nil)
	r.rx("eth0", "10.0.0.2", told{prefix: "10.0.0.0/24", metric: 1}, told{prefix: "10.5.0.0/24", metric: 1})
	if e := r.entry("10.0.0.0/24"); len(e.Paths) > 0 {
		t.Errorf("kept: %+v", e)
	}
	r.step(InterfaceChanged{link("lan", "10.5.0.1/24")})
	same(t, "connected later", r.routes())
	if e := r.entry("10.5.0.0/24"); e.Source != SourceConnected || len(e.Paths) > 0 || e.Metric != 1 {
		t.Errorf("%+v", e)
	}
}

// TestOwnAndLearnt: an own origin is announced, the learnt path is installed.
func TestOwnAndLearnt(t *testing.T) {
	r := one(t, func(r *rig) { r.cfg.Routers[0].Static = prefixes(net1) })
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 5})
	same(t, "installed", r.routes(), net1+" [120/5] 10.0.0.2,eth0")
	if e := r.entry(net1); e.Source != SourceStatic || e.Metric != 1 || len(e.Paths) != 1 {
		t.Errorf("%+v", e)
	}
	r.cfg.Routers = []RouterConfig{r.cfg.Routers[0]}
	r.cfg.Routers[0].Static = nil
	r.configure()
	if e := r.entry(net1); e.Source != SourceLearned || e.Metric != 6 || e.Garbage {
		t.Errorf("the learnt path is not announced: %+v", e)
	}
}

func TestPolicyIn(t *testing.T) {
	r := one(t, func(r *rig) {
		r.cfg.Policy = policytest.Parse(t, "ip prefix-list P deny 192.168.9.0/24\nip prefix-list P permit 0.0.0.0/0 le 32\n")
		rc := &r.cfg.Routers[0]
		rc.Filters = []Filter{{Prefix: true, List: "P"}}
		rc.Offsets = []OffsetList{{Offset: 3}}
		rc.Distances = []SourceDistance{{Distance: 90, Source: policy.Wildcard{Addr: 0x0a000003}}, {Distance: 255, Source: policy.Wildcard{Addr: 0x0a000004}}}
	})
	r.rx("eth0", "10.0.0.2", told{prefix: "192.168.9.0/24", metric: 1}, told{prefix: net1, metric: 1})
	same(t, "filter and offset", r.routes(), net1+" [120/4] 10.0.0.2,eth0")
	r.rx("eth0", "10.0.0.4", told{prefix: net1, metric: 1}, told{prefix: "192.168.4.0/24", metric: 1})
	same(t, "distance 255", r.routes(), net1+" [120/4] 10.0.0.2,eth0")
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 9})
	same(t, "a lower distance", r.routes(), net1+" [90/12] 10.0.0.3,eth0")
	if n := r.status().Counters.Dropped[DropEntryFilter]; n != 3 {
		t.Errorf("%d dropped", n)
	}

	r.cfg.Policy = policytest.Parse(t, "ip prefix-list P deny "+net1+"\n")
	r.configure()
	same(t, "not permitted any more", r.routes())
}

// TestRejudged: changes of distance and of the number of paths apply at once.
func TestRejudged(t *testing.T) {
	r := one(t, nil)
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1})
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 1})
	r.cfg.Routers = []RouterConfig{r.cfg.Routers[0]}
	r.cfg.Routers[0].MaximumPaths = 1
	r.configure()
	same(t, "one path", r.routes(), net1+" [120/1] 10.0.0.2,eth0")
	r.cfg.Routers = []RouterConfig{r.cfg.Routers[0]}
	r.cfg.Routers[0].Distance, r.cfg.Routers[0].MaximumPaths = 100, 2
	r.configure()
	same(t, "another distance", r.routes(), net1+" [100/1] 10.0.0.2,eth0")
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 1})
	r.cfg.Routers = []RouterConfig{r.cfg.Routers[0]}
	r.cfg.Routers[0].Distance = 110
	r.configure()
	same(t, "another distance of both", r.routes(), net1+" [110/1] 10.0.0.2,eth0 10.0.0.3,eth0")
	r.cfg.Routers = []RouterConfig{r.cfg.Routers[0]}
	r.cfg.Routers[0].Distances = []SourceDistance{{Distance: 90, Source: policy.Wildcard{Addr: 0x0a000003}}}
	r.configure()
	same(t, "another distance of one", r.routes(), net1+" [90/1] 10.0.0.3,eth0")
	r.take()
	r.configure()
	if out := r.take(); len(out) > 0 {
		t.Errorf("an equal configuration has effects: %v", out)
	}
}

// TestInvalidEntries: what RFC 2453 section 3.9.2 has ignored, with the rest of the
// packet still taken.
func TestInvalidEntries(t *testing.T) {
	for reason, e := range map[DropReason]packet.Entry{
		DropEntryFamily:  {Family: 7, Addr: addr("192.168.5.0"), Mask: 0xffffff00, Metric: 1},
		DropEntryAddress: told{prefix: "224.0.0.0/8", metric: 1}.entry(),
		DropEntryMask:    {Family: 2, Addr: addr("192.168.5.1"), Mask: 0xffffff00, Metric: 1},
		DropEntryMetric:  {Family: 2, Addr: addr("192.168.5.0"), Mask: 0xffffff00, Metric: 17},
	} {
		r := one(t, nil)
		b, _ := (&packet.Message{Command: packet.Response, Version: 2, Entries: []packet.Entry{
			told{prefix: "192.168.5.0/24", metric: 1}.entry(), told{prefix: net1, metric: 1}.entry()}}).Append(nil, nil, 0)
		bad := b[4:24] // written by hand: Append refuses it
		put(bad, e)
		r.step(RxPacket{Interface: "eth0", Source: netip.MustParseAddrPort("10.0.0.2:520"), Dest: packet.Group, Packet: b})
		same(t, reason.String(), r.routes(), net1+" [120/1] 10.0.0.2,eth0")
		s := r.status()
		if s.Counters.Dropped[reason] != 1 || s.Neighbors[0].BadRoutes != 1 {
			t.Errorf("%v: %v, %+v", reason, s.Counters.Dropped, s.Neighbors)
		}
	}
}

func put(b []byte, e packet.Entry) {
	a := e.Addr.As4()
	b[0], b[1] = byte(e.Family>>8), byte(e.Family)
	copy(b[4:], a[:])
	for k := range 4 {
		b[8+k], b[16+k] = byte(e.Mask>>(24-8*k)), byte(e.Metric>>(24-8*k))
	}
}

// TestChecks: the reasons to drop a whole packet.
func TestChecks(t *testing.T) {
	response := func(version uint8) []byte {
		e := told{prefix: net1, metric: 1}.entry()
		if version == 1 {
			e.Mask = 0
		}
		b, err := (&packet.Message{Command: packet.Response, Version: version, Entries: []packet.Entry{e}}).Append(nil, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	other := response(2)
	other[0] = 3
	for _, x := range []struct {
		reason       DropReason
		ifname, from string
		packet       []byte
	}{
		{DropMalformed, "eth0", "10.0.0.2:520", []byte{2}},
		{DropVersion, "eth0", "10.0.0.2:520", response(1)},
		{DropCommand, "eth0", "10.0.0.2:520", other},
		{DropNotEnabled, "lo", "10.0.0.2:520", response(2)},
		{DropNotEnabled, "other", "172.16.0.2:520", response(2)},
		{DropOwn, "eth0", "10.0.0.1:520", response(2)},
		{DropOwn, "eth0", "10.9.9.9:520", response(2)},
		{DropPort, "eth0", "10.0.0.2:521", response(2)},
		{DropSource, "eth0", "10.0.1.2:520", response(2)},
	} {
		r := newRig(t)
		lo := link("lo", "10.9.9.9/32")
		lo.Type = rib.TypeLoopback
		r.start(link("eth0", "10.0.0.1/24"), lo, link("other", "172.16.0.1/24"))
		r.step(RxPacket{Interface: x.ifname, Source: netip.MustParseAddrPort(x.from), Dest: packet.Group, Packet: x.packet})
		if n := r.status().Counters.Dropped[x.reason]; n != 1 || len(r.rib) > 0 {
			t.Errorf("%v: %v, %v", x, r.status().Counters.Dropped, r.routes())
		}
	}
	r := one(t, func(r *rig) { r.cfg.Routers[0].NoValidateSource = true })
	r.rx("eth0", "10.0.1.2", told{prefix: net1, metric: 1})
	same(t, "no validate-update-source", r.routes(), net1+" [120/1] 10.0.1.2,eth0")
}

// TestAuthFailure is logged, but not for each packet.
func TestAuthFailure(t *testing.T) {
	r := newRig(t)
	x := r.iface("eth0")
	x.Authentication, x.KeyString = packet.KeyedMD5, policy.NewSecret("secret")
	r.start(link("eth0", "10.0.0.1/24"))
	logs := func() (all []string) {
		for _, e := range r.take() {
			if l, ok := e.(Log); ok {
				all = append(all, l.Mnemonic+" "+l.Text)
			}
		}
		return all
	}
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1})
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1})
	if got := logs(); len(got) != 1 || !strings.HasPrefix(got[0], "AUTHFAIL ") || strings.Contains(got[0], "secret") {
		t.Errorf("%q", got)
	}
	r.advance(logInterval)
	r.take()
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1})
	if got := logs(); len(got) != 1 {
		t.Errorf("after %v: %q", logInterval, got)
	}
	if len(r.status().Neighbors) > 0 || len(r.rib) > 0 {
		t.Error("a packet that is not authentic had an effect")
	}
}

func TestTableFull(t *testing.T) {
	r := one(t, nil)
	in := r.core.order[0]
	for k := range key(MaxRoutes - len(in.table.routes)) {
		in.table.add(0xc0000000_00 | k<<8 | 32)
	}
	r.rx("eth0", "10.0.0.2", told{prefix: "172.16.0.0/16", metric: 1}, told{prefix: "172.17.0.0/16", metric: 1})
	logged := 0
	for _, e := range r.take() {
		if l, ok := e.(Log); ok && l.Mnemonic == "TABLEFULL" {
			logged++
		}
	}
	if n := r.status().Counters.Dropped[DropEntryTable]; n != 2 || logged != 1 {
		t.Errorf("%d dropped, %d messages", n, logged)
	}
}

// TestNeighbors: they are known by what they send, and said to come and go.
func TestNeighbors(t *testing.T) {
	r := one(t, func(r *rig) { r.cfg.Routers[0].LogNeighbors = true })
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 1})
	r.rx("eth0", "10.0.0.3", told{prefix: net1, metric: 1})
	n := r.status().Neighbors
	if len(n) != 2 || n[0].Addr != addr("10.0.0.2") || n[0].Routes != 1 || n[0].Version != 2 || n[0].Distance != 120 {
		t.Errorf("%+v", n)
	}
	down := link("eth0", "10.0.0.1/24")
	down.Up = false
	r.step(InterfaceChanged{down})
	same(t, "interface down", r.routes())
	var logs []string
	for _, e := range r.take() {
		if l, ok := e.(Log); ok {
			logs = append(logs, fmt.Sprintf("%%RIP-%d-%s: %s", l.Severity, l.Mnemonic, l.Text))
		}
	}
	same(t, "logs", logs,
		"%RIP-5-NBRCHANGE: Neighbor 10.0.0.2 (eth0) is up: new neighbor",
		"%RIP-5-NBRCHANGE: Neighbor 10.0.0.3 (eth0) is up: new neighbor",
		"%RIP-5-NBRCHANGE: Neighbor 10.0.0.2 (eth0) is down: interface down",
		"%RIP-5-NBRCHANGE: Neighbor 10.0.0.3 (eth0) is down: interface down")
	if r.heard["eth0"] {
		t.Error("still listens")
	}
}

func TestTooManyNeighbors(t *testing.T) {
	r := newRig(t)
	r.start(link("eth0", "10.0.0.1/8"))
	for k := range MaxNeighbors + 1 {
		r.rx("eth0", addrOf(0x0a010000+uint32(k)).String())
	}
	if s := r.status(); len(s.Neighbors) != MaxNeighbors || s.Counters.Dropped[DropTooManyNeighbors] != 1 {
		t.Errorf("%d neighbours, %d dropped", len(s.Neighbors), s.Counters.Dropped[DropTooManyNeighbors])
	}
}
