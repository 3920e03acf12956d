package fsm

import (
	"cmp"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Router is a router on a network, as its Hellos tell of it. Designated and Backup are the
// addresses that it lists, 0 for none.
type Router struct {
	ID         packet.ID // router ID
	Address    packet.ID // of its interface; never 0
	Priority   uint8     // 0: it never becomes designated router
	Designated packet.ID
	Backup     packet.ID
}

// Election is what Elect finds.
type Election struct {
	Designated packet.ID      // interface address of the designated router, 0 if there is none
	Backup     packet.ID      // of its backup, 0 if there is none
	State      InterfaceState // DR, Backup or DR Other: what the router itself is
	// Changed says that one of them is another than before: AdjOK for all neighbours that
	// are 2-Way or more (step 7).
	Changed bool
	// Promoted says that the router has just become one of them: on an NBMA network Start for
	// all neighbours of priority 0 (step 6).
	Promoted bool
}

// Elect calculates the designated router and its backup (RFC 2328 section 9.4). self is the
// router that calculates, with the present ones in Designated and Backup; neighbors are those
// whose state is 2-Way or more, in any order.
func Elect(self Router, neighbors []Router) Election {
	before := self
	e := elect(self, neighbors)
	if (e.Designated == self.Address) != (before.Designated == self.Address) ||
		(e.Backup == self.Address) != (before.Backup == self.Address) { // step 4
		self.Designated, self.Backup = e.Designated, e.Backup
		e = elect(self, neighbors)
	}
	e.State = InterfaceDROther
	switch self.Address {
	case e.Designated:
		e.State = InterfaceDR
	case e.Backup:
		e.State = InterfaceBackup
	}
	e.Changed = e.Designated != before.Designated || e.Backup != before.Backup
	e.Promoted = e.State == InterfaceDR && before.Designated != self.Address || e.State == InterfaceBackup && before.Backup != self.Address
	return e
}

// elect is steps 2 and 3.
func elect(self Router, neighbors []Router) (e Election) {
	var designated, declared, backup *Router // backup: who has not declared to be it
	consider := func(r *Router) {
		switch {
		case r.Priority == 0 || r.Address == 0:
		case r.Designated == r.Address:
			designated = better(designated, r)
		case r.Backup == r.Address:
			declared = better(declared, r)
		default:
			backup = better(backup, r)
		}
	}
	consider(&self)
	for i := range neighbors {
		consider(&neighbors[i])
	}
	if declared != nil {
		backup = declared
	}
	if backup != nil {
		e.Backup = backup.Address
	}
	if designated != nil {
		e.Designated = designated.Address
	} else {
		e.Designated = e.Backup
	}
	return e
}

// better is who of two has the higher priority, or router ID.
func better(a, b *Router) *Router {
	if a == nil || cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(b.ID, a.ID), cmp.Compare(b.Address, a.Address)) > 0 {
		return b
	}
	return a
}

// Heard returns the event that a Hello of a bidirectional neighbour is for the interface, which
// is in state s (RFC 2328 section 10.5): before is what the neighbour told until now, after what
// it tells in the Hello. ok is false if there is none. That the neighbour has become
// bidirectional is not looked at here: see Bidirectional.
func Heard(s InterfaceState, before, after Router) (e InterfaceEvent, ok bool) {
	wasDesignated, wasBackup := before.claims()
	isDesignated, isBackup := after.claims()
	switch {
	case s == InterfaceWaiting && (isDesignated && after.Backup == 0 || isBackup):
		return BackupSeen, true
	case wasDesignated != isDesignated || wasBackup != isBackup || before.Priority != after.Priority:
		return NeighborChange, true
	}
	return 0, false
}

// claims reports whether a router lists itself as designated router, and as backup.
func (r Router) claims() (designated, backup bool) {
	return r.Address != 0 && r.Designated == r.Address, r.Address != 0 && r.Backup == r.Address
}
