package packet

import (
	"encoding/hex"
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

// writePcap writes the messages, each in UDP and IPv4, as a capture file. Every other
// one goes to port 4500, behind the non-ESP marker.
func writePcap(t *testing.T, messages [][]byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ike.pcap")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := pcapgo.NewWriter(f)
	if err := w.WriteFileHeader(65535, layers.LinkTypeIPv4); err != nil {
		t.Fatal(err)
	}
	for i, m := range messages {
		outer := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: []byte{192, 0, 2, 1}, DstIP: []byte{203, 0, 113, 1}}
		udp := &layers.UDP{SrcPort: Port, DstPort: Port}
		if i%2 == 1 {
			udp.SrcPort, udp.DstPort = PortNAT, PortNAT
			m = append(AppendMarker(nil), m...)
		}
		if err := udp.SetNetworkLayerForChecksum(outer); err != nil {
			t.Fatal(err)
		}
		buf := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, outer, udp, gopacket.Payload(m)); err != nil {
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

// tsharkColumns are the fields asked of tshark; several values of one field are joined
// by commas.
var tsharkColumns = []string{
	"isakmp.ispi", "isakmp.rspi", "isakmp.nextpayload", "isakmp.version", "isakmp.exchangetype", "isakmp.flags", "isakmp.messageid", "isakmp.length",
	"isakmp.typepayload", "isakmp.payloadlength", "isakmp.prop.number", "isakmp.prop.protoid", "isakmp.spisize", "isakmp.spi", "isakmp.prop.transforms",
	"isakmp.tf.type", "isakmp.tf.id.encr", "isakmp.tf.id.prf", "isakmp.tf.id.integ", "isakmp.tf.id.dh", "isakmp.tf.id.esn", "isakmp.ike2.attr.key_length",
	"isakmp.key_exchange.dh_group", "isakmp.key_exchange.data", "isakmp.nonce", "isakmp.id.type", "isakmp.id.data.ipv4_addr", "isakmp.id.data.fqdn",
	"isakmp.cert.encoding", "isakmp.certreq.type", "isakmp.ike.certreq.authority",
	"isakmp.auth.method", "isakmp.auth.data", "isakmp.auth.data.sig.asn1.len", "isakmp.auth.data.sig.value",
	"isakmp.notify.protoid", "isakmp.notify.msgtype", "isakmp.notify.data", "isakmp.notify.data.accepted_dh_group", "isakmp.notify.data.signature_hash_algorithms",
	"isakmp.delete.protoid", "isakmp.delete.spi", "isakmp.spinum", "isakmp.vid_bytes",
	"isakmp.ts.number", "isakmp.ts.type", "isakmp.ts.protoid", "isakmp.ts.selector_length", "isakmp.ts.start_port", "isakmp.ts.end_port",
	"isakmp.ts.start_ipv4", "isakmp.ts.end_ipv4", "isakmp.ts.start_ipv6", "isakmp.ts.end_ipv6",
	"isakmp.cfg.type", "isakmp.cfg.attr.type", "isakmp.frag.number", "isakmp.frag.total", "_ws.malformed",
}

// tshark, which knows the protocol on its own, reads the same values out of what
// AppendBinary writes and finds no fault.
func TestTshark(t *testing.T) {
	var messages []Message
	for _, g := range goldens(t) {
		messages = append(messages, g.msg)
	}
	for _, c := range chains() { // in clear: what is within is no matter of the codec
		if c.first != NoNextPayload {
			messages = append(messages, Message{Header: header(CreateChildSA, FlagInitiator, 3), Payloads: c.payloads})
		}
	}
	var packets [][]byte
	for i := range messages {
		b, err := messages[i].AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, b)
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
	if len(lines) != len(messages) {
		t.Fatalf("tshark saw %d packets, want %d", len(lines), len(messages))
	}
	for i, line := range lines {
		got := columns{}
		for j, v := range strings.Split(line, "\t") {
			if v != "" {
				got[tsharkColumns[j]] = v
			}
		}
		want := columns{}
		want.message(&messages[i], packets[i])
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("message %d: fields (-want +tshark):\n%s", i, d)
		}
	}
}

// columns collects what tshark must print.
type columns map[string]string

func (c columns) add(name string, v any) {
	if b, ok := v.([]byte); ok {
		if v = hex.EncodeToString(b); len(b) == 0 {
			return
		}
	}
	if c[name] != "" {
		c[name] += ","
	}
	c[name] += fmt.Sprint(v)
}

// message expects m, whose octets are b.
func (c columns) message(m *Message, b []byte) {
	c.add("isakmp.ispi", b[:8])
	c.add("isakmp.rspi", b[8:16])
	c.add("isakmp.version", "0x20")
	c.add("isakmp.exchangetype", uint8(m.Exchange))
	c.add("isakmp.flags", fmt.Sprintf("0x%02x", uint8(m.Flags)))
	c.add("isakmp.messageid", fmt.Sprintf("0x%08x", m.MessageID))
	c.add("isakmp.length", len(b))
	types := []PayloadType{}
	for _, p := range m.Payloads {
		types = append(types, p.Type())
	}
	if m.Encrypted != nil {
		types = append(types, m.Encrypted.Type(), m.Encrypted.First)
	} else {
		types = append(types, NoNextPayload)
	}
	c.add("isakmp.nextpayload", uint8(types[0]))
	for i, p := range m.Payloads {
		c.add("isakmp.nextpayload", uint8(types[i+1]))
		c.add("isakmp.typepayload", uint8(p.Type()))
		c.add("isakmp.payloadlength", genericLen+p.length())
		c.payload(p)
	}
	if e := m.Encrypted; e != nil {
		c.add("isakmp.nextpayload", uint8(e.First))
		c.add("isakmp.typepayload", uint8(e.Type()))
		c.add("isakmp.payloadlength", e.headerLen()+len(e.Data))
		if e.Fragment() {
			c.add("isakmp.frag.number", e.Number)
			c.add("isakmp.frag.total", e.Total)
		}
	}
}

// payload expects the contents of a payload.
func (c columns) payload(p Payload) {
	switch p := p.(type) {
	case *SA:
		c.sa(p)
	case *KE:
		c.add("isakmp.key_exchange.dh_group", uint16(p.Group))
		c.add("isakmp.key_exchange.data", p.Data)
	case *Nonce:
		c.add("isakmp.nonce", p.Data)
	case *ID:
		c.add("isakmp.id.type", uint8(p.Kind))
		switch p.Kind {
		case IDIPv4Addr:
			c.add("isakmp.id.data.ipv4_addr", fmt.Sprintf("%d.%d.%d.%d", p.Data[0], p.Data[1], p.Data[2], p.Data[3]))
		case IDFQDN:
			c.add("isakmp.id.data.fqdn", string(p.Data))
		}
	case *Cert:
		c.add("isakmp.cert.encoding", uint8(p.Encoding))
	case *CertReq:
		c.add("isakmp.certreq.type", uint8(p.Encoding))
		for _, a := range p.Authorities() {
			c.add("isakmp.ike.certreq.authority", a)
		}
	case *Auth:
		c.auth(p)
	case *Notify:
		c.notify(p)
	case *Delete:
		c.add("isakmp.delete.protoid", uint8(p.Protocol))
		c.add("isakmp.spisize", p.Protocol.deleteLen())
		c.add("isakmp.spinum", len(p.SPIs))
		for _, s := range p.SPIs {
			c.add("isakmp.delete.spi", fmt.Sprintf("%08x", s))
		}
	case *VendorID:
		c.add("isakmp.vid_bytes", p.Data)
	case *TS:
		c.ts(p)
	case *Config:
		c.add("isakmp.cfg.type", uint8(p.Kind))
		for _, a := range p.Attributes {
			c.add("isakmp.cfg.attr.type", a.Type)
		}
	}
}

func (c columns) auth(p *Auth) {
	c.add("isakmp.auth.method", uint8(p.Method))
	if p.Method != AuthSignature {
		c.add("isakmp.auth.data", p.Data)
		return
	}
	c.add("isakmp.auth.data", append(append([]byte{byte(len(p.Algorithm))}, p.Algorithm...), p.Data...))
	c.add("isakmp.auth.data.sig.asn1.len", len(p.Algorithm))
	c.add("isakmp.auth.data.sig.value", p.Data)
}

func (c columns) sa(p *SA) {
	for i := range p.Proposals {
		pr := &p.Proposals[i]
		c.add("isakmp.nextpayload", map[bool]int{true: 0, false: moreProposals}[i == len(p.Proposals)-1])
		c.add("isakmp.typepayload", 2)
		c.add("isakmp.payloadlength", pr.length())
		c.add("isakmp.prop.number", pr.Number)
		c.add("isakmp.prop.protoid", uint8(pr.Protocol))
		c.add("isakmp.spisize", len(pr.SPI))
		c.add("isakmp.prop.transforms", len(pr.Transforms))
		c.add("isakmp.spi", pr.SPI)
		for j := range pr.Transforms {
			tr := &pr.Transforms[j]
			c.add("isakmp.nextpayload", map[bool]int{true: 0, false: moreTransforms}[j == len(pr.Transforms)-1])
			c.add("isakmp.typepayload", 3)
			c.add("isakmp.payloadlength", tr.length())
			c.add("isakmp.tf.type", uint8(tr.Type))
			if name := map[TransformType]string{Encryption: "encr", PRF: "prf", Integrity: "integ", KeyExchange: "dh", ESN: "esn"}[tr.Type]; name != "" {
				c.add("isakmp.tf.id."+name, tr.ID)
			}
			if tr.KeyLength != 0 {
				c.add("isakmp.ike2.attr.key_length", tr.KeyLength)
			}
			for _, a := range tr.Attributes {
				if a.Type == AttributeKeyLength && a.Short {
					c.add("isakmp.ike2.attr.key_length", uint16(a.Value[0])<<8|uint16(a.Value[1]))
				}
			}
		}
	}
}

func (c columns) notify(p *Notify) {
	c.add("isakmp.notify.protoid", uint8(p.Protocol))
	c.add("isakmp.notify.msgtype", uint16(p.Kind))
	if p.Protocol == NoProtocol {
		c.add("isakmp.spisize", 0)
	} else {
		c.add("isakmp.spisize", 4)
		c.add("isakmp.spi", fmt.Sprintf("%08x", p.SPI))
	}
	if c.add("isakmp.notify.data", p.Data); len(p.Data) == 0 {
		c.add("isakmp.notify.data", "<MISSING>")
	}
	if g, ok := p.Group(); ok {
		c.add("isakmp.notify.data.accepted_dh_group", uint16(g))
	}
	hs, _ := p.Hashes()
	for _, h := range hs {
		c.add("isakmp.notify.data.signature_hash_algorithms", uint16(h))
	}
}

func (c columns) ts(p *TS) {
	c.add("isakmp.ts.number", len(p.Selectors))
	for i := range p.Selectors {
		s := &p.Selectors[i]
		c.add("isakmp.ts.type", uint8(s.Kind))
		if s.Kind.addrLen() == 0 {
			continue
		}
		c.add("isakmp.ts.protoid", s.IPProtocol)
		c.add("isakmp.ts.selector_length", s.length())
		c.add("isakmp.ts.start_port", s.StartPort)
		c.add("isakmp.ts.end_port", s.EndPort)
		v := map[SelectorType]string{SelectorIPv4: "ipv4", SelectorIPv6: "ipv6"}[s.Kind]
		c.add("isakmp.ts.start_"+v, s.Start)
		c.add("isakmp.ts.end_"+v, s.End)
	}
}
