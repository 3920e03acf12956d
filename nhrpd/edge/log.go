package edge

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/godmvpn/godmvpn/lib/session"
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

// trace writes a debug event, if anybody wants those.
func (e *Edge) trace(t core.Trace) {
	if !e.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
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
	e.log.LogAttrs(context.Background(), slog.LevelDebug, "nhrp "+t.Event.String(), attrs...)
}
