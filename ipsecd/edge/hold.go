package edge

import (
	"net/netip"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core"
)

const (
	heldFor = time.Second // by then what is held back is sent all the same: zebra may hang
	maxHeld = 4096        // datagrams
)

// hold keeps back what would let a peer use SAs that are not in force yet, or take those
// out of force that are sent by here: datagrams to an address wait until zebra has
// acknowledged the SAs from there that were stated before them, and those to there that
// were taken back. Else what the peer sends at once by a new SA would be lost, and what is
// sent here by an old one, at each rekey.
type hold struct {
	send func(core.TxPacket)

	mu    sync.Mutex // guards the following
	acked uint64
	until map[netip.Addr]uint64 // by address of a peer the last change
	queue []held
	flush *time.Timer // runs while there is a queue
}

// held is a datagram that waits for an acknowledgement.
type held struct {
	packet core.TxPacket
	seq    uint64
}

func newHold(send func(core.TxPacket)) *hold {
	return &hold{send: send, until: map[netip.Addr]uint64{}}
}

// stated notes that SAs up to seq were stated or taken back, the last of them from or to
// this address.
func (h *hold) stated(peer netip.Addr, seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if seq > h.acked {
		h.until[peer] = seq
	}
}

// transmit sends a datagram, now or when the SAs before it are in force.
func (h *hold) transmit(p core.TxPacket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seq, waits := h.until[p.Remote.Addr()]
	if !waits || len(h.queue) >= maxHeld {
		h.send(p)
		return
	}
	if len(h.queue) == 0 {
		h.flush = time.AfterFunc(heldFor, func() { h.release(1<<64 - 1) })
	}
	h.queue = append(h.queue, held{p, seq})
}

// acknowledged takes in that zebra has dealt with everything up to seq.
func (h *hold) acknowledged(seq uint64) {
	h.mu.Lock()
	h.acked = max(h.acked, seq)
	h.mu.Unlock()
	h.release(seq)
}

// release sends what waits for SAs up to seq, in order.
func (h *hold) release(seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for a, s := range h.until { // unordered: entries go one by one
		if s <= seq {
			delete(h.until, a)
		}
	}
	kept := h.queue[:0]
	for _, w := range h.queue {
		if w.seq <= seq {
			h.send(w.packet)
		} else {
			kept = append(kept, w)
		}
	}
	clear(h.queue[len(kept):])
	if h.queue = kept; len(kept) == 0 && h.flush != nil {
		h.flush.Stop()
		h.flush = nil
	}
}
