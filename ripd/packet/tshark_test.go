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

// writePcap writes the messages, each in IPv4 and UDP, as a capture file.
func writePcap(t *testing.T, messages [][]byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "rip.pcap")
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
		outer := &layers.IPv4{Version: 4, TTL: 1, Protocol: layers.IPProtocolUDP, SrcIP: []byte{192, 0, 2, 3}, DstIP: Group.AsSlice()}
		udp := &layers.UDP{SrcPort: Port, DstPort: Port}
		if err := udp.SetNetworkLayerForChecksum(outer); err != nil {
			t.Fatal(err)
		}
		buf := gopacket.NewSerializeBuffer()
		err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
			outer, udp, gopacket.Payload(m))
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
	"rip.command", "rip.version", "rip.family", "rip.route_tag", "rip.ip", "rip.netmask", "rip.next_hop", "rip.metric",
	"rip.auth.type", "rip.auth.passwd", "rip.digest_offset", "rip.key_id", "rip.auth_data_len", "rip.seq_num",
	"rip.authentication_data", "_ws.malformed", "_ws.expert",
}

// expectedColumns is what tshark must print for g.
func expectedColumns(g *golden, b []byte) map[string]string {
	m := &g.msg
	out := map[string]string{}
	add := func(name string, v any) {
		if out[name] != "" {
			out[name] += ","
		}
		out[name] += fmt.Sprint(v)
	}
	add("rip.command", uint8(m.Command))
	add("rip.version", m.Version)
	for _, e := range m.Entries {
		add("rip.family", e.Family)
		if e.Family == FamilyIP {
			add("rip.ip", e.Addr)
		}
		if m.Version == Version2 {
			add("rip.route_tag", e.Tag)
			add("rip.netmask", addrFrom(e.Mask))
			add("rip.next_hop", e.NextHop)
		}
		add("rip.metric", e.Metric)
	}
	switch m.Auth.Type {
	case AuthPassword:
		add("rip.auth.type", 2)
		add("rip.auth.passwd", string(g.key.Secret))
	case AuthCryptographic:
		add("rip.auth.type", 3)
		add("rip.digest_offset", m.Auth.Offset-trailerHeaderLen)
		add("rip.key_id", m.Auth.KeyID)
		add("rip.auth_data_len", m.Auth.DigestLen)
		add("rip.seq_num", g.sequence)
		add("rip.authentication_data", hex.EncodeToString(b[m.Auth.Offset:][:16]))
		if m.Auth.DigestLen != 16 { // tshark knows Keyed-MD5 and takes what follows 16 octets for an entry
			add("_ws.expert", "Expert Info (Warning/Protocol): Unknown address family 65535")
		}
	}
	return out
}

// tshark, which knows the RFCs on its own, reads the same values out of what
// Append writes and finds no fault.
func TestTshark(t *testing.T) {
	var messages [][]byte
	gs := goldens()
	for i := range gs {
		b, err := gs[i].msg.Append(nil, gs[i].key, gs[i].sequence)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, b)
	}
	capture := writePcap(t, messages)
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
	if len(lines) != len(gs) {
		t.Fatalf("tshark saw %d packets, want %d", len(lines), len(gs))
	}
	for i := range gs {
		t.Run(gs[i].name, func(t *testing.T) {
			got := map[string]string{}
			for j, v := range strings.Split(lines[i], "\t") {
				if v != "" {
					got[tsharkColumns[j]] = v
				}
			}
			if d := cmp.Diff(expectedColumns(&gs[i], messages[i]), got); d != "" {
				t.Errorf("fields (-want +tshark):\n%s", d)
			}
		})
	}
}
