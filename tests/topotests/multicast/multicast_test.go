package multicast

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// mtu is that of the tunnels; headers are those of IPv4 and UDP.
const mtu, headers = 1400, 28

// everybody are the hub's peers, with what is registered and what is mapped.
var everybody = map[string]int{nbmaSpoke1: 1, nbmaSpoke2: 1, nbmaPlain: 1}

// TestHubToSpokes sends to groups and broadcast addresses, small packets and ones
// that fill the tunnel's MTU: a copy for each NBMA address leaves the hub, though
// spoke 2 is registered and mapped, and each spoke hears it once with the TTL that
// it was sent with.
func TestHubToSpokes(t *testing.T) {
	for name, key := range map[string]string{"key": " tunnel key 100\n", "no key": ""} {
		t.Run(name, func(t *testing.T) {
			c := build(t, key)
			ears := map[string]*ear{"spoke1": c.listen(c.spoke1), "spoke2": c.listen(c.spoke2)}
			m := c.mouth(c.hub, "172.31.0.1")
			sent := map[string]heard{}
			for _, dst := range []string{group1, group2, "255.255.255.255", "172.31.0.255"} {
				for _, size := range []int{40, mtu - headers} {
					word := fmt.Sprintf("%s/%d", dst, size)
					sent[word] = heard{dst, 1, size}
					m.say(dst, word, size)
				}
			}
			c.settled()
			for word, want := range sent {
				if have := c.said(word); !maps.Equal(have, everybody) {
					t.Errorf("%s left the hub to %v", word, have)
				}
				for spoke, e := range ears {
					harness.Eventually(t, converge, func() error {
						if have := e.of(word); len(have) != 1 || have[0] != want {
							return fmt.Errorf("%s heard %s as %+v, wanted %+v", spoke, word, have, want)
						}
						return nil
					})
				}
			}
			for _, f := range c.wan.Frames(harness.IsUDP(port)) {
				if f.GRE && f.HasKey != (key != "") {
					t.Errorf("key: %v", f)
				}
			}
			if l := c.leaks(); len(l) > 0 {
				t.Errorf("left with no station as destination: %v", l)
			}
			if err := c.hub.ShowJSON("show ip nhrp multicast", `{"entries": [
				{"interface": "Tunnel0", "nbma": "192.0.2.9"}, {"interface": "Tunnel0", "nbma": "198.51.100.1"}, {"interface": "Tunnel0", "nbma": "203.0.113.1"}]}`); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSpokeToHub sends from a spoke: the hub hears it, the other spoke does not.
func TestSpokeToHub(t *testing.T) {
	c := build(t, " tunnel key 100\n")
	hub, other := c.listen(c.hub), c.listen(c.spoke2)
	m, said := c.mouth(c.spoke1, "172.31.0.11"), 0
	harness.Eventually(t, converge, func() error { // until the spoke's list has the hub
		if have := hub.of(fmt.Sprint("from-spoke-", said)); len(have) == 1 && have[0].ttl == 1 {
			return nil
		}
		said++
		m.say(group1, fmt.Sprint("from-spoke-", said), 0)
		return fmt.Errorf("the hub heard nothing of %d packets", said)
	})
	c.mouth(c.hub, "172.31.0.1").say(group1, "from-hub", 0)
	harness.Eventually(t, converge, func() error {
		if len(other.of("from-hub")) == 0 {
			return errors.New("the other spoke did not hear the hub")
		}
		return nil
	})
	for n := range said {
		if have := other.of(fmt.Sprint("from-spoke-", n+1)); len(have) > 0 {
			t.Errorf("the other spoke heard %+v", have)
		}
	}
}

// TestPing has the usual program reach all spokes by one group.
func TestPing(t *testing.T) {
	c := build(t, " tunnel key 100\n")
	for _, n := range []*harness.Node{c.spoke1, c.spoke2} {
		n.Sysctl("net.ipv4.icmp_echo_ignore_broadcasts", "0")
	}
	harness.Eventually(t, converge, func() error {
		out, err := c.hub.Run("ping", "-c", "2", "-i", "0.3", "-W", "2", "-I", "Tunnel0", "224.0.0.1")
		if err != nil {
			return err
		}
		for _, spoke := range []string{"172.31.0.11", "172.31.0.12"} {
			if !strings.Contains(out, "from "+spoke) {
				return fmt.Errorf("no answer from %s:\n%s", spoke, out)
			}
		}
		return nil
	})
	echoes := map[string]int{}
	for _, f := range c.wan.Frames(harness.All(harness.IsGRE, harness.Inside(harness.Between("", "224.0.0.1")))) {
		if in := f.Inner(); in.Protocol == 1 && in.Payload[0] == 8 {
			echoes[fmt.Sprintf("%d to %v", binary.BigEndian.Uint32(in.Payload[4:]), f.Dst)]++
		}
	}
	for what, n := range echoes {
		if n != 1 {
			t.Errorf("echo request %s left %d times", what, n)
		}
	}
	if len(echoes) < len(everybody) { // ping ends with the second answer, which may be to its first request
		t.Errorf("echo requests: %v", echoes)
	}
}

// TestList follows the hub's list: a spoke that says goodbye, one that falls
// silent, one that comes with another tunnel address, and what is configured.
func TestList(t *testing.T) {
	c := build(t, " tunnel key 100\n")
	m := c.mouth(c.hub, "172.31.0.1")
	c.goesTo(m, nbmaSpoke1, nbmaSpoke2, nbmaPlain)
	c.hub.Configure("interface Tunnel0\nno ip nhrp map multicast " + nbmaSpoke2)
	c.goesTo(m, nbmaSpoke1, nbmaSpoke2, nbmaPlain)

	// Two tunnel addresses behind one NBMA address: the earlier one was not taken back.
	c.silence(c.spoke2)
	c.start(c.spoke2, c.spokeConfig("172.31.0.22", 600))
	c.registered("172.31.0.11", "172.31.0.12", "172.31.0.22")
	c.goesTo(m, nbmaSpoke1, nbmaSpoke2, nbmaPlain)

	if err := c.zebras["spoke1"].Terminate(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	c.registered("172.31.0.12", "172.31.0.22")
	c.goesTo(m, nbmaSpoke2, nbmaPlain)

	c.hub.Configure("interface Tunnel0\nno ip nhrp map multicast " + nbmaPlain)
	c.goesTo(m, nbmaSpoke2)
	c.hub.Configure("interface Tunnel0\nno ip nhrp map multicast dynamic")
	c.goesTo(m)
	c.hub.Configure("interface Tunnel0\nip nhrp map multicast dynamic")
	c.goesTo(m, nbmaSpoke2)

	c.silence(c.spoke2)
	c.hub.MustVtysh("clear ip nhrp")
	c.registered()
	c.goesTo(m)
	c.start(c.spoke2, c.spokeConfig("172.31.0.12", 5))
	harness.Eventually(t, converge, func() error {
		return c.hub.ShowJSON("show ip nhrp multicast", `{"entries": [{"nbma": "`+nbmaSpoke2+`", "type": "dynamic"}]}`)
	})
	c.goesTo(m, nbmaSpoke2)
	c.silence(c.spoke2)
	c.registered() // its holding time is over
	c.goesTo(m)
}

// TestTunnelChange changes the tunnel under its peers: another key, none, another
// source and back. The list stays, and nothing leaks.
func TestTunnelChange(t *testing.T) {
	c := build(t, " tunnel key 100\n")
	m := c.mouth(c.hub, "172.31.0.1")
	for _, line := range []string{"tunnel key 7", "no tunnel key", "tunnel key 100", "shutdown", "no shutdown", "ip mtu 1300", "no ip tcp adjust-mss"} {
		c.hub.Configure("interface Tunnel0\n" + line)
		if line != "shutdown" {
			c.goesTo(m, nbmaSpoke1, nbmaSpoke2, nbmaPlain)
		}
	}
}

// TestStolen has somebody else remove the filter, and the whole queueing
// discipline: until zebra has put it back, packets are lost, but none leaves with a
// group as its outer destination.
func TestStolen(t *testing.T) {
	c := build(t, " tunnel key 100\n")
	m := c.mouth(c.hub, "172.31.0.1")
	link, err := c.hub.Netlink().LinkByName("Tunnel0")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		filters, err := c.hub.Netlink().FilterList(link, netlink.HANDLE_MIN_EGRESS)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range filters {
			if err := c.hub.Netlink().FilterDel(f); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			_, _ = m.conn.WriteTo([]byte("lost"), &net.UDPAddr{IP: net.ParseIP(group1), Port: port})
		}
		c.goesTo(m, nbmaSpoke1, nbmaSpoke2, nbmaPlain)
	}
	qdisc := &netlink.GenericQdisc{QdiscType: "clsact", QdiscAttrs: netlink.QdiscAttrs{LinkIndex: link.Attrs().Index,
		Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT}}
	if err := c.hub.Netlink().QdiscDel(qdisc); err != nil {
		t.Fatal(err)
	}
	c.goesTo(m, nbmaSpoke1, nbmaSpoke2, nbmaPlain)
}
