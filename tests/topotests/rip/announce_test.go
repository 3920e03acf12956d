package rip_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/ripd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// pair is a, which announces much, and b, which listens, with a link for each way
// of announcing:
//
//	eth0  10.9.0.0/24    multicast, with a summary
//	eth1  10.9.1.0/24    unicast: passive, with b as "neighbor"
//	eth2  172.16.2.0/24  version 1
//	eth3  10.9.3.0/24    version 2 by broadcast, with a filter
type pair struct {
	a, b  *router
	wires map[string]*harness.Capture
}

const configAnnouncer = `ip route 10.50.0.0 255.255.255.0 Null0
ip route 10.51.0.0 255.255.255.0 Null0
ip prefix-list FIFTY permit 10.50.0.0/24
route-map STATICS permit 10
 match ip address prefix-list FIFTY
 set metric 5
 set tag 77
ip prefix-list NOT-TWO deny 10.2.0.0/24
ip prefix-list NOT-TWO permit 0.0.0.0/0 le 32
interface eth0
 ip summary-address rip 10.64.0.0 255.252.0.0
interface eth2
 ip rip send version 1
 ip rip receive version 1
interface eth3
 ip rip v2-broadcast
router rip
 version 2
 timers basic 2 10 0 15
 network 10.0.0.0
 network 172.16.0.0
 neighbor 10.9.1.2
 passive-interface eth1
 redistribute static route-map STATICS
 redistribute connected metric 3
 default-information originate
 distribute-list prefix NOT-TWO out eth3
`

const configListener = `ip prefix-list NOT-ONE deny 10.1.0.0/24
ip prefix-list NOT-ONE deny 10.0.0.0/8
ip prefix-list NOT-ONE permit 0.0.0.0/0 le 32
interface eth2
 ip rip send version 1
 ip rip receive version 1
router rip
 version 2
 timers basic 2 10 0 15
 network 10.0.0.0
 network 172.16.0.0
`

func buildPair(t *testing.T) *pair {
	t.Helper()
	tp := harness.New(t)
	p := &pair{a: &router{Node: tp.Router("a")}, b: &router{Node: tp.Router("b")}, wires: map[string]*harness.Capture{}}
	for device, net := range map[string]string{"eth0": "10.9.0", "eth1": "10.9.1", "eth2": "172.16.2", "eth3": "10.9.3"} {
		addr := func(host int) string { return fmt.Sprintf("%s.%d/24", net, host) }
		tp.Link(p.a.Node, device, addr(1), p.b.Node, device, addr(2))
		p.wires[device] = p.a.Capture(device)
	}
	p.a.Stub("lan1", "10.1.0.1/24")
	p.a.Stub("lan2", "10.2.0.1/24")
	p.a.Stub("other", "192.168.7.1/24")
	p.a.Stub("part1", "10.64.1.1/24")
	p.a.Stub("part2", "10.65.1.1/24")
	p.b.Stub("lan", "10.200.0.1/24")
	start(t, map[*router]string{p.a: configAnnouncer, p.b: configListener})
	return p
}

// The ways from b to a.
const (
	way0 = " via 10.9.0.1 dev eth0"
	way1 = " via 10.9.1.1 dev eth1"
	way2 = " via 172.16.2.1 dev eth2"
	way3 = " via 10.9.3.1 dev eth3"
)

// TestAnnouncements looks at what b learns over each link, how it gets there, and
// what remains when b and then a are told otherwise.
func TestAnnouncements(t *testing.T) {
	t.Parallel()
	p := buildPair(t)
	tables{
		p.b: {
			"0.0.0.0/0" + way0 + way1 + way3 + way2,
			"10.0.0.0/8" + way2, // all that version 1 can say of another network
			"10.1.0.0/24" + way0 + way1 + way3,
			"10.2.0.0/24" + way0 + way1, // filtered on eth3
			"10.50.0.0/24" + way0 + way1 + way3,
			"10.64.0.0/14" + way0, // the summary, and what it stands for
			"10.64.1.0/24" + way1 + way3, "10.65.1.0/24" + way1 + way3,
			"192.168.7.0/24" + way0 + way1 + way3 + way2,
		},
		p.a: {
			"10.0.0.0/8 via 172.16.2.2 dev eth2",
			"blackhole 10.64.0.0/14",
			"10.200.0.0/24 via 10.9.0.2 dev eth0 via 10.9.1.2 dev eth1 via 10.9.3.2 dev eth3",
		},
	}.wait(t, converge)
	p.onTheWire(t)
	p.asked(t)
	if err := p.b.ShowJSON("show ip rip", `{"routes": [
		{"prefix": "10.50.0.0/24", "metric": 6, "tag": 77}, {"prefix": "192.168.7.0/24", "metric": 4}, {"prefix": "0.0.0.0/0", "metric": 2},
		{"prefix": "10.64.0.0/14", "metric": 2}]}`); err != nil {
		t.Error(err)
	}
	if err := p.a.ShowJSON("show ip protocols", `{"protocols": [{"protocol": "rip", "vrf": "", "defaultInformation": true,
		"redistribute": [{"protocol": "static", "routeMap": "STATICS"}, {"protocol": "connected", "metric": 3}],
		"filters": [{"direction": "out", "type": "prefixList", "list": "NOT-TWO", "interface": "eth3"}],
		"interfaces": [{"name": "eth0", "passive": false, "sendVersions": [2]}, {"name": "eth1", "passive": true}, {"name": "eth2", "sendVersions": [1], "receiveVersions": [1]}],
		"neighbors": [{"address": "10.9.1.2", "configured": true}, {"address": "172.16.2.2", "version": 1, "configured": false}]}]}`); err != nil {
		t.Error(err)
	}
	p.chosen(t)
	p.withdrawn(t)
}

// onTheWire looks at where a sends its updates and requests, and has tshark decode
// all that has passed.
func (p *pair) onTheWire(t *testing.T) {
	t.Helper()
	type kind struct {
		To      string
		Version uint8
		Command packet.Command
	}
	const group, broadcast = "224.0.0.9", "255.255.255.255"
	both := func(to string, version uint8) []kind {
		return []kind{{to, version, packet.Request}, {to, version, packet.Response}}
	}
	want := map[string][]kind{"eth0": both(group, 2), "eth1": both("10.9.1.2", 2), "eth2": both(broadcast, 1), "eth3": both(broadcast, 2)}
	own := map[string]string{"eth0": "10.9.0.1", "eth1": "10.9.1.1", "eth2": "172.16.2.1", "eth3": "10.9.3.1"}
	sent := func(device string) error {
		var got []kind
		for _, f := range p.wires[device].Frames(from(own[device])) {
			m, err := packet.Parse(f.UDP())
			if err != nil {
				return fmt.Errorf("%s: %v: %w\n%x", device, f, err, f.UDP())
			}
			k := kind{f.Dst.String(), m.Version, m.Command}
			if !slices.Contains(got, k) && !(k.Command == packet.Response && isAnswer(f)) {
				got = append(got, k)
			}
		}
		slices.SortFunc(got, func(a, b kind) int { return int(a.Command) - int(b.Command) })
		if diff := cmp.Diff(want[device], got); diff != "" {
			return fmt.Errorf("what a sends on %s (-want +got):\n%s", device, diff)
		}
		return nil
	}
	var wires []*harness.Capture
	for device, wire := range p.wires {
		wires = append(wires, wire)
		harness.Eventually(t, soon, func() error { return sent(device) }) // b may know all by answers
	}
	if err := harness.CheckDissected("rip", 3, wires...); err != nil {
		t.Error(err)
	}
}

// isAnswer tells whether a frame answers a request: it goes to one router alone, on
// a link where updates do not.
func isAnswer(f harness.Frame) bool {
	dst := f.Dst.String()
	return strings.HasSuffix(dst, ".2") && dst != "10.9.1.2"
}

// asked sends a request for three networks, as a management station does, and wants
// their metrics whatever the split horizon (RFC 2453 section 3.9.1).
func (p *pair) asked(t *testing.T) {
	t.Helper()
	var conn *net.UDPConn
	err := p.b.Do(func() (err error) {
		conn, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.MustParseAddrPort("10.9.0.1:520")))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := packet.Message{Command: packet.Request, Version: 2}
	want := []string{"10.1.0.0/24 1", "10.50.0.0/24 5", "10.51.0.0/24 16", "10.200.0.0/24 2"}
	for _, w := range want {
		prefix, _, _ := strings.Cut(w, " ")
		request.Entries = append(request.Entries, packet.Route(netip.MustParsePrefix(prefix), 0, netip.Addr{}, 0))
	}
	b, err := request.Append(nil, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var answer *packet.Message
	harness.Eventually(t, soon, func() error {
		if _, err := conn.Write(b); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		buf := make([]byte, packet.MaxDatagram)
		n, err := conn.Read(buf)
		if err != nil {
			return err
		}
		answer, err = packet.Parse(buf[:n])
		return err
	})
	var got []string
	for _, e := range answer.Entries {
		prefix, _ := e.Prefix(netip.MustParsePrefix("10.9.0.2/24"))
		got = append(got, fmt.Sprintf("%v %d", prefix, e.Metric))
	}
	if diff := cmp.Diff(want, got); diff != "" || answer.Command != packet.Response {
		t.Errorf("answer %+v (-want +got):\n%s", answer, diff)
	}
	port := netip.MustParseAddrPort(conn.LocalAddr().String()).Port()
	harness.Eventually(t, soon, func() error {
		if n := p.wires["eth0"].Count(harness.IsUDP(port)); n < 2 {
			return fmt.Errorf("%d packets of the request and its answer were captured", n)
		}
		return nil
	})
	found, err := p.wires["eth0"].Dissect(fmt.Sprintf("rip && udp.port == %d", port), "rip.command", "rip.ip", "rip.metric")
	if err != nil || len(found) < 2 {
		t.Fatalf("%d frames, %v", len(found), err)
	}
	for _, f := range found[:2] {
		metrics := map[string]string{"1": "0,0,0,0", "2": "1,5,16,2"}[f.Fields["rip.command"]]
		if f.Complaint != "" || f.Fields["rip.metric"] != metrics || f.Fields["rip.ip"] != "10.1.0.0,10.50.0.0,10.51.0.0,10.200.0.0" {
			t.Errorf("tshark says of a request or its answer: %v %q", f.Fields, f.Complaint)
		}
	}
}

// chosen tells b to take one way only, rather that over eth1, further away, and
// without two networks.
func (p *pair) chosen(t *testing.T) {
	t.Helper()
	p.b.Configure("router rip\nmaximum-paths 1\ndistance 130\ndistance 100 10.9.1.1 0.0.0.0\noffset-list 0 in 3 eth1\ndistribute-list prefix NOT-ONE in")
	p.b.MustVtysh("clear ip rip")
	tables{p.b: {"0.0.0.0/0" + way1, "10.2.0.0/24" + way1, "10.50.0.0/24" + way1,
		"10.64.0.0/14" + way0, "10.64.1.0/24" + way1, "10.65.1.0/24" + way1, "192.168.7.0/24" + way1}}.wait(t, converge)
	if err := p.b.ShowJSON("show ip route rip", `{"routes": [
		{"prefix": "10.50.0.0/24", "routes": [{"distance": 100, "metric": 8, "tag": 77}]},
		{"prefix": "10.64.0.0/14", "routes": [{"distance": 130, "metric": 1}]}]}`); err != nil {
		t.Error(err)
	}
}

// withdrawn takes from a what it announces, one kind after the other. On parallel
// links the two may believe each other for a while, each by way of the other; with
// split horizon neither says so, and the timeout ends it (RFC 2453 section 3.4.3).
func (p *pair) withdrawn(t *testing.T) {
	t.Helper()
	p.a.Down("part1")
	left := tables{p.b: {"0.0.0.0/0" + way1, "10.2.0.0/24" + way1, "10.50.0.0/24" + way1,
		"10.64.0.0/14" + way0, "10.65.1.0/24" + way1, "192.168.7.0/24" + way1}}
	left.wait(t, converge)
	p.a.Down("part2")
	p.a.Configure("no ip route 10.50.0.0 255.255.255.0 Null0\nrouter rip\nno default-information originate\nno redistribute connected")
	tables{
		p.b: {"10.2.0.0/24" + way1},
		p.a: {"10.0.0.0/8 via 172.16.2.2 dev eth2",
			"10.200.0.0/24 via 10.9.0.2 dev eth0 via 10.9.1.2 dev eth1 via 10.9.3.2 dev eth3"},
	}.wait(t, converge)
}
