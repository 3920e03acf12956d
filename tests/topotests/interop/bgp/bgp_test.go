package bgp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.MainConfig(m, harness.Config{Ethernet: true}) }

// converge is how long anything may take.
const converge = 60 * time.Second

// protocol is the number of BGP's routes in the kernel, ours and FRR's.
var protocol = harness.ProtocolNumber(rib.BGP)

// await waits until all that is said is so.
func await(t *testing.T, all ...func() error) { t.Helper(); harness.Await(t, converge, all...) }

// routes tells whether a kernel has exactly these routes of BGP.
func routes(n *harness.Node, want ...string) func() error {
	return func() error { return n.HasRoutes(protocol, want...) }
}

// shows tells whether the JSON of a show command contains this.
func shows(n *harness.Node, command, want string) func() error {
	return func() error { return n.ShowJSON(command, want) }
}

// frrShows is shows of FRR.
func frrShows(f *harness.FRR, command, want string) func() error {
	return func() error { return f.ShowJSON(command, want) }
}

// birdSays tells whether what BIRD prints has these texts, and not one that begins with "!".
func birdSays(b *harness.BIRD, command string, texts ...string) func() error {
	return func() error {
		out, err := b.Birdc(command)
		for _, text := range texts {
			not, missing := strings.CutPrefix(text, "!")
			if err == nil && strings.Contains(out, not) == missing {
				err = fmt.Errorf("BIRD's %q, and %q:\n%s", command, text, out)
			}
		}
		return err
	}
}

// lan gives a node a device "lan" with these addresses.
func lan(tp *harness.Topology, hosts, n *harness.Node, addrs ...string) {
	tp.Link(hosts, n.Name(), "", n, "lan", "")
	for _, a := range addrs {
		n.Addr("lan", a)
	}
}

// Types of BGP's messages (RFC 4271 section 4.1, RFC 2918).
const (
	update  = 2
	refresh = 5
)

// sent matches TCP segments from an address that have a message of a type.
func sent(from string, kind byte) harness.Match {
	marker := bytes.Repeat([]byte{0xff}, 16)
	return func(f harness.Frame) bool {
		const tcp, header = 6, 20
		if !f.IP || f.Protocol != tcp || f.Src.String() != from || len(f.Payload) < header {
			return false
		}
		p := f.Payload[min(len(f.Payload), int(f.Payload[12]>>4)*4):]
		for len(p) >= 19 && bytes.HasPrefix(p, marker) {
			if p[18] == kind {
				return true
			}
			p = p[min(len(p), max(19, int(binary.BigEndian.Uint16(p[16:])))):]
		}
		return false
	}
}

// refreshed tells whether a neighbour has asked for all routes and got them.
func refreshed(wire *harness.Capture, who, ours string) func() error {
	return func() error {
		if wire.Count(sent(who, refresh)) == 0 || wire.Count(sent(ours, update)) == 0 {
			return fmt.Errorf("%d frames with ROUTE-REFRESH, %d with UPDATE", wire.Count(sent(who, refresh)), wire.Count(sent(ours, update)))
		}
		return nil
	}
}

// told tells whether no path of ours is left from before a restart of a neighbour.
func told(n *harness.Node) func() error {
	return func() error {
		for _, command := range []string{"show ip bgp", "show bgp ipv6 unicast", "show ip route"} {
			v, err := n.JSON(command)
			if err != nil {
				return err
			}
			if strings.Contains(fmt.Sprint(v), "stale:true") {
				return fmt.Errorf("%s has stale ones: %v", command, v)
			}
		}
		return nil
	}
}

// kill kills our bgpd, and waits for what is so while it is away, and for the next one.
func kill(t *testing.T, n *harness.Node, away ...func() error) {
	t.Helper()
	pids := n.Pids("bgpd")
	if len(pids) != 1 {
		t.Fatalf("%s has processes %v of bgpd", n.Name(), pids)
	}
	n.KillPid(pids[0])
	await(t, away...)
	harness.Eventually(t, converge, func() error {
		if p := n.Pids("bgpd"); len(p) != 1 || p[0] == pids[0] {
			return fmt.Errorf("there is no other bgpd: %v", p)
		}
		return nil
	})
}

// ours is our configuration towards a neighbour that has 10.9.N.2 and 2001:db8:9:N::2, in
// an AS of four octets; lines are further ones of router bgp, of IPv4.
func ours(n int, lines string) string {
	return fmt.Sprintf(`route-map OUT permit 10
 set community 65001:5
 set metric 50
router bgp 4200000001
 bgp graceful-restart
 bgp graceful-restart restart-time 60
 timers bgp 3 15
%[2]s neighbor 10.9.%[1]d.2 remote-as 4200000002
 neighbor 10.9.%[1]d.2 password s3cret
 neighbor 2001:db8:9:%[1]d::2 remote-as 4200000002
 address-family ipv4
  neighbor 10.9.%[1]d.2 send-community both
  neighbor 10.9.%[1]d.2 route-map OUT out
  network 10.1.0.0 mask 255.255.255.0
 exit-address-family
 address-family ipv6
  neighbor 2001:db8:9:%[1]d::2 activate
  network 2001:db8:1::/64
 exit-address-family
`, n, lines)
}

// pair makes two nodes with a link of both families, and a LAN at each.
func pair(t *testing.T, name string) (us, they *harness.Node, wire *harness.Capture) {
	t.Helper()
	tp := harness.New(t)
	hosts := tp.Node("hosts")
	us, they = tp.Router("ours"), tp.Router(name)
	tp.Link(us, "eth0", "10.9.1.1/30", they, "eth0", "10.9.1.2/30")
	us.Addr("eth0", "2001:db8:9:1::1/64")
	they.Addr("eth0", "2001:db8:9:1::2/64")
	lan(tp, hosts, us, "10.1.0.1/24", "2001:db8:1::1/64")
	lan(tp, hosts, they, "10.2.0.1/24", "2001:db8:2::1/64")
	return us, they, us.Capture("eth0")
}

// atOurs are our routes of such a neighbour.
var atOurs = []string{"10.2.0.0/24 via 10.9.1.2 dev eth0", "2001:db8:2::/64 via 2001:db8:9:1::2 dev eth0"}

// theirs is what our table has of such a neighbour's route.
const theirs = `{"paths": [{"nextHop": "10.9.1.2", "asPath": "4200000002", "best": true, "communities": ["65000:7"],
	"largeCommunities": ["4200000002:1:2"], "extendedCommunities": ["RT:65000:9"]}]}`
