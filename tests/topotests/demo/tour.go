package demo

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// The hosts between which the packets go.
const (
	lan0 = "10.10.0.10"
	lan1 = "10.11.0.10"
	lan2 = "10.12.0.10"
)

// pings is how many are shown.
const pings = 5

// tour shows what the routers and hosts say: before the spokes know of each other, and
// after a ping from one's LAN to the other's.
func (c *cloud) tour() {
	c.say(c.lab.Hub, "show dmvpn")
	c.say(c.lab.Hub, "show ip nhrp")
	c.say(c.lab.Hub, "show ip route")
	c.say(c.lab.Spoke1, "show dmvpn")
	c.say(c.lab.Spoke1, "show ip route")
	c.ping()
	c.wait(forwardLimit, func() error {
		if err := c.lab.Spoke1.ShowJSON("show ip nhrp shortcut", `{"entries": [{"target": "10.12.0.0/24"}]}`); err != nil {
			return err
		}
		if err := c.lab.Spoke1.ShowJSON("show ip route nhrp", `{"routes": [{"prefix": "10.12.0.0/24", "routes": [{"installed": true}]}]}`); err != nil {
			return err
		}
		return c.lab.LAN1.Reaches(lan2) // at last once directly, for the capture
	})
	c.say(c.lab.Spoke1, "show dmvpn")
	c.say(c.lab.Spoke1, "show ip route nhrp")
	c.traceroute()
	c.capture()
}

// say shows what a router says to a command.
func (c *cloud) say(router *harness.Node, command string) {
	c.check()
	headline("%s# %s", strings.ToUpper(router.Name()), command)
	fmt.Println(strings.Trim(router.MustVtysh(command), "\n"))
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
	"10.11.0.1": "spoke1", "172.31.0.12": "spoke2, over the tunnel", lan2: "lan2",
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

// capture shows what passed the underlay meanwhile: a registration, the first ping by
// way of the hub, the hub's word that there is a shorter way, and a ping that took it.
func (c *cloud) capture() {
	headline("spoke1$ tcpdump -ni wan ip proto gre        (the underlay)")
	echo := func(f harness.Frame) bool {
		in, ok := innerEcho(f)
		return ok && in.src.String() == lan1 && in.dst.String() == lan2
	}
	for _, want := range []struct {
		what     string
		src, dst string
		is       harness.Match
	}{
		{"registration", spoke1, hub, message(packet.RegistrationRequest)},
		{"first ping", spoke1, hub, echo},
		{"traffic indication", hub, spoke1, message(packet.TrafficIndication)},
		{"direct ping", spoke1, spoke2, echo},
	} {
		frames := c.wan.Frames(harness.All(harness.IsGRE, harness.Between(want.src, want.dst), want.is))
		if len(frames) == 0 {
			c.t.Fatalf("the capture lacks the %s in GRE", want.what)
		}
		fmt.Println(line(frames[0]))
	}
}

// The routers on the underlay.
const hub, spoke1, spoke2 = "192.0.2.1", "198.51.100.1", "203.0.113.1"

// message matches NHRP packets of a type.
func message(t packet.Type) harness.Match {
	return harness.All(harness.IsNHRP, func(f harness.Frame) bool {
		m, err := packet.Parse(f.Payload)
		return err == nil && m.Type == t
	})
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
	if m, err := packet.Parse(f.Payload); err == nil && f.GREProto == harness.EtherTypeNHRP {
		s += ": " + m.Type.String()
	}
	if in, ok := innerEcho(f); ok {
		s += fmt.Sprintf(": IP %s > %s: ICMP echo request, id %d, seq %d, length %d", in.src, in.dst, in.id, in.seq, in.length)
	}
	return s
}
