package dataplane

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/dptest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
)

const (
	natHub     = "192.0.2.1"
	natOutside = "192.0.2.2" // the one address of all spokes, as the hub sees it
)

// behindNAT is a spoke behind a translator of ports, and what the hub has of it.
type behindNAT struct {
	*lktest.Env
	overlay, nbma netip.Addr // nbma is its alias, or the translator's address
	in, out       dataplane.SA
}

// natted is a hub (a of the pair), and spokes behind one address of a translator, of which
// all but the first have an alias; the wire is between the hub and the translator. The hub
// filters strictly by the reverse path.
type natted struct {
	*pair
	spokes [3]behindNAT
}

func newNatted(t *testing.T) *natted {
	n := &natted{pair: &pair{T: t, a: lktest.New(t)}}
	nat := lktest.New(t)
	nat.RemoveDevice(dptest.Under)
	const end = dptest.Under + "-peer"
	if err := n.a.Handle.LinkSetNsFd(n.a.Link(end), int(nat.NS.Fd())); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"ip addr add " + natOutside + "/24 dev " + end, "ip link set " + end + " up", "sysctl -qw net.ipv4.ip_forward=1"} {
		n.words(nat, words)
	}
	n.words(n.a, "sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1 net.ipv4.conf."+dptest.Under+".rp_filter=1")
	m := mgre
	m.Local, m.Underlay = ip(natHub), ""
	put(t, n.a.P, dataplane.Guard(ip(natHub)), m, dataplane.Addr{Device: "Tunnel0", Prefix: pfx("172.31.0.1/24")})
	n.words(n.a, "sysctl -qw net.ipv6.conf.Tunnel0.disable_ipv6=1") // it speaks to groups of itself
	n.takesESP(n.a)
	n.listens(n.a, ip("172.31.0.1"))
	for i := range n.spokes {
		n.spokes[i] = n.newSpoke(nat, end, i+1)
		n.known(&n.spokes[i], i > 0)
	}
	n.wire = sniffer(t, nat, end)
	return n
}

func (n *natted) words(e *lktest.Env, words string) { shown(n.T, e, strings.Fields(words)...) }

// newSpoke connects a spoke, and gives it its SAs, in transport mode.
func (n *natted) newSpoke(nat *lktest.Env, outside string, number int) behindNAT {
	t := n.T
	t.Helper()
	no := strconv.Itoa(number)
	inside, port, dev := "10.9."+no+".2", 40000+number, "inside"+no
	s := behindNAT{Env: lktest.New(t), overlay: netip.AddrFrom4([4]byte{172, 31, 0, byte(10 + number)}), nbma: ip("240.0.0." + no)}
	s.RemoveDevice(dptest.Under)
	n.words(nat, "ip link add "+dev+" type veth peer name wan")
	if err := nat.Handle.LinkSetNsFd(nat.Link("wan"), int(s.NS.Fd())); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{
		"ip addr add 10.9." + no + ".1/24 dev " + dev, "ip link set " + dev + " up",
		fmt.Sprintf("/usr/sbin/iptables-legacy -w -t nat -A POSTROUTING -o %s -s %s -p udp -j SNAT --to-source %s:%d", outside, inside, natOutside, port),
		fmt.Sprintf("/usr/sbin/iptables-legacy -w -t nat -A PREROUTING -i %s -p udp --dport %d -j DNAT --to-destination %s:4500", outside, port, inside),
	} {
		n.words(nat, words)
	}
	for _, words := range []string{"ip addr add " + inside + "/24 dev wan", "ip link set wan up", "ip route add default via 10.9." + no + ".1"} {
		n.words(s.Env, words)
	}
	m := mgre
	m.Local, m.Underlay = ip(inside), ""
	in, out := dptest.SA(natHub, inside, uint32(0x1000*number)), dptest.SA(inside, natHub, uint32(0x1000*number+0x800))
	in.UDP, out.UDP = rib.UDPEncap{Source: 4500, Destination: 4500}, rib.UDPEncap{Source: 4500, Destination: 4500}
	put(t, s.P, dataplane.Guard(ip(inside)), m, dataplane.Addr{Device: "Tunnel0", Prefix: netip.PrefixFrom(s.overlay, 24)},
		dataplane.Neighbor{Device: "Tunnel0", Addr: ip("172.31.0.1"), NBMA: ip(natHub)}, in, out)
	n.takesESP(s.Env)
	n.listens(s.Env, s.overlay)

	s.in, s.out = out, in // the other way around for the hub
	s.in.Source, s.in.UDP.Source = ip(natOutside), uint16(port)
	s.out.Destination, s.out.UDP.Destination = ip(natOutside), uint16(port)
	return s
}

// known gives the hub what it needs for a spoke: by its alias in BEET mode, or by the
// translator's address in transport mode.
func (n *natted) known(s *behindNAT, alias bool) {
	n.Helper()
	if alias {
		s.in.SourceAlias, s.out.DestinationAlias = s.nbma, s.nbma
		n.words(n.a, "ip route add "+s.nbma.String()+" via "+natOutside)
		put(n.T, n.a.P, s.policy())
	} else {
		s.nbma = ip(natOutside)
	}
	put(n.T, n.a.P, s.in, s.out, dataplane.Neighbor{Device: "Tunnel0", Addr: s.overlay, NBMA: s.nbma})
}

// policy is that of the alias.
func (s *behindNAT) policy() dataplane.Policy {
	return dataplane.Policy{Policy: rib.Policy{Local: ip(natHub), Peer: netip.PrefixFrom(s.nbma, 32), Outer: ip(natOutside)}}
}

// takesESP has a machine take ESP in UDP, as a daemon for IKE has.
func (n *natted) takesESP(e *lktest.Env) {
	e.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		n.Cleanup(func() { unix.Close(fd) })
		const encap = 100 // UDP_ENCAP, linux/udp.h
		return errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Port: 4500}), unix.SetsockoptInt(fd, unix.IPPROTO_UDP, encap, 2))
	})
}

// listens takes what is sent to an address of the tunnel, so that nothing is answered.
func (n *natted) listens(e *lktest.Env, a netip.Addr) {
	e.Do(func() error {
		conn, err := net.ListenPacket("udp4", a.String()+":9")
		if err == nil {
			n.Cleanup(func() { conn.Close() })
		}
		return err
	})
}

// sends has the hub send so many packets to each of the spokes, and each of them so many
// to the hub.
func (n *natted) sends(packets ...int) {
	n.Helper()
	for i, s := range n.spokes {
		for range packets[i] {
			n.a.Send("Tunnel0", s.overlay)
			s.Send("Tunnel0", ip("172.31.0.1"))
		}
	}
}

// TestBEET has three spokes in transport mode behind one address: the hub, which knows two
// of them by aliases, sends and takes what is each one's by its own SAs, and nothing in
// clear.
func TestBEET(t *testing.T) {
	n := newNatted(t)
	senders := sniffer(t, n.a, "Tunnel0")
	n.passed()
	n.sends(4, 5, 3)
	want := map[[2]netip.Addr]int{}
	for i, packets := range []uint64{4, 5, 3} {
		s := n.spokes[i]
		want[[2]netip.Addr{s.nbma, s.overlay}] = int(packets)
		for _, sa := range []dataplane.SA{s.in, s.out} {
			if c := n.counted(n.a, sa, packets); c.Failed+c.Late+c.Replayed > 0 {
				t.Errorf("spoke %d: %+v", i+1, c)
			}
		}
		harness.Eventually(t, limit, func() error {
			if got := n.received(s.Env); got != packets {
				return fmt.Errorf("spoke %d got %d packets", i+1, got)
			}
			return nil
		})
	}
	harness.Eventually(t, limit, func() error {
		if got := n.received(n.a); got != 12 {
			return fmt.Errorf("the hub got %d packets\n%s", got, shown(t, n.a, "cat", "/proc/net/xfrm_stat"))
		}
		return nil
	})
	if have := n.passed(); have != (seen{udp: 24}) {
		t.Errorf("on the wire %+v", have)
	}
	have := map[[2]netip.Addr]int{}
	harness.Eventually(t, limit, func() error { // a packet is counted before it comes out
		for sender, packets := range sources(t, senders) {
			have[sender] += packets
		}
		if !maps.Equal(have, want) {
			return fmt.Errorf("senders by outer and inner address: %v, wanted %v", have, want)
		}
		return nil
	})
	n.large()
	n.copied()
	n.renewed()
	n.moved()
	n.withheld()
}

// sources counts the IPv4 packets that came out of a tunnel by their outer and inner
// sources. What nhrpd takes for the sender of a packet is the outer one.
func sources(t *testing.T, fd int) map[[2]netip.Addr]int {
	t.Helper()
	all := map[[2]netip.Addr]int{}
	buf := make([]byte, 2048)
	for {
		size, from, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if l, ok := from.(*unix.SockaddrLinklayer); ok && l.Pkttype != unix.PACKET_OUTGOING && size >= 20 && buf[0]>>4 == 4 {
			all[[2]netip.Addr{netip.AddrFrom4([4]byte(l.Addr[:4])), netip.AddrFrom4([4]byte(buf[12:16]))}]++
		}
	}
}

// large sends the largest packet of the tunnel, which may not be cut, there and back.
func (n *natted) large() {
	n.Helper()
	for _, s := range n.spokes {
		n.words(n.a, fmt.Sprintf("ping -c 1 -W 10 -M do -s %d %v", mgre.MTU-28, s.overlay))
	}
}

// copied has the tunnel send one packet to many: each spoke gets a copy by its own SA.
func (n *natted) copied() {
	n.Helper()
	put(n.T, n.a.P, dataplane.Multicast{Device: "Tunnel0"})
	for _, s := range n.spokes {
		put(n.T, n.a.P, dataplane.MulticastPeer{Device: "Tunnel0", NBMA: s.nbma})
	}
	n.passed()
	n.a.Send("Tunnel0", ip("224.0.0.10"))
	for i, packets := range []uint64{6, 7, 5} { // one more than came in
		n.counted(n.a, n.spokes[i].out, packets)
	}
	if have := n.passed(); have != (seen{udp: 3}) {
		n.Errorf("of a packet to many on the wire: %+v", have)
	}
}

// renewed has another SA take the place of one spoke's, as at a rekey, and another
// Provider that of the hub's: the other spoke keeps its own.
func (n *natted) renewed() {
	n.Helper()
	one, two := &n.spokes[1], n.spokes[2]
	newer := dptest.SA(natHub, "10.9.2.2", 0x7000)
	newer.UDP = rib.UDPEncap{Source: 4500, Destination: 4500}
	put(n.T, one.P, newer)
	newer.Destination, newer.DestinationAlias, newer.UDP.Destination = ip(natOutside), one.nbma, one.out.UDP.Destination
	n.a.Open(linuxkernel.Options{})
	for _, s := range n.spokes {
		if have := dumped(n.T, n.a); !have[s.in.SPI].Equal(s.in) || !have[s.out.SPI].Equal(s.out) {
			n.Errorf("in force: %+v", have)
		}
		s.in.Keep, s.out.Keep = true, true
		put(n.T, n.a.P, s.in, s.out)
	}
	put(n.T, n.a.P, one.policy(), two.policy())
	put(n.T, n.a.P, newer)
	remove(n.T, n.a, one.out)
	n.sends(0, 2, 2)
	n.counted(n.a, newer, 2)
	n.counted(n.a, two.out, 7)
	one.out = newer
}

// moved has the translator give a spoke another port: that is told, and the SAs change.
func (n *natted) moved() {
	n.Helper()
	s := &n.spokes[2]
	s.in.UDP.Source = 41111 // as if that had been the port until now
	put(n.T, n.a.P, s.in)
	n.sends(0, 0, 1)
	const now = natOutside + ":40003"
	await(n.T, n.a.P, "another port", func(ev dataplane.Event) bool {
		return ev == dataplane.MappingChanged{Key: s.in.Key(), Old: netip.MustParseAddrPort(natOutside + ":41111"), New: netip.MustParseAddrPort(now)}
	})
	s.in.UDP.Source = 40003
	put(n.T, n.a.P, s.in)
	n.sends(0, 0, 1)
	n.counted(n.a, s.in, 8)
	n.counted(n.a, s.out, 9)
}

// withheld takes away the SA by which a spoke is sent to, and then its policy: nothing is
// sent to it, and without the policy nothing is taken from it.
func (n *natted) withheld() {
	n.Helper()
	s := n.spokes[1]
	remove(n.T, n.a, s.out)
	held := dataplane.Acquire{Source: ip(natHub), Destination: s.nbma}
	for _, when := range []string{"without SA", "without policy"} {
		n.passed()
		before, already := n.received(n.a), n.dropped(n.a)
		n.a.Send("Tunnel0", s.overlay)
		await(n.T, n.a.P, when, func(ev dataplane.Event) bool { return ev == held })
		if have := n.passed(); have != (seen{}) {
			n.Errorf("%s: on the wire %+v", when, have)
		}
		s.Send("Tunnel0", ip("172.31.0.1"))
		harness.Eventually(n, limit, func() error {
			got, dropped := n.received(n.a)-before, n.dropped(n.a)-already
			if when == "without SA" && got == 1 && dropped == 0 || when == "without policy" && got == 0 && dropped == 1 {
				return nil
			}
			return fmt.Errorf("%s: %d packets were taken in, %d were not", when, got, dropped)
		})
		remove(n.T, n.a, s.policy())
	}
}
