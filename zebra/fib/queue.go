package fib

import (
	"cmp"
	"slices"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// queue is a first-in-first-out list of entries.
type queue struct {
	items []*entry
	head  int
}

func (q *queue) push(e *entry) { q.items = append(q.items, e) }

func (q *queue) len() int { return len(q.items) - q.head }

func (q *queue) pop() *entry {
	if q.head == len(q.items) {
		q.items, q.head = nil, 0
		return nil
	}
	e := q.items[q.head]
	q.items[q.head] = nil
	q.head++
	if q.head > 4096 && q.head > len(q.items)/2 {
		q.items = append([]*entry(nil), q.items[q.head:]...)
		q.head = 0
	}
	return e
}

// The ranks in which objects are put: the kinds in their order, with the sysctls
// of devices after the devices.
const numRanks = int(dataplane.KindESPinUDP-dataplane.KindSysctl) + 2

func rank(k dataplane.Key) int {
	switch {
	case k.Kind == dataplane.KindSysctl && k.Device() == "":
		return 0
	case k.Kind == dataplane.KindSysctl:
		return int(dataplane.KindTunnel-dataplane.KindSysctl) + 1
	case k.Kind <= dataplane.KindTunnel:
		return int(k.Kind - dataplane.KindSysctl)
	}
	return min(int(k.Kind-dataplane.KindSysctl)+1, numRanks-1)
}

// pick returns the entries for which f holds, in the order of their keys, so
// that nothing depends on the order of a map.
func (c *Core) pick(f func(*entry) bool) []*entry {
	var es []*entry
	for _, e := range c.entries.All() {
		if f(e) {
			es = append(es, e)
		}
	}
	sortEntries(es)
	return es
}

func sortEntries(es []*entry) {
	slices.SortFunc(es, func(a, b *entry) int { return compareKeys(a.key, b.key) })
}

func compareKeys(a, b dataplane.Key) int {
	if n := cmp.Compare(a.Kind, b.Kind); n != 0 {
		return n
	}
	if n := cmp.Compare(a.Name, b.Name); n != 0 {
		return n
	}
	if n := cmp.Compare(a.Table, b.Table); n != 0 {
		return n
	}
	if n := a.Prefix.Addr().Compare(b.Prefix.Addr()); n != 0 {
		return n
	}
	if n := cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()); n != 0 {
		return n
	}
	return cmp.Compare(a.Metric, b.Metric)
}
