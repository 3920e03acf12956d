package dataplane

import (
	"iter"
	"net/netip"

	"github.com/gaissmai/bart"
)

// Map maps keys to values. Routes, of which there may be a million, lie in tables of
// prefixes, which need less than half of the memory of a map. The zero Map is empty.
// Whoever ranges over All leaves the Map as it is meanwhile.
type Map[V any] struct {
	routes map[Key]*bart.Table[V] // by what a key has beside the prefix
	others map[Key]V
}

// inTable tells whether a key is one of a route. One with host bits is of no object at
// all, while a table would find the prefix without them.
func inTable(k Key) bool { return k.Kind == KindRoute && k.Prefix == k.Prefix.Masked() }

func withoutPrefix(k Key) Key {
	k.Prefix = netip.Prefix{}
	return k
}

// Get returns the value of a key, the zero value if there is none.
func (m *Map[V]) Get(k Key) (v V) {
	if !inTable(k) {
		return m.others[k]
	}
	if t := m.routes[withoutPrefix(k)]; t != nil {
		v, _ = t.Get(k.Prefix)
	}
	return v
}

// Set gives a key a value.
func (m *Map[V]) Set(k Key, v V) {
	if m.others == nil {
		m.routes, m.others = map[Key]*bart.Table[V]{}, map[Key]V{}
	}
	if !inTable(k) {
		m.others[k] = v
		return
	}
	t := m.routes[withoutPrefix(k)]
	if t == nil {
		t = &bart.Table[V]{}
		m.routes[withoutPrefix(k)] = t
	}
	t.Insert(k.Prefix, v)
}

// Delete takes a key out.
func (m *Map[V]) Delete(k Key) {
	if !inTable(k) {
		delete(m.others, k)
		return
	}
	t := m.routes[withoutPrefix(k)]
	if t == nil {
		return
	}
	if t.Delete(k.Prefix); t.Size() == 0 {
		delete(m.routes, withoutPrefix(k))
	}
}

// Len returns the number of keys.
func (m *Map[V]) Len() int {
	n := len(m.others)
	for _, t := range m.routes { // unordered: a sum
		n += t.Size()
	}
	return n
}

// All yields keys and values, in no order.
func (m *Map[V]) All() iter.Seq2[Key, V] {
	return func(yield func(Key, V) bool) {
		for k, v := range m.others { // unordered: as it says
			if !yield(k, v) {
				return
			}
		}
		for k, t := range m.routes { // unordered: as it says
			for p, v := range t.All() {
				if k.Prefix = p; !yield(k, v) {
					return
				}
			}
		}
	}
}
