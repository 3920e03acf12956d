package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/sm"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

// World is what the edge of a routing protocol stands in.
type World struct {
	Network rawsock.Network
	Wall    func() time.Time // the time of day, without a monotonic reading
	Random  rand.Source
}

// Machine is the world of a daemon on a machine.
func Machine() World {
	return World{
		Network: rawsock.Kernel{},
		Wall:    func() time.Time { return time.Now().Round(0) },
		Random:  rand.NewPCG(rand.Uint64(), rand.Uint64()),
	}
}

// Config is what an edge has of its own.
type Config[In, Out any] struct {
	Log      *slog.Logger
	Facility string // of messages in Cisco's form: "EIGRP"

	Machine sm.Machine[In, Out]
	Tick    In                 // the input that says that the instant of Wake has come
	Queue   int                // offered inputs that may wait
	Ping    func(id uint64) In // the cheapest question
	Handle  func([]Out)        // carries out effects, on the core's goroutine
	Event   func(rib.Event)    // takes in what zebra tells

	Facilities telemetry.Facilities // of debugging
	Tracing    func() In            // the input that says what is to be traced; nil: the core does not trace

	Wall      func() time.Time   // nil: the core does not want to know the time of day
	WallClock func(time.Time) In // the input that says what time of day it is
	Look      func()             // is called every 10 seconds; nil: nothing is to be done
	Unread    func() uint64      // packets that the kernel dropped; nil: nobody knows
}

// Edge runs a core. Make it by New, then Run it.
type Edge[In, Out, Report any] struct {
	Client *session.Client
	Driver *sm.Driver[In, Out]

	cfg       Config[In, Out]
	debug     *telemetry.Debug
	life      context.Context // ends with Run
	end       context.CancelFunc
	inquiries sm.Inquiries[Report]
}

// New returns an edge.
func New[In, Out, Report any](cfg Config[In, Out]) *Edge[In, Out, Report] {
	e := &Edge[In, Out, Report]{cfg: cfg}
	e.life, e.end = context.WithCancel(context.Background())
	e.Client = session.NewClient(cfg.Event)
	var traced func()
	if cfg.Tracing != nil {
		traced = func() { e.Driver.Post(cfg.Tracing()) }
	}
	e.debug = plugin.NewDebug(cfg.Facilities, e.Client, traced)
	e.Driver = sm.NewDriver(sm.Config[In, Out]{Machine: cfg.Machine, Tick: cfg.Tick, Queue: cfg.Queue, Handle: cfg.Handle})
	return e
}

// Life ends when Run does.
func (e *Edge[In, Out, Report]) Life() context.Context { return e.life }

// Run drives the core until ctx ends.
func (e *Edge[In, Out, Report]) Run(ctx context.Context) {
	var watch sync.WaitGroup
	defer watch.Wait()
	defer e.end()
	watch.Go(e.watch)
	e.Driver.Run(ctx)
}

// Attach serves one attachment of zebra.
func (e *Edge[In, Out, Report]) Attach(ctx context.Context, s session.Stream) error {
	return e.Client.Run(ctx, s)
}

// Debug returns what is being debugged.
func (e *Edge[In, Out, Report]) Debug() *telemetry.Debug { return e.debug }

// Question has the core make a report; ask makes the input.
func (e *Edge[In, Out, Report]) Question(ctx context.Context, ask func(id uint64) In) (Report, error) {
	return e.inquiries.Ask(ctx, func(id uint64) { e.Driver.Post(ask(id)) })
}

// Answer hands the core's report to whoever asked.
func (e *Edge[In, Out, Report]) Answer(id uint64, r Report) { e.inquiries.Answer(id, r) }

// Alive returns once the core has taken an input that was posted now.
func (e *Edge[In, Out, Report]) Alive(ctx context.Context) error {
	_, err := e.Question(ctx, e.cfg.Ping)
	return err
}

// Do posts an input and returns once the core has taken it.
func (e *Edge[In, Out, Report]) Do(ctx context.Context, in In) error {
	e.Driver.Post(in)
	return e.Alive(ctx)
}

// Put states an object to zebra.
func (e *Edge[In, Out, Report]) Put(obj rib.Object) {
	if _, err := e.Client.Put(obj); err != nil {
		e.cfg.Log.Error("object refused", "error", err)
	}
}

// Watch asks zebra to tell of something.
func (e *Edge[In, Out, Report]) Watch(w rib.Watch) {
	if err := e.Client.Watch(w); err != nil {
		e.cfg.Log.Error("watch refused", "error", err)
	}
}

// Acknowledged logs the routes that zebra could not install.
func (e *Edge[In, Out, Report]) Acknowledged(ack rib.Ack) {
	for _, f := range ack.Failures {
		if f.Error != "" {
			e.cfg.Log.Warn("zebra could not install", "route", f.Key.Prefix, "vrf", f.Key.VRF, "error", f.Error)
		}
	}
}

// Message logs a message in Cisco's form, %EIGRP-5-NBRCHANGE: text, to the daemon's log
// and to zebra's. An empty facility is that of the edge.
func (e *Edge[In, Out, Report]) Message(facility string, severity telemetry.Severity, mnemonic, text string) {
	if facility == "" {
		facility = e.cfg.Facility
	}
	text = fmt.Sprintf("%%%s-%d-%s: %s", facility, severity, mnemonic, text)
	e.cfg.Log.Log(context.Background(), severity.Level(), text)
	e.Client.Log(session.Log{Time: time.Now(), Level: severity.Level(), Message: text})
}

// Complain logs an error: a parameter of vrfsock.
func (e *Edge[In, Out, Report]) Complain(mnemonic, text string) {
	e.Message("", telemetry.Error, mnemonic, text)
}
