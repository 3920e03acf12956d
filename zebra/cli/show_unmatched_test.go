package cli_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/zebra/cli"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/engine"
)

func TestShowUnmatched(t *testing.T) {
	now := clock.Instant(time.Hour)
	row := func(key uint32, has bool, packets uint64, why string) engine.UnmatchedView {
		return engine.UnmatchedView{Since: now - clock.Instant(time.Minute), Last: now - clock.Instant(3*time.Second), Why: why,
			UnmatchedRow: dataplane.UnmatchedRow{Source: netip.MustParseAddr("198.51.100.1"), Destination: netip.MustParseAddr("192.0.2.1"),
				Key: key, HasKey: has, Packets: packets}}
	}
	o := cli.ShowUnmatched([]engine.UnmatchedView{row(0, false, 1, "Tunnel0 has key 100"), row(99, true, 1234, "Tunnel0 has key 100")}, now)
	var text, data bytes.Buffer
	if err := o.Write(&text, false); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(`Source          Destination            Key    Packets     Last Mismatch
198.51.100.1    192.0.2.1                -          1 00:00:03 Tunnel0 has key 100
198.51.100.1    192.0.2.1               99       1234 00:00:03 Tunnel0 has key 100
`, text.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var got struct {
		Unmatched []struct {
			Key     *uint32
			Packets uint64
			Since   float64
		}
	}
	if err := o.Write(&data, true); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data.Bytes(), &got); err != nil || len(got.Unmatched) != 2 || got.Unmatched[0].Key != nil || *got.Unmatched[1].Key != 99 || got.Unmatched[1].Since != 60 {
		t.Errorf("%v: %s", err, data.String())
	}
}
