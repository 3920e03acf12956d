package simnet

import "github.com/godmvpn/godmvpn/lib/clock"

type kind uint8

const (
	kindScript kind = iota // call script
	kindTimer              // node's machine asked to be woken
	kindInput              // step node with input, if it still lives the same life
	kindPacket             // packet arrives at port to
)

// event is what waits in the queue. Which fields are in use depends on the kind.
type event struct {
	kind   kind
	life   uint32
	node   *node
	to     *Port
	script func()
	input  any
	packet Packet
}

// queue yields events by instant, and in the order of push where instants are
// equal. The heap moves small entries only; the events lie still in slots.
type queue struct {
	heap    []entry
	slots   []event
	free    []int32
	seq     uint64
	longest int
}

type entry struct {
	at   clock.Instant
	seq  uint64
	slot int32
}

func (a entry) before(b entry) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	return a.seq < b.seq
}

func (q *queue) push(at clock.Instant, e event) {
	var slot int32
	if last := len(q.free) - 1; last >= 0 {
		slot = q.free[last]
		q.free = q.free[:last]
		q.slots[slot] = e
	} else {
		slot = int32(len(q.slots))
		q.slots = append(q.slots, e)
	}
	q.seq++
	q.heap = append(q.heap, entry{at, q.seq, slot})
	q.longest = max(q.longest, len(q.heap))
	q.up(len(q.heap) - 1)
}

func (q *queue) next() (at clock.Instant, ok bool) {
	if len(q.heap) == 0 {
		return clock.Never, false
	}
	return q.heap[0].at, true
}

// pop removes and returns the first event; there must be one.
func (q *queue) pop() event {
	slot := q.heap[0].slot
	e := q.slots[slot]
	q.slots[slot] = event{}
	q.free = append(q.free, slot)
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap = q.heap[:last]
	q.down(0)
	return e
}

// The heap has four children to a node: fewer levels, and siblings lie together
// in memory.

func (q *queue) up(i int) {
	moving := q.heap[i]
	for i > 0 {
		parent := (i - 1) / 4
		if !moving.before(q.heap[parent]) {
			break
		}
		q.heap[i] = q.heap[parent]
		i = parent
	}
	q.heap[i] = moving
}

func (q *queue) down(i int) {
	if len(q.heap) == 0 {
		return
	}
	moving := q.heap[i]
	for {
		first := 4*i + 1
		if first >= len(q.heap) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(q.heap)); c++ {
			if q.heap[c].before(q.heap[least]) {
				least = c
			}
		}
		if !q.heap[least].before(moving) {
			break
		}
		q.heap[i] = q.heap[least]
		i = least
	}
	q.heap[i] = moving
}
