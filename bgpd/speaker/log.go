package speaker

import (
	"context"
	"log/slog"
)

// quiet is a log for GoBGP, which tells of each message that it sends and of each prefix
// of it. Its warnings go through, and what it tells of sessions where debugging is logged
// (GoBGP's own level filters nothing of a logger that it is given).
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn || l >= slog.LevelInfo && q.Handler.Enabled(ctx, slog.LevelDebug)
}

func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }
func (q quiet) WithGroup(name string) slog.Handler       { return quiet{q.Handler.WithGroup(name)} }
