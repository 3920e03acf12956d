package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/engine"
	"github.com/godmvpn/godmvpn/zebra/iface"
)

// unmatched returns the rows that the engine has.
func (w *world) unmatched() (rows []engine.UnmatchedView) {
	if err := w.engine.Do(context.Background(), func() { rows = w.engine.Unmatched() }); err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// TestUnmatched: with a tunnel the counter is wanted, without one it is not; rows are
// kept with what does not match the tunnels, and do not grow without end.
func TestUnmatched(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.ready()
		w.expect("without a tunnel", w.wanted(dataplane.KindUnmatched), "")
		w.engine.Configure(iface.Config{Interfaces: []iface.Interface{
			{Name: "Tunnel0", Tunnel: iface.Tunnel{Source: addr("192.0.2.1"), Multipoint: true, HasKey: true, Key: 100}},
			{Name: "Tunnel1", Tunnel: iface.Tunnel{Source: addr("192.0.2.1"), Destination: addr("203.0.113.1")}}}}, nil)
		if have := w.wanted(dataplane.KindUnmatched, dataplane.KindSysctl); !strings.Contains(have, "gre0") || !strings.Contains(have, "rp_filter") {
			t.Errorf("with tunnels: %q", have)
		}
		row := func(src, dst string, key int, packets uint64) dataplane.UnmatchedRow {
			r := dataplane.UnmatchedRow{Source: addr(src), Destination: addr(dst), HasKey: key >= 0, Packets: packets}
			if key >= 0 {
				r.Key = uint32(key)
			}
			return r
		}
		w.engine.Event(dataplane.UnmatchedFound{Rows: []dataplane.UnmatchedRow{
			row("198.51.100.1", "192.0.2.1", 99, 3), row("198.51.100.1", "192.0.2.1", -1, 1), row("198.51.100.1", "192.0.2.9", 100, 2)}})
		w.engine.Event(dataplane.UnmatchedFound{Rows: []dataplane.UnmatchedRow{row("198.51.100.1", "192.0.2.1", 99, 7)}})
		var have []string
		for _, v := range w.unmatched() {
			have = append(have, fmt.Sprintf("%v %v %s %d: %s", v.Source, v.Destination, engine.KeyText(v.HasKey, v.Key), v.Packets, v.Why))
		}
		want := []string{
			"198.51.100.1 192.0.2.1 no key 1: Tunnel0 has key 100; Tunnel1 leads to 203.0.113.1",
			"198.51.100.1 192.0.2.1 key 99 7: Tunnel0 has key 100; Tunnel1 leads to 203.0.113.1",
			"198.51.100.1 192.0.2.9 key 100 2: no tunnel has the source 192.0.2.9",
		}
		if d := cmp.Diff(want, have); d != "" {
			t.Errorf("(-want +have):\n%s", d)
		}
		// A daemon that watches is given the picture, and each later one, without what is
		// mended by now.
		w.engine.Enabled([]string{"nhrpd"})
		w.engine.Configured()
		w.attach("nhrpd", session.Begin{}, session.WatchAdd{Watch: librib.Watch{Kind: librib.WatchUnmatched}})
		if got := w.told("nhrpd"); !strings.Contains(got, "Tunnel0 has key 100") {
			t.Errorf("nhrpd was told %s", got)
		}
		w.engine.Configure(iface.Config{Interfaces: []iface.Interface{
			{Name: "Tunnel0", Tunnel: iface.Tunnel{Source: addr("192.0.2.1"), Multipoint: true, HasKey: true, Key: 99}}}}, nil)
		if got := w.told("nhrpd"); !strings.Contains(got, "198.51.100.1 key 99: Tunnel0 is down") {
			t.Errorf("with a device that is not up nhrpd was told %s", got)
		}
		w.engine.Event(dataplane.LinkChanged{Link: dataplane.LinkInfo{Name: "Tunnel0", Index: 7, Kind: "gre", Own: true, Up: true, Running: true, LowerUp: true, MTU: 1476}})
		if got := w.told("nhrpd"); !strings.Contains(got, "198.51.100.1 no key: Tunnel0 has key 99") || strings.Contains(got, "198.51.100.1 key 99") {
			t.Errorf("with another key nhrpd was told %s", got)
		}
		var many dataplane.UnmatchedFound
		for n := range 3000 {
			many.Rows = append(many.Rows, row(fmt.Sprintf("10.0.%d.%d", n>>8, n&255), "192.0.2.1", 1, 1))
		}
		w.engine.Event(many)
		if n := len(w.unmatched()); n != 1024 {
			t.Errorf("%d rows", n)
		}
		if text := w.log.String(); strings.Count(text, "%TUN-4-UNMATCHED") != 10 || !strings.Contains(text, "with key 99 are for no tunnel: Tunnel0 has key 100") {
			t.Errorf("logged:\n%s", text)
		}
		w.engine.Configure(iface.Config{}, nil)
		w.expect("without a tunnel again", w.wanted(dataplane.KindUnmatched), "")
	})
}
