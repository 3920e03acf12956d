package core

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// hub returns a rig with two interfaces, whose first updates are over, and which
// learnt 192.168.1.0/24 from 10.0.0.2 by eth0.
func hub(t *testing.T, change func(*rig)) *rig {
	r := newRig(t)
	if change != nil {
		change(r)
	}
	r.start(link("eth0", "10.0.0.1/24"), link("eth1", "10.1.0.1/24"))
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 2, tag: 9})
	r.quietDown()
	return r
}

// full returns what the next regular update says on an interface.
func (r *rig) full(ifname string) []string {
	r.t.Helper()
	r.take()
	r.advance(35 * time.Second)
	all := r.responses(ifname)
	slices.Sort(all)
	return slices.Compact(all)
}

// TestSplitHorizon: RFC 2453 section 3.4.3, and next hops of section 4.4.
func TestSplitHorizon(t *testing.T) {
	for _, x := range []struct {
		name   string
		change func(*InterfaceConfig)
		want   []string
	}{
		{"simple", func(*InterfaceConfig) {}, []string{"10.1.0.0/24 1"}},
		{"poison", func(c *InterfaceConfig) { c.SplitHorizon = SplitHorizonPoison }, []string{"10.1.0.0/24 1", net1 + " 16 tag 9"}},
		{"off", func(c *InterfaceConfig) { c.SplitHorizon = SplitHorizonOff }, []string{"10.1.0.0/24 1", net1 + " 3 via 10.0.0.2 tag 9"}},
		{"next-hop-self", func(c *InterfaceConfig) { c.SplitHorizon, c.NextHopSelf = SplitHorizonOff, true }, []string{"10.1.0.0/24 1", net1 + " 3 tag 9"}},
	} {
		r := hub(t, func(r *rig) { x.change(r.iface("eth0")) })
		same(t, x.name, r.full("eth0"), x.want...)
	}
	r := hub(t, nil)
	same(t, "the other interface", r.full("eth1"), "10.0.0.0/24 1", net1+" 3 tag 9")
}

// TestOwnNetwork: a network is not told on itself, but for the host route of a
// tunnel's address.
func TestOwnNetwork(t *testing.T) {
	r := newRig(t)
	r.start(link("tun", "10.0.0.1/32", "10.2.0.1/24"))
	same(t, "entries", r.full("tun"), "10.0.0.1/32 1")
}

// TestUnicastNeighbors get what all get, but not their own routes back.
func TestUnicastNeighbors(t *testing.T) {
	to := func(r *rig, dest string) []string {
		r.t.Helper()
		r.take()
		r.advance(35 * time.Second)
		all := entries(t, r.take(), func(x sent) bool { return x.dest == netip.MustParseAddrPort(dest) })
		slices.Sort(all)
		return slices.Compact(all)
	}
	off := func(r *rig) {
		r.cfg.Routers[0].Neighbors = []netip.Addr{addr("10.0.0.2"), addr("10.0.0.3"), addr("10.7.0.1")}
		r.cfg.Routers[0].Passive = []string{"eth0"}
		r.iface("eth0").SplitHorizon = SplitHorizonOff
	}
	same(t, "who told it", to(hub(t, off), "10.0.0.2:520"), "10.1.0.0/24 1")
	same(t, "who did not", to(hub(t, off), "10.0.0.3:520"), "10.1.0.0/24 1", net1+" 3 via 10.0.0.2 tag 9")
	same(t, "all, passive", to(hub(t, off), "224.0.0.9:520"), "10.0.0.0/24 1", net1+" 3 tag 9") // by eth1
	same(t, "elsewhere", to(hub(t, off), "10.7.0.1:520"))

	simple := hub(t, func(r *rig) { r.cfg.Routers[0].Neighbors = []netip.Addr{addr("10.0.0.2")} })
	simple.advance(35 * time.Second)
	var group, unicast [][]byte
	for _, e := range simple.take() {
		if x, ok := e.(TxPacket); ok && x.Interface == "eth0" {
			if x.Dest.Addr() == packet.Group {
				group = append(group, x.Packet)
			} else {
				unicast = append(unicast, x.Packet)
			}
		}
	}
	if len(group) == 0 || !slices.EqualFunc(group, unicast, slices.Equal) {
		t.Errorf("the group heard %x, the neighbour %x", group, unicast)
	}
	if len(group) > 0 && &group[0][0] == &unicast[0][0] {
		t.Error("two effects share a buffer")
	}
}

func TestPassive(t *testing.T) {
	for name, change := range map[string]func(*RouterConfig){
		"named":   func(rc *RouterConfig) { rc.Passive = []string{"eth0"} },
		"default": func(rc *RouterConfig) { rc.PassiveDefault, rc.Passive = true, []string{"eth1"} },
	} {
		r := newRig(t)
		change(&r.cfg.Routers[0])
		r.step(InterfaceChanged{link("eth0", "10.0.0.1/24")})
		r.step(InterfaceChanged{link("eth1", "10.1.0.1/24")})
		r.configure()
		r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 2})
		r.advance(time.Minute)
		n := 0
		for _, x := range packets(t, r.take()) {
			if x.ifname == "eth0" {
				t.Errorf("%s: sent %+v", name, x.m)
			}
			n++
		}
		same(t, name+" is listened to", r.routes(), net1+" [120/2] 10.0.0.2,eth0")
		if n == 0 {
			t.Errorf("%s: the other interface is silent", name)
		}
	}
}

// TestVersions: which versions are sent and where they go.
func TestVersions(t *testing.T) {
	for _, x := range []struct {
		router uint8
		change func(*InterfaceConfig)
		want   []string
	}{
		{0, func(*InterfaceConfig) {}, []string{"1 255.255.255.255"}},
		{1, func(*InterfaceConfig) {}, []string{"1 255.255.255.255"}},
		{2, func(*InterfaceConfig) {}, []string{"2 224.0.0.9"}},
		{2, func(c *InterfaceConfig) { c.V2Broadcast = true }, []string{"2 255.255.255.255"}},
		{1, func(c *InterfaceConfig) { c.Send = Version1 | Version2 }, []string{"1 255.255.255.255", "2 224.0.0.9"}},
	} {
		r := newRig(t)
		r.cfg.Routers[0].Version = x.router
		x.change(r.iface("eth0"))
		r.step(InterfaceChanged{link("eth0", "10.0.0.1/24")})
		r.step(InterfaceChanged{link("eth1", "172.16.0.1/24")})
		r.cfg.Routers[0].NetworkInterfaces = []string{"eth1"}
		r.configure()
		r.advance(time.Minute)
		for _, command := range []packet.Command{packet.Request, packet.Response} {
			var got []string
			for _, p := range packets(t, r.out) {
				if p.ifname == "eth0" && p.m.Command == command {
					got = append(got, itoa(int(p.m.Version))+" "+p.dest.Addr().String())
				}
			}
			slices.Sort(got)
			same(t, "version", slices.Compact(got), x.want...)
		}
	}
}

// TestVersion1Classes: subnets of another network are told as one, with the lowest
// metric, also by a triggered update that is about one of them.
func TestVersion1Classes(t *testing.T) {
	r := newRig(t)
	r.cfg.Routers[0].Networks = prefixes("0.0.0.0/0")
	r.iface("eth0").Send = Version1
	r.start(link("eth0", "172.16.0.1/24"), link("eth1", "192.168.0.1/24"))
	r.quietDown()
	r.rx("eth1", "192.168.0.2", told{prefix: "10.1.0.0/16", metric: 5}, told{prefix: "10.2.0.0/16", metric: 3},
		told{prefix: "10.0.0.0/8", metric: 7}, told{prefix: "172.16.5.0/24", metric: 1}, told{prefix: "172.16.6.0/25", metric: 1},
		told{prefix: "172.20.0.0/14", metric: 1}, told{prefix: "0.0.0.0/0", metric: 1})
	want := []string{"0.0.0.0 2", "10.0.0.0 4", "172.16.5.0 2", "192.168.0.0 1"}
	same(t, "regular", r.full("eth0"), want...)
	r.advance(35 * time.Second)
	for _, p := range packets(t, r.take()) {
		if p.ifname == "eth0" && len(p.m.Entries) > len(want) {
			t.Errorf("told twice in an update: %+v", p.m.Entries)
		}
	}
	r.rx("eth1", "192.168.0.2", told{prefix: "10.1.0.0/16", metric: 16})
	r.advance(6 * time.Second)
	got := r.responses("eth0")
	if !slices.Contains(got, "10.0.0.0 4") || slices.Contains(got, "10.0.0.0 16") {
		t.Errorf("triggered: %q", got)
	}
}

func TestPolicyOut(t *testing.T) {
	r := hub(t, func(r *rig) {
		r.cfg.Policy = policytest.Parse(t, "ip prefix-list P deny 10.0.0.0/24\nip prefix-list P permit 0.0.0.0/0 le 32\n")
		rc := &r.cfg.Routers[0]
		rc.Filters = []Filter{{Prefix: true, List: "P", Out: true, Interface: "eth1"}}
		rc.Offsets = []OffsetList{{Offset: 4, Out: true}}
	})
	same(t, "entries", r.full("eth1"), net1+" 7 tag 9")
}

// TestFilled: packets have as many entries as the algorithm leaves room for.
func TestFilled(t *testing.T) {
	for algorithm, want := range map[packet.Algorithm]int{
		packet.NoAlgorithm: 25, packet.SimplePassword: 24, packet.KeyedMD5: 23, packet.HMACSHA1: 23, packet.HMACSHA256: 22, packet.HMACSHA512: 21,
	} {
		r := newRig(t)
		x := r.iface("eth0")
		x.Authentication, x.KeyString = algorithm, policy.NewSecret("secret")
		for k := range 60 {
			r.cfg.Routers[0].Static = append(r.cfg.Routers[0].Static, netip.PrefixFrom(addrOf(0xc0a80000+uint32(k)<<8), 24))
		}
		r.start(link("eth0", "10.0.0.1/24"))
		r.full("eth0")
		r.advance(35 * time.Second)
		var sizes []int
		for _, e := range r.take() {
			if tx, ok := e.(TxPacket); ok {
				m, err := packet.Parse(tx.Packet)
				if err != nil || len(tx.Packet) > packet.MaxLen {
					t.Fatalf("%v: %d octets, %v", algorithm, len(tx.Packet), err)
				}
				sizes = append(sizes, len(m.Entries))
			}
		}
		if len(sizes) < 3 || sizes[0] != want || sizes[1] != want || sizes[2] != 60-2*want {
			t.Errorf("%v: %v entries", algorithm, sizes)
		}
	}
}

// TestNoKey: without a key that is valid nothing is sent, and that is said.
func TestNoKey(t *testing.T) {
	r := newRig(t)
	x := r.iface("eth0")
	x.Authentication, x.KeyChain = packet.KeyedMD5, "none"
	r.step(InterfaceChanged{link("eth0", "10.0.0.1/24")})
	r.step(InterfaceChanged{link("eth1", "10.1.0.1/24")})
	r.configure()
	said := 0
	for _, e := range r.take() {
		switch e := e.(type) {
		case Log:
			if e.Mnemonic == "NOKEY" {
				said++
			}
		case TxPacket:
			if e.Interface == "eth0" {
				t.Error("sent a packet that is not authentic")
			}
		}
	}
	if said != 1 {
		t.Errorf("said %d times", said)
	}
}

// TestRegular: updates every 30 seconds, with jitter (RFC 2453 section 3.8).
func TestRegular(t *testing.T) {
	r := newRig(t)
	r.start(link("eth0", "10.0.0.1/24"), link("eth1", "10.1.0.1/24"))
	r.quietDown()
	var last, sum time.Duration
	gaps := map[time.Duration]bool{}
	const n = 100
	for range n {
		for len(r.responses("eth0")) == 0 {
			at, ok := r.core.Wake()
			if !ok {
				t.Fatal("no timer")
			}
			r.advance(at.Sub(r.now))
		}
		at := time.Duration(r.now)
		if last != 0 {
			gap := at - last
			if gap < 25*time.Second || gap > 35*time.Second {
				t.Errorf("%v between two updates", gap)
			}
			gaps[gap] = true
			sum += gap
		}
		last = at
	}
	if mean := sum / (n - 1); len(gaps) < n/2 || mean < 29*time.Second || mean > 31*time.Second {
		t.Errorf("%d different gaps, mean %v", len(gaps), mean)
	}
}

// TestPacing: bursts with gaps; what goes to a multipoint tunnel is slower.
func TestPacing(t *testing.T) {
	for _, x := range []struct {
		name       string
		multipoint bool
		delay      time.Duration
		burst      int
		gap        time.Duration
	}{
		{"LAN", false, 0, 32, 5 * time.Millisecond},
		{"multipoint tunnel", true, 0, 4, 50 * time.Millisecond},
		{"output-delay", true, 20 * time.Millisecond, 1, 20 * time.Millisecond},
	} {
		r := newRig(t)
		r.cfg.Routers[0].OutputDelay = x.delay
		for k := range 25 * 100 {
			r.cfg.Routers[0].Static = append(r.cfg.Routers[0].Static, netip.PrefixFrom(addrOf(0xc0000000+uint32(k)<<8), 24))
		}
		l := link("tun", "10.0.0.1/24")
		if x.multipoint {
			l.Type, l.Tunnel = rib.TypeTunnel, &rib.Tunnel{Mode: rib.TunnelGREMultipoint}
		}
		r.start(l)
		r.advance(20 * time.Second)
		r.take()
		// From one regular update on, look at each instant.
		var times []time.Duration
		for len(times) < 100 {
			at, _ := r.core.Wake()
			r.advance(at.Sub(r.now))
			for range packets(t, r.take()) {
				times = append(times, time.Duration(r.now))
			}
		}
		for k := range times[:100-x.burst] {
			if k%x.burst == 0 && (times[k+x.burst-1] != times[k] || times[k+x.burst]-times[k] != x.gap) {
				t.Errorf("%s: packet %d at %v, burst ends at %v, the next is at %v", x.name, k, times[k], times[k+x.burst-1], times[k+x.burst])
				break
			}
		}
	}
}

// TestOneRegularAtATime: an update that takes longer than the interval is not
// overtaken by the next.
func TestOneRegularAtATime(t *testing.T) {
	r := newRig(t)
	r.cfg.Routers[0].OutputDelay = time.Second
	const n = 25 * 90 // 90 s
	for k := range n {
		r.cfg.Routers[0].Static = append(r.cfg.Routers[0].Static, netip.PrefixFrom(addrOf(0xc0000000+uint32(k)<<8), 24))
	}
	r.start(link("eth0", "10.0.0.1/24"))
	r.advance(200 * time.Second)
	r.take()
	i := r.core.order[0].ifaces["eth0"]
	for range 400 {
		r.advance(time.Second)
		if len(i.multicast.jobs) > 1 {
			t.Fatalf("%d updates wait", len(i.multicast.jobs))
		}
	}
	seen := map[string]int{}
	for _, s := range r.responses("eth0") {
		seen[s]++
	}
	if len(seen) != n {
		t.Errorf("%d of %d routes were told", len(seen), n)
	}
	for s, count := range seen {
		if count < 3 || count > 6 {
			t.Errorf("%s: %d times in 400 s", s, count)
			break
		}
	}
}

// TestShutdown takes leave: everything is told as unreachable, by every interface.
func TestShutdown(t *testing.T) {
	r := hub(t, nil)
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 3, tag: 9})
	r.take()
	r.advance(100 * time.Millisecond)
	r.rx("eth0", "10.0.0.2", told{prefix: net1, metric: 2, tag: 9}) // the hold keeps this back
	r.step(Shutdown{})
	out := r.take()
	same(t, "eth1", entries(t, out, func(x sent) bool { return x.ifname == "eth1" }), "10.0.0.0/24 16", net1+" 16 tag 9")
	same(t, "eth0", entries(t, out, func(x sent) bool { return x.ifname == "eth0" }), "10.1.0.0/24 16")
	same(t, "forwarding goes on", r.routes(), net1+" [120/2] 10.0.0.2,eth0")
	r.advance(2 * time.Minute)
	same(t, "afterwards", r.responses("eth1"))
}

// TestUnconfigured: an instance that is removed leaves nothing.
func TestUnconfigured(t *testing.T) {
	r := hub(t, func(r *rig) {
		r.cfg.Routers[0].Redistribute = []Redistribute{{Protocol: rib.Static}}
		r.iface("eth1").Summaries = prefixes("192.168.0.0/16")
	})
	r.cfg = Config{}
	r.configure()
	all := entries(t, r.take(), func(x sent) bool { return x.ifname == "eth1" })
	if s := strings.Join(all, "; "); s != "192.168.0.0/16 16; 10.0.0.0/24 16" {
		t.Errorf("eth1: %s", s)
	}
	if len(r.rib)+len(r.watch)+len(r.heard) > 0 {
		t.Errorf("left: %v %v %v", r.rib, r.watch, r.heard)
	}
	if at, ok := r.core.Wake(); ok {
		t.Errorf("a timer is left for %v", at)
	}
}
