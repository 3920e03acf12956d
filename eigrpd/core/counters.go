package core

// Counters count the packets of an instance and what was dropped.
type Counters struct {
	Hello, Update, Query, Reply, Ack, SIAQuery, SIAReply PacketCounter
	Dropped                                              [NumDropReasons]uint64
}

// PacketCounter counts packets of one type.
type PacketCounter struct{ Sent, Received uint64 }

// DropReason says why a packet, or one route of it, was not taken.
type DropReason uint8

// The reasons.
const (
	DropMalformed       DropReason = 1 + iota // packet.Parse refused it
	DropAS                                    // it is of an autonomous system that does not run here
	DropOwn                                   // it comes from an address of this router
	DropSource                                // its source is in no subnet of the interface, nor a static or remote neighbour
	DropPassive                               // it came by an interface that is passive or not EIGRP's
	DropMulticast                             // multicast on an interface that has static neighbours
	DropUnauthenticated                       // no authentication, or another kind than is configured
	DropKey                                   // an unknown key, or one whose lifetime is over
	DropDigest                                // the digest is wrong
	DropKValues                               // K-values are not ours
	DropNoNeighbor                            // it is of no neighbour
	DropPending                               // the neighbour is not up yet
	DropSequence                              // reliable transport did not want it
	DropLimit                                 // too many neighbours
	DropRouterID                              // an external route that this router is the source of
	DropHops                                  // a route with too many hops
	DropFiltered                              // a route that a distribute-list does not let in
	DropRoute                                 // a route that cannot be: multicast, loopback, its own address
	DropPrefixLimit                           // of a neighbour that `maximum-prefix` keeps away, or a route beyond MaxPrefixes
	NumDropReasons
)

var dropNames = [NumDropReasons]string{
	DropMalformed: "malformed", DropAS: "autonomous system mismatch", DropOwn: "own packet", DropSource: "source not on common subnet",
	DropPassive: "EIGRP not active on interface", DropMulticast: "multicast on interface with static neighbors",
	DropUnauthenticated: "missing or unexpected authentication", DropKey: "unknown or expired key",
	DropDigest: "authentication failure", DropKValues: "K-value mismatch",
	DropNoNeighbor: "not a neighbor", DropPending: "neighbor pending", DropSequence: "out of sequence",
	DropLimit: "too many neighbors", DropRouterID: "route: duplicate router ID", DropHops: "route: hop count",
	DropFiltered: "route: filtered", DropRoute: "route: invalid destination", DropPrefixLimit: "maximum-prefix",
}

// String returns the reason as operators read it. What concerns one route of a packet
// begins with "route: ".
func (r DropReason) String() string {
	if r == 0 || r >= NumDropReasons {
		return "unknown"
	}
	return dropNames[r]
}

// DropReasons returns all reasons, for tables of counters.
func DropReasons() []DropReason {
	all := make([]DropReason, 0, NumDropReasons-1)
	for r := DropMalformed; r < NumDropReasons; r++ {
		all = append(all, r)
	}
	return all
}
