package packet

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
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
)

// writePcap writes the packets, each in IPv4 and GRE, as a capture file.
func writePcap(t *testing.T, packets [][]byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "nhrp.pcap")
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
		outer := &layers.IPv4{
			Version: 4, TTL: 255, Protocol: layers.IPProtocolGRE,
			SrcIP: []byte{192, 0, 2, 3}, DstIP: []byte{192, 0, 2, 4},
		}
		buf := gopacket.NewSerializeBuffer()
		err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
			outer, &layers.GRE{Protocol: GREProtocol}, gopacket.Payload(p))
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

// field is one name and value that tshark prints, in the order of the packet.
type field struct{ name, value string }

// tsharkFields runs tshark over the capture and returns, for each packet, all
// values under all names. JSON objects of tshark repeat names, so the tokens
// are read one by one.
func tsharkFields(t *testing.T, tshark, capture string) [][]field {
	t.Helper()
	cmd := exec.Command(tshark, "-r", capture, "-T", "json")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	dec := json.NewDecoder(bytes.NewReader(out))
	if _, err := dec.Token(); err != nil { // [
		t.Fatal(err)
	}
	var packets [][]field
	for dec.More() {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		packets = append(packets, flatten(t, raw))
	}
	return packets
}

// flatten returns the names with string values, and the names of objects with
// the value "{", in order.
func flatten(t *testing.T, raw []byte) []field {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	var out []field
	var name string
	inObject, key := []bool{}, false
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := tok.(json.Delim); ok {
			switch d {
			case '{', '[':
				if name != "" {
					out = append(out, field{name, string(rune(d))})
				}
				inObject, key = append(inObject, d == '{'), d == '{'
			default:
				inObject = inObject[:len(inObject)-1]
				key = len(inObject) > 0 && inObject[len(inObject)-1]
			}
			continue
		}
		if key {
			name, key = tok.(string), false
			continue
		}
		out = append(out, field{name, fmt.Sprint(tok)})
		key = len(inObject) > 0 && inObject[len(inObject)-1]
	}
}

// expectation collects what tshark must print for a Message, by field name.
type expectation map[string][]string

func (e expectation) add(name string, v any) { e[name] = append(e[name], fmt.Sprint(v)) }

// addr adds an address: dotted quad for IPv4, octets otherwise, which tshark
// prints under another name.
func (e expectation) addr(name string, a netip.Addr) {
	if a.Is4() {
		e.add(name, a)
	} else if a.IsValid() {
		suffix := "_bytes"
		if name == "nhrp.dst.prot.addr" {
			suffix = "_byets" // sic, tshark
		}
		e.add(name+suffix, hex.EncodeToString(a.AsSlice()))
	}
}

func (e expectation) cies(cs []CIE) {
	for _, c := range cs {
		e.add("nhrp.code", uint8(c.Code))
		e.add("nhrp.prefix", c.PrefixLength)
		e.add("nhrp.unused", 0)
		e.add("nhrp.mtu", c.MTU)
		e.add("nhrp.htime", c.HoldingTime)
		e.add("nhrp.pref", c.Preference)
		e.addr("nhrp.client.nbma.addr", c.NBMA)
		e.addr("nhrp.client.prot.addr", c.Protocol)
	}
}

func (e expectation) message(t *testing.T, m *Message) {
	extOff := 0
	if m.hasExtensions() {
		extOff = FixedLen + m.mandatoryLen()
	}
	e.add("nhrp.hdr.afn", fmt.Sprintf("0x%04x", uint16(m.NBMA)))
	e.add("nhrp.hdr.pro.type", fmt.Sprintf("0x%04x", uint16(m.Protocol)))
	e.add("nhrp.hdr.hopcnt", m.HopCount)
	e.add("nhrp.hdr.pktsz", m.Len())
	e.add("nhrp.hdr.extoff", extOff)
	e.add("nhrp.hdr.version", 1)
	e.add("nhrp.hdr.op.type", uint8(m.Type))
	switch {
	case m.Type == ErrorIndication:
		e.add("nhrp.err.code", uint16(m.ErrorCode))
		e.add("nhrp.err.offset", m.ErrorOffset)
	case !m.Type.IsIndication():
		e.add("nhrp.flags", fmt.Sprintf("0x%04x", uint16(m.Flags)))
		e.add("nhrp.reqid", fmt.Sprintf("0x%08x", m.RequestID))
	}
	e.addr("nhrp.src.nbma.addr", m.SrcNBMA)
	e.addr("nhrp.src.prot.addr", m.SrcProtocol)
	e.addr("nhrp.dst.prot.addr", m.DstProtocol)
	e.cies(m.CIEs)
	if m.Type == ErrorIndication {
		inner, err := Parse(m.Payload)
		if err != nil {
			t.Fatal(err)
		}
		e.message(t, inner)
	}
	for _, x := range m.Extensions {
		e.extension(x.Type, x.Compulsory, x.size()-extensionHeader)
		e.cies(x.CIEs)
		if id, data, ok := x.Vendor(); ok {
			e.add("nhrp.vendor_ext.id", int(id[0])<<16|int(id[1])<<8|int(id[2]))
			e.add("nhrp.vendor_ext.data", hex.EncodeToString(data))
		}
	}
	if m.hasExtensions() {
		e.extension(EndOfExtensions, true, 0)
	}
}

func (e expectation) extension(t ExtensionType, compulsory bool, n int) {
	c := map[bool]int{true: 1}[compulsory]
	e.add("nhrp.ext.c", c)
	e.add("nhrp.ext.type", fmt.Sprintf("0x%04x", uint16(t)))
	e.add("nhrp.ext.len", n)
}

// tshark, which knows RFC 2332 and Cisco's additions on its own, reads the same
// values out of what AppendBinary writes and finds no fault.
func TestTshark(t *testing.T) {
	var packets [][]byte
	gs := goldens()
	for i := range gs {
		b, err := gs[i].msg.AppendBinary(nil)
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
	got := tsharkFields(t, tshark, capture)
	if len(got) != len(gs) {
		t.Fatalf("tshark saw %d packets, want %d", len(got), len(gs))
	}
	types := map[Type]bool{}
	for i := range gs {
		types[gs[i].msg.Type] = true
		t.Run(gs[i].name, func(t *testing.T) { checkTshark(t, &gs[i].msg, got[i]) })
	}
	for ty := ResolutionRequest; ty <= TrafficIndication; ty++ {
		if !types[ty] {
			t.Errorf("no packet of type %v was checked", ty)
		}
	}
}

func checkTshark(t *testing.T, m *Message, fields []field) {
	want, got := expectation{}, expectation{}
	want.message(t, m)
	status := ""
	for _, f := range fields {
		if strings.HasPrefix(f.name, "_ws.expert") || strings.HasPrefix(f.name, "_ws.malformed") {
			t.Errorf("tshark complains: %v", f)
		}
		if f.name == "nhrp.hdr.chksum.status" && status == "" {
			status = f.value
		}
		if _, ok := want[f.name]; ok {
			got.add(f.name, strings.ReplaceAll(f.value, ":", ""))
		}
	}
	if status != "1" {
		t.Errorf("checksum status %q, want 1 (good)", status)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("fields (-want +tshark):\n%s", d)
	}
}
