package clock

// Heap holds at most one deadline for each key and yields them in order of
// time; equal deadlines leave in the order in which they were set, so that a
// core that drains its heap is deterministic. The zero value is ready for use.
// It is not safe for concurrent use.
type Heap[K comparable] struct {
	items []item[K]
	index map[K]int
	seq   uint64
}

type item[K comparable] struct {
	at  Instant
	seq uint64
	key K
}

// Set arms the deadline of key, replacing an earlier one. Never disarms it.
func (h *Heap[K]) Set(key K, at Instant) {
	if at == Never {
		h.Clear(key)
		return
	}
	if h.index == nil {
		h.index = make(map[K]int)
	}
	h.seq++
	if i, ok := h.index[key]; ok {
		h.items[i].at, h.items[i].seq = at, h.seq
		h.fix(i)
		return
	}
	h.items = append(h.items, item[K]{at, h.seq, key})
	h.index[key] = len(h.items) - 1
	h.up(len(h.items) - 1)
}

// Clear disarms the deadline of key, if there is one.
func (h *Heap[K]) Clear(key K) {
	i, ok := h.index[key]
	if !ok {
		return
	}
	h.removeAt(i)
}

// Deadline returns the deadline of key.
func (h *Heap[K]) Deadline(key K) (at Instant, ok bool) {
	i, ok := h.index[key]
	if !ok {
		return Never, false
	}
	return h.items[i].at, true
}

// Len returns the number of armed deadlines.
func (h *Heap[K]) Len() int { return len(h.items) }

// Next returns the earliest deadline.
func (h *Heap[K]) Next() (at Instant, ok bool) {
	if len(h.items) == 0 {
		return Never, false
	}
	return h.items[0].at, true
}

// PopDue disarms and returns the key of the earliest deadline that is not
// later than now.
func (h *Heap[K]) PopDue(now Instant) (key K, ok bool) {
	if len(h.items) == 0 || h.items[0].at > now {
		return key, false
	}
	key = h.items[0].key
	h.removeAt(0)
	return key, true
}

func (h *Heap[K]) removeAt(i int) {
	last := len(h.items) - 1
	delete(h.index, h.items[i].key)
	if i != last {
		h.items[i] = h.items[last]
		h.index[h.items[i].key] = i
	}
	var zero item[K]
	h.items[last] = zero
	h.items = h.items[:last]
	if i < last {
		h.fix(i)
	}
}

func (h *Heap[K]) fix(i int) {
	if !h.down(i) {
		h.up(i)
	}
}

func (h *Heap[K]) less(i, j int) bool {
	a, b := &h.items[i], &h.items[j]
	if a.at != b.at {
		return a.at < b.at
	}
	return a.seq < b.seq
}

func (h *Heap[K]) swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	h.index[h.items[i].key], h.index[h.items[j].key] = i, j
}

func (h *Heap[K]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(i, parent) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *Heap[K]) down(i int) (moved bool) {
	for {
		child := 2*i + 1
		if child >= len(h.items) {
			return moved
		}
		if r := child + 1; r < len(h.items) && h.less(r, child) {
			child = r
		}
		if !h.less(child, i) {
			return moved
		}
		h.swap(i, child)
		i, moved = child, true
	}
}
