package dataplane_test

import (
	"maps"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// TestMapAgainstMap enters, replaces and removes values under keys that differ in one
// field or another, and compares with a map.
func TestMapAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m dataplane.Map[int]
		want, n := map[dataplane.Key]int{}, 0
		keys := rapid.Custom(func(t *rapid.T) dataplane.Key {
			prefix := rapid.SampledFrom([]string{"10.0.0.0/8", "10.0.0.0/16", "10.0.0.1/8", "::/0", "0.0.0.0/0", "::ffff:10.0.0.0/104"})
			return dataplane.Key{
				Kind:   rapid.SampledFrom([]dataplane.Kind{dataplane.KindRoute, dataplane.KindAddr}).Draw(t, "kind"),
				Table:  rapid.Uint32Range(254, 255).Draw(t, "table"),
				Metric: rapid.Uint32Range(0, 1).Draw(t, "metric"),
				Prefix: netip.MustParsePrefix(prefix.Draw(t, "prefix")),
			}
		})
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				k := keys.Draw(t, "key")
				n++
				m.Set(k, n)
				want[k] = n
			},
			"delete": func(t *rapid.T) {
				k := keys.Draw(t, "key")
				m.Delete(k)
				delete(want, k)
			},
			"": func(t *rapid.T) {
				if k := keys.Draw(t, "key"); m.Get(k) != want[k] {
					t.Errorf("%v has %d, want %d", k, m.Get(k), want[k])
				}
				if got := maps.Collect(m.All()); m.Len() != len(want) || !maps.Equal(got, want) {
					t.Errorf("there are %d: %v, want %v", m.Len(), got, want)
				}
				for range m.All() {
					break
				}
			},
		})
	})
}
