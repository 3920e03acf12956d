package demo

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// lan1 and lan2 are the hosts between which the packets go.
const (
	lan1 = "10.11.0.10"
	lan2 = "10.12.0.10"
)

// pings is how many are shown.
const pings = 5

// tour shows what the routers and hosts say.
func (c *cloud) tour() {
	for _, show := range []struct {
		router  *harness.Node
		command string
	}{
		{c.lab.Hub, "show dmvpn"},
		{c.lab.Hub, "show ip nhrp"},
		{c.lab.Hub, "show ip route"},
		{c.lab.Spoke1, "show dmvpn"},
		{c.lab.Spoke1, "show ip route"},
	} {
		c.check()
		headline("%s# %s", strings.ToUpper(show.router.Name()), show.command)
		fmt.Println(strings.Trim(show.router.MustVtysh(show.command), "\n"))
	}
	c.ping()
	c.traceroute()
	c.capture()
}

// headline begins a piece of the tour.
func headline(format string, args ...any) { fmt.Printf("\n"+format+"\n", args...) }

// ping sends from the host behind spoke1 to the one behind spoke2.
func (c *cloud) ping() {
	headline("lan1$ ping %s        (from the host behind spoke1 to the one behind spoke2)", lan2)
	r, err := c.lab.LAN1.Ping(lan2, "", pings)
	if err != nil {
		c.t.Fatalf("ping: %v", err)
	}
	fmt.Printf("%d packets transmitted, %d received, %d%% packet loss\n", r.Sent, r.Received, 100*(r.Sent-r.Received)/max(r.Sent, 1))
	if r.Received != pings {
		c.t.Fatalf("ping: packets were lost: %v", r.Lost)
	}
}

// places says who has the addresses on the way.
var places = map[string]string{
	"10.11.0.1": "spoke1", "172.31.0.1": "hub, over the tunnel", "172.31.0.12": "spoke2, over the tunnel", lan2: "lan2",
}

// traceroute follows the same way.
func (c *cloud) traceroute() {
	headline("lan1$ traceroute %s", lan2)
	path, err := c.lab.LAN1.Traceroute(lan2)
	for i, hop := range path {
		fmt.Printf("%2d  %-12s  %s\n", i+1, hop, places[hop])
	}
	if err != nil {
		c.t.Fatalf("traceroute: %v", err)
	}
}

// capture shows what passed the underlay meanwhile: an NHRP registration, and an
// echo request in GRE.
func (c *cloud) capture() {
	headline("spoke1$ tcpdump -ni wan ip proto gre        (the underlay)")
	toHub := harness.All(harness.IsGRE, harness.Between("198.51.100.1", "192.0.2.1"))
	echo := func(f harness.Frame) bool {
		in, ok := innerEcho(f)
		return ok && in.src.String() == lan1 && in.dst.String() == lan2
	}
	for what, m := range []harness.Match{harness.All(toHub, harness.IsNHRP), harness.All(toHub, echo)} {
		frames := c.wan.Frames(m)
		if len(frames) == 0 {
			c.t.Fatalf("the capture lacks the %s in GRE", []string{"registration", "ping"}[what])
		}
		fmt.Println(line(frames[0]))
	}
}

// inner is an IPv4 echo request that GRE carries.
type inner struct {
	src, dst netip.Addr
	id, seq  uint16
	length   int // of the ICMP message
}

// innerEcho reads the packet in a GRE packet.
func innerEcho(f harness.Frame) (in inner, ok bool) {
	const echoRequest = 8
	b := f.Payload
	if !f.GRE || f.GREProto != 0x0800 || len(b) < 20 || b[9] != 1 {
		return in, false
	}
	at := int(b[0]&15) * 4
	if len(b) < at+8 || b[at] != echoRequest {
		return in, false
	}
	in.src, _ = netip.AddrFromSlice(b[12:16])
	in.dst, _ = netip.AddrFromSlice(b[16:20])
	in.id, in.seq = binary.BigEndian.Uint16(b[at+4:]), binary.BigEndian.Uint16(b[at+6:])
	in.length = len(b) - at
	return in, true
}

// line prints a GRE packet in the manner of tcpdump.
func line(f harness.Frame) string {
	s := fmt.Sprintf("%s IP %s > %s: GREv0", f.At.Format(time.TimeOnly+".000000"), f.Src, f.Dst)
	length := len(f.Payload) + 4
	if f.HasKey {
		s += fmt.Sprintf(", key=%#x", f.GREKey)
		length += 4
	}
	s += fmt.Sprintf(", proto %s (0x%04x), length %d", map[int]string{0x0800: "IPv4", harness.EtherTypeNHRP: "NHRP"}[f.GREProto], f.GREProto, length)
	if in, ok := innerEcho(f); ok {
		s += fmt.Sprintf(": IP %s > %s: ICMP echo request, id %d, seq %d, length %d", in.src, in.dst, in.id, in.seq, in.length)
	}
	return s
}
