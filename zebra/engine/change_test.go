package engine

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/fib"
)

// verbs records what it is told, in order.
type verbs []string

func (v *verbs) Put(objects ...dataplane.Object) {
	for _, o := range objects {
		*v = append(*v, "put "+o.Key().String())
	}
}

func (v *verbs) Delete(keys ...dataplane.Key) {
	for _, k := range keys {
		*v = append(*v, "delete "+k.String())
	}
}

func (v *verbs) Sweep(func(dataplane.Object) bool) int { return 0 }

func (v *verbs) Totals() fib.Totals { return fib.Totals{} }

func (v *verbs) List(dataplane.Kind, func([]dataplane.Object, error)) {}

// TestLastWordCounts: a route that goes and comes back in one settlement, as when
// an interface gets another name, is never deleted.
func TestLastWordCounts(t *testing.T) {
	neighbor := func(addr string) dataplane.Neighbor {
		return dataplane.Neighbor{Device: "Tunnel0", Addr: netip.MustParseAddr(addr)}
	}
	stays, goes := neighbor("10.0.0.1"), neighbor("10.0.0.2")
	var c change
	var v verbs
	c.delete(stays.Key())
	c.put(goes)
	c.put(stays)
	c.delete(goes.Key())
	c.hand(&v)
	want := verbs{"put neighbor 10.0.0.1 on Tunnel0", "delete neighbor 10.0.0.2 on Tunnel0"}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	v = nil
	c.hand(&v)
	if len(v) != 0 {
		t.Errorf("said again: %v", v)
	}
}
