package eigrp

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// unreachable withdraws a prefix.
func unreachable(prefix string) packet.Route {
	r := network(prefix, 0)
	r.Classic.Delay = metric.ClassicUnreachable
	return r
}

// stuck is how long a route may stay ACTIVE in TestStuckInActive, and what a loaded
// machine adds.
const stuck = time.Minute + converge

// TestStuckInActive has a neighbour that acknowledges a QUERY and never replies, nor to
// the SIA-QUERY that follows after half of the active time (RFC 7868 section 4.3.4): it
// is reset after the active time, the route is gone, and the other neighbour stays.
func TestStuckInActive(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	r, x, y := tp.Router("r"), tp.Node("x"), tp.Node("y")
	tp.Link(r, "eth0", "10.9.1.1/24", x, "eth0", "10.9.1.2/24")
	tp.Link(r, "eth1", "10.9.2.1/24", y, "eth0", "10.9.2.2/24")
	start(t, map[*harness.Node]string{r: classic + " timers active-time 1\n"})
	wires := []*harness.Capture{r.Capture("eth0"), r.Capture("eth1")}
	source := newPeer(t, x, "eth0", "10.9.1.2", "10.9.1.1", nil, network("10.7.0.0/24", 10))
	mute := newPeer(t, y, "eth0", "10.9.2.2", "10.9.2.1", nil, network("10.8.0.0/24", 10))
	source.answer()
	const lost, other = "10.7.0.0/24 via 10.9.1.2 dev eth0", "10.8.0.0/24 via 10.9.2.2 dev eth1"
	await(t, routes(r, lost, other))

	began := time.Now()
	source.reliably(&packet.Message{Opcode: packet.Update, Routes: []packet.Route{unreachable("10.7.0.0/24")}})
	await(t, routes(r, other), heard(mute, packet.Query, "10.7.0.0/24"),
		shows(r, "show ip eigrp topology active", `{"instances": [{"routes": [{"prefix": "10.7.0.0/24", "state": "active"}]}]}`))
	harness.Eventually(t, stuck, heard(mute, packet.SIAQuery, "10.7.0.0/24"))
	asked := time.Since(began)
	harness.Eventually(t, stuck, logs(r, "%DUAL-3-SIA: ", "Neighbor 10.9.2.2 (eth1) is down: stuck in active"))
	if took := time.Since(began); asked < 25*time.Second || took < 50*time.Second {
		t.Errorf("asked again after %v and gave up after %v, want half a minute and one", asked, took)
	}
	mute.forget()
	await(t, routes(r, other), shows(r, "show ip eigrp neighbors", `{"instances": [{"neighbors": [
		{"address": "10.9.1.2", "state": "up"}, {"address": "10.9.2.2", "state": "up"}]}]}`))
	if err := harness.CheckDissected("eigrp", 10, wires...); err != nil {
		t.Error(err)
	}
	if n := source.count(func(m *packet.Message) bool { return m.Opcode == packet.Hello && len(m.Terminated) > 0 }); n != 0 {
		t.Errorf("the neighbour that was not asked was taken leave of %d times", n)
	}
}

// heard tells whether a peer has got a message of a type about a prefix.
func heard(p *peer, o packet.Opcode, prefix string) func() error {
	return func() error {
		if !p.has(asksFor(o, prefix)) {
			return fmt.Errorf("%v has no %v about %s", p.addr, o, prefix)
		}
		return nil
	}
}

// Packets that end FRR's eigrpd, from reports to that project: a QUERY with a larger
// metric for what the neighbour told before, which fails an assertion about successors,
// and an Update with a TLV that has no room.
const (
	hexQuery     = "0203f1c3000000000000000200000000000000640102001c000000000007a120000f42400005dc01ff01000018c6336f"
	hexMalformed = "02010000000000000000000000000101010100010001000CC04E968CFC78A1A0ACA93768"
)

// TestPacketsThatEndOthers sends a router what ends FRR's eigrpd: the same process
// goes on, keeps its neighbours, and routes what there is.
func TestPacketsThatEndOthers(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	r, x := tp.Router("r"), tp.Node("x")
	tp.Link(r, "eth0", "10.9.1.1/24", x, "eth0", "10.9.1.2/24")
	start(t, map[*harness.Node]string{r: classic})
	const fresh = "198.51.111.0/24"
	p := newPeer(t, x, "eth0", "10.9.1.2", "10.9.1.1", nil, network(fresh, 10))
	there := routes(r, fresh+" via 10.9.1.2 dev eth0")
	await(t, there)
	pids := fmt.Sprint(r.Pids("eigrpd"))
	for _, text := range []string{hexQuery, hexMalformed} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		p.raw(p.router, b)
		p.raw(packet.GroupIPv4, b)
		if m, err := packet.Parse(b); err == nil {
			p.reliably(m)
		}
	}
	// The neighbour has asked for what it told itself, with a larger metric: as the only
	// source it has lost it, and is answered so.
	await(t, heard(p, packet.Reply, fresh))
	for _, route := range []packet.Route{unreachable("203.0.113.0/24"), unreachable(fresh), network(fresh, 10), network(fresh, 1000), network("0.0.0.0/0", 4000)} {
		p.reliably(&packet.Message{Opcode: packet.Update, Routes: []packet.Route{route}})
	}
	for _, o := range []packet.Opcode{packet.Reply, packet.SIAQuery, packet.SIAReply, packet.Query} {
		p.reliably(&packet.Message{Opcode: o, Routes: []packet.Route{unreachable("203.0.113.0/24")}})
	}
	await(t, heard(p, packet.Reply, "203.0.113.0/24"), routes(r, fresh+" via 10.9.1.2 dev eth0", "0.0.0.0/0 via 10.9.1.2 dev eth0"),
		shows(r, "show ip eigrp neighbors", `{"instances": [{"neighbors": [{"address": "10.9.1.2", "state": "up"}]}]}`))
	if now := fmt.Sprint(r.Pids("eigrpd")); now != pids {
		t.Errorf("eigrpd is process %s now, it was %s", now, pids)
	}
}

// TestForgery has an authenticated neighbour, and somebody else who sends packets of all
// types without authentication from its address: none of them is taken, acknowledged
// or answered.
func TestForgery(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	r, x := tp.Router("r"), tp.Node("x")
	tp.Link(r, "eth0", "10.9.1.1/24", x, "eth0", "10.9.1.2/24")
	start(t, map[*harness.Node]string{r: "key chain K\n key 3\n  key-string S3CRET\n" +
		"interface eth0\n ip authentication mode eigrp 100 md5\n ip authentication key-chain eigrp 100 K\n" + classic})
	p := newPeer(t, x, "eth0", "10.9.1.2", "10.9.1.1", &packet.Key{ID: 3, Algorithm: packet.KeyedMD5, Secret: []byte("S3CRET")}, network("10.7.0.0/24", 10))
	there := routes(r, "10.7.0.0/24 via 10.9.1.2 dev eth0")
	await(t, there, p.settled, shows(r, "show ip eigrp neighbors", `{"instances": [{"neighbors": [{"address": "10.9.1.2", "queue": 0}]}]}`))
	own, told := p.sequence(), p.last()
	forger := &peer{t: t, conn: p.conn, index: p.index, addr: p.addr, router: p.router, done: p.done}
	bad := []packet.Route{unreachable("10.7.0.0/24"), network("10.66.0.0/24", 10)}
	next := own
	forge := func(m *packet.Message) {
		next++
		m.Sequence = next
		forger.send(forger.router, m)
	}
	for _, o := range []packet.Opcode{packet.Update, packet.Query, packet.Reply, packet.SIAQuery, packet.SIAReply, packet.Request} {
		forge(&packet.Message{Opcode: o, Routes: bad})
	}
	forge(&packet.Message{Opcode: packet.Update, Flags: packet.FlagInit})
	forger.send(packet.GroupIPv4, &packet.Message{Opcode: packet.Hello, Parameters: packet.Goodbye(peerHold)})
	forger.send(forger.router, &packet.Message{Opcode: packet.Hello, Terminated: []netip.Addr{p.router}})
	forger.send(forger.router, &packet.Message{Opcode: packet.Hello, Ack: 1})
	const forged = 10
	await(t, shows(r, "show ip eigrp traffic", fmt.Sprintf(`{"instances": [{"dropped": {"missingOrUnexpectedAuthentication": %d}}]}`, forged)))
	await(t, there, shows(r, "show ip eigrp neighbors", `{"instances": [{"neighbors": [{"address": "10.9.1.2", "state": "up"}]}]}`))
	if n := p.count(func(m *packet.Message) bool { return m.Ack > own || m.Sequence > told }); n != 0 {
		t.Errorf("%d packets answered the forged ones", n)
	}
	out := r.MustVtysh("show logging")
	if err := lacks(out, "is down"); err != nil {
		t.Error(err)
	}
}
