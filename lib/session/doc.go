// Package session is a daemon's half of its connection to zebra, in Go values.
//
// A daemon does not send changes, it states what it wants: objects ([Client.Put],
// [Client.Delete]), things that it wants to be told of ([Client.Watch]) and
// messages for other daemons ([Client.Publish]). The [Client] keeps the whole
// of it, and so can say everything again whenever zebra attaches anew:
//
//	Begin → every object, watch and topic value → EndOfReplay
//
// zebra marks what it holds of the daemon as stale at Begin, and sweeps at
// EndOfReplay what was not repeated. EndOfReplay is sent only once the daemon
// has said ([Client.EndOfReplay]) that its state is complete; until then stale
// state keeps forwarding.
//
// # Ordering and memory
//
// No call of a Client blocks. All that was not sent yet stands in one list in
// the order of last change; a new value under the same key replaces the old one
// and moves to the end. So memory is bounded by the number of objects, however
// slow zebra is or however long it is away, and of two changes to different
// keys the later one never overtakes the earlier one unless the earlier key
// changed again. Sequence numbers grow along that list.
//
// Events come to the sink in the order in which zebra sent them, one at a time,
// and are never dropped; a sink that blocks makes zebra coalesce.
//
// # Transport
//
// A [Stream] carries batches; lib/plugin provides one over gRPC. [Pipe] is the
// in-memory twin for tests and for a whole suite in one process. The interfaces
// are lossless and bounded: Send blocks while the other side does not receive.
package session
