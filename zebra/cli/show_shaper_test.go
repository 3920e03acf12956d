package cli_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/cli"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

func TestShowShapers(t *testing.T) {
	one := rib.ShaperView{Owner: "nhrpd", Shaper: librib.Shaper{Interface: "Tunnel0", NBMA: netip.MustParseAddr("198.51.100.1"), Rate: 10e6, Policy: "GOLD10M"}}
	two := rib.ShaperView{Owner: "nhrpd", Error: "no such queueing discipline", Shaper: librib.Shaper{Interface: "Tunnel0",
		NBMA: netip.MustParseAddr("203.0.113.1"), Rate: 1e6, Burst: 20000, Policy: "SILVER1M"}}
	o := cli.ShowShapers([]cli.Shaper{
		{ShaperView: one, InForce: true, Count: dataplane.ShaperCount{Packets: 1596, Bytes: 285336, Drops: 3, Queued: 2, Overlimits: 40}}, {ShaperView: two}})
	var text, data bytes.Buffer
	if err := o.Write(&text, false); err != nil {
		t.Fatal(err)
	}
	if err := o.Write(&data, true); err != nil || !json.Valid(data.Bytes()) {
		t.Errorf("JSON: %v: %s", err, data.String())
	}
	if d := cmp.Diff(`Interface Tunnel0 <--> 198.51.100.1

  Service-policy output: GOLD10M

    Class-map: class-default (match-any)
      Match: any
      Queueing
      (queue depth/total drops/times delayed) 2/3/40
      (pkts output/bytes output) 1596/285336
      shape (average) cir 10000000, bc 100000

Interface Tunnel0 <--> 203.0.113.1

  Service-policy output: SILVER1M

    Class-map: class-default (match-any)
      Match: any
      Queueing
      (queue depth/total drops/times delayed) 0/0/0
      (pkts output/bytes output) 0/0
      shape (average) cir 1000000, bc 160000
      not in force: no such queueing discipline

`, text.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, c := range []struct {
		f    cli.ShaperFilter
		want bool
	}{
		{cli.ShaperFilter{}, true}, {cli.ShaperFilter{Interface: "Tunnel0"}, true}, {cli.ShaperFilter{Interface: "Tunnel1"}, false},
		{cli.ShaperFilter{NBMA: one.Shaper.NBMA}, true}, {cli.ShaperFilter{NBMA: two.Shaper.NBMA}, false},
	} {
		if c.f.Shows(one) != c.want {
			t.Errorf("%+v: %v", c.f, !c.want)
		}
	}
}
