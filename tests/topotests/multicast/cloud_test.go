package multicast

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// converge is how long a cloud may take until its spokes are registered.
const converge = 60 * time.Second

// The NBMA addresses.
const (
	nbmaHub, nbmaSpoke1, nbmaSpoke2, nbmaPlain = "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.0.2.9"
)

// cloud is the topology of doc.go.
type cloud struct {
	t                   *testing.T
	tp                  *harness.Topology
	inet                *harness.Node
	hub, spoke1, spoke2 *harness.Node
	zebras              map[string]*harness.Zebra
	wan                 *harness.Capture // of the hub
	key                 string
}

// build starts a cloud. key is a configuration line for all tunnels, or "".
func build(t *testing.T, key string) *cloud {
	c := &cloud{t: t, tp: harness.New(t), zebras: map[string]*harness.Zebra{}, key: key}
	c.inet = c.tp.Internet("inet")
	c.hub, c.spoke1, c.spoke2 = c.tp.Node("hub"), c.tp.Node("spoke1"), c.tp.Node("spoke2")
	c.tp.Uplink(c.inet, c.hub, nbmaHub+"/30")
	c.tp.Uplink(c.inet, c.spoke1, nbmaSpoke1+"/30")
	c.tp.Uplink(c.inet, c.spoke2, nbmaSpoke2+"/30")
	c.tp.Uplink(c.inet, c.tp.Node("plain"), nbmaPlain+"/30")
	c.wan = c.hub.Capture("wan")
	c.start(c.hub, c.hubConfig())
	c.start(c.spoke1, c.spokeConfig("172.31.0.11", 600))
	c.start(c.spoke2, c.spokeConfig("172.31.0.12", 600))
	c.registered("172.31.0.11", "172.31.0.12")
	c.goesTo(c.mouth(c.hub, "172.31.0.1"), nbmaSpoke1, nbmaSpoke2, nbmaPlain)
	return c
}

func (c *cloud) start(n *harness.Node, config string) {
	c.t.Helper()
	c.zebras[n.Name()] = n.StartZebra(config)
}

func (c *cloud) hubConfig() string {
	return `interface Tunnel0
 ip address 172.31.0.1 255.255.255.0
 ip mtu 1400
 ip nhrp network-id 1
 ip nhrp map multicast dynamic
 ip nhrp map multicast ` + nbmaPlain + `
 ip nhrp map multicast ` + nbmaSpoke2 + `
 ip tcp adjust-mss 1360
 tunnel source wan
 tunnel mode gre multipoint
` + c.key
}

// spokeConfig is that of a spoke whose registration the hub keeps for hold seconds.
func (c *cloud) spokeConfig(addr string, hold int) string {
	return fmt.Sprintf(`interface Tunnel0
 ip address %s 255.255.255.0
 ip mtu 1400
 ip nhrp network-id 1
 ip nhrp holdtime %d
 ip nhrp registration timeout 2
 ip nhrp nhs 172.31.0.1 nbma %s multicast
 tunnel source wan
 tunnel mode gre multipoint
%s`, addr, hold, nbmaHub, c.key)
}

// registered waits until the hub has these spokes and no other.
func (c *cloud) registered(spokes ...string) {
	c.t.Helper()
	harness.Eventually(c.t, converge, func() error {
		var have []string
		for _, n := range c.hub.Neighbors("Tunnel0") {
			if n.Address.Is4() && !n.Address.IsMulticast() {
				have = append(have, n.Address.String())
			}
		}
		slices.Sort(have)
		if !slices.Equal(have, spokes) {
			return fmt.Errorf("the hub's neighbours are %v, wanted %v", have, spokes)
		}
		return nil
	})
}

// silence kills all of a router that could say goodbye.
func (c *cloud) silence(n *harness.Node) {
	c.t.Helper()
	pids := n.Pids("nhrpd")
	c.zebras[n.Name()].Kill()
	for _, pid := range pids {
		n.KillPid(pid)
	}
}

// kill kills a router's zebra, its nhrpd, or both, and starts what does not start
// by itself.
func (c *cloud) kill(n *harness.Node, zebra, nhrpd bool) {
	c.t.Helper()
	before := n.Pids("nhrpd")
	if len(before) != 1 {
		c.t.Fatalf("%s has nhrpd %v", n.Name(), before)
	}
	if zebra {
		c.zebras[n.Name()].Kill()
	}
	if nhrpd {
		n.KillPid(before[0])
	}
	if zebra {
		c.zebras[n.Name()] = n.RestartZebra()
	}
	harness.Eventually(c.t, converge, func() error {
		if now := n.Pids("nhrpd"); len(now) != 1 || nhrpd == (now[0] == before[0]) {
			return fmt.Errorf("nhrpd was %v and is %v", before, now)
		}
		_, err := n.JSON("show ip nhrp multicast")
		return err
	})
}

// port is the UDP port of all packets of ours.
const port = 5000

// The groups that listeners join.
const group1, group2 = "224.0.0.9", "239.1.2.3"

// ear is what a router hears on its tunnel.
type ear struct {
	conn *net.UDPConn
	done chan struct{}

	mu    sync.Mutex
	heard map[string][]heard // by the packet's first word
}

// earBuffer is what an ear's socket keeps while nobody reads.
const earBuffer = 16 << 20

// heard is one arrival.
type heard struct {
	dst  string
	ttl  int
	size int
}

// listen opens an ear on a router.
func (c *cloud) listen(n *harness.Node) *ear {
	c.t.Helper()
	e := &ear{done: make(chan struct{}), heard: map[string][]heard{}}
	var p *ipv4.PacketConn
	err := n.Do(func() error {
		var lc net.ListenConfig
		conn, err := lc.ListenPacket(c.t.Context(), "udp4", fmt.Sprintf("0.0.0.0:%d", port))
		if err != nil {
			return err
		}
		e.conn = conn.(*net.UDPConn)
		if err := harness.KeepAll(e.conn, earBuffer); err != nil {
			return err
		}
		p = ipv4.NewPacketConn(conn)
		ifi, err := net.InterfaceByName("Tunnel0")
		if err != nil {
			return err
		}
		for _, g := range []string{group1, group2} {
			err = errors.Join(err, p.JoinGroup(ifi, &net.UDPAddr{IP: net.ParseIP(g)}))
		}
		return errors.Join(err, p.SetControlMessage(ipv4.FlagTTL|ipv4.FlagDst, true))
	})
	if err != nil {
		c.t.Fatalf("listening on %s: %v", n.Name(), err)
	}
	go e.run(p)
	c.t.Cleanup(func() { e.conn.Close(); <-e.done })
	return e
}

func (e *ear) run(p *ipv4.PacketConn) {
	defer close(e.done)
	buf := make([]byte, 65536)
	for {
		k, cm, _, err := p.ReadFrom(buf)
		if err != nil {
			return
		}
		word, _, _ := strings.Cut(string(buf[:k]), " ")
		e.mu.Lock()
		e.heard[word] = append(e.heard[word], heard{cm.Dst.String(), cm.TTL, k})
		e.mu.Unlock()
	}
}

// of returns the arrivals of a packet.
func (e *ear) of(word string) []heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard[word])
}

// mouth sends packets from a router to groups by its tunnel, as RIP does: with
// IP_MULTICAST_IF and a TTL of 1.
type mouth struct {
	t    *testing.T
	conn *net.UDPConn
}

func (c *cloud) mouth(n *harness.Node, addr string) *mouth {
	c.t.Helper()
	m := &mouth{t: c.t}
	err := n.Do(func() error {
		conn, err := net.ListenPacket("udp4", addr+":0")
		if err != nil {
			return err
		}
		m.conn = conn.(*net.UDPConn)
		raw, err := m.conn.SyscallConn()
		if err != nil {
			return err
		}
		cerr := raw.Control(func(fd uintptr) {
			err = errors.Join(
				unix.SetsockoptInet4Addr(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, netip.MustParseAddr(addr).As4()),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 1),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL, 1),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
				unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, "Tunnel0"))
		})
		return errors.Join(err, cerr)
	})
	if err != nil {
		c.t.Fatalf("sending on %s: %v", n.Name(), err)
	}
	c.t.Cleanup(func() { m.conn.Close() })
	return m
}

// say sends one packet of size bytes, of which the word is the first.
func (m *mouth) say(dst, word string, size int) {
	m.t.Helper()
	if err := m.try(dst, word, size); err != nil {
		m.t.Error(err)
	}
}

// try is say where a tunnel may not be up yet.
func (m *mouth) try(dst, word string, size int) error {
	b := []byte(word + " " + strings.Repeat("x", max(0, size-len(word)-1)))
	if _, err := m.conn.WriteTo(b, net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(dst), port))); err != nil {
		return fmt.Errorf("sending %s to %s: %w", word, dst, err)
	}
	return nil
}

// said is on the hub's uplink: the packets that it sent of a word, by outer
// destination.
func (c *cloud) said(word string) map[string]int {
	n := map[string]int{}
	for _, f := range c.wan.Frames(harness.All(harness.IsGRE, harness.Between(nbmaHub, ""))) {
		if w, _, _ := strings.Cut(string(f.UDP()), " "); w == word {
			n[f.Dst.String()]++
		}
	}
	return n
}

// settled waits until the capture has what the hub sent so far.
func (c *cloud) settled() {
	c.t.Helper()
	word := fmt.Sprintf("end-%d", time.Now().UnixNano())
	err := c.hub.Do(func() error {
		conn, err := net.Dial("udp4", netip.AddrPortFrom(netip.MustParseAddr(nbmaPlain), port).String())
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte(word))
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	harness.Eventually(c.t, converge, func() error {
		if c.wan.Count(func(f harness.Frame) bool { return string(f.UDP()) == word }) == 0 {
			return errors.New("the capture lags behind")
		}
		return nil
	})
}

// leaks are packets on the hub's uplink that have no station as destination; but for
// what IPv6 says there of itself, since no tunnel goes over it.
func (c *cloud) leaks() []harness.Frame {
	return c.wan.Frames(func(f harness.Frame) bool {
		return f.IP && f.Dst.Is4() && (f.Dst.IsMulticast() || f.Dst.IsUnspecified() || f.Dst.IsLoopback() || f.Dst.As4()[0] == 0 || f.Dst.As4()[0] == 255)
	})
}

// goesTo has the hub send a packet to a group until it goes to the NBMA addresses,
// each once, and to no other.
func (c *cloud) goesTo(m *mouth, nbma ...string) {
	c.t.Helper()
	want := map[string]int{}
	for _, a := range nbma {
		want[a] = 1
	}
	err := harness.Poll(converge, func() error {
		word := fmt.Sprintf("probe-%d", time.Now().UnixNano())
		if err := m.try(group1, word, 0); err != nil {
			return err
		}
		c.settled()
		if have := c.said(word); !maps.Equal(have, want) {
			return fmt.Errorf("a packet went to %v, wanted %v", have, want)
		}
		return nil
	})
	if err != nil {
		c.t.Error(err)
	}
	if l := c.leaks(); len(l) > 0 {
		c.t.Errorf("left with no station as destination: %v", l)
	}
}
