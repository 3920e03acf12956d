package frr_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// keyed matches GRE with the key of the cloud.
func keyed(f harness.Frame) bool { return f.HasKey && f.GREKey == key }

// data matches IPv4 packets in keyed GRE from one underlay address to another.
func data(src, dst string) harness.Match {
	return harness.All(harness.IsGRE, keyed, harness.Between(src, dst),
		func(f harness.Frame) bool { return f.GREProto == 0x0800 })
}

// nhrp matches NHRP messages of one type from an underlay address.
func nhrp(src string, typ packet.Type) harness.Match {
	return harness.All(harness.IsNHRP, harness.Between(src, ""), func(f harness.Frame) bool {
		m, err := packet.Parse(f.Payload)
		return err == nil && m.Type == typ
	})
}

// captured waits until at least n packets that match have passed an uplink.
func captured(t *testing.T, s *site, m harness.Match, n int) {
	t.Helper()
	harness.Eventually(t, converge, func() error {
		if got := s.uplink.Count(m); got < n {
			return fmt.Errorf("%s: %d packets captured, want %d", s.name, got, n)
		}
		return nil
	})
}

// exchange sends pings from LAN to LAN, both ways, and finds them in GRE with the
// key on the uplink of a.
func exchange(t *testing.T, a, b *site) {
	t.Helper()
	const pings = 3
	out, in := data(a.wan, b.wan), data(b.wan, a.wan)
	sent, received := a.uplink.Count(out), a.uplink.Count(in)
	a.hostNode.MustPing(b.host, pings)
	b.hostNode.MustPing(a.host, pings)
	captured(t, a, out, sent+2*pings)
	captured(t, a, in, received+2*pings)
}

// checkWire ends the capture of an uplink and looks at every NHRP message that
// passed it. Our codec must take it and write the same octets again; tshark must
// see the same type in it, a right checksum, and nothing to complain about.
func checkWire(t *testing.T, s *site) {
	t.Helper()
	s.uplink.Stop()
	frames := s.uplink.Frames(nil)
	want := map[int]packet.Type{} // frame number of tshark
	for i, f := range frames {
		if !harness.IsNHRP(f) {
			continue
		}
		if !keyed(f) {
			t.Errorf("NHRP without the key: %v", f)
		}
		m, err := packet.Parse(f.Payload)
		if err != nil {
			t.Errorf("%v: %v\n%x", f, err, f.Payload)
			continue
		}
		want[i+1] = m.Type
		if again, err := m.AppendBinary(nil); err != nil || !bytes.Equal(again, f.Payload) {
			t.Errorf("%v: written again (%v):\n%x, captured\n%x", f, err, again, f.Payload)
		}
	}
	if len(want) < 2 {
		t.Errorf("%s: %d NHRP messages captured", s.name, len(want))
	}
	got, err := judged(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range slices.Sorted(maps.Keys(want)) {
		if w := fmt.Sprintf("type %d checksum good", want[n]); got[n] != w {
			t.Errorf("%s: frame %d: tshark says %q, want %q\n%x", s.name, n, got[n], w, frames[n-1].Payload)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: tshark finds %d NHRP messages, we %d", s.name, len(got), len(want))
	}
}

// judged returns what tshark says about each NHRP message that passed an uplink,
// by frame number: type and checksum, and all of its complaints.
func judged(s *site) (map[int]string, error) {
	const typ, checksum = "nhrp.hdr.op.type", "nhrp.hdr.chksum.status"
	frames, err := s.uplink.Dissect("nhrp", typ, checksum)
	if err != nil {
		return nil, err
	}
	got := map[int]string{}
	for _, f := range frames {
		status := map[string]string{"1": "good", "Good": "good"}[f.Fields[checksum]]
		got[f.Number] = strings.TrimSpace(fmt.Sprintf("type %s checksum %s %s", f.Fields[typ], status, f.Complaint))
	}
	return got, nil
}
