package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
)

// Format is the form of a log file.
type Format uint8

// The formats.
const (
	Text Format = iota // key=value
	JSON
)

// Level numbers for the severities that slog has no name for.
const (
	LevelCritical = slog.LevelError + 4
	LevelNotice   = slog.LevelInfo + 2
)

// ParseLevel returns the level of a name as on a command line: one of Cisco's
// severities, "emergencies" … "debugging", or debug, info, warn, error.
func ParseLevel(name string) (slog.Level, error) {
	for s, known := range severities {
		if name == known.name {
			return Severity(s).Level(), nil
		}
	}
	switch name {
	case "debug", "info", "warn", "error":
		var l slog.Level
		return l, l.UnmarshalText([]byte(name))
	}
	return 0, fmt.Errorf("unknown log level %q", name)
}

// LogConfig says where a log goes.
type LogConfig struct {
	File   string     // path, appended to and created with mode 0640; "" for none
	Output io.Writer  // where it goes if File is ""; nil for nowhere
	Format Format     // of File or Output
	Level  slog.Level // the least that is logged; see Log.SetLevel
	Buffer int        // records that Recent returns at most; 0 means 1000
}

// Log is where a program's records go. Its methods may be called concurrently.
type Log struct {
	level  slog.LevelVar
	logger *slog.Logger
	file   *file // nil without a file
	ring   ring
}

// NewLog opens a log. The error is that of opening the file.
func NewLog(cfg LogConfig) (*Log, error) {
	l := &Log{}
	l.level.Set(cfg.Level)
	l.ring.init(cfg.Buffer)
	out := cfg.Output
	if cfg.File != "" {
		l.file = &file{path: cfg.File}
		if err := l.file.reopen(); err != nil {
			return nil, err
		}
		out = l.file
	}
	h := &handler{log: l, render: l.ring.renderer()}
	if out != nil {
		h.out = outputHandler(out, cfg.Format)
	}
	l.logger = slog.New(h)
	return l, nil
}

func outputHandler(w io.Writer, f Format) slog.Handler {
	opts := &slog.HandlerOptions{Level: slog.Level(-1 << 30), ReplaceAttr: nameLevel}
	if f == JSON {
		return slog.NewJSONHandler(w, opts)
	}
	return slog.NewTextHandler(w, opts)
}

// nameLevel writes levels by the names of Cisco's severities.
func nameLevel(groups []string, a slog.Attr) slog.Attr {
	if level, ok := a.Value.Any().(slog.Level); ok && len(groups) == 0 && a.Key == slog.LevelKey {
		return slog.String(slog.LevelKey, SeverityOf(level).String())
	}
	return a
}

// Logger returns the logger that writes to the log.
func (l *Log) Logger() *slog.Logger { return l.logger }

// Level returns the least level that is logged.
func (l *Log) Level() slog.Level { return l.level.Level() }

// SetLevel changes the least level that is logged.
func (l *Log) SetLevel(level slog.Level) { l.level.Set(level) }

// Reopen opens the file again under its name, as SIGHUP asks for after the file
// was renamed. Where that fails, the old file stays in use.
func (l *Log) Reopen() error {
	if l.file == nil {
		return nil
	}
	return l.file.reopen()
}

// Recent returns the records in the ring, the oldest first.
func (l *Log) Recent() []Record { return l.ring.recent() }

// ClearRecent empties the ring, as `clear logging` does.
func (l *Log) ClearRecent() { l.ring.clear() }

// Subscribe has fn called with each record from now on, until cancel is called.
// fn is called where the record is logged: it must neither block nor log. It may
// be called concurrently.
func (l *Log) Subscribe(fn func(Record)) (cancel func()) { return l.ring.subscribe(fn) }

// Close closes the file. What is logged afterwards goes to ring and subscribers.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.close()
}

// handler sends records to the output and the ring.
type handler struct {
	log    *Log
	out    slog.Handler // nil without an output
	render slog.Handler // of attributes, for the ring
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.log.level.Level()
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	var err error
	if h.out != nil {
		err = h.out.Handle(ctx, r)
	}
	return errors.Join(err, h.log.ring.add(ctx, h.render, r))
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(o slog.Handler) slog.Handler { return o.WithAttrs(attrs) })
}

func (h *handler) WithGroup(name string) slog.Handler {
	return h.with(func(o slog.Handler) slog.Handler { return o.WithGroup(name) })
}

func (h *handler) with(f func(slog.Handler) slog.Handler) slog.Handler {
	c := &handler{log: h.log, render: f(h.render)}
	if h.out != nil {
		c.out = f(h.out)
	}
	return c
}

// file is a log file that can be opened again.
type file struct {
	path string
	mu   sync.Mutex // guards f
	f    *os.File
}

func (f *file) reopen() error {
	opened, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	f.mu.Lock()
	old := f.f
	f.f = opened
	f.mu.Unlock()
	if old != nil {
		return old.Close()
	}
	return nil
}

func (f *file) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f == nil {
		return len(b), nil
	}
	return f.f.Write(b)
}

func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f = nil
	return err
}
