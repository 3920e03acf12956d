package session

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// TestObjectsAgainstMap enters, replaces and removes entries under keys that differ in one
// field or another: they are found as in a map of whole keys, and what is removed leaves
// nothing behind.
func TestObjectsAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, want := newObjects(), map[rib.Key]*entry{}
		keys := rapid.Custom(func(t *rapid.T) rib.Key {
			prefix := rapid.SampledFrom([]string{"10.0.0.0/8", "10.0.0.0/16", "10.0.0.1/8", "::/0", "0.0.0.0/0", "::ffff:10.0.0.0/104"})
			return rib.Key{
				Kind:     rapid.SampledFrom([]rib.Kind{rib.KindRoute, rib.KindOverride}).Draw(t, "kind"),
				VRF:      rapid.SampledFrom([]string{"", "red"}).Draw(t, "VRF"),
				Prefix:   netip.MustParsePrefix(prefix.Draw(t, "prefix")),
				Instance: rapid.Uint32Range(0, 1).Draw(t, "instance"),
			}
		})
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				k, e := keys.Draw(t, "key"), &entry{}
				o.set(k, e)
				want[k] = e
			},
			"delete": func(t *rapid.T) {
				k := keys.Draw(t, "key")
				o.delete(k)
				delete(want, k)
			},
			"": func(t *rapid.T) {
				if k := keys.Draw(t, "key"); o.get(k) != want[k] {
					t.Errorf("%+v has entry %p, want %p", k, o.get(k), want[k])
				}
			},
		})
		for k, e := range want {
			if o.get(k) != e {
				t.Errorf("%+v has entry %p, want %p", k, o.get(k), e)
			}
			o.delete(k)
		}
		if len(o.routes)+len(o.others) > 0 {
			t.Errorf("%v and %v are left", o.routes, o.others)
		}
	})
}
