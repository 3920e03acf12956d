package pb

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
)

// TestSharedNextHops decodes routes whose next hops are those of the one before, and
// others: equal ones are kept once, and each route has its own.
func TestSharedNextHops(t *testing.T) {
	one, two := rib.NextHop{Addr: netip.MustParseAddr("192.0.2.1")}, rib.NextHop{Addr: netip.MustParseAddr("192.0.2.2"), Weight: 2}
	var ups []session.Up
	for i, hops := range [][]rib.NextHop{{one}, {one}, {two}, {one, two}, {one, two}, {one}} {
		ups = append(ups, session.Put{Seq: uint64(i + 1), Object: rib.Route{
			Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24), Protocol: rib.BGP, Distance: 20, NextHops: hops}})
	}
	got, err := ToUps(FromUps(ups))
	if err != nil || !reflect.DeepEqual(got, ups) {
		t.Fatalf("decoded %v, %v, want %v", got, err, ups)
	}
	at := func(i int) *rib.NextHop { return &got[i].(session.Put).Object.(rib.Route).NextHops[0] }
	for i, shared := range []bool{true, false, false, true, false} {
		if same := at(i) == at(i+1); same != shared {
			t.Errorf("routes %d and %d share their next hops: %t, want %t", i, i+1, same, shared)
		}
	}
}
