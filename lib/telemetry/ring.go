package telemetry

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// DefaultBuffer is the number of recent records that are kept.
const DefaultBuffer = 1000

// maxText bounds the text of a record that is kept, in bytes.
const maxText = 2048

// Record is one line of the log.
type Record struct {
	Seq   uint64 // counts records from 1
	Time  time.Time
	Level slog.Level
	Text  string // message and attributes; long ones are cut off
}

// String renders the record as `show logging` does:
//
//	*Nov 23 15:16:25.123: %DMVPN-5-NHRP_NHS_UP: NHS 10.0.0.1 is up
//
// A record that is no Message of Cisco's form has its severity's name in front,
// unless it is a line of debugging.
func (r Record) String() string {
	text := r.Text
	if s := SeverityOf(r.Level); s != Debugging && !strings.HasPrefix(text, "%") {
		text = s.String() + ": " + text
	}
	return "*" + r.Time.Format("Jan _2 15:04:05.000") + ": " + text
}

// ring keeps recent records and tells subscribers of new ones.
type ring struct {
	mu      sync.Mutex // guards everything below; also held while rendering
	records []Record   // used as a ring once it is full
	size    int
	seq     uint64
	subs    []*subscriber
	scratch bytes.Buffer
}

type subscriber struct{ fn func(Record) }

func (r *ring) init(size int) {
	if size <= 0 {
		size = DefaultBuffer
	}
	r.size = size
}

// renderer returns a handler that writes a record's attributes to scratch.
func (r *ring) renderer() slog.Handler {
	return slog.NewTextHandler(&r.scratch, &slog.HandlerOptions{
		Level: slog.Level(-1 << 30),
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
				return slog.Attr{}
			}
			return a
		},
	})
}

func (r *ring) add(ctx context.Context, render slog.Handler, from slog.Record) error {
	r.mu.Lock()
	r.scratch.Reset()
	err := render.Handle(ctx, from)
	text := strings.TrimSpace(from.Message + " " + strings.TrimSpace(r.scratch.String()))
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	r.seq++
	rec := Record{Seq: r.seq, Time: from.Time, Level: from.Level, Text: text}
	if len(r.records) < r.size {
		r.records = append(r.records, rec)
	} else {
		r.records[int((r.seq-1)%uint64(r.size))] = rec
	}
	subs := r.subs // replaced, never changed
	r.mu.Unlock()
	for _, s := range subs {
		s.fn(rec)
	}
	return err
}

func (r *ring) recent() []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Record, 0, len(r.records))
	if len(r.records) < r.size {
		return append(out, r.records...)
	}
	oldest := int(r.seq % uint64(r.size))
	return append(append(out, r.records[oldest:]...), r.records[:oldest]...)
}

func (r *ring) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records, r.seq = nil, 0
}

func (r *ring) subscribe(fn func(Record)) (cancel func()) {
	s := &subscriber{fn}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.subs = append(r.subs[:len(r.subs):len(r.subs)], s)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		var rest []*subscriber
		for _, o := range r.subs {
			if o != s {
				rest = append(rest, o)
			}
		}
		r.subs = rest
	}
}
