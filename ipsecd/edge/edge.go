package edge

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/cli"
	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/sm"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

// rxQueue is the number of datagrams that may wait for the core: one of each of as many
// peers as there may be.
const rxQueue = 4096

// World is what an edge stands in.
type World struct {
	Network  rawsock.Network
	Wall     func() time.Time // the time of day, without a monotonic reading
	Random   io.Reader        // of keys; never fails
	ReadFile func(path string) ([]byte, error)
}

// Machine is the world of a daemon on a machine.
func Machine() World {
	return World{
		Network:  rawsock.Kernel{},
		Wall:     func() time.Time { return time.Now().Round(0) },
		Random:   rand.Reader,
		ReadFile: os.ReadFile,
	}
}

// Edge runs a core. Make it by New, then Run it.
type Edge struct {
	log     *slog.Logger
	wall    func() time.Time
	client  *session.Client
	driver  *sm.Driver[core.Input, core.Effect]
	debug   *telemetry.Debug
	sockets *sockets
	files   files
	sas     sas
	hold    *hold
	dump    dump
	topics  topics
	life    context.Context // ends with Run
	end     context.CancelFunc

	inquiries sm.Inquiries[core.Report]
}

// New returns an edge in a world.
func New(log *slog.Logger, w World) *Edge {
	e := &Edge{log: log, wall: w.Wall, files: files{read: w.ReadFile}}
	e.life, e.end = context.WithCancel(context.Background())
	e.client = session.NewClient(e.event)
	e.debug = plugin.NewDebug(cli.Facilities, e.client, func() { e.driver.Post(e.tracing()) })
	e.sockets = newSockets(e.life, w.Network, e.receive, e.logMessage)
	e.sas = sas{client: e.client, waiting: map[rib.Key]rib.SA{}, stated: map[rib.Key]uint64{}, limit: telemetry.NewLimiter(1, time.Minute)}
	e.hold = newHold(e.sockets.send)
	e.dump = dump{watch: e.watch, unwatch: e.client.Unwatch}
	e.topics = newTopics(e.client.Publish)
	e.driver = sm.NewDriver(sm.Config[core.Input, core.Effect]{
		Machine: core.New(core.Options{Random: w.Random}),
		Tick:    core.Tick{}, Queue: rxQueue, Handle: e.handle})
	e.driver.Post(core.WallClock{Now: w.Wall()})
	e.watch(rib.Watch{Kind: rib.WatchIPsec})
	for _, topic := range watchedTopics {
		e.watch(rib.Watch{Kind: rib.WatchTopic, Topic: topic})
	}
	return e
}

func (e *Edge) watch(w rib.Watch) {
	if err := e.client.Watch(w); err != nil {
		e.log.Error("watch refused", "error", err)
	}
}

// Run drives the core until ctx ends.
func (e *Edge) Run(ctx context.Context) {
	defer e.sockets.close()
	var watch sync.WaitGroup
	defer watch.Wait()
	defer e.end()
	watch.Go(e.look)
	e.driver.Run(ctx)
}

// Attach serves one attachment of zebra.
func (e *Edge) Attach(ctx context.Context, s session.Stream) error {
	defer e.sas.detached()
	return e.client.Run(ctx, s)
}

// Debug returns what is being debugged.
func (e *Edge) Debug() *telemetry.Debug { return e.debug }

// receive takes in a datagram; it becomes the core's.
func (e *Edge) receive(in core.RxPacket) { e.driver.Offer(in) }

// Ask has the core make a report.
func (e *Edge) Ask(ctx context.Context, q core.Query) (core.Report, error) {
	return e.inquiries.Ask(ctx, func(id uint64) {
		q.ID = id
		e.driver.Post(q)
	})
}

// countersWithin is how long zebra may take to say what SAs did.
const countersWithin = 2 * time.Second

// Count has the core know what its SAs did so far. Where zebra does not answer, it knows
// what it knew.
func (e *Edge) Count(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, countersWithin)
	defer cancel()
	select {
	case <-e.dump.ask():
	case <-ctx.Done():
	}
}

// Clear ends SAs or sets counters to zero, and returns once that is done. Files of
// certificates are read again.
func (e *Edge) Clear(ctx context.Context, c core.Clear) error {
	if !c.Counters {
		e.reload()
	}
	e.driver.Post(c)
	return e.Alive(ctx)
}

// Alive returns once the core has taken an input that was posted now.
func (e *Edge) Alive(ctx context.Context) error {
	_, err := e.Ask(ctx, core.Query{Kind: core.ReportStats})
	return err
}

// Goodbye deletes all SAs and tells the peers.
func (e *Edge) Goodbye(ctx context.Context) error {
	e.driver.Post(core.Shutdown{})
	return e.Alive(ctx)
}
