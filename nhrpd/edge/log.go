package edge

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/telemetry"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
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

// trace remembers an event, and tells of it whoever debugs it, and the daemon's log
// if that takes in everything.
func (e *Edge) trace(t core.Trace) {
	e.events.add(time.Now(), t)
	if facility := cli.FacilityOf(t); e.debug.On(facility) && e.conditions.pass(t) {
		e.debug.Printf(facility, "%s", cli.TraceLine(t))
	}
	if e.log.Enabled(context.Background(), slog.LevelDebug) {
		e.log.LogAttrs(context.Background(), slog.LevelDebug, "nhrp "+t.Event.String(), traceAttrs(t)...)
	}
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
	if t.Reason != "" {
		attrs = append(attrs, slog.String("why", t.Reason))
	}
	return attrs
}
