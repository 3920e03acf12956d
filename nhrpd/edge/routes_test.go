package edge

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
)

// TestRoutesAreShared: a next hop that the core and `diagnose dmvpn` both want is
// watched until neither does, and whoever comes second is told what is known.
func TestRoutesAreShared(t *testing.T) {
	e := New(slog.New(slog.DiscardHandler), memnet.New().Host(), DNS{})
	w := rib.Watch{Kind: rib.WatchNextHop, VRF: "INET", Addr: netip.MustParseAddr("192.0.2.1")}
	held := e.client.Len()
	question := cli.Question{VRF: w.VRF, Addr: w.Addr}
	if err := e.watch(w); err != nil {
		t.Fatal(err)
	}
	if err := e.watch(w); err != nil || e.client.Len() != held+1 || e.driver.Stats().Posted != 0 {
		t.Errorf("watched twice: %v, %d objects, %d inputs", err, e.client.Len(), e.driver.Stats().Posted)
	}
	e.unwatch(w)
	answer := rib.NextHopChanged{Watch: w, Prefix: netip.MustParsePrefix("0.0.0.0/0"), Protocol: rib.Static, NextHops: []rib.NextHop{{Interface: "eth0"}}}
	e.event(answer)
	if got := e.Routes(context.Background(), []cli.Question{question}); got[question].Prefix != answer.Prefix {
		t.Errorf("asked while it is watched: %v", got)
	}
	before := e.driver.Stats().Posted
	if err := e.watch(w); err != nil || e.driver.Stats().Posted != before+1 {
		t.Errorf("%v; the core was told %d times", err, e.driver.Stats().Posted-before)
	}
	e.unwatch(w)
	if e.client.Len() != held+1 {
		t.Error("not watched any more, though somebody wants it")
	}
	if e.unwatch(w); e.client.Len() != held || len(e.routes.of) != 0 {
		t.Errorf("%d objects and %d routes are left", e.client.Len(), len(e.routes.of))
	}
	e.unwatch(w)
	e.event(answer) // under way when the watch ended
	if len(e.routes.of) != 0 {
		t.Error("an answer that nobody asked for is kept")
	}
}
