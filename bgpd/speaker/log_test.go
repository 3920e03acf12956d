package speaker

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
)

// TestQuiet: GoBGP tells of sessions where debugging is logged, never of each UPDATE, and
// elsewhere of what is wrong alone.
func TestQuiet(t *testing.T) {
	a, b := pair(t)
	log := new(bytes.Buffer)
	a.log = log
	a.start()
	b.start()
	b.up(a)
	a.originate(local("10.1.0.0/16"))
	b.via("10.1.0.0/16", a.addr)
	if err := a.Stop(context.Background(), Goodbye); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, "Peer Up") || strings.Contains(text, "10.1.0.0") {
		t.Errorf("logged: %s", text)
	}
	if l := slog.New(quiet{slog.NewTextHandler(log, nil)}); l.Enabled(context.Background(), slog.LevelInfo) || !l.With("a", 1).WithGroup("b").Enabled(context.Background(), slog.LevelWarn) {
		t.Error("without debugging not only warnings are logged")
	}
}
