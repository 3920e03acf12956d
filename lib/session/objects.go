package session

import (
	"net/netip"

	"github.com/gaissmai/bart"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// objects are entries by the keys of their objects. Routes, of which there may be a
// million, lie in tables of prefixes: a map with whole keys needs six times the memory.
type objects struct {
	routes map[rib.Key]*bart.Table[*entry] // by what a key has beside the prefix
	others map[rib.Key]*entry
}

func newObjects() objects {
	return objects{routes: map[rib.Key]*bart.Table[*entry]{}, others: map[rib.Key]*entry{}}
}

// inTable tells whether a key is one of a route. One with host bits is of no object at
// all, while a table would find the prefix without them.
func inTable(k rib.Key) bool { return k.Kind == rib.KindRoute && k.Prefix == k.Prefix.Masked() }

func withoutPrefix(k rib.Key) rib.Key {
	k.Prefix = netip.Prefix{}
	return k
}

// get returns the entry of a key, nil if there is none.
func (o *objects) get(k rib.Key) *entry {
	if !inTable(k) {
		return o.others[k]
	}
	t := o.routes[withoutPrefix(k)]
	if t == nil {
		return nil
	}
	e, _ := t.Get(k.Prefix)
	return e
}

func (o *objects) set(k rib.Key, e *entry) {
	if !inTable(k) {
		o.others[k] = e
		return
	}
	t := o.routes[withoutPrefix(k)]
	if t == nil {
		t = &bart.Table[*entry]{}
		o.routes[withoutPrefix(k)] = t
	}
	t.Insert(k.Prefix, e)
}

func (o *objects) delete(k rib.Key) {
	if !inTable(k) {
		delete(o.others, k)
		return
	}
	t := o.routes[withoutPrefix(k)]
	if t == nil {
		return
	}
	if t.Delete(k.Prefix); t.Size() == 0 {
		delete(o.routes, withoutPrefix(k))
	}
}
