package dataplane

import (
	"context"
	"errors"
	"iter"
)

// Provider is something that forwards packets as told.
//
// Apply is called by one goroutine at a time; Dump may run at the same time as
// Apply and as other Dumps. Neither waits for the reader of Events.
type Provider interface {
	// Caps tells what the provider can do on this machine.
	Caps() Caps

	// Apply performs the operations in order and returns one result for each.
	// A failed operation does not stop those after it. When ctx ends, the
	// operations that were not tried fail with its error.
	Apply(ctx context.Context, ops []Op) []Result

	// Dump yields the objects of a kind that are in force now, ours and those
	// like ours that somebody else made (see the package comment for how to
	// tell them apart), in no particular order. After an error the sequence
	// ends and is incomplete. Kinds that the provider does not know are empty.
	Dump(ctx context.Context, kind Kind) iter.Seq2[Object, error]

	// Events returns the one channel of events. It begins with a Resync, then
	// everything that exists, then Known. The channel is bounded: a reader that
	// lags for long finds a Resync instead of what it missed. It is closed by
	// Close.
	Events() <-chan Event

	// Close releases the provider's sockets and ends its goroutines. What is in
	// force stays in force.
	Close() error
}

// Caps are the abilities of a provider. An object that needs a missing one is
// refused with ErrUnsupported.
type Caps struct {
	Name          string // of the provider and its version, for show commands
	GRE           bool   // point-to-point and multipoint GRE over IPv4
	VRF           bool   // Links of type LinkVRF
	Dummy         bool   // Links of type LinkDummy
	IPv6          bool   // addresses and routes of IPv6
	AddressOwner  bool   // addresses of ours are told from others' after a restart
	NeighborMiss  bool   // NeighborMiss events
	MSSClamp      bool   // MSSClamps
	Multicast     bool   // Multicast and MulticastPeers
	Hairpin       bool   // Hairpins and HairpinFound events
	PeerUse       bool   // PeerUse and PeersUsed events
	Shaper        bool   // Shapers
	Unmatched     bool   // Unmatched and UnmatchedFound events
	Policy        bool   // Policies and Acquire events
	ESP           bool   // SAs, SAExpired and MappingChanged events
	IPv6Transport bool   // tunnels over IPv6
	MaxNextHops   int    // next hops of one route
}

// Op is one operation: a Put of an object or, if Object is nil, a Delete of
// Key. Make it by Put or Delete.
type Op struct {
	Key    Key
	Object Object
}

// Put returns the operation that brings o into force.
func Put(o Object) Op { return Op{Key: o.Key(), Object: o} }

// Delete returns the operation that removes the object with key k.
func Delete(k Key) Op { return Op{Key: k} }

// IsDelete reports whether the operation is a Delete.
func (o Op) IsDelete() bool { return o.Object == nil }

// Result is the verdict on one operation. The zero value is success.
type Result struct {
	// Err is nil if the data plane is now as the operation wants it. Its text
	// is fit for an operator; the errors below can be found in it by errors.Is.
	Err error
}

// Errors that a Result may wrap. Every other error is the data plane's own.
var (
	// ErrNoDevice: a device that the object needs does not exist. The operation
	// may succeed once a LinkChanged event tells of the device.
	ErrNoDevice = errors.New("no such device")
	// ErrNoMulticast: a MulticastPeer on a device without Multicast.
	ErrNoMulticast = errors.New("the device has no multicast replicator")
	// ErrNoGuard: a tunnel that is Guarded where the Guard of its source is not in force.
	ErrNoGuard = errors.New("its packets would go in clear")
	// ErrGone: an SA that is to be kept is not in force, and cannot come back.
	ErrGone = errors.New("it is gone")
	// ErrUnsupported: this provider cannot do it on this machine, now or later.
	ErrUnsupported = errors.New("not supported by this data plane")
	// ErrInvalid: the object contradicts itself. Trying again is of no use.
	ErrInvalid = errors.New("invalid object")
	// ErrClosed: the provider is closed.
	ErrClosed = errors.New("data plane is closed")
)
