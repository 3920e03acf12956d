package packet

import (
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
)

// capture is a line of testdata/captures.txt.
type capture struct {
	name, source string
	key          Key
	packet       []byte
}

func captures(tb testing.TB) []capture {
	tb.Helper()
	text, err := os.ReadFile("testdata/captures.txt")
	if err != nil {
		tb.Fatal(err)
	}
	algorithms := map[string]Algorithm{"none": NoAlgorithm, "MD5": KeyedMD5}
	var out []capture
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSpace(line), "|")
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		id, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil {
			tb.Fatal(err)
		}
		p, err := hex.DecodeString(f[5])
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, capture{f[0], f[4], Key{uint32(id), algorithms[f[1]], []byte(f[3])}, p})
	}
	return out
}

// What FRR sends is read, authentic, and written again octet by octet.
func TestCaptures(t *testing.T) {
	for _, c := range captures(t) {
		t.Run(c.name, func(t *testing.T) {
			m, err := Parse(c.packet)
			if err != nil {
				t.Fatal(err)
			}
			key := &c.key
			if c.key.Algorithm == NoAlgorithm {
				key = nil
			} else if !m.Verify(c.packet, c.key, ip(c.source)) {
				t.Error("not authentic")
			}
			b, err := m.Append(nil, key, ip(c.source))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(hex.EncodeToString(c.packet), hex.EncodeToString(b)); d != "" {
				t.Errorf("octets (-FRR +ours):\n%s", d)
			}
		})
	}
}

// What an Update of FRR says. The MTU is as it is on the wire: FRR sends it with its
// octets reversed.
func TestCapturedUpdate(t *testing.T) {
	for _, c := range captures(t) {
		if c.name != "update, end of table, from 10.0.0.2" {
			continue
		}
		m, err := Parse(c.packet)
		if err != nil {
			t.Fatal(err)
		}
		want := &Message{Opcode: Update, Flags: FlagEndOfTable, Sequence: 2, Ack: 2, AS: 100, Routes: []Route{{
			Type:         TypeIPv4Internal,
			Classic:      metric.Classic{Delay: 2560, Bandwidth: 25600, MTU: 0xdc0500, Reliability: 255, Load: 1},
			Destinations: prefixes("10.12.0.0/24"),
		}}}
		if d := cmp.Diff(want, m, sameMessage); d != "" {
			t.Errorf("message (-want +got):\n%s", d)
		}
		// FRR shows the route as (30720/28160) in its topology table
		if rd := m.Routes[0].Classic.Composite(metric.DefaultWeights); rd != 28160 {
			t.Errorf("reported distance %d", rd)
		}
		return
	}
	t.Fatal("no such capture")
}
