// Package links keeps the router's interfaces as zebra tells them, for the pure core of a
// routing daemon: each by its name, the own addresses of each VRF, and, when a session to
// zebra begins anew, which interfaces were not told again.
package links

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Table has the interfaces. Its zero value has none.
type Table struct {
	links  map[string]rib.Interface
	own    map[address]int // how many interfaces have the address
	untold map[string]bool // since the session began
}

// address is one of this router.
type address struct {
	vrf  string
	addr netip.Addr
}

// Put takes the present state of an interface, and reports whether it is another than
// before.
func (t *Table) Put(link rib.Interface) bool {
	delete(t.untold, link.Name)
	if t.links == nil {
		t.links, t.own = make(map[string]rib.Interface), make(map[address]int)
	}
	if old, ok := t.links[link.Name]; ok {
		if old.Equal(link) {
			return false
		}
		t.count(old, -1)
	}
	t.count(link, 1)
	t.links[link.Name] = link
	return true
}

// Delete forgets an interface, and reports whether there was one.
func (t *Table) Delete(name string) bool {
	old, ok := t.links[name]
	if ok {
		t.count(old, -1)
		delete(t.links, name)
	}
	return ok
}

// count keeps the set of own addresses.
func (t *Table) count(link rib.Interface, by int) {
	for _, a := range link.Addresses {
		k := address{link.VRF, a.Prefix.Addr()}
		if t.own[k] += by; t.own[k] == 0 {
			delete(t.own, k)
		}
	}
}

// Get returns an interface; ok tells whether it is known.
func (t *Table) Get(name string) (link rib.Interface, ok bool) {
	link, ok = t.links[name]
	return link, ok
}

// VRF returns the VRF of an interface, "" for the global table and for what is not known.
func (t *Table) VRF(name string) string { return t.links[name].VRF }

// Names returns the names of the interfaces, sorted.
func (t *Table) Names() []string { return slices.Sorted(maps.Keys(t.links)) }

// Own tells how many interfaces of a VRF have this address.
func (t *Table) Own(vrf string, a netip.Addr) int { return t.own[address{vrf, a}] }

// Expect begins a session to zebra, which tells all interfaces again.
func (t *Table) Expect() {
	t.untold = make(map[string]bool, len(t.links))
	for name := range t.links { // unordered: a set
		t.untold[name] = true
	}
}

// Untold ends what [Table.Expect] began: it returns the names of the interfaces that were not
// told again, sorted. They are still in the table.
func (t *Table) Untold() []string {
	names := slices.Sorted(maps.Keys(t.untold))
	t.untold = nil
	return names
}
