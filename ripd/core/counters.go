package core

// Counters count packets and entries.
type Counters struct {
	ReceivedRequests  uint64
	ReceivedResponses uint64
	SentRequests      uint64
	SentResponses     uint64
	SentEntries       uint64
	Dropped           [numDropReasons]uint64 // packets and entries, by reason
}

// DropReason says why a packet or an entry of a packet was not used.
type DropReason uint8

// The reasons for which a packet is dropped, then those for which an entry is
// ignored (RFC 2453 section 3.9.2).
const (
	DropNone             DropReason = iota
	DropMalformed                   // it does not decode
	DropVersion                     // version 0, or one that is not received here
	DropCommand                     // neither request nor response (RFC 2453 section 3.6)
	DropNotEnabled                  // RIP does not run on the interface
	DropOwn                         // sent by this router
	DropPort                        // a response from another port than 520
	DropSource                      // the sender is on no network of the interface
	DropAuthMissing                 // authentication is configured, the packet has none
	DropAuthUnexpected              // the packet is authenticated, none is configured
	DropAuthMismatch                // another type, algorithm or key ID than configured, or no valid key
	DropAuthFailed                  // the digest or password is wrong
	DropAuthReplay                  // an old sequence number (RFC 4822 section 3.2.2)
	DropPassiveRequest              // requests are not answered on passive interfaces
	DropTooManyNeighbors            // MaxNeighbors
	DropBusy                        // too many requests wait for their answers
	DropEntryFamily                 // address family other than IP
	DropEntryAddress                // no unicast destination, or network 0 or 127
	DropEntryMask                   // mask is not contiguous, or the address has host bits
	DropEntryMetric                 // metric 0 or above 16
	DropEntryNextHop                // the next hop is this router
	DropEntryFilter                 // a distribute-list or the distance refuses it
	DropEntryTable                  // MaxRoutes
	numDropReasons
)

var dropNames = [numDropReasons]string{
	DropNone: "none", DropMalformed: "malformed", DropVersion: "version", DropCommand: "command",
	DropNotEnabled: "RIP not enabled on interface", DropOwn: "own packet", DropPort: "source port is not 520",
	DropSource: "source not on a connected network", DropAuthMissing: "authentication missing",
	DropAuthUnexpected: "authentication unexpected", DropAuthMismatch: "authentication mismatch",
	DropAuthFailed: "authentication failure", DropAuthReplay: "old sequence number",
	DropPassiveRequest: "request on passive interface", DropTooManyNeighbors: "too many neighbors",
	DropBusy: "too many requests", DropEntryFamily: "entry: address family", DropEntryAddress: "entry: destination address",
	DropEntryMask: "entry: mask", DropEntryMetric: "entry: metric", DropEntryNextHop: "entry: next hop is this router",
	DropEntryFilter: "entry: filtered", DropEntryTable: "entry: table full",
}

// String returns the reason as operators read it.
func (r DropReason) String() string {
	if r >= numDropReasons {
		return "unknown"
	}
	return dropNames[r]
}

// DropReasons returns all reasons, for tables of counters.
func DropReasons() []DropReason {
	all := make([]DropReason, 0, numDropReasons-1)
	for r := DropNone + 1; r < numDropReasons; r++ {
		all = append(all, r)
	}
	return all
}
