package ipv6

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// converge is how long a cloud may take until something has come to be.
const converge = 60 * time.Second

// family is what of a configuration depends on the family of the addresses.
type family struct {
	word   string // of Cisco's commands: "ip", "ipv6"
	length int    // of prefixes
	echo   int    // protocol number of ICMP
}

// plan are the addresses of a cloud: those of hub, spoke1 and spoke2.
type plan struct {
	over, under family
	tunnel      [3]string // with their length
	nbma        [3]string
	uplink      int       // length
	lan         [3]string // networks; the hub has none
	summary     string    // of the LANs, for what is not Phase 2
	phase       int       // 0 is 2
	keyless     bool
	frontDoor   bool // spokes have their uplink in a VRF
}

var (
	four = family{"ip", 24, 1}
	six  = family{"ipv6", 64, 58}
)

// cloud is a running cloud.
type cloud struct {
	t       *testing.T
	p       plan
	routers [3]*harness.Node
	hosts   [3]*harness.Node
	lans    [3]string // the routers' devices there
	wan     [3]*harness.Capture
	zebras  [3]*harness.Zebra
}

// host is an address of a LAN.
func (p *plan) host(i, number int) string {
	a := netip.MustParsePrefix(p.lan[i]).Addr()
	for range number {
		a = a.Next()
	}
	return a.String()
}

// station is a tunnel address without its length.
func (p *plan) station(i int) string { return netip.MustParsePrefix(p.tunnel[i]).Addr().String() }

// config is the configuration of a router.
func (p *plan) config(i int) string {
	var b strings.Builder
	ip := p.over.word
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if p.frontDoor && i > 0 {
		line("vrf definition INET")
		line("interface wan")
		line("vrf forwarding INET")
		line("ipv6 address %s/%d", p.nbma[i], p.uplink)
		line("ipv6 route vrf INET ::/0 %v", netip.MustParseAddr(p.nbma[i]).Next())
	}
	line("interface Tunnel0")
	if p.frontDoor && i > 0 {
		line("tunnel vrf INET")
	}
	line("%s address %s", ip, p.tunnel[i])
	if p.over == six {
		line("ipv6 address fe80::%x link-local", 0xd0+i)
	}
	line("ip mtu 1400")
	line("ip tcp adjust-mss 1300")
	line("%s nhrp network-id 1", ip)
	line("%s nhrp authentication DMVPNKEY", ip)
	if i == 0 {
		line("%s nhrp map multicast dynamic", ip)
		if p.phase == 3 {
			line("%s nhrp redirect", ip)
		}
	} else {
		line("%s nhrp nhs %s nbma %s multicast", ip, p.station(0), p.nbma[0])
	}
	line("tunnel source wan")
	if !p.keyless {
		line("tunnel key 100")
	}
	mode := "multipoint" + map[bool]string{true: " ipv6"}[p.under == six]
	if p.phase == 1 && i > 0 {
		mode = map[bool]string{true: "ipv6", false: "ip"}[p.under == six]
		line("tunnel destination %s", p.nbma[0])
	}
	line("tunnel mode gre %s", mode)
	if p.phase != 0 && i > 0 {
		line("%s route %s %s", ip, p.summary, p.station(0))
		return b.String()
	}
	for j := 1; j < 3; j++ {
		if j != i {
			line("%s route %s %s", ip, p.lan[j], p.station(j))
		}
	}
	return b.String()
}

// build starts a cloud and waits until its spokes are registered.
func build(t *testing.T, p plan) *cloud {
	c := &cloud{t: t, p: p}
	tp := harness.New(t)
	inet := tp.Internet("inet")
	for i, name := range []string{"hub", "spoke1", "spoke2"} {
		c.routers[i] = tp.Node(name)
		tp.Uplink(inet, c.routers[i], fmt.Sprintf("%s/%d", p.nbma[i], p.uplink))
		if i > 0 {
			c.lans[i] = fmt.Sprint("lan-lan", i)
			c.hosts[i] = tp.Host(fmt.Sprint("lan", i), c.routers[i], fmt.Sprintf("%s/%d", p.host(i, 2), p.over.length), p.host(i, 1))
		}
	}
	for i, r := range c.routers {
		c.zebras[i] = r.StartZebra(p.config(i))
		c.wan[i] = r.Capture("wan") // going into a VRF, the device goes down
	}
	for i := 1; i < 3; i++ {
		harness.Eventually(t, converge, func() error {
			return c.routers[i].ShowJSON("show "+p.over.word+" nhrp nhs",
				fmt.Sprintf(`{"servers": [{"address": "%s", "nbma": "%s", "up": true}]}`, p.station(0), p.nbma[0]))
		})
		if p.phase != 1 { // a tunnel with one far end has no neighbours
			c.want(i, 0)
		}
	}
	c.want(0, 1, 2)
	return c
}

// neighbors are the neighbours of the overlay's family on a router's tunnel, by the
// kernel's own table; link-local ones and groups are left out.
func (c *cloud) neighbors(i int) map[string]string {
	got := map[string]string{}
	for _, e := range c.routers[i].Neighbors("Tunnel0") {
		if a := e.Address; a.Is6() == (c.p.over == six) && a.IsGlobalUnicast() && e.NBMA.IsValid() {
			got[a.String()] = e.NBMA.String()
		}
	}
	return got
}

// want waits until a router knows where these stations are, and of no others.
func (c *cloud) want(i int, stations ...int) {
	c.t.Helper()
	want := map[string]string{}
	for _, s := range stations {
		want[c.p.station(s)] = c.p.nbma[s]
	}
	harness.Eventually(c.t, converge, func() error {
		if diff := cmp.Diff(want, c.neighbors(i)); diff != "" {
			return fmt.Errorf("neighbours of %s in the kernel (-want +got):\n%s", c.routers[i].Name(), diff)
		}
		return nil
	})
}

// nhrp matches NHRP packets of a type between two stations.
func (c *cloud) nhrp(t packet.Type, from, to int) harness.Match {
	return harness.All(harness.IsNHRP, harness.Between(c.p.nbma[from], c.p.nbma[to]), func(f harness.Frame) bool {
		m, err := packet.Parse(f.Payload)
		return err == nil && m.Type == t
	})
}

// requests is how many Resolution Requests spoke1 has sent to the hub: what is sent again for
// want of an answer has the Request ID that it had (RFC 2332 section 5.2.0.1).
func (c *cloud) requests(about ...string) int {
	ids := map[uint32]bool{}
	for _, f := range c.wan[1].Frames(c.nhrp(packet.ResolutionRequest, 1, 0)) {
		m, err := packet.Parse(f.Payload)
		if err == nil && (len(about) == 0 || slices.Contains(about, m.DstProtocol.String())) {
			ids[m.RequestID] = true
		}
	}
	return len(ids)
}

// echoes counts the pings in a tunnel between two stations, as seen by spoke1.
func (c *cloud) echoes(from, to int) int {
	return c.wan[1].Count(harness.All(harness.IsGRE, harness.Between(c.p.nbma[from], c.p.nbma[to]),
		harness.Inside(harness.IsProtocol(c.p.over.echo))))
}

// bulk is how many bytes a transfer has.
const bulk = 8 << 20

// transfer sends bytes by TCP from the LAN of spoke1 to that of spoke2: segments of
// many packets, whose checksums are made on the way.
func (c *cloud) transfer() error {
	var l net.Listener
	err := c.hosts[2].Do(func() (err error) {
		l, err = net.Listen("tcp", net.JoinHostPort(c.p.host(2, 2), "0"))
		return err
	})
	if err != nil {
		return err
	}
	defer l.Close()
	got := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			got <- err
			return
		}
		defer conn.Close()
		n, err := io.Copy(io.Discard, conn)
		if n != bulk {
			err = errors.Join(err, fmt.Errorf("%d bytes of %d arrived", n, bulk))
		}
		got <- err
	}()
	var conn net.Conn
	err = c.hosts[1].Do(func() (err error) {
		conn, err = net.DialTimeout("tcp", l.Addr().String(), converge)
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(converge)); err != nil {
		return err
	}
	if _, err := conn.Write(make([]byte, bulk)); err != nil {
		return err
	}
	conn.Close()
	return <-got
}

// toGroup sends a UDP packet with a text to a group by a device of a node.
func toGroup(n *harness.Node, device string, group netip.AddrPort, text string) error {
	return n.Do(func() error {
		ifi, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		conn, err := net.ListenUDP("udp", nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		if group.Addr().Is4() {
			err = ipv4.NewPacketConn(conn).SetMulticastInterface(ifi)
		} else {
			err = ipv6.NewPacketConn(conn).SetMulticastInterface(ifi)
		}
		if err != nil {
			return err
		}
		_, err = conn.WriteToUDPAddrPort([]byte(text), group)
		return err
	})
}
