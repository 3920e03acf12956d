package core

import (
	"github.com/godmvpn/godmvpn/lib/clock"
)

// maxEvents is how many events are remembered, as on IOS.
const maxEvents = 500

// events are what happened last in an instance: a ring.
type events struct {
	ring  []loggedEvent
	count uint64 // of all that there were
}

type loggedEvent struct {
	at    clock.Instant
	trace Trace
}

// add remembers an event.
func (v *events) add(now clock.Instant, t Trace) {
	t.Message = nil
	if len(v.ring) < maxEvents {
		v.ring = append(v.ring, loggedEvent{now, t})
	} else {
		v.ring[v.count%maxEvents] = loggedEvent{now, t}
	}
	v.count++
}

// latest returns the events, newest first.
func (v *events) latest(now clock.Instant) []Event {
	all := make([]Event, 0, len(v.ring))
	for k := range uint64(len(v.ring)) {
		number := v.count - k
		e := &v.ring[(number-1)%maxEvents]
		all = append(all, Event{Number: number, Age: now.Sub(e.at), Trace: e.trace})
	}
	return all
}

// trace remembers what happened, if it is of interest later, and tells it where it is
// debugged.
func (in *instance) trace(now clock.Instant, t Trace) {
	t.Key = in.key
	on := &in.core.tracing
	wanted := false
	switch t.Event {
	case TraceReceived, TraceSent, TraceDropped:
		wanted = on.Packets
	case TraceTransition, TraceMessage, TraceInstalled, TraceWithdrawn:
		in.events.add(now, t)
		wanted = on.FSM
	case TracePeerNew, TracePeerUp, TracePeerDown:
		in.events.add(now, t)
		wanted = on.Neighbors
	case TraceEnqueued, TraceRetransmit, TraceAcked, TraceConditional:
		wanted = on.Transmit
	case TraceTimer:
		wanted = on.Timers
	}
	if wanted {
		in.core.emit(t)
	}
}
