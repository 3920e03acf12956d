package core

import "fmt"

// DropReason says why a packet was dropped. Each is a counter and a row of
// `show ip nhrp traffic detail`.
type DropReason uint8

// The reasons for dropping a received packet, or for not sending one
// (DropMaxSend, DropErrorLimit, DropNotReady, DropEncode).
const (
	DropNone            DropReason = iota
	DropNoInterface                // arrived on an interface that nothing is known of
	DropNoNetworkID                // NHRP is not enabled on the interface
	DropNotReady                   // the tunnel is down, or has no address or no source
	DropMalformed                  // truncated, inconsistent lengths, unusable addresses
	DropOversized                  // longer than any NHRP packet that this node accepts
	DropVersion                    // ar$op.version is not NHRP
	DropChecksum                   // ar$chksum is wrong
	DropProtocol                   // address family or protocol type that is not served
	DropOwnSource                  // claims to come from this node: a loop
	DropLoop                       // this node is in the record of transit NHSs already
	DropAuthentication             // authentication is absent or wrong
	DropHopCount                   // would be forwarded, and its hop count is used up
	DropUnknownExt                 // compulsory extension that is not known
	DropInvalidExt                 // extension that does not belong there, is malformed or repeated
	DropUnreachable                // no way to the destination protocol address
	DropUnexpectedReply            // reply to nothing that was asked, or from another station than was asked
	DropNotAllowed                 // asks for what its sender has no right to
	DropUniqueAddress              // not registered: the address is uniquely another station's
	DropResources                  // not registered: there is no room
	DropUnsupported                // message type that is not handled
	DropMaxSend                    // not sent: over `ip nhrp max-send`
	DropErrorLimit                 // error indication not sent: over the limit of its destination
	DropEncode                     // not sent: cannot be encoded (too long)
	DropNoShortcut                 // Traffic Indication where shortcuts are off, or have no use
	DropNotSecured                 // not sent: packets do not pass to the other end of the protected tunnel
	DropParser                     // the decoder failed on it in a way that it must not
	numDropReasons
)

var dropNames = [numDropReasons]string{
	DropNone:            "none",
	DropNoInterface:     "unknown interface",
	DropNoNetworkID:     "no network-id",
	DropNotReady:        "tunnel not ready",
	DropMalformed:       "malformed",
	DropOversized:       "oversized",
	DropVersion:         "bad version",
	DropChecksum:        "bad checksum",
	DropProtocol:        "protocol not served",
	DropOwnSource:       "own source address",
	DropLoop:            "loop detected",
	DropAuthentication:  "authentication failure",
	DropHopCount:        "hop count exceeded",
	DropUnknownExt:      "unrecognized extension",
	DropInvalidExt:      "invalid extension",
	DropUnreachable:     "destination unreachable",
	DropUnexpectedReply: "unexpected reply",
	DropNotAllowed:      "not allowed",
	DropUniqueAddress:   "unique address of another station",
	DropResources:       "insufficient resources",
	DropUnsupported:     "unsupported message type",
	DropMaxSend:         "max-send exceeded",
	DropErrorLimit:      "error indication limit",
	DropEncode:          "cannot be encoded",
	DropNoShortcut:      "no shortcuts here",
	DropNotSecured:      "peer not secured",
	DropParser:          "fault of the decoder",
}

// String returns the reason in words.
func (r DropReason) String() string {
	if r >= numDropReasons {
		return fmt.Sprintf("reason %d", uint8(r))
	}
	return dropNames[r]
}

// DropReasons returns all reasons, in the order in which they are shown.
func DropReasons() []DropReason {
	all := make([]DropReason, 0, numDropReasons-1)
	for r := DropNone + 1; r < numDropReasons; r++ {
		all = append(all, r)
	}
	return all
}

// NumMessageTypes is one more than the largest NHRP packet type: 1 … 7 of RFC
// 2332 section 5.1 and 8, the Traffic Indication.
const NumMessageTypes = 9

// Counters counts the NHRP packets of an interface.
type Counters struct {
	Sent      [NumMessageTypes]uint64 // by packet type; forwarded packets not included
	Received  [NumMessageTypes]uint64 // by packet type, whatever became of them; index 0: type unknown
	Forwarded [NumMessageTypes]uint64 // by packet type
	Drops     [numDropReasons]uint64  // by DropReason

	Suppressed uint64 // Traffic Indications that were not sent, since their sender was told lately
}

// Drop returns the number of packets dropped for a reason.
func (c *Counters) Drop(r DropReason) uint64 {
	if r >= numDropReasons {
		return 0
	}
	return c.Drops[r]
}

// TraceEvent says what a Trace is about.
type TraceEvent uint8

// The events.
const (
	TraceReceived          TraceEvent = 1 + iota // packet received and decoded
	TraceDropped                                 // packet dropped, see Trace.Drop
	TraceSent                                    // packet sent
	TraceForwarded                               // packet forwarded
	TraceErrorReceived                           // error indication received, see Trace.Code
	TraceEntryAdded                              // cache entry made
	TraceEntryRefresh                            // cache entry registered again
	TraceEntryMoved                              // cache entry changed its NBMA address
	TraceEntryDeleted                            // cache entry removed by configuration, purge or clear
	TraceEntryExpired                            // cache entry ran out of its holding time
	TraceEntryRestored                           // cache entry of an earlier life put back
	TraceEntryForgot                             // cache entry of an earlier life not put back
	TraceRefused                                 // registration refused, see Trace.Code
	TraceNHSUp                                   // Next Hop Server answered
	TraceNHSDown                                 // Next Hop Server does not answer, or refuses
	TraceInterfaceUp                             // tunnel became usable for NHRP
	TraceInterfaceDown                           // tunnel ceased to be usable for NHRP
	TraceReplayEnded                             // EndOfReplay was emitted
	TraceResolved                                // address resolved
	TraceUnresolved                              // address refused, see Trace.Code, or not answered
	TraceResolutionRefused                       // another station's request refused, see Trace.Code
	TraceMissIgnored                             // too many addresses are being resolved
	TraceNotRedirected                           // Traffic Indication about what does not go by the tunnel
	TraceNoRoom                                  // zebra is asked about too many addresses
	TraceEntryReplaced                           // entry gave way to the answer that it waited for
	numTraceEvents
)

var traceNames = [numTraceEvents]string{
	TraceReceived:      "received",
	TraceDropped:       "dropped",
	TraceSent:          "sent",
	TraceForwarded:     "forwarded",
	TraceErrorReceived: "error-received",
	TraceEntryAdded:    "entry-added",
	TraceEntryRefresh:  "entry-refreshed",
	TraceEntryMoved:    "entry-moved",
	TraceEntryDeleted:  "entry-deleted",
	TraceEntryExpired:  "entry-expired",
	TraceEntryRestored: "entry-restored",
	TraceEntryForgot:   "entry-forgotten",
	TraceRefused:       "registration-refused",
	TraceNHSUp:         "nhs-up",
	TraceNHSDown:       "nhs-down",
	TraceInterfaceUp:   "interface-up",
	TraceInterfaceDown: "interface-down",
	TraceReplayEnded:   "replay-ended",

	TraceResolved: "resolved", TraceUnresolved: "unresolved", TraceResolutionRefused: "resolution-refused", TraceMissIgnored: "miss-ignored",
	TraceNotRedirected: "not-redirected", TraceNoRoom: "no-room", TraceEntryReplaced: "entry-replaced",
}

// String returns the event in one word.
func (e TraceEvent) String() string {
	if e == 0 || e >= numTraceEvents {
		return fmt.Sprintf("event-%d", uint8(e))
	}
	return traceNames[e]
}

// TraceEvents returns all events, in the order in which they are shown.
func TraceEvents() []TraceEvent {
	all := make([]TraceEvent, 0, numTraceEvents-1)
	for e := TraceEvent(1); e < numTraceEvents; e++ {
		all = append(all, e)
	}
	return all
}
