package suite

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// tsharkNames are the names that tshark gives to algorithms in its table of keys. It
// knows no ChaCha20.
var tsharkNames = map[string][2]string{
	"AES-CBC-128 SHA96":  {"AES-CBC-128 [RFC3602]", "HMAC_SHA1_96 [RFC2404]"},
	"AES-CBC-192 SHA256": {"AES-CBC-192 [RFC3602]", "HMAC_SHA2_256_128 [RFC4868]"},
	"AES-CBC-256 SHA256": {"AES-CBC-256 [RFC3602]", "HMAC_SHA2_256_128 [RFC4868]"},
	"AES-CBC-256 SHA384": {"AES-CBC-256 [RFC3602]", "HMAC_SHA2_384_192 [RFC4868]"},
	"AES-CBC-256 SHA512": {"AES-CBC-256 [RFC3602]", "HMAC_SHA2_512_256 [RFC4868]"},
	"AES-GCM-128":        {"AES-GCM-128 with 16 octet ICV [RFC5282]", "NONE [RFC4306]"},
	"AES-GCM-192":        {"AES-GCM-192 with 16 octet ICV [RFC5282]", "NONE [RFC4306]"},
	"AES-GCM-256":        {"AES-GCM-256 with 16 octet ICV [RFC5282]", "NONE [RFC4306]"},
}

// pcap writes datagrams between ports 500 as a capture file: IPv4 and UDP by hand,
// without their checksums.
func pcap(t *testing.T, messages [][]byte) string {
	t.Helper()
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = le.AppendUint32(b, 65535)
	b = le.AppendUint32(b, 228) // IPv4
	for i, m := range messages {
		n := uint32(28 + len(m))
		for _, v := range []uint32{uint32(i), 0, n, n} {
			b = le.AppendUint32(b, v)
		}
		b = append(b, 0x45, 0, byte(n>>8), byte(n), 0, byte(i), 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2)
		b = append(b, 1, 0xf4, 1, 0xf4, byte((n-20)>>8), byte(n-20), 0, 0)
		b = append(b, m...)
	}
	name := filepath.Join(t.TempDir(), "ike.pcap")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// tshark, given the keys, opens what we seal, of either end, whole and in fragments, and
// finds the checksums right.
func TestTsharkDecrypts(t *testing.T) {
	var messages [][]byte
	var args []string
	all := suites()
	names := make([]string, 0, len(tsharkNames))
	for name := range tsharkNames { // unordered: sorted next
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{}
	for i, name := range names {
		s := all[name]
		spiI, spiR := packet.SPI(0x1000+i), packet.SPI(0x2000+i)
		k := s.Derive(seq(byte(i), 32), Nonces{seq(1, 16), seq(2, 16), spiI, spiR})
		args = append(args, "-o", fmt.Sprintf(`uat:ikev2_decryption_table:%016x,%016x,%x,%x,"%s",%x,%x,"%s"`,
			uint64(spiI), uint64(spiR), k.Ei, k.Er, tsharkNames[name][0], k.Ai, k.Ar, tsharkNames[name][1]))
		for j, end := range []struct {
			e, a  []byte
			flags packet.Flags
		}{{k.Ei, k.Ai, packet.FlagInitiator}, {k.Er, k.Ar, packet.FlagResponse}} {
			c, err := s.NewCipher(end.e, end.a)
			if err != nil {
				t.Fatal(err)
			}
			m := &packet.Message{Header: packet.Header{SPIi: spiI, SPIr: spiR, Exchange: packet.IKEAuth, Flags: end.flags, MessageID: 1}}
			fqdn := fmt.Sprintf("end%d.example.org", j)
			inner := []packet.Payload{&packet.ID{Kind: packet.IDFQDN, Data: []byte(fqdn)}, &packet.Auth{Method: packet.AuthSharedKey, Data: seq(7, 400)}}
			out, err := c.Append(nil, m, inner, seeded(1))
			if err != nil {
				t.Fatal(err)
			}
			m.MessageID = 2
			pieces, err := c.Fragments(m, inner, 400, seeded(2))
			if err != nil || len(pieces) != 2 {
				t.Fatal(len(pieces), err)
			}
			messages = append(append(messages, out), pieces...)
			want = append(want, fqdn, "", fqdn) // whole; first fragment; the last shows the whole
		}
	}
	capture := pcap(t, messages)
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed; the capture was written but not checked")
	}
	args = append(args, "-r", capture, "-T", "fields", "-e", "isakmp.id.data.fqdn", "-e", "isakmp.auth.data", "-e", "isakmp.ikev2.integrity_checksum", "-e", "_ws.malformed", "-e", "_ws.expert.message")
	cmd := exec.Command(tshark, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(want) {
		t.Fatalf("tshark saw %d messages, want %d", len(lines), len(want))
	}
	for i, line := range lines {
		expected := want[i] + "\t\t\t\t"
		if want[i] != "" {
			expected = want[i] + fmt.Sprintf("\t%x\t\t\t", seq(7, 400))
		}
		if line != expected {
			t.Errorf("%s, message %d: %q, want %q", names[i/6], i%6, line, expected)
		}
	}
}
