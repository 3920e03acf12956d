package memnet

import (
	"bytes"
	"net"
	"sync"
)

// room is the number of packets that a socket holds unless it asks for more by a
// receive buffer, of which each packet takes packetCost octets.
const (
	room       = 256
	packetCost = 1024
)

// queue is the receive buffer of a socket.
type queue[M any] struct {
	mu     sync.Mutex
	ready  sync.Cond
	room   int
	items  []item[M]
	err    error // the next read's, once items are read or not
	stays  bool  // err is every read's
	closed bool
}

type item[M any] struct {
	payload []byte
	meta    M
}

// newQueue returns a queue for so many packets; 0 means room.
func newQueue[M any](packets int) *queue[M] {
	if packets == 0 {
		packets = room
	}
	q := &queue[M]{room: packets}
	q.ready.L = &q.mu
	return q
}

func (q *queue[M]) put(b []byte, meta M) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.items) == q.room {
		return
	}
	q.items = append(q.items, item[M]{bytes.Clone(b), meta})
	q.ready.Signal()
}

func (q *queue[M]) read(b []byte) (n int, meta M, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 && q.err == nil && !q.closed {
		q.ready.Wait()
	}
	switch {
	case q.closed:
		return 0, meta, net.ErrClosed
	case q.err != nil:
		err = q.err
		if !q.stays {
			q.err = nil
		}
		return 0, meta, err
	}
	first := q.items[0]
	q.items = q.items[1:]
	return copy(b, first.payload), first.meta, nil
}

func (q *queue[M]) fail(err error, stays bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err, q.stays = err, stays
	q.ready.Broadcast()
}

func (q *queue[M]) close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return net.ErrClosed
	}
	q.closed, q.items = true, nil
	q.ready.Broadcast()
	return nil
}

func (q *queue[M]) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}
