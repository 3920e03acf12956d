package packet

import (
	"encoding/hex"
	"fmt"
	"net/netip"
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

	"github.com/godmvpn/godmvpn/eigrpd/metric"
)

// writePcap writes the packets, each in IPv4, as a capture file.
func writePcap(t *testing.T, packets [][]byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "eigrp.pcap")
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
		outer := &layers.IPv4{Version: 4, TTL: 1, Protocol: Protocol, SrcIP: []byte{10, 0, 0, 1}, DstIP: GroupIPv4.AsSlice()}
		buf := gopacket.NewSerializeBuffer()
		err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, outer, gopacket.Payload(p))
		if err != nil {
			t.Fatal(err)
		}
		b := buf.Bytes()
		ci := gopacket.CaptureInfo{Timestamp: time.Unix(int64(i), 0), CaptureLength: len(b), Length: len(b)}
		if err := w.WritePacket(ci, b); err != nil {
			t.Fatal(err)
		}
	}
	return name
}

// tsharkColumns are the fields asked of tshark; several values of one field are
// joined by commas.
var tsharkColumns = []string{
	"eigrp.version", "eigrp.opcode", "eigrp.checksum.status", "eigrp.flags", "eigrp.seq", "eigrp.ack", "eigrp.vrid", "eigrp.as", "eigrp.tlv_type",
	"eigrp.par.k1", "eigrp.par.k2", "eigrp.par.k3", "eigrp.par.k4", "eigrp.par.k5", "eigrp.par.k6", "eigrp.par.holdtime",
	"eigrp.auth.type", "eigrp.auth.length", "eigrp.auth.keyid", "eigrp.auth.keyseq", "eigrp.auth.digest",
	"eigrp.seq.ipv4addr", "eigrp.seq.ipv6addr", "eigrp.next_mcast_seq", "eigrp.stub_options", "eigrp.tidlist",
	"eigrp.release_version", "eigrp.tlv_version",
	"eigrp.ipv4.nexthop", "eigrp.ipv6.nexthop", "eigrp.ipv4.prefixlen", "eigrp.ipv4.destination", "eigrp.ipv6.prefixlen", "eigrp.ipv6.destination",
	"eigrp.old_metric.delay", "eigrp.old_metric.bw", "eigrp.old_metric.mtu", "eigrp.old_metric.hopcount", "eigrp.old_metric.rel",
	"eigrp.old_metric.load", "eigrp.old_metric.intag",
	"eigrp.extdata.origrid", "eigrp.extdata.as", "eigrp.extdata.tag", "eigrp.extdata.metric", "eigrp.extdata.proto",
	"eigrp.tid", "eigrp.afi", "eigrp.routerid", "eigrp.metric.offset", "eigrp.metric.priority", "eigrp.metric.reliability", "eigrp.metric.load",
	"eigrp.metric.mtu", "eigrp.metric.hopcount", "eigrp.metric.delay", "eigrp.metric.bandwidth", "eigrp.attr.opcode", "eigrp.attr.tag",
	"eigrp.attr.qenergy", "eigrp.attr.energy", "eigrp.metric.flags.active", "_ws.malformed", "_ws.expert",
}

// columns collects what tshark must print.
type columns map[string]string

func (c columns) add(name string, v any) {
	if c[name] != "" {
		c[name] += ","
	}
	c[name] += fmt.Sprint(v)
}

// expectedColumns is what tshark must print for m.
func expectedColumns(m *Message, b []byte) columns {
	out := columns{}
	out.add("eigrp.version", Version)
	out.add("eigrp.opcode", uint8(m.Opcode))
	out.add("eigrp.checksum.status", 1)
	out.add("eigrp.flags", fmt.Sprintf("0x%08x", uint32(m.Flags)))
	out.add("eigrp.seq", m.Sequence)
	out.add("eigrp.ack", m.Ack)
	out.add("eigrp.vrid", m.VRID)
	out.add("eigrp.as", m.AS)
	out.general(m, b)
	for i := range m.Routes {
		r := &m.Routes[i]
		out.add("eigrp.tlv_type", fmt.Sprintf("0x%04x", uint16(r.Type)))
		if r.Type.Wide() {
			out.wide(r)
		} else {
			out.classic(r)
		}
		out.addrs(r)
	}
	for _, u := range m.Unknown {
		out.add("eigrp.tlv_type", fmt.Sprintf("0x%04x", uint16(u.Type)))
		if u.Type == 0x00f5 {
			out.add("eigrp.tidlist", 0)
		}
	}
	return out
}

// general expects the TLVs of RFC 7868 section 6.7.
func (c columns) general(m *Message, b []byte) {
	typ := func(t TLVType) { c.add("eigrp.tlv_type", fmt.Sprintf("0x%04x", uint16(t))) }
	if a := &m.Auth; a.Algorithm != NoAlgorithm {
		typ(TypeAuthentication)
		c.add("eigrp.auth.type", uint16(a.Algorithm))
		c.add("eigrp.auth.length", a.Algorithm.DigestLen())
		c.add("eigrp.auth.keyid", a.KeyID)
		c.add("eigrp.auth.keyseq", a.Sequence)
		c.add("eigrp.auth.digest", hex.EncodeToString(b[a.Offset:][:a.Algorithm.DigestLen()]))
	}
	if p := m.Parameters; p != nil {
		typ(TypeParameter)
		for i, k := range []uint8{p.Weights.K1, p.Weights.K2, p.Weights.K3, p.Weights.K4, p.Weights.K5, p.Weights.K6} {
			c.add(fmt.Sprintf("eigrp.par.k%d", i+1), k)
		}
		c.add("eigrp.par.holdtime", p.HoldTime)
		if p.Goodbye() {
			c.add("_ws.expert", "Expert Info (Note/Response): Peer Termination")
		}
	}
	if len(m.SequenceAddrs) > 0 {
		typ(TypeSequence)
	}
	for _, a := range m.SequenceAddrs {
		c.add(map[bool]string{true: "eigrp.seq.ipv4addr", false: "eigrp.seq.ipv6addr"}[a.Is4()], a)
	}
	if s := m.Software; s != nil {
		typ(TypeSoftwareVersion)
		c.add("eigrp.release_version", uint16(s.OSMajor)<<8|uint16(s.OSMinor))
		c.add("eigrp.tlv_version", uint16(s.TLVMajor)<<8|uint16(s.TLVMinor))
	}
	if m.MulticastSequence != 0 {
		typ(TypeMulticastSequence)
		c.add("eigrp.next_mcast_seq", m.MulticastSequence)
	}
	if m.Stub != 0 {
		typ(TypePeerInformation)
		c.add("eigrp.stub_options", fmt.Sprintf("0x%04x", uint16(m.Stub)))
	}
	if len(m.Terminated) > 0 {
		typ(TypePeerTermination)
		c.add("_ws.expert", "Expert Info (Note/Response): Peer Termination (Graceful Shutdown)")
	}
	if len(m.TIDs) > 0 {
		typ(TypeTIDList)
	}
	for _, t := range m.TIDs {
		c.add("eigrp.tidlist", t)
	}
}

func (c columns) classic(r *Route) {
	v := &r.Classic
	c.add("eigrp.old_metric.delay", v.Delay)
	c.add("eigrp.old_metric.bw", v.Bandwidth)
	c.add("eigrp.old_metric.mtu", v.MTU)
	c.add("eigrp.old_metric.hopcount", v.Hops)
	c.add("eigrp.old_metric.rel", v.Reliability)
	c.add("eigrp.old_metric.load", v.Load)
	c.add("eigrp.old_metric.intag", r.InternalTag)
}

func (c columns) wide(r *Route) {
	w := &r.Wide
	c.add("eigrp.tid", r.TID)
	c.add("eigrp.afi", uint16(r.AFI))
	c.add("eigrp.routerid", r.RouterID)
	c.add("eigrp.metric.offset", r.attributesLen()/2)
	c.add("eigrp.metric.priority", r.Priority)
	c.add("eigrp.metric.reliability", w.Reliability)
	c.add("eigrp.metric.load", w.Load)
	c.add("eigrp.metric.mtu", w.MTU)
	c.add("eigrp.metric.hopcount", w.Hops)
	c.add("eigrp.metric.delay", w.Delay)
	c.add("eigrp.metric.bandwidth", w.Bandwidth)
	if r.Tag != 0 {
		c.add("eigrp.attr.opcode", AttributeTag)
		c.add("eigrp.attr.tag", r.Tag)
	}
	if w.Jitter != 0 {
		c.add("eigrp.attr.opcode", AttributeJitter)
	}
	if w.QuiescentEnergy != 0 {
		c.add("eigrp.attr.opcode", AttributeQuiescentEnergy)
		c.add("eigrp.attr.qenergy", w.QuiescentEnergy)
	}
	if w.Energy != 0 {
		c.add("eigrp.attr.opcode", AttributeEnergy)
		c.add("eigrp.attr.energy", w.Energy)
	}
	for range r.Paths {
		c.add("eigrp.attr.opcode", AttributeAddPath)
	}
	for _, a := range r.Attributes {
		c.add("eigrp.attr.opcode", a.Type)
	}
	if r.padded() {
		c.add("eigrp.attr.opcode", AttributeNoOp)
	}
}

// padded reports whether the attributes end with a NoOp.
func (r *Route) padded() bool {
	n := 0
	for _, a := range r.Attributes {
		n += attributeHeader + len(a.Data)
	}
	for range r.Paths {
		n += attributeHeader + r.pathLen()
	}
	for _, sent := range []bool{r.Tag != 0, r.Wide.QuiescentEnergy != 0, r.Wide.Energy != 0} {
		if sent { // six octets each; jitter has eight
			n += attributeHeader + tagLen
		}
	}
	return n%4 != 0
}

// addrs expects next hop, Exterior Section and destinations.
func (c columns) addrs(r *Route) {
	v, none := "eigrp.ipv4.", netip.IPv4Unspecified()
	if r.family() == AFIPv6 {
		v, none = "eigrp.ipv6.", netip.IPv6Unspecified()
	}
	if r.NextHop.IsValid() {
		none = r.NextHop
	}
	c.add(v+"nexthop", none)
	c.add("eigrp.metric.flags.active", map[bool]int{true: 1}[r.Flags&RouteActive != 0])
	if e := &r.External; r.Type.External() {
		c.add("eigrp.extdata.origrid", e.RouterID)
		c.add("eigrp.extdata.as", e.AS)
		c.add("eigrp.extdata.tag", e.Tag)
		c.add("eigrp.extdata.metric", e.Metric)
		c.add("eigrp.extdata.proto", uint8(e.Protocol))
	}
	for _, p := range r.Destinations {
		c.add(v+"prefixlen", p.Bits())
		c.add(v+"destination", p.Addr())
	}
}

// tsharkMessages are for tshark: the goldens that it reads as they are meant, and in
// place of the others such as avoid its faults: it goes an octet too far after every
// destination, which does not matter if there is one, and it stops at communities.
func tsharkMessages(t *testing.T) map[string]golden {
	t.Helper()
	out := map[string]golden{}
	for _, g := range goldens() {
		if !g.reads && g.noTshark == "" {
			out[g.name] = g
		}
	}
	c := metric.Classic{Delay: 256, Bandwidth: 2560, MTU: 1500, Hops: 1, Reliability: 255, Load: 1}
	w := metric.Wide{Delay: 10_000_000, Bandwidth: 1_000_000, MTU: 1500, Hops: 2, Reliability: 255, Load: 1}
	all := goldenNamed(t, "wide, external, all attributes").msg.Routes[0].Clone()
	all.Communities, all.Destinations = nil, all.Destinations[:1]
	for name, r := range map[string]Route{ // unordered: into a map
		"all attributes": all,
		"IPv4": {Type: TypeIPv4Internal, NextHop: ip("172.31.0.12"), Flags: RouteActive, InternalTag: 7, Classic: c,
			Destinations: prefixes("192.168.128.0/17")},
		"IPv4, a default": {Type: TypeIPv4Internal, Classic: c, Destinations: prefixes("0.0.0.0/0")},
		"IPv6":            {Type: TypeIPv6Internal, NextHop: ip("fe80::9"), Classic: c, Destinations: prefixes("2001:db8:0:1::/64")},
		"IPv6, a host":    {Type: TypeIPv6External, Classic: c, Destinations: prefixes("2001:db8::1/128"), External: External{RouterID: 1, AS: 2, Tag: 3, Metric: 4, Protocol: ProtocolBGP}},
		"wide, IPv6":      {Type: TypeInternal, AFI: AFIPv6, RouterID: 9, NextHop: ip("fe80::9"), Wide: w, Destinations: prefixes("2001:db8:0:80::/57")},
		"wide, a tag":     {Type: TypeInternal, AFI: AFIPv4, RouterID: 9, Tag: 77, Wide: w, Destinations: prefixes("10.12.0.0/24")},
	} {
		out[name] = golden{msg: Message{Opcode: Update, Sequence: 1, AS: 100, Routes: []Route{r}}}
	}
	return out
}

// tshark, which knows the protocol on its own, reads the same values out of what
// Append writes and finds no fault.
func TestTshark(t *testing.T) {
	var names []string
	var packets [][]byte
	messages := tsharkMessages(t)
	for name, g := range messages { // unordered: names and packets go together
		b, err := g.msg.Append(nil, g.key, g.source)
		if err != nil {
			t.Fatal(err)
		}
		names, packets = append(names, name), append(packets, b)
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
	if len(lines) != len(names) {
		t.Fatalf("tshark saw %d packets, want %d", len(lines), len(names))
	}
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			got := columns{}
			for j, v := range strings.Split(lines[i], "\t") {
				if v != "" {
					got[tsharkColumns[j]] = v
				}
			}
			g := messages[name]
			if d := cmp.Diff(expectedColumns(&g.msg, packets[i]), got); d != "" {
				t.Errorf("fields (-want +tshark):\n%s", d)
			}
		})
	}
}
