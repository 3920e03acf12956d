package eigrpd_test

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/plugin/plugintest"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// plain is a configuration without a fault.
const plain = `router eigrp 100
 network 0.0.0.0
`

// oneKey authenticates with one key.
func oneKey(number, secret string) string {
	return "key chain K\n key " + number + "\n  key-string " + secret + `
interface Tunnel0
 ip authentication mode eigrp 100 md5
 ip authentication key-chain eigrp 100 K
` + plain
}

var (
	atA = netip.MustParseAddr("172.31.0.1")
	atP = "172.31.0.99"
)

// fault is something that is wrong between the routers a and b, or that a puppet does
// to a. The outputs are those of a.
type fault struct {
	drop      core.DropReason
	a, b      string // configurations; b "" does not run
	at        string // address of b on the LAN, if not the usual one
	static    string // a static route of b
	do        func(*puppet)
	neighbors bool              // there are some all the same
	shows     map[string]string // what else tells of it: words of a line of an output
	log       string
}

var faults = map[string]fault{
	"malformed": {drop: core.DropMalformed, a: plain, do: func(p *puppet) {
		p.raw(p.addr, packet.GroupIPv4, []byte{2, 5, 0, 0, 1, 2, 3})
	}},
	"autonomous system": {drop: core.DropAS, a: plain, b: strings.Replace(plain, "100", "101", 1),
		shows: map[string]string{"show ip protocols": `Routing Protocol is "eigrp 100"`}},
	"own address": {drop: core.DropOwn, a: plain, do: func(p *puppet) {
		p.raw(atA, packet.GroupIPv4, encoded(p.t, &packet.Message{Opcode: packet.Hello, AS: 100, Parameters: packet.Goodbye(15)}))
	}},
	"subnet": {drop: core.DropSource, a: plain, b: plain, at: "172.31.9.2/24"},
	"passive": {drop: core.DropPassive, a: plain + " passive-interface Tunnel0\n", do: func(p *puppet) {
		p.send(atA, &packet.Message{Opcode: packet.Update, AS: 100, Sequence: 1, Flags: packet.FlagInit})
	}, shows: map[string]string{"show ip protocols": "Tunnel0"}},
	"static here, with another AS that is not": {drop: core.DropMulticast, a: plain + " neighbor 172.31.0.2 Tunnel0\nrouter eigrp 200\n network 0.0.0.0\n", b: plain},
	"static there": {drop: core.DropNoNeighbor, a: plain, b: plain + " neighbor 172.31.0.1 Tunnel0\n"},
	"no authentication": {drop: core.DropUnauthenticated, a: oneKey("1", "secret"), b: plain, log: "%DUAL-4-AUTHFAIL",
		shows: map[string]string{"show ip eigrp interfaces detail": `Authentication mode is md5, key-chain is "K", key sent is 1`}},
	"authentication there only": {drop: core.DropUnauthenticated, a: plain, b: oneKey("1", "secret"), log: "%DUAL-4-AUTHFAIL",
		shows: map[string]string{"show ip eigrp interfaces detail": "Authentication mode is not set"}},
	"key number": {drop: core.DropKey, a: oneKey("1", "secret"), b: oneKey("2", "secret"), log: "key ID 2 is not valid"},
	"key string": {drop: core.DropDigest, a: oneKey("1", "secret"), b: oneKey("1", "other"), log: "wrong digest"},
	"no key": {drop: core.DropKey, a: "interface Tunnel0\n ip authentication mode eigrp 100 md5\n ip authentication key-chain eigrp 100 K\n" + plain, b: oneKey("1", "secret"),
		log: "%DUAL-4-NOKEY", shows: map[string]string{"show ip eigrp interfaces detail": `key-chain is "K", no valid key`}},
	"K-values": {drop: core.DropKValues, a: plain, b: plain + " metric weights 0 1 1 1 0 0\n", log: "K-value mismatch",
		shows: map[string]string{"show ip protocols": "Metric weight K1=1, K2=0, K3=1, K4=0, K5=0"}},
	"one direction": {drop: core.DropNoNeighbor, a: plain, do: func(p *puppet) {
		p.send(atA, &packet.Message{Opcode: packet.Update, AS: 100, Sequence: 1, Flags: packet.FlagInit})
	}},
	"pending": {drop: core.DropPending, a: plain, neighbors: true, do: func(p *puppet) {
		p.hello()
		settle()
		p.update(packet.GroupIPv4, 0, route("10.9.0.0/16"))
	}},
	"repeated": {drop: core.DropSequence, a: plain, neighbors: true, do: func(p *puppet) {
		p.meet(atA)
		p.sequence--
		p.update(atA, packet.FlagEndOfTable)
	}},
	"too many remote neighbors": {drop: core.DropLimit, a: `router eigrp DMVPN
 address-family ipv4 unicast autonomous-system 100
  network 0.0.0.0
  remote-neighbors source GigabitEthernet2 unicast-listen max-neighbors 1
`, neighbors: true, do: func(p *puppet) {
		hello := encoded(p.t, helloMessage())
		for _, from := range []string{"192.0.2.1", "192.0.2.2"} {
			p.raw(netip.MustParseAddr(from), atA, hello)
		}
	}, shows: map[string]string{"show ip eigrp neighbors detail": "Max Nbrs: 1, Current Nbrs: 1"}},
	"router ID": {drop: core.DropRouterID, a: plain + " eigrp router-id 10.0.0.1\n", static: "10.77.0.0/16", neighbors: true,
		b:     plain + " eigrp router-id 10.0.0.1\n redistribute static\n default-metric 100000 10 255 1 1500\n",
		shows: map[string]string{"show ip eigrp topology 10.77.0.0/16": "%Entry 10.77.0.0/16 not in topology table"}},
	"hops": {drop: core.DropHops, a: plain + " metric maximum-hops 3\n", neighbors: true, do: func(p *puppet) {
		p.meet(atA)
		far := route("10.9.0.0/16")
		far.Classic.Hops = 7
		p.update(atA, 0, far)
	}, shows: map[string]string{"show ip protocols": "Maximum hopcount 3"}},
	"filter": {drop: core.DropFiltered, a: "access-list 7 deny 10.2.0.0 0.0.255.255\naccess-list 7 permit any\n" + plain + " distribute-list 7 in\n", b: plain, neighbors: true,
		shows: map[string]string{"show ip protocols": "Incoming update filter list for all interfaces is 7"}},
	"loopback network": {drop: core.DropRoute, a: plain, neighbors: true, do: func(p *puppet) {
		p.meet(atA)
		p.update(atA, 0, route("127.0.0.0/8", "10.9.0.0/16"))
	}, shows: map[string]string{"show ip eigrp topology": "P 10.9.0.0/16, 1 successors"}},
	"prefix limit": {drop: core.DropPrefixLimit, a: `router eigrp DMVPN
 address-family ipv4 unicast autonomous-system 100
  network 0.0.0.0
  neighbor maximum-prefix 1
`, do: func(p *puppet) {
		p.meet(atA)
		p.update(atA, 0, route("10.7.0.0/16", "10.8.0.0/16", "10.9.0.0/16"))
		settle()
		p.hello()
	}, shows: map[string]string{"show ip eigrp accounting": "P 172.31.0.99 Tu0"}, log: "%DUAL-3-PFXLIMIT"},
}

// TestFaults: each fault has a line in `show ip eigrp traffic` that names it, and its
// key in JSON; what else docs/operations.md promises is there.
func TestFaults(t *testing.T) {
	seen := map[core.DropReason]bool{}
	for name, f := range faults {
		seen[f.drop] = true
		t.Run(name, func(t *testing.T) { synctest.Test(t, f.run) })
	}
	for _, r := range core.DropReasons() {
		if !seen[r] {
			t.Errorf("no fault leads to %q", r)
		}
	}
}

func (f fault) run(t *testing.T) {
	n := memnet.New()
	w := n.Wire()
	a := newStation(t, n, w, "172.31.0.1/24", "10.1.0.1/24")
	a.Start(f.a)
	if f.b != "" {
		b := newStation(t, n, w, cmp.Or(f.at, "172.31.0.2/24"), "10.2.0.1/24")
		if f.static != "" {
			b.Zebra.Others = []rib.Route{{Prefix: netip.MustParsePrefix(f.static), Protocol: rib.Static, Distance: 1}}
		}
		b.Start(f.b)
	}
	if f.do != nil {
		f.do(newPuppet(t, n, w, atP))
	}
	time.Sleep(20 * time.Second)
	traffic := a.Exec("show ip eigrp traffic", false)
	if !has(traffic, f.drop.String()) {
		t.Errorf("the traffic does not tell of %q:\n%s", f.drop, traffic)
	}
	if !has(traffic, "Input Queue: 0/16384/") {
		t.Errorf("the traffic does not tell of the queue:\n%s", traffic)
	}
	if n := dropped(a, f.drop); n == 0 {
		t.Errorf("JSON does not tell of %q", f.drop)
	}
	if out := a.Exec("show ip eigrp neighbors", false); strings.Contains(out, "Tu0") != f.neighbors && f.drop != core.DropLimit {
		t.Errorf("neighbors:\n%s", out)
	}
	for line, want := range f.shows {
		if out := a.Exec(line, false); !has(out, want) {
			t.Errorf("%s does not have %q:\n%s", line, want, out)
		}
	}
	if said := a.Zebra.TakeLogs(); !strings.Contains(said, f.log) {
		t.Errorf("the log does not have %q:\n%s", f.log, said)
	}
}

// dropped returns how often JSON says that something was dropped. The keys are the words
// of the reasons.
func dropped(s *plugintest.Station, r core.DropReason) uint64 {
	var got struct {
		Instances []struct{ Dropped map[string]uint64 }
	}
	if err := json.Unmarshal([]byte(s.Exec("show ip eigrp traffic", true)), &got); err != nil {
		s.T.Fatal(err)
	}
	letters := func(s string) string {
		return strings.ToLower(strings.Map(func(r rune) rune {
			if strings.ContainsRune(" :-", r) {
				return -1
			}
			return r
		}, s))
	}
	for key, n := range got.Instances[0].Dropped {
		if strings.ToLower(key) == letters(r.String()) {
			return n
		}
	}
	s.T.Errorf("JSON has no key for %q", r)
	return 0
}

// TestOneDirection: a router that hears one who does not hear it says for whom it waits,
// and gives up at last.
func TestOneDirection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		w := n.Wire()
		a := newStation(t, n, w, "172.31.0.1/24", "10.1.0.1/24")
		a.Start(plain)
		p := newPuppet(t, n, w, atP)
		p.mute()
		end := time.Now().Add(2 * time.Minute)
		for range 2 {
			p.hello()
			time.Sleep(20 * time.Second)
		}
		detail := a.Exec("show ip eigrp neighbors detail", false)
		if !has(detail, "Waiting for Init, Waiting for Init Ack") || !has(detail, "5000 1 0") || has(detail, "Retries: 0") {
			t.Errorf("%s", detail)
		}
		for time.Now().Before(end) {
			p.hello()
			time.Sleep(20 * time.Second)
		}
		if said := a.Zebra.TakeLogs(); !strings.Contains(said, "Neighbor 172.31.0.99 (Tunnel0) is down: retry limit exceeded") {
			t.Errorf("%s", said)
		}
	})
}

// TestStuckInActive: the table of ACTIVE routes names who does not answer, and that it
// was asked again; in the end the log does.
func TestStuckInActive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		near, far := n.Wire(), n.Wire()
		a := newStation(t, n, near, "172.31.0.1/24", "10.1.0.1/24")
		a.Add(far, rib.Interface{Name: "GigabitEthernet3", KernelName: "far", Index: 3, Bandwidth: 1_000_000, Delay: 1}, "172.31.3.1/24")
		a.Start(plain)
		source, silent := newPuppet(t, n, far, "172.31.3.98"), newPuppet(t, n, near, atP)
		source.meet(netip.MustParseAddr("172.31.3.1"))
		silent.meet(atA)
		source.update(netip.MustParseAddr("172.31.3.1"), 0, route("10.9.0.0/16"))
		settle()
		if out := a.Exec("show ip eigrp topology 10.9.1.1", false); !has(out, "State is Passive, Query origin flag is 1, 1 Successor(s)") {
			t.Errorf("%s", out)
		}
		gone := route("10.9.0.0/16")
		gone.Classic.Delay = metric.ClassicUnreachable
		source.update(netip.MustParseAddr("172.31.3.1"), 0, gone)
		hello := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(30 * time.Second) {
				source.hello()
				silent.hello()
			}
		}
		settle()
		first := a.Exec("show ip eigrp topology active", false)
		for _, want := range []string{"A 10.9.0.0/16, 0 successors, FD is", "1 replies, active 00:00:01, query-origin: Local origin", "Remaining replies:", "via 172.31.0.99, r, Tunnel0"} {
			if !has(first, want) {
				t.Errorf("no %q in\n%s", want, first)
			}
		}
		hello(2 * time.Minute)
		if out := a.Exec("show ip eigrp topology active", false); !has(out, "query-origin: Local origin, retries(1)") || !has(out, "via 172.31.0.99, rs, Tunnel0") {
			t.Errorf("%s", out)
		}
		hello(2 * time.Minute)
		if out := a.Exec("show ip eigrp topology active", false); has(out, "A 10.9.0.0/16") {
			t.Errorf("%s", out)
		}
		if said := a.Zebra.TakeLogs(); !strings.Contains(said, "Neighbor 172.31.0.99 (Tunnel0) is down: stuck in active") {
			t.Errorf("%s", said)
		}
	})
}

// TestStub: both ends of a stub say so.
func TestStub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t)
		a.Start(plain)
		b.Start(plain + " eigrp stub connected\n")
		time.Sleep(10 * time.Second)
		if out := a.Exec("show ip eigrp neighbors detail", false); !has(out, "Stub Peer Advertising ( CONNECTED ) Routes") || !has(out, "Suppressing queries") {
			t.Errorf("%s", out)
		}
		if out := b.Exec("show ip protocols", false); !has(out, "Stub, connected") {
			t.Errorf("%s", out)
		}
	})
}

// TestEvents: what happened is there with its time, newest first.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := exchanged(t)
		spoke.Kill()
		time.Sleep(time.Minute)
		out := hub.Exec("show ip eigrp events", false)
		at := 0
		for _, want := range []string{"Event information for AS 100:", "Neighbor 172.31.0.11 (Tu0) is down: holding time expired", "RT removed 10.11.0.0/24",
			"RT installed 10.11.0.0/24 via 172.31.0.11", "Neighbor 172.31.0.11 (Tu0) is up: new adjacency", "New peer 172.31.0.11 (Tu0)"} {
			i := strings.Index(out[at:], want)
			if i < 0 {
				t.Fatalf("no %q after the others in\n%s", want, out)
			}
			at += i
		}
	})
}
