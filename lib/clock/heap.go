package clock

// Heap holds at most one deadline for each key and yields them in order of
// time; equal deadlines leave in the order in which they were set, so that a
// core that drains its heap is deterministic. The zero value is ready for use.
// It is not safe for concurrent use.
type Heap[K comparable] struct {
	items []*item[K]
	index map[K]*item[K]
	free  []*item[K] // kept for their room
	seq   uint64
}

type item[K comparable] struct {
	at    Instant
	seq   uint64
	place int // in items
	key   K
}

// maxFree is how many items are kept at most.
const maxFree = 16

// Set arms the deadline of key, replacing an earlier one. Never disarms it.
func (h *Heap[K]) Set(key K, at Instant) {
	if at == Never {
		h.Clear(key)
		return
	}
	if h.index == nil {
		h.index = make(map[K]*item[K])
	}
	h.seq++
	if x := h.index[key]; x != nil {
		x.at, x.seq = at, h.seq
		h.fix(x.place)
		return
	}
	x := h.room()
	*x = item[K]{at, h.seq, len(h.items), key}
	h.items = append(h.items, x)
	h.index[key] = x
	h.up(x.place)
}

// room returns an item that is not in use.
func (h *Heap[K]) room() *item[K] {
	last := len(h.free) - 1
	if last < 0 {
		return new(item[K])
	}
	x := h.free[last]
	h.free = h.free[:last]
	return x
}

// Clear disarms the deadline of key, if there is one.
func (h *Heap[K]) Clear(key K) {
	if x := h.index[key]; x != nil {
		h.remove(x)
	}
}

// Deadline returns the deadline of key.
func (h *Heap[K]) Deadline(key K) (at Instant, ok bool) {
	x := h.index[key]
	if x == nil {
		return Never, false
	}
	return x.at, true
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
	h.remove(h.items[0])
	return key, true
}

func (h *Heap[K]) remove(x *item[K]) {
	last := len(h.items) - 1
	i := x.place
	delete(h.index, x.key)
	h.swap(i, last)
	h.items[last] = nil
	h.items = h.items[:last]
	if i < last {
		h.fix(i)
	}
	*x = item[K]{}
	if len(h.free) < maxFree {
		h.free = append(h.free, x)
	}
}

func (h *Heap[K]) fix(i int) {
	if !h.down(i) {
		h.up(i)
	}
}

func (h *Heap[K]) less(i, j int) bool {
	a, b := h.items[i], h.items[j]
	if a.at != b.at {
		return a.at < b.at
	}
	return a.seq < b.seq
}

func (h *Heap[K]) swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	h.items[i].place, h.items[j].place = i, j
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
