package cli

import (
	"cmp"
	"fmt"

	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// traced says to which facility an event of the core belongs, and what it is. Other
// events belong to the protocol itself.
var traced = map[core.TraceEvent]struct {
	facility int
	words    string
	peer     string // what Trace.Peer is, if not the peer: a protocol address of the packet
}{
	core.TraceReceived:      {DebugPacket, "Receive", "source"},
	core.TraceSent:          {DebugPacket, "Send", "destination"},
	core.TraceForwarded:     {DebugPacket, "Forward", "destination"},
	core.TraceDropped:       {DebugError, "Drop", ""},
	core.TraceErrorReceived: {DebugError, "Receive error indication for", ""},
	core.TraceRefused:       {DebugError, "Registration refused", ""},
	core.TraceEntryAdded:    {DebugCache, "Cache entry added", ""},
	core.TraceEntryRefresh:  {DebugCache, "Cache entry refreshed", ""},
	core.TraceEntryMoved:    {DebugCache, "Cache entry moved", ""},
	core.TraceEntryDeleted:  {DebugCache, "Cache entry deleted", ""},
	core.TraceEntryExpired:  {DebugCache, "Cache entry expired", ""},
	core.TraceEntryRestored: {DebugCache, "Cache entry restored", ""},
	core.TraceEntryForgot:   {DebugCache, "Cache entry of before not restored", ""},
	core.TraceNHSUp:         {DebugNHRP, "Next hop server up", ""},
	core.TraceNHSDown:       {DebugNHRP, "Next hop server down", ""},
	core.TraceInterfaceUp:   {DebugTunnel, "Interface up", "own address"},
	core.TraceInterfaceDown: {DebugTunnel, "Interface down", ""},
	core.TraceReplayEnded:   {DebugNHRP, "All entries told to zebra", ""},
	core.TraceResolved:      {DebugCache, "Address resolved", ""},
	core.TraceUnresolved:    {DebugCache, "Address not resolved", ""},
	core.TraceMissIgnored:   {DebugError, "Too many addresses are being resolved", ""},

	core.TraceResolutionRefused: {DebugError, "Resolution refused", ""},
	core.TraceNotRedirected:     {DebugNHRP, "Traffic indication about another way", "destination"},
	core.TraceNoRoom:            {DebugError, "Too many routes are watched", ""},
	core.TraceEntryReplaced:     {DebugCache, "Cache entry replaced by the answer", ""},
}

// FacilityOf returns the facility to which an event belongs.
func FacilityOf(t core.Trace) int {
	if t.Event == core.TraceDropped && (t.Drop == core.DropMaxSend || t.Drop == core.DropErrorLimit) {
		return DebugRate
	}
	return traced[t.Event].facility
}

// Happened reports whether an event is more than a packet among many: what becomes
// of tunnels, servers and entries.
func Happened(e core.TraceEvent) bool {
	switch e {
	case core.TraceReceived, core.TraceSent, core.TraceForwarded, core.TraceDropped, core.TraceEntryRefresh:
		return false
	}
	return true
}

// words is what an event is, in words.
func words(e core.TraceEvent) string { return cmp.Or(traced[e].words, e.String()) }

// TraceLine is an event as a line of debugging: "NHRP: Receive Registration Request
// via Tunnel0, source 172.31.0.11, NBMA 198.51.100.1, request ID 7".
func TraceLine(t core.Trace) string {
	b := fmt.Appendf(nil, "NHRP: %s", words(t.Event))
	if t.Message != 0 {
		b = fmt.Appendf(b, " %v", packet.Type(t.Message))
	}
	if t.Interface != "" {
		b = fmt.Appendf(b, " via %s", t.Interface)
	}
	switch {
	case t.Target.IsValid() && !t.Target.IsSingleIP():
		b = fmt.Appendf(b, ", network %v", t.Target)
	case t.Peer.IsValid():
		b = fmt.Appendf(b, ", %s %v", cmp.Or(traced[t.Event].peer, "peer"), t.Peer)
	}
	if t.NBMA.IsValid() {
		b = fmt.Appendf(b, ", NBMA %v", t.NBMA)
	}
	if t.RequestID != 0 {
		b = fmt.Appendf(b, ", request ID %d", t.RequestID)
	}
	if t.Code != 0 {
		b = fmt.Appendf(b, ", code %d", t.Code)
	}
	if t.Drop != core.DropNone {
		b = fmt.Appendf(b, ": %v", t.Drop)
	}
	if t.Reason != "" {
		b = fmt.Appendf(b, ", Reason: %s", t.Reason)
	}
	return string(b)
}
