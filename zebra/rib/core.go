package rib

import (
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/sm"
)

// The built-in owners of objects. OwnerConnected holds what the RIB derives
// from interfaces by itself; the other two are fed by zebra.
const (
	OwnerConnected = "connected"
	OwnerStatic    = "static"
	OwnerKernel    = "kernel"
)

// MaxNextHops is the largest number of next hops of a route, before and after
// they are resolved.
const MaxNextHops = 64

// DefaultMaxDepth is the depth of recursion of Options.MaxDepth 0.
const DefaultMaxDepth = 10

// Options are the choices made when a Core is born.
type Options struct {
	// MaxDepth is how many routes may stand between a route and an interface:
	// 1 allows next hops reached by connected routes only. 0 means
	// DefaultMaxDepth.
	MaxDepth int16
	// ViaDefault lists the protocols whose next hops may be reached by the
	// default route. nil means static routes, as on IOS; an empty list means
	// none. Tracked next hops always may.
	ViaDefault []rib.Protocol
	// Trace asks for Trace effects.
	Trace bool
}

// Core is the RIB. It is not safe for concurrent use.
type Core struct {
	opts Options

	tables     map[string]*table
	interfaces map[string]*iface
	owners     map[string]*owner
	neighbors  map[rib.Key]*neighbor
	redist     map[redistKey][]*watch // by owner's name
	networks   map[network][]*watch   // the same
	hold       clock.Heap[string]     // by owner: when its stale objects are swept

	gen     uint64        // of the last effect on the FIB
	hops    []rib.NextHop // of the candidate evaluated last, shared with it
	effects []Effect

	// The work of the input in hand; see settle.go.
	queue          []*node
	epoch          uint64
	touched        []*node
	touchedWatches []*watch
	looped         map[*node]struct{} // have a candidate that loops
	edgesChanged   bool               // since looped was last looked at
}

var _ sm.Machine[Input, Effect] = (*Core)(nil)

// New returns an empty RIB.
func New(opts Options) *Core {
	if opts.MaxDepth <= 0 {
		opts.MaxDepth = DefaultMaxDepth
	}
	if opts.ViaDefault == nil {
		opts.ViaDefault = []rib.Protocol{rib.Static}
	}
	opts.ViaDefault = slices.Clone(opts.ViaDefault)
	return &Core{
		opts:       opts,
		tables:     map[string]*table{},
		interfaces: map[string]*iface{},
		owners:     map[string]*owner{},
		neighbors:  map[rib.Key]*neighbor{},
		redist:     map[redistKey][]*watch{},
		networks:   map[network][]*watch{},
		looped:     map[*node]struct{}{},
	}
}

// Step implements sm.Machine.
func (c *Core) Step(now clock.Instant, in Input) {
	for name, ok := c.hold.PopDue(now); ok; name, ok = c.hold.PopDue(now) {
		c.sweep(now, c.owners[name])
	}
	switch in := in.(type) {
	case Put:
		c.put(now, in)
	case Delete:
		c.delete(now, in)
	case OwnerLost:
		c.ownerLost(now, in)
	case EndOfReplay:
		c.endOfReplay(now, in.Owner)
	case InterfaceChanged:
		c.interfaceChanged(now, in.Interface)
	case InterfaceGone:
		c.interfaceGone(now, in.Name)
	case WatchAdd:
		c.watchAdd(in.Owner, in.Watch)
	case WatchDel:
		c.watchDel(in.Owner, in.Watch)
	case Installed:
		for _, r := range in.Results {
			c.installed(now, r)
		}
	case Tick:
	}
}

// Wake implements sm.Machine: the next hold limit of a lost owner.
func (c *Core) Wake() (at clock.Instant, ok bool) { return c.hold.Next() }

// Drain implements sm.Machine. Acks are coalesced: there is at most one for
// each owner in a Drain, unless it has more than maxFailures failures, and they
// come last.
func (c *Core) Drain(dst []Effect) []Effect {
	c.ackAll()
	dst = append(dst, c.effects...)
	clear(c.effects)
	c.effects = c.effects[:0]
	if cap(c.effects) > 1<<16 {
		c.effects = nil
	}
	return dst
}

func (c *Core) emit(e Effect) { c.effects = append(c.effects, e) }

func (c *Core) trace(e Trace) {
	if c.opts.Trace {
		c.emit(e)
	}
}

// viaDefault reports whether routes of protocol p may resolve by the default route.
func (c *Core) viaDefault(p rib.Protocol) bool { return slices.Contains(c.opts.ViaDefault, p) }
