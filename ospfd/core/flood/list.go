package flood

import (
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Settings where Options has none.
const (
	RxmtInterval  = 5 * time.Second // RFC 2328 appendix C.3
	DefaultWindow = 64              // LSAs
	backoffSteps  = 3               // MaxInterval is so many doublings of RxmtInterval
)

// Options are how a List retransmits.
type Options struct {
	Interval    time.Duration // RxmtInterval; 0: the constant of that name
	MaxInterval time.Duration // of back-off; 0: eight times Interval
	Window      int           // LSAs under way at most; 0: DefaultWindow
}

// List is the Link state retransmission list of a neighbour (RFC 2328 sections 10 and 13.6). It
// is not safe for concurrent use.
type List struct {
	options  Options
	items    map[packet.LSAKey]*item
	timers   clock.Heap[packet.LSAKey] // of those that are not ready
	ready    []packet.LSAKey           // due, in order; some may be gone since
	underWay int
}

// item is an instance that is not acknowledged.
type item struct {
	header   packet.LSAHeader
	interval time.Duration // after the next retransmission
	underWay bool
	ready    bool
}

// NewList returns an empty list.
func NewList(o Options) *List {
	if o.Interval <= 0 {
		o.Interval = RxmtInterval
	}
	if o.MaxInterval <= 0 {
		o.MaxInterval = o.Interval << backoffSteps
	}
	o.MaxInterval = max(o.MaxInterval, o.Interval)
	if o.Window <= 0 {
		o.Window = DefaultWindow
	}
	return &List{options: o, items: map[packet.LSAKey]*item{}}
}

// Add puts an instance on the list, in the place of an older one, to be retransmitted after
// RxmtInterval: it is flooded now.
func (l *List) Add(now clock.Instant, h packet.LSAHeader) {
	l.Remove(h.LSAKey)
	l.items[h.LSAKey] = &item{header: h, interval: min(2*l.options.Interval, l.options.MaxInterval)}
	l.timers.Set(h.LSAKey, now.Add(l.options.Interval))
}

// Remove takes an LSA off the list, whatever its instance.
func (l *List) Remove(key packet.LSAKey) {
	it := l.items[key]
	if it == nil {
		return
	}
	l.land(it)
	delete(l.items, key)
	l.timers.Clear(key)
}

// Clear empties the list.
func (l *List) Clear() { *l = *NewList(l.options) }

// Has reports whether an LSA is on the list.
func (l *List) Has(key packet.LSAKey) bool { return l.items[key] != nil }

// Any reports whether the list has an LSA of which f is true.
func (l *List) Any(f func(packet.LSAKey) bool) bool {
	for key := range l.items { // unordered: any of them
		if f(key) {
			return true
		}
	}
	return false
}

// Headers returns the instances on the list, in no order.
func (l *List) Headers() []packet.LSAHeader {
	out := make([]packet.LSAHeader, 0, len(l.items))
	for _, it := range l.items { // unordered: so it says
		out = append(out, it.header)
	}
	return out
}

// Len returns how many LSAs are on the list.
func (l *List) Len() int { return len(l.items) }

// Acked takes an LSA off the list if h, of an acknowledgment or of a duplicate, is the same
// instance (sections 13 step 7a and 13.7). listed says whether the LSA was on the list; one that
// stays is a questionable acknowledgment.
func (l *List) Acked(h packet.LSAHeader) (same, listed bool) {
	it := l.items[h.LSAKey]
	if it == nil {
		return false, false
	}
	if it.header.Sequence != h.Sequence || it.header.Checksum != h.Checksum || it.header.IsMaxAge() != h.IsMaxAge() {
		return false, true
	}
	l.Remove(h.LSAKey)
	return true, true
}

// Due appends to dst the LSAs that are to be retransmitted now, by unicast, as many as the window
// has room for. Once one is due, those that would be within together go with it.
func (l *List) Due(now clock.Instant, together time.Duration, dst []packet.LSAKey) []packet.LSAKey {
	until := now
	if at, ok := l.timers.Next(); ok && at <= now {
		until = now.Add(together)
	}
	for {
		key, ok := l.timers.PopDue(until)
		if !ok {
			break
		}
		it := l.items[key]
		l.land(it)
		it.ready = true
		l.ready = append(l.ready, key)
	}
	for len(l.ready) > 0 && l.underWay < l.options.Window {
		key := l.ready[0]
		l.ready = l.ready[1:]
		it := l.items[key]
		if it == nil || !it.ready {
			continue
		}
		it.ready, it.underWay = false, true
		l.underWay++
		l.timers.Set(key, now.Add(it.interval))
		it.interval = min(2*it.interval, l.options.MaxInterval)
		dst = append(dst, key)
	}
	return dst
}

// land says that an LSA is under way no longer.
func (l *List) land(it *item) {
	if it.underWay {
		it.underWay = false
		l.underWay--
	}
}

// Next returns when Due has something to do; that may be in the past.
func (l *List) Next() (at clock.Instant, ok bool) {
	if len(l.ready) > 0 && l.underWay < l.options.Window {
		return 0, true
	}
	return l.timers.Next()
}
