package packet

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// writePcap writes the packets, each in IPv4, as a capture file.
func writePcap(t *testing.T, packets [][]byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ospf.pcap")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := pcapgo.NewWriter(f)
	if err := w.WriteFileHeader(65535, layers.LinkTypeIPv4); err != nil {
		t.Fatal(err)
	}
	for i, p := range packets {
		outer := &layers.IPv4{Version: 4, TTL: 1, Protocol: Protocol, SrcIP: []byte{192, 0, 2, 1}, DstIP: AllSPFRouters.AsSlice()}
		buf := gopacket.NewSerializeBuffer()
		err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, outer, gopacket.Payload(p))
		if err != nil {
			t.Fatal(err)
		}
		b := buf.Bytes()
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(int64(i), 0), CaptureLength: len(b), Length: len(b)}, b); err != nil {
			t.Fatal(err)
		}
	}
	return name
}

// tsharkColumns are the fields asked of tshark; several values of one field are joined by
// commas. A wrong checksum would be in _ws.expert.
var tsharkColumns = []string{
	"ospf.msg", "ospf.srcrouter", "ospf.area_id", "ospf.auth.type",
	"ospf.hello.network_mask", "ospf.hello.hello_interval", "ospf.hello.router_priority", "ospf.hello.router_dead_interval",
	"ospf.hello.designated_router", "ospf.hello.backup_designated_router", "ospf.hello.active_neighbor",
	"ospf.db.interface_mtu", "ospf.db.dd_sequence", "ospf.v2.options.o",
	"ospf.link_state_id", "ospf.ls.number_of_lsas", "ospf.lsa.age", "ospf.lsa.id", "ospf.advrouter", "ospf.lsa.seqnum", "ospf.lsa.length",
	"ospf.lsa.router.linkid", "ospf.lsa.router.linkdata", "ospf.lsa.router.linktype", "ospf.lsa.network.attchrtr",
	"ospf.lsa.asext.fwdaddr", "ospf.lsa.asext.extrttag", "ospf.v2.grace.period", "_ws.malformed", "_ws.expert",
}

// columns collects what tshark must print.
type columns map[string]string

func (c columns) add(name string, v any) {
	if c[name] != "" {
		c[name] += ","
	}
	c[name] += fmt.Sprint(v)
}

func bit(set bool) int {
	if set {
		return 1
	}
	return 0
}

// expectedColumns is what tshark must print for m.
func expectedColumns(t *testing.T, m *Message) columns {
	c := columns{}
	c.add("ospf.msg", uint8(m.Type))
	c.add("ospf.srcrouter", m.RouterID)
	c.add("ospf.area_id", m.AreaID)
	c.add("ospf.auth.type", uint16(m.Auth.Type))
	switch m.Type {
	case Hello:
		h := m.HelloBody
		c.add("ospf.hello.network_mask", ID(h.Mask))
		c.add("ospf.hello.hello_interval", h.Interval)
		c.add("ospf.hello.router_priority", h.Priority)
		c.add("ospf.hello.router_dead_interval", h.DeadInterval)
		c.add("ospf.hello.designated_router", IDOf(h.Designated))
		c.add("ospf.hello.backup_designated_router", IDOf(h.Backup))
		for _, n := range h.Neighbors {
			c.add("ospf.hello.active_neighbor", n)
		}
		c.add("ospf.v2.options.o", bit(h.Options&OptionO != 0))
	case DatabaseDescription:
		c.add("ospf.db.interface_mtu", m.Description.MTU)
		c.add("ospf.db.dd_sequence", m.Description.Sequence)
		c.add("ospf.v2.options.o", bit(m.Description.Options&OptionO != 0))
		c.headers(m.Description.Headers)
	case LinkStateRequest:
		for _, k := range m.Requests {
			c.add("ospf.link_state_id", k.ID)
			c.add("ospf.advrouter", k.Router)
		}
	case LinkStateUpdate:
		c.add("ospf.ls.number_of_lsas", len(m.Updates))
		for _, l := range m.Updates {
			c.headers([]LSAHeader{l.LSAHeader})
		}
		c.bodies(t, m.Updates)
	case LinkStateAck:
		c.headers(m.Acks)
	}
	return c
}

func (c columns) headers(headers []LSAHeader) {
	for _, h := range headers {
		c.add("ospf.v2.options.o", bit(h.Options&OptionO != 0))
		c.add("ospf.lsa.age", h.Age)
		if h.Type < OpaqueLinkLSA {
			c.add("ospf.lsa.id", h.ID)
		}
		c.add("ospf.advrouter", h.Router)
		c.add("ospf.lsa.seqnum", fmt.Sprintf("0x%08x", uint32(h.Sequence)))
		c.add("ospf.lsa.length", h.Length)
	}
}

// bodies expects what the golden update has in it.
func (c columns) bodies(t *testing.T, lsas []LSA) {
	for _, l := range lsas {
		switch l.Type {
		case RouterLSA:
			r, err := l.Router()
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range r.Links {
				c.add("ospf.lsa.router.linkid", k.ID)
				c.add("ospf.lsa.router.linkdata", ID(k.Data))
				c.add("ospf.lsa.router.linktype", uint8(k.Type))
			}
		case NetworkLSA:
			n, err := l.Network()
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range n.Routers {
				c.add("ospf.lsa.network.attchrtr", id)
			}
		case ExternalLSA:
			e, err := l.External()
			if err != nil {
				t.Fatal(err)
			}
			c.add("ospf.lsa.asext.fwdaddr", IDOf(e.Forwarding))
			c.add("ospf.lsa.asext.extrttag", e.Tag)
		case OpaqueLinkLSA:
			c.add("ospf.v2.grace.period", 120)
		}
	}
}

func TestTshark(t *testing.T) {
	all := goldens()
	var packets [][]byte
	for _, g := range all {
		packets = append(packets, octets(t, g.hex))
	}
	capture := writePcap(t, packets)
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed; the capture was written but not checked")
	}
	args := []string{"-r", capture, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,"}
	for _, c := range tsharkColumns {
		args = append(args, "-e", c)
	}
	out, err := exec.Command(tshark, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(all) {
		t.Fatalf("tshark saw %d packets, want %d", len(lines), len(all))
	}
	for i, g := range all {
		t.Run(g.name, func(t *testing.T) {
			got := columns{}
			for j, v := range strings.Split(lines[i], "\t") {
				if v != "" {
					got[tsharkColumns[j]] = v
				}
			}
			if d := cmp.Diff(expectedColumns(t, &g.msg), got); d != "" {
				t.Errorf("fields (-want +tshark):\n%s", d)
			}
		})
	}
}
