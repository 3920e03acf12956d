package core

import (
	"cmp"
	"net/netip"
)

// part is a route inside of a summary.
type part struct {
	prefix netip.Prefix
	metric uint64
	vector vector
}

func (a part) before(b part) bool {
	return cmp.Or(cmp.Compare(a.metric, b.metric), comparePrefixes(a.prefix, b.prefix)) < 0
}

// partHeap has the parts of a summary, the nearest first, as a binary heap: a summary
// of 100,000 routes is not searched when one of them changes. The zero value is empty.
type partHeap struct {
	heap []part
	at   map[netip.Prefix]int // place in heap
}

// best returns the nearest part.
func (h *partHeap) best() (p part, ok bool) {
	if len(h.heap) == 0 {
		return p, false
	}
	return h.heap[0], true
}

// put enters a part, in place of what was there of its prefix.
func (h *partHeap) put(p part) {
	if h.at == nil {
		h.at = make(map[netip.Prefix]int)
	}
	k, ok := h.at[p.prefix]
	if !ok {
		k = len(h.heap)
		h.heap = append(h.heap, p)
	}
	h.heap[k] = p
	h.at[p.prefix] = k
	h.settle(k)
}

func (h *partHeap) remove(p netip.Prefix) {
	k, ok := h.at[p]
	if !ok {
		return
	}
	last := len(h.heap) - 1
	delete(h.at, p)
	if k != last {
		h.heap[k] = h.heap[last]
		h.at[h.heap[k].prefix] = k
	}
	h.heap[last] = part{}
	h.heap = h.heap[:last]
	if k != last {
		h.settle(k)
	}
}

// settle moves the part at k to where it belongs.
func (h *partHeap) settle(k int) {
	for k > 0 && h.heap[k].before(h.heap[(k-1)/2]) {
		h.swap(k, (k-1)/2)
		k = (k - 1) / 2
	}
	for {
		least := k
		for _, child := range [...]int{2*k + 1, 2*k + 2} {
			if child < len(h.heap) && h.heap[child].before(h.heap[least]) {
				least = child
			}
		}
		if least == k {
			return
		}
		h.swap(k, least)
		k = least
	}
}

func (h *partHeap) swap(a, b int) {
	h.heap[a], h.heap[b] = h.heap[b], h.heap[a]
	h.at[h.heap[a].prefix], h.at[h.heap[b].prefix] = a, b
}
