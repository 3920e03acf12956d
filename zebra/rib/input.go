package rib

import (
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Input is what happens to the RIB. The set is closed.
type Input interface{ input() }

// Put states that Owner wants Object; it takes the place of an earlier object
// of Owner under the same key. Seq numbers the owner's puts and deletes in
// increasing order and comes back in rib.Ack.
//
// Owners are daemons by name and the built-in ones of zebra (OwnerStatic,
// OwnerKernel). An object that makes no sense is refused: it is reported in
// Ack.Failures, and what stood under its key goes.
type Put struct {
	Owner  string
	Seq    uint64
	Object rib.Object
}

// Delete states that Owner no longer wants the object under Key. Deleting what
// is not there is no error.
type Delete struct {
	Owner string
	Seq   uint64
	Key   rib.Key
}

// OwnerLost says that the session of Owner ended, or begins anew with a
// replay. Its objects become stale but stay in force until it repeats them,
// until EndOfReplay, or until Limit has passed, whichever comes first; a Limit
// of 0 sweeps them at once. Its watches end, and its Seq may start again.
type OwnerLost struct {
	Owner string
	Limit time.Duration
}

// EndOfReplay says that Owner has repeated all its objects; those that are
// still stale are swept.
type EndOfReplay struct{ Owner string }

// InterfaceChanged gives the present state of an interface, new or changed.
type InterfaceChanged struct{ Interface rib.Interface }

// InterfaceGone says that an interface exists no more.
type InterfaceGone struct{ Name string }

// WatchAdd begins a WatchNextHop, WatchRedistribute or WatchNetwork of Owner, or repeats it:
// either way the whole picture is told. Other kinds of watches are not the
// RIB's and are ignored.
type WatchAdd struct {
	Owner string
	Watch rib.Watch
}

// WatchDel ends a watch.
type WatchDel struct {
	Owner string
	Watch rib.Watch
}

// Installed brings the verdicts of the FIB on its puts and deletes.
type Installed struct{ Results []Result }

// Result is the verdict on one FIBPut, FIBDelete, NeighborPut, PeerPut, LinePut,
// SAPut, PolicyPut or one of their deletions. The FIB may skip effects that a later one for the same Key
// replaced; the verdict on the last one stands for them. It may also give a
// further verdict on an effect later, when a retry succeeded or an entry was
// lost.
type Result struct {
	Key   rib.Key // as returned by the effect's Key method
	Gen   uint64  // of the effect
	Error string  // "" if it is in force
}

// Tick says that the instant of Wake has come.
type Tick struct{}

func (Put) input()              {}
func (Delete) input()           {}
func (OwnerLost) input()        {}
func (EndOfReplay) input()      {}
func (InterfaceChanged) input() {}
func (InterfaceGone) input()    {}
func (WatchAdd) input()         {}
func (WatchDel) input()         {}
func (Installed) input()        {}
func (Tick) input()             {}
