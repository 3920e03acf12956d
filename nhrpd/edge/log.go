package edge

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/telemetry"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// logMessage writes a message of the core in Cisco's form, to the daemon's log
// and to zebra's.
func (e *Edge) logMessage(m core.Log) {
	level := slog.LevelInfo
	switch m.Severity {
	case core.SeverityError:
		level = slog.LevelError
	case core.SeverityWarning:
		level = slog.LevelWarn
	}
	text := fmt.Sprintf("%%DMVPN-%d-%s: %s", m.Severity, m.Mnemonic, m.Text)
	e.log.Log(context.Background(), level, text)
	e.client.Log(session.Log{Time: time.Now(), Level: level, Message: text})
}

// Debug returns the debugging of the daemon.
func (e *Edge) Debug() *telemetry.Debug { return e.debug }

// tracing is what the core is to tell of: of each packet only where anybody wants
// to know.
func (e *Edge) tracing() core.Tracing {
	return core.Tracing{On: e.debug.On(cli.DebugPacket) || e.debug.On(cli.DebugCache) || e.log.Enabled(context.Background(), slog.LevelDebug)}
}

// traced says to which facility an event of the core belongs, and what it is. Other
// events belong to the protocol itself.
var traced = map[core.TraceEvent]struct {
	facility int
	words    string
	peer     string // what Trace.Peer is, if not the peer: a protocol address of the packet
}{
	core.TraceReceived:      {cli.DebugPacket, "Receive", "source"},
	core.TraceSent:          {cli.DebugPacket, "Send", "destination"},
	core.TraceForwarded:     {cli.DebugPacket, "Forward", "destination"},
	core.TraceDropped:       {cli.DebugError, "Drop", ""},
	core.TraceErrorReceived: {cli.DebugError, "Receive error indication for", ""},
	core.TraceRefused:       {cli.DebugError, "Registration refused", ""},
	core.TraceEntryAdded:    {cli.DebugCache, "Cache entry added", ""},
	core.TraceEntryRefresh:  {cli.DebugCache, "Cache entry refreshed", ""},
	core.TraceEntryMoved:    {cli.DebugCache, "Cache entry moved", ""},
	core.TraceEntryDeleted:  {cli.DebugCache, "Cache entry deleted", ""},
	core.TraceEntryExpired:  {cli.DebugCache, "Cache entry expired", ""},
	core.TraceEntryRestored: {cli.DebugCache, "Cache entry restored", ""},
	core.TraceEntryForgot:   {cli.DebugCache, "Cache entry of before not restored", ""},
	core.TraceNHSUp:         {cli.DebugNHRP, "Next hop server up", ""},
	core.TraceNHSDown:       {cli.DebugNHRP, "Next hop server down", ""},
	core.TraceInterfaceUp:   {cli.DebugNHRP, "Interface up", ""},
	core.TraceInterfaceDown: {cli.DebugNHRP, "Interface down", ""},
	core.TraceReplayEnded:   {cli.DebugNHRP, "All entries told to zebra", ""},
	core.TraceResolved:      {cli.DebugCache, "Address resolved", ""},
	core.TraceUnresolved:    {cli.DebugCache, "Address not resolved", ""},
	core.TraceMissIgnored:   {cli.DebugError, "Too many addresses are being resolved", ""},

	core.TraceResolutionRefused: {cli.DebugError, "Resolution refused", ""},
}

// trace tells of an event whoever debugs it, and the daemon's log if that takes in
// everything.
func (e *Edge) trace(t core.Trace) {
	if about, known := traced[t.Event]; e.debug.On(about.facility) {
		if !known {
			about.words = t.Event.String()
		}
		e.debug.Printf(about.facility, "%s", traceLine(about.words, cmp.Or(about.peer, "peer"), t))
	}
	if e.log.Enabled(context.Background(), slog.LevelDebug) {
		e.log.LogAttrs(context.Background(), slog.LevelDebug, "nhrp "+t.Event.String(), traceAttrs(t)...)
	}
}

// traceLine is an event as a line of debugging: "NHRP: Receive Registration
// Request via Tunnel0, source 172.31.0.11, NBMA 198.51.100.1, request ID 7".
func traceLine(words, peer string, t core.Trace) string {
	b := fmt.Appendf(nil, "NHRP: %s", words)
	if t.Message != 0 {
		b = fmt.Appendf(b, " %v", packet.Type(t.Message))
	}
	if t.Interface != "" {
		b = fmt.Appendf(b, " via %s", t.Interface)
	}
	if t.Peer.IsValid() {
		b = fmt.Appendf(b, ", %s %v", peer, t.Peer)
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
	return string(b)
}

func traceAttrs(t core.Trace) []slog.Attr {
	attrs := []slog.Attr{slog.String("interface", t.Interface)}
	if t.Peer.IsValid() {
		attrs = append(attrs, slog.Any("peer", t.Peer))
	}
	if t.NBMA.IsValid() {
		attrs = append(attrs, slog.Any("nbma", t.NBMA))
	}
	if t.Message != 0 {
		attrs = append(attrs, slog.Int("type", int(t.Message)), slog.Uint64("request", uint64(t.RequestID)))
	}
	if t.Code != 0 {
		attrs = append(attrs, slog.Int("code", int(t.Code)))
	}
	if t.Drop != core.DropNone {
		attrs = append(attrs, slog.String("reason", t.Drop.String()))
	}
	return attrs
}
