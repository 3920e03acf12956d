package hub

import (
	"container/list"
	"maps"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
)

// Bounds of a queue.
const (
	maxHairpins  = 256  // queued packet samples
	maxMisses    = 1024 // queued neighbour misses and acquires
	maxAcks      = 64   // queued acknowledgements that tell of failures
	maxSendBytes = 1 << 20
)

// subject says what an event is about: a later event about the same thing takes
// the earlier one's place.
type subject struct {
	kind  subjectKind
	name  string // interface; topic
	key   string // topic
	addr  netip.Addr
	watch rib.Watch
	route netip.Prefix
	sa    rib.Key
	part  uint32 // of an SADump
}

type subjectKind uint8

const (
	aboutInterface subjectKind = 1 + iota
	aboutNextHop
	aboutRoute
	aboutTopic
	aboutMiss
	aboutUse
	aboutUnmatched
	aboutAcquire
	aboutExpiry
	aboutMapping
	aboutDump
	aboutAck
	aboutMarker
	aboutSample // events that nothing replaces
)

// queued is an event that waits.
type queued struct {
	about subject
	event rib.Event
	era   int // how many markers were queued before it, ever
}

// queue holds the events that were not sent to a daemon yet.
type queue struct {
	open     bool // rib.Attached was queued
	replay   bool // ReplayRequest is to be sent
	attached *rib.Attached
	order    *list.List // of *queued
	by       map[subject]*list.Element
	era      int
	hairpins int
	misses   int
	acks     int
	dropped  uint64
}

func newQueue() queue {
	return queue{order: list.New(), by: map[subject]*list.Element{}}
}

func (q *queue) len() int { return q.order.Len() }

// put queues an event of zebra.
func (q *queue) put(e rib.Event) {
	if a, ok := e.(rib.Attached); ok {
		q.attached, q.open = &a, true
		return
	}
	if !q.open {
		return
	}
	q.add(e)
}

// add queues an event, be the queue open or not.
func (q *queue) add(e rib.Event) {
	s := about(e)
	switch s.kind {
	case aboutSample:
		if q.hairpins >= maxHairpins {
			q.dropped++
			return
		}
		q.hairpins++
		q.order.PushBack(&queued{s, e, q.era})
		return
	case aboutAck:
		q.addAck(e.(rib.Ack))
		return
	case aboutUse:
		if el := q.by[s]; el != nil {
			last := el.Value.(*queued)
			last.event = joinUsed(last.event.(rib.PeersUsed), e.(rib.PeersUsed))
			return
		}
	case aboutMarker:
		q.era++
		q.replace(s, e)
		return
	case aboutMiss, aboutAcquire:
		if q.by[s] == nil {
			if q.misses >= maxMisses {
				q.dropped++
				return
			}
			q.misses++
		}
	}
	if el := q.by[s]; el != nil && el.Value.(*queued).era < q.era {
		el.Value.(*queued).event = e // stays before the marker
		return
	}
	q.replace(s, e)
}

// replace puts the event at the end, in place of an earlier one about the same.
func (q *queue) replace(s subject, e rib.Event) {
	if el := q.by[s]; el != nil {
		q.order.Remove(el)
	}
	q.by[s] = q.order.PushBack(&queued{s, e, q.era})
}

// addAck queues an acknowledgement, or joins it with the last one.
func (q *queue) addAck(a rib.Ack) {
	s := subject{kind: aboutAck}
	a.Failures = a.Failures[max(0, len(a.Failures)-session.MaxFailures):]
	if el := q.by[s]; el != nil {
		last := el.Value.(*queued)
		var joined bool
		if a, joined = JoinAck(last.event.(rib.Ack), a, q.acks); joined {
			last.event = a
			return
		}
	}
	q.acks++
	q.by[s] = q.order.PushBack(&queued{s, a, q.era})
}

// JoinAck joins an acknowledgement with the last one of those that wait if that has no
// failures: then the new one says all. One with failures is left as it is, since its failures
// may have been mended since. If too many of those wait, they are joined too. What it returns
// is to wait in place of the last one if it was joined, and else behind it.
func JoinAck(last, a rib.Ack, waiting int) (_ rib.Ack, joined bool) {
	a.Seq = max(a.Seq, last.Seq)
	switch {
	case len(last.Failures) == 0:
		return a, true
	case waiting < maxAcks:
		return a, false
	}
	a.Failures = joinFailures(last.Failures, a.Failures)
	return a, true
}

// joinUsed returns the addresses of both, as many as a message may have.
func joinUsed(old, later rib.PeersUsed) rib.PeersUsed {
	all := slices.Concat(old.NBMA, later.NBMA)
	slices.SortFunc(all, netip.Addr.Compare)
	all = slices.Compact(all)
	return rib.PeersUsed{Interface: old.Interface, NBMA: all[:min(len(all), session.MaxUsed)]}
}

// joinFailures returns the later failure for each key, in order of last report.
func joinFailures(old, later []rib.Failure) []rib.Failure {
	seen := make(map[rib.Key]bool, len(later))
	for _, f := range later {
		seen[f.Key] = true
	}
	out := make([]rib.Failure, 0, len(old)+len(later))
	for _, f := range old {
		if !seen[f.Key] {
			out = append(out, f)
		}
	}
	out = append(out, later...)
	return out[max(0, len(out)-session.MaxFailures):]
}

// take removes and returns what is to be sent next.
func (q *queue) take(limit int) []session.Down {
	if !q.open {
		return nil
	}
	var batch []session.Down
	if q.attached != nil {
		batch = append(batch, session.Event{Event: *q.attached})
		q.attached = nil
	}
	if q.replay {
		q.replay = false
		batch = append(batch, session.ReplayRequest{})
	}
	for size := 0; len(batch) < limit && size < maxSendBytes; {
		el := q.order.Front()
		if el == nil {
			break
		}
		it := el.Value.(*queued)
		q.drop(el, it)
		size += bytesOf(it.event)
		batch = append(batch, session.Event{Event: it.event})
	}
	return batch
}

// drop takes an element out of the queue.
func (q *queue) drop(el *list.Element, it *queued) {
	q.order.Remove(el)
	if q.by[it.about] == el {
		delete(q.by, it.about)
	}
	switch it.about.kind {
	case aboutSample:
		q.hairpins--
	case aboutMiss, aboutAcquire:
		q.misses--
	case aboutAck:
		q.acks--
	}
}

// bytesOf returns about how large the parts of an event are that have no small bound.
func bytesOf(e rib.Event) int {
	switch e := e.(type) {
	case rib.TopicMessage:
		return len(e.Payload)
	case rib.Hairpin:
		return len(e.Packet)
	case rib.Ack:
		return 128 * len(e.Failures)
	case rib.UnmatchedGRE:
		return 256 * len(e.Rows)
	case rib.PeersUsed:
		return 32 * len(e.NBMA)
	case rib.RouteChanged:
		return 64 * len(e.Route.NextHops)
	case rib.NextHopChanged:
		return 64 * len(e.NextHops)
	case rib.SADump:
		return 256 * len(e.SAs)
	}
	return 0
}

func about(e rib.Event) subject {
	switch e := e.(type) {
	case rib.InterfaceChanged:
		return subject{kind: aboutInterface, name: e.Interface.Name}
	case rib.InterfaceGone:
		return subject{kind: aboutInterface, name: e.Name}
	case rib.NextHopChanged:
		return subject{kind: aboutNextHop, watch: e.Watch}
	case rib.RouteChanged:
		return subject{kind: aboutRoute, watch: e.Watch, route: e.Route.Prefix}
	case rib.TopicMessage:
		return subject{kind: aboutTopic, name: e.Topic, key: e.Key}
	case rib.NeighborMiss:
		return subject{kind: aboutMiss, name: e.Interface, addr: e.Addr}
	case rib.UnmatchedGRE:
		return subject{kind: aboutUnmatched}
	case rib.PeersUsed:
		return subject{kind: aboutUse, name: e.Interface}
	case rib.Acquired:
		return subject{kind: aboutAcquire, addr: e.Destination, name: e.Source.String()}
	case rib.SAExpired:
		return subject{kind: aboutExpiry, sa: e.SA}
	case rib.MappingChanged:
		return subject{kind: aboutMapping, sa: e.SA}
	case rib.SADump:
		return subject{kind: aboutDump, part: e.Part}
	case rib.Ack:
		return subject{kind: aboutAck}
	case rib.InterfacesKnown:
		return subject{kind: aboutMarker}
	case rib.RoutesKnown:
		return subject{kind: aboutMarker, watch: e.Watch}
	}
	return subject{kind: aboutSample}
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
